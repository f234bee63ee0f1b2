//! Makes a case that fails as small as it can be: fewer settings, smaller numbers, a shorter period.

use super::draft::Draft;
use toml::Value;

/// Tries at most.
const MOST_TRIES: u32 = 400;

/// The smallest case found that still fails, by leaving out settings and halving numbers one after the
/// other until nothing more can be. `fails` says whether a case does, in the same way.
///
/// # Errors
/// That of `fails`.
pub(super) fn shrink<E>(
    draft: &Draft,
    mut fails: impl FnMut(&Draft) -> Result<bool, E>,
) -> Result<Draft, E> {
    let mut tries = 0;
    let mut small = draft.clone();
    let mut try_it = |small: &mut Draft, candidate: Draft| {
        if candidate == *small || tries >= MOST_TRIES || !is_bounded(small, &candidate) {
            return Ok(false);
        }
        tries += 1;
        let better = fails(&candidate)?;
        if better {
            *small = candidate;
        }
        Ok(better)
    };
    loop {
        let before = small.clone();
        leave_out(&mut small, &mut try_it)?;
        halve(&mut small, &mut try_it)?;
        if small == before {
            return Ok(small);
        }
    }
}

/// Fields that keep a case short: they get smaller, and are never left out.
const BOUNDS: [&str; 2] = ["traffic_per_month", "period"];

/// Whether everything is left that keeps a case short.
fn is_bounded(before: &Draft, candidate: &Draft) -> bool {
    BOUNDS.iter().all(|path| {
        let fields = |v: &Value| v.as_table().map(toml::Table::len);
        match (before.get(path), candidate.get(path)) {
            (Some(before), Some(now)) => fields(before) == fields(now),
            (before, _) => before.is_none(),
        }
    })
}

/// Leaves out settings: many at a time, then one by one.
fn leave_out<E>(
    small: &mut Draft,
    try_it: &mut impl FnMut(&mut Draft, Draft) -> Result<bool, E>,
) -> Result<(), E> {
    let mut many = small.settings.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < small.settings.len() {
            let mut candidate = small.clone();
            let end = (at + many).min(candidate.settings.len());
            candidate.settings.drain(at..end);
            if !try_it(small, candidate)? {
                at += many;
            }
        }
        if many == 1 {
            return Ok(());
        }
        many = many.div_ceil(2);
    }
}

/// Leaves out fields and elements of values, and halves numbers.
fn halve<E>(
    small: &mut Draft,
    try_it: &mut impl FnMut(&mut Draft, Draft) -> Result<bool, E>,
) -> Result<(), E> {
    for i in 0..small.settings.len() {
        let mut place = 0;
        while let Some(smaller) = smaller(&small.settings[i].value, place) {
            let mut candidate = small.clone();
            candidate.settings[i].value = smaller;
            // What was made smaller may be made smaller once more.
            if !try_it(small, candidate)? {
                place += 1;
            }
        }
    }
    Ok(())
}

/// A value in which place number `place`, counted through everything in it, is smaller; none if there are not
/// so many places. It may be the value itself, where nothing is smaller.
fn smaller(value: &Value, place: usize) -> Option<Value> {
    let mut left = place;
    smaller_at(value, &mut left)
}

fn smaller_at(value: &Value, left: &mut usize) -> Option<Value> {
    let mut here = |smaller: Option<Value>| match *left {
        0 => Some(smaller.unwrap_or_else(|| value.clone())),
        _ => {
            *left -= 1;
            None
        }
    };
    match value {
        Value::Table(fields) => {
            for (name, field) in fields {
                let mut without = fields.clone();
                without.remove(name);
                if *left == 0 {
                    return Some(Value::Table(without));
                }
                *left -= 1;
                if let Some(smaller) = smaller_at(field, left) {
                    let mut with = fields.clone();
                    with.insert(name.clone(), smaller);
                    return Some(Value::Table(with));
                }
            }
            None
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let mut without = items.clone();
                without.remove(i);
                if *left == 0 {
                    return Some(Value::Array(without));
                }
                *left -= 1;
                if let Some(smaller) = smaller_at(item, left) {
                    let mut with = items.clone();
                    with[i] = smaller;
                    return Some(Value::Array(with));
                }
            }
            None
        }
        Value::Integer(n) => {
            here((*n > 1).then(|| Value::Integer(rounded(*n as f64 / 2.0) as i64)))
        }
        Value::Float(x) => here((*x > 1.0).then(|| Value::Float(rounded(x / 2.0)))),
        Value::String(text) => here(half(text).map(Value::String)),
        _ => None,
    }
}

/// Half of a number with its unit.
fn half(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok().filter(|n| *n > 1.0)?;
    Some(format!("{}{unit}", rounded(number / 2.0)))
}

/// Two digits are enough.
fn rounded(x: f64) -> f64 {
    let size = 10_f64.powf(x.log10().floor() - 1.0).max(1.0);
    (x / size).ceil() * size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::chaos::draft::Setting;

    fn draft(settings: &[(&str, &str)]) -> Draft {
        let setting = |(path, value): &(&str, &str)| {
            let table: toml::Table = format!("v = {value}").parse().unwrap();
            Setting::new(path, table["v"].clone())
        };
        Draft {
            settings: settings.iter().map(setting).collect(),
        }
    }

    #[test]
    fn what_does_not_matter_is_left_out_and_what_does_gets_small() {
        let large = draft(&[
            ("a", "1"),
            ("b", "\"600 s\""),
            ("c", "{ x = 7, y = \"40%\", z = [1, 2, 3] }"),
            ("d", "true"),
        ]);
        let fails = |d: &Draft| {
            let b = d.get("b").and_then(Value::as_str).unwrap_or("0 s");
            let b: f64 = b.trim_end_matches(" s").parse().unwrap();
            let z = d.get("c").and_then(|c| c.get("z")?.as_array().cloned());
            let has_two = z.is_some_and(|z| z.contains(&Value::Integer(2)));
            Ok::<_, ()>(b >= 30.0 && has_two)
        };
        let small = shrink(&large, fails).unwrap();
        let expected = draft(&[("b", "\"38 s\""), ("c", "{ z = [2] }")]);
        assert_eq!(small, expected);
    }

    #[test]
    fn a_case_stays_short() {
        let large = draft(&[
            ("traffic_per_month", "1000"),
            ("period", "{ at_least = \"600 s\", whole_days = false }"),
        ]);
        let small = shrink(&large, |_| Ok::<_, ()>(true)).unwrap();
        let expected = draft(&[
            ("traffic_per_month", "1"),
            ("period", "{ at_least = \"1 s\", whole_days = false }"),
        ]);
        assert_eq!(small, expected);
    }

    #[test]
    fn it_ends_whatever_fails() {
        let large = draft(&[("a", "1000000"), ("b", "1e300"), ("c", "\"9 d\"")]);
        let mut tries = 0;
        let kept = shrink(&large, |_| {
            tries += 1;
            Ok::<_, ()>(true)
        });
        assert_eq!(kept, Ok(Draft::default()));
        assert!(tries < 10);
        assert_eq!(shrink(&large, |_| Ok::<_, ()>(false)), Ok(large.clone()));
        assert_eq!(shrink(&large, |_| Err("stopped")), Err("stopped"));
    }
}
