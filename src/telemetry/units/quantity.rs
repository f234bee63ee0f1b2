//! Quantities as people write them in scenario files: `"5 s"`, `"40/h"`, `"20M"`, `"5 KB"`.
//!
//! Each type checks its range while it is deserialised, so that a wrong value
//! is reported with its file, line and field.

use crate::field::ValueError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Splits `"12.5 ms"` into 12.5 and `"ms"`; see [`number_part`].
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let (number, unit) = number_part(text)?;
    Some((number.parse().ok()?, unit))
}

/// The number at the beginning of a text, without what only parts its digits, and the rest: `12.5 ms`, `1_000_000`,
/// `1,000,000`, `1e6`. Commas part groups of three digits, the first of one to three, or there is no number.
pub fn number_part(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+' | ',');
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if number.contains(',') && !is_grouped(number.trim_start_matches(['-', '+'])) {
        return None;
    }
    let mut number = number.replace(['_', ','], "");
    let power = rest.strip_prefix(['e', 'E']).map_or(0, |power| {
        let digits = power.trim_start_matches(['+', '-']);
        let signs = power.len() - digits.len();
        let length = digits.find(|c: char| !c.is_ascii_digit());
        match length.unwrap_or(digits.len()) {
            0 => 0,
            n => 1 + signs + n,
        }
    });
    number.push_str(&rest[..power]);
    Some((number, rest[power..].trim()))
}

/// Whether commas part the whole of a number into groups of three digits: `1,000,000`, `12,500.5`.
pub fn is_grouped(number: &str) -> bool {
    let whole = number.split('.').next().unwrap_or_default();
    let decimals = &number[whole.len()..];
    let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    (1..=3).contains(&first.len())
        && is_digits(first)
        && !rest.is_empty()
        && rest.iter().all(|g| g.len() == 3 && is_digits(g))
        && is_digits(decimals.trim_start_matches('.'))
}

/// Seconds in a unit of time; `None` if the unit is unknown.
fn seconds_per(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "month" => SECONDS_PER_MONTH,
        _ => return None,
    })
}

/// Seconds in the month that prices refer to: 30 days.
pub const SECONDS_PER_MONTH: f64 = 30.0 * 86_400.0;

/// A century is as good as never, and the clock still counts it: what is longer is taken for one.
const LONGEST_SECONDS: f64 = 36_500.0 * 86_400.0;

/// Parses a duration with its unit: `250 ms`, `5s`, `24 h`, `7 d`. More than a century is taken for a century.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let expected = "expected a duration with a unit (ns, us, ms, s, min, h, d), such as \"5 s\"";
    let fail = || ValueError::new(format!("found \"{text}\", {expected}"));
    let (number, unit) = number_and_unit(text).ok_or_else(fail)?;
    let seconds = number * seconds_per(unit).ok_or_else(fail)?;
    if number < 0.0 {
        return Err(ValueError::new(format!(
            "found \"{text}\", expected a duration of 0 or more"
        )));
    }
    Duration::try_from_secs_f64(seconds.min(LONGEST_SECONDS)).map_err(|_| fail())
}

/// Writes a duration in the largest unit that gives a whole number.
pub fn format_duration(d: Duration) -> String {
    let nanos = d.as_nanos();
    for (unit, size) in [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ] {
        if nanos >= size && nanos.is_multiple_of(size) {
            return format!("{} {unit}", nanos / size);
        }
    }
    if nanos == 0 {
        "0 s".into()
    } else {
        format!("{nanos} ns")
    }
}

/// `#[serde(with = "quantity::duration")]` for a [`Duration`] written with its unit. A type, not a
/// module, so that it has a JSON Schema too.
#[allow(non_camel_case_types)]
pub enum duration {}

impl duration {
    /// Reads a duration such as `"5 s"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        let text = TextOrNumber::deserialize(d)?;
        parse_duration(&text.0).map_err(serde::de::Error::custom)
    }

    /// Writes a duration such as `"5 s"`.
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format_duration(*d))
    }
}

/// As [`duration`], for an optional field (add `#[serde(default)]`).
#[allow(non_camel_case_types)]
pub enum optional_duration {}

impl optional_duration {
    /// Reads a duration such as `"5 s"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(d).map(Some)
    }

    /// Writes a duration such as `"5 s"`, or nothing.
    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => duration::serialize(d, s),
            None => s.serialize_none(),
        }
    }
}

/// Text as written; a bare number becomes its text, so that the range check can name it.
struct TextOrNumber(String);

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TextOrNumber;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a quantity as text or number")
            }
            fn visit_str<E>(self, v: &str) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(v.to_string()))
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// Serde by way of `FromStr` and `Display`, for a type written as text or number.
macro_rules! text_serde {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = TextOrNumber::deserialize(d)?;
                text.0.parse().map_err(serde::de::Error::custom)
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    };
}

/// A probability between 0 and 1; may be written as a percentage, `"0.5%"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

impl Probability {
    /// The probability `p`; `None` outside 0 to 1.
    pub fn new(p: f64) -> Option<Self> {
        (0.0..=1.0).contains(&p).then_some(Probability(p))
    }

    /// The value, 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Probability {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let value = match number_and_unit(text) {
            Some((n, "")) => Some(n),
            Some((n, "%")) => Some(n / 100.0),
            _ => None,
        };
        value.and_then(Probability::new).ok_or_else(|| {
            ValueError::new(format!(
                "found \"{text}\", expected a probability from 0 to 1 (or 0% to 100%)"
            ))
        })
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(Probability);

