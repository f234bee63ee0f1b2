//! A setting and the values that it may have.

use crate::models::ValueError;
use crate::models::quantity::{Count, format_duration, parse_duration};
use crate::study::chaos::draft::Setting;
use std::str::FromStr;
use std::time::Duration;
use toml::Value;

/// A setting with its range: `failures.write.error=0%..20%`, `policy.layout.keys=rollup|shared`.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The field, as `--set` takes it.
    pub path: String,
    /// The range as it was written.
    pub text: String,
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Numbers { low: f64, high: f64, unit: Unit },
    Choices(Vec<String>),
}

/// How a number is written.
#[derive(Debug, Clone, PartialEq)]
enum Unit {
    /// A whole number; `1M` is one.
    Whole,
    /// Any number.
    Real,
    /// A duration, in seconds.
    Time,
    /// A number before this text, such as `%` or `/s`.
    Before(String),
}

const EXPECTED: &str = "expected FIELD=FROM..TO with the lower value first and both in one unit, such as policy.cache.ttl=\"1 s..60 s\" or failures.write.error=0%..20%, or FIELD=A|B|C";

impl FromStr for Range {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fail = || ValueError::new(format!("found \"{text}\", {EXPECTED}"));
        let (path, range) = text.split_once('=').ok_or_else(fail)?;
        let range = range.trim().trim_matches('"');
        let values = match range.split_once("..") {
            Some((from, to)) => {
                let ((low, unit), (high, other)) = (end(from), end(to));
                let unit = match (unit, other) {
                    (one, other) if one == other => one,
                    // `0..2.5`, or `0.5..2`.
                    (Unit::Whole | Unit::Real, Unit::Whole | Unit::Real) => Unit::Real,
                    _ => return Err(fail()),
                };
                if !(low.is_finite() && high.is_finite() && low < high) {
                    return Err(fail());
                }
                Values::Numbers { low, high, unit }
            }
            None => {
                let choices: Vec<String> = range.split('|').map(|c| c.trim().to_owned()).collect();
                if choices.len() < 2 || choices.iter().any(String::is_empty) {
                    return Err(fail());
                }
                Values::Choices(choices)
            }
        };
        Ok(Range {
            path: path.trim().to_owned(),
            text: range.to_owned(),
            values,
        })
    }
}

/// A number with its unit; NaN if it is none.
fn end(text: &str) -> (f64, Unit) {
    let text = text.trim().trim_matches('"').trim();
    if let Ok(count) = text.parse::<Count>() {
        return (count.0 as f64, Unit::Whole);
    }
    if let Ok(number) = text.parse::<f64>() {
        return (number, Unit::Real);
    }
    if let Ok(time) = parse_duration(text) {
        return (time.as_secs_f64(), Unit::Time);
    }
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    let (number, unit) = text.split_at(at.unwrap_or(text.len()));
    let number = number.parse().unwrap_or(f64::NAN);
    (number, Unit::Before(unit.trim().to_owned()))
}

impl Range {
    /// The setting at a point of the range from 0, its lower end, to 1. Ranges over a factor of ten and more are
    /// divided by factors.
    pub fn at(&self, u: f64) -> Setting {
        let u = u.clamp(0.0, 1.0);
        let value = match &self.values {
            Values::Choices(choices) => {
                let i = ((u * choices.len() as f64) as usize).min(choices.len() - 1);
                choice(&choices[i])
            }
            Values::Numbers { low, high, unit } => {
                let x = match *low > 0.0 && high / low >= 10.0 {
                    true => low * (high / low).powf(u),
                    false => low + u * (high - low),
                };
                unit.value(rounded(x).clamp(*low, *high))
            }
        };
        Setting::new(&self.path, value)
    }
}

/// As `--set` reads it: TOML, or else text.
fn choice(text: &str) -> Value {
    let table = format!("v = {text}").parse::<toml::Table>();
    let value = table.ok().and_then(|mut t| t.remove("v"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

impl Unit {
    fn value(&self, x: f64) -> Value {
        match self {
            Unit::Whole => Value::Integer(x.round() as i64),
            Unit::Real => Value::Float(x),
            Unit::Time => {
                let time = Duration::from_nanos((x * 1e9).round() as u64);
                Value::String(format_duration(time))
            }
            Unit::Before(unit) => Value::String(format!("{x}{unit}")),
        }
    }
}

/// Three digits are enough: what is written is what is simulated.
fn rounded(x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    let text = format!("{x:.2e}");
    text.parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, u: f64) -> String {
        let range: Range = text.parse().unwrap();
        range.at(u).value.to_string()
    }

    #[test]
    fn a_range_goes_from_its_one_end_to_the_other_in_its_own_unit() {
        assert_eq!(at("a=0%..20%", 0.5), "\"10%\"");
        assert_eq!(at("a=1 s..10 min", 0.0), "\"1 s\"");
        assert_eq!(at("a=1 s..10 min", 1.0), "\"10 min\"");
        assert_eq!(at("a=1 s..100 s", 0.5), "\"10 s\"");
        assert_eq!(at("a=\"1 ms\"..\"2 ms\"", 0.25), "\"1250 us\"");
        assert_eq!(at("a=1M..100M", 0.5), "10000000");
        assert_eq!(at("a=0..2.5", 1.0), "2.5");
        assert_eq!(at("a=2/s..4/s", 0.5), "\"3/s\"");
        assert_eq!(at("a=rollup|batch_keys|shared", 0.4), "\"batch_keys\"");
        assert_eq!(at("a=true|false", 1.0), "false");
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for text in [
            "a",
            "a=1",
            "a=2..1",
            "a=1 s..5%",
            "a=x..y",
            "a=b|",
            "a=1..1",
        ] {
            let error = text.parse::<Range>().unwrap_err().to_string();
            assert!(error.contains("expected FIELD=FROM..TO"), "{error}");
        }
    }
}