/// Events per second, 0 or more; written `"40/h"`, `"2.5/s"`, `"1M/month"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(f64);

impl Rate {
    /// `n` events per second.
    ///
    /// # Panics
    /// If `n` is negative or not finite.
    pub fn per_second(n: f64) -> Self {
        assert!(n.is_finite() && n >= 0.0, "a rate is 0 or more");
        Rate(n)
    }

    /// `n` events in a month of 30 days.
    pub fn per_month(n: f64) -> Self {
        Rate::per_second(n / SECONDS_PER_MONTH)
    }

    /// Events per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }

    /// Events in a month of 30 days.
    pub fn as_per_month(self) -> f64 {
        self.0 * SECONDS_PER_MONTH
    }
}

impl FromStr for Rate {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let expected = "expected a rate per s, min, h, day or month, such as \"40/h\"";
        let fail = || ValueError::new(format!("found \"{text}\", {expected}"));
        let (count, unit) = text.split_once('/').ok_or_else(fail)?;
        let count = parse_number(count).ok_or_else(fail)?;
        let seconds = seconds_per(unit.trim()).ok_or_else(fail)?;
        if !(count.is_finite() && count >= 0.0) {
            return Err(ValueError::new(format!(
                "found \"{text}\", expected a rate of 0 or more"
            )));
        }
        Ok(Rate(count / seconds))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

text_serde!(Rate);

/// `"10k"`, `"2.5M"`, `"1B"` or a plain number.
fn parse_number(text: &str) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "B" | "G" => 1e9,
        _ => return None,
    };
    Some(number * factor)
}

/// A whole number of things, 0 or more; written `250`, `"10k"`, `"2.5M"`, `"1B"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Count(pub u64);

impl FromStr for Count {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match parse_number(text) {
            Some(n) if (0.0..=1e18).contains(&n) && (n - n.round()).abs() < 1e-6 => {
                Ok(Count(n.round() as u64))
            }
            _ => Err(ValueError::new(format!(
                "found \"{text}\", expected a whole number of 0 or more, such as 250, 10k, 2.5M or 1B"
            ))),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        for (suffix, size) in [("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)] {
            if n >= size && (n % size * 100).is_multiple_of(size) {
                return write!(f, "{}{suffix}", n as f64 / size as f64);
            }
        }
        write!(f, "{n}")
    }
}

text_serde!(Count);

/// A size in bytes; written `"512 B"`, `"5 KB"` (1,000), `"25 MiB"` (1,048,576).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let factor = |unit| {
            Some(match unit {
                "B" => 1.0,
                "KB" => 1e3,
                "MB" => 1e6,
                "GB" => 1e9,
                "KiB" => 1024.0,
                "MiB" => 1_048_576.0,
                "GiB" => 1_073_741_824.0,
                _ => return None,
            })
        };
        number_and_unit(text)
            .and_then(|(n, unit)| Some(n * factor(unit)?))
            .filter(|n| (0.0..1e18).contains(n))
            .map(|n| Bytes(n.round() as u64))
            .ok_or_else(|| {
                ValueError::new(format!(
                    "found \"{text}\", expected a size in B, KB, MB, GB, KiB, MiB or GiB"
                ))
            })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("KB", 1_000),
        ] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} B", self.0)
    }
}

text_serde!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_a_sign_that_makes_sense() {
        assert_eq!(parse_duration("250 ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("24h"), Ok(Duration::from_secs(86_400)));
        assert!(
            parse_duration("5")
                .unwrap_err()
                .to_string()
                .contains("with a unit")
        );
        assert!(parse_duration("5 parsecs").is_err());
        assert!(
            parse_duration("-1 s")
                .unwrap_err()
                .to_string()
                .contains("0 or more")
        );
    }

    #[test]
    fn large_numbers_may_be_written_as_people_do() {
        let count = |text: &str| text.parse::<Count>().map(|c| c.0);
        for text in [
            "1e6",
            "1E6",
            "1.0e+6",
            "1,000,000",
            "1_000_000",
            "1000k",
            "0.001e9",
        ] {
            assert_eq!(count(text), Ok(1_000_000), "{text}");
        }
        assert_eq!(count("12,500k"), Ok(12_500_000));
        assert_eq!("1e3/h".parse::<Rate>(), "1000/h".parse::<Rate>());
        assert_eq!(parse_duration("1,500 ms"), parse_duration("1.5 s"));
        for text in [
            "1,00", "1,0000", "1000,000", ",000", "1,", "1e", "1e+", "e6", "1,5M",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["5 s", "24 h", "250 ms", "7 d", "0 s"] {
            let d = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&format_duration(d)), Ok(d));
        }
        for n in [0, 999, 10_000, 2_500_000, 1_000_000_000] {
            assert_eq!(Count(n).to_string().parse(), Ok(Count(n)));
        }
        for n in [512, 5_000, 25 << 20] {
            assert_eq!(Bytes(n).to_string().parse(), Ok(Bytes(n)));
        }
    }

    #[test]
    fn rates_and_probabilities_check_their_range() {
        let rate: Rate = "40/h".parse().unwrap();
        assert!((rate.as_per_second() - 40.0 / 3600.0).abs() < 1e-15);
        assert!(
            "-3/s"
                .parse::<Rate>()
                .unwrap_err()
                .to_string()
                .contains("0 or more")
        );
        assert!("3".parse::<Rate>().is_err());
        assert_eq!("5%".parse::<Probability>().unwrap().get(), 0.05);
        assert!("1.5".parse::<Probability>().is_err());
    }
}
