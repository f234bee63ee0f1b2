//! Whole numbers as arguments: `250`, `10k`, `1e6`, `1,000,000`, and a list of levels of traffic.

use kvplan::models::quantity::{Count, is_grouped};
use kvplan::run::scenario::MOST_TRAFFIC;
use std::fmt::Display;

/// A reader of whole numbers from `low` to `high`.
pub(crate) fn whole<T: TryFrom<u64> + Copy + PartialOrd + Display>(
    low: T,
    high: T,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text: &str| {
        let fail = || format!("found \"{text}\", expected a whole number from {low} to {high}");
        // Digit by digit first: a seed may have twenty of them.
        let exact = text.trim().parse::<u64>().ok();
        let number = exact.or_else(|| text.parse::<Count>().ok().map(|n| n.0));
        let number = number.and_then(|n| T::try_from(n).ok()).ok_or_else(fail)?;
        match (low..=high).contains(&number) {
            true => Ok(number),
            false => Err(fail()),
        }
    }
}

/// Any seed.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    whole(0, u64::MAX)(text)
}

/// What is expected instead of a traffic that cannot be simulated.
pub(crate) fn expected_of(traffic: Count) -> Option<String> {
    match traffic {
        Count(0) => Some("expected at least 1 request a month".into()),
        n if n > MOST_TRAFFIC => Some(format!(
            "expected no more than {MOST_TRAFFIC} requests a month"
        )),
        _ => None,
    }
}

/// Parses `10k,1M`, or `10k..1B` with three levels per decade (1, 3, 10, 30, ...).
///
/// A comma separates levels. It parts the digits of one number where nothing else can be meant: in a text that is such
/// a number as a whole, of which a group begins with 0, as `1,000,000`. What may be both, as `100,200`, is refused.
pub(crate) fn parse_traffic(text: &str) -> Result<Vec<Count>, String> {
    let level = |t: &str| -> Result<Count, String> {
        let n: Count = t.parse()?;
        match expected_of(n) {
            Some(expected) => Err(format!("found \"{t}\", {expected}")),
            None => Ok(n),
        }
    };
    if let Some((low, high)) = text.split_once("..") {
        let (low, high) = (level(low)?, level(high)?);
        if low > high {
            return Err(format!("found \"{text}\", expected the lower level first"));
        }
        return Ok(half_decades(low.0, high.0));
    }
    let items: Vec<&str> = text.split(',').collect();
    let is_part = |item: &&str| item.len() == 3 && item.starts_with('0');
    if items.iter().skip(1).any(is_part) {
        return match is_grouped(text) {
            true => Ok(vec![level(text)?]),
            false => Err(format!(
                "found \"{text}\", expected levels without thousands separators, which a list has between them: 1_000_000 or 1M"
            )),
        };
    }
    if is_grouped(text) {
        let (one, list) = (items.concat(), items.join(", "));
        return Err(format!(
            "found \"{text}\", which may be one number or {} levels, expected {one} or \"{list}\"",
            items.len()
        ));
    }
    let mut levels: Vec<Count> = items.into_iter().map(level).collect::<Result<_, _>>()?;
    levels.sort();
    levels.dedup();
    Ok(levels)
}

/// `low`, the round levels 1 and 3 of each decade between, and `high`.
fn half_decades(low: u64, high: u64) -> Vec<Count> {
    let mut levels = vec![Count(low)];
    let mut decade = 1u64;
    while decade <= high {
        for n in [decade, decade.saturating_mul(3)] {
            if n > low && n < high {
                levels.push(Count(n));
            }
        }
        decade = decade.saturating_mul(10);
    }
    if high > low {
        levels.push(Count(high));
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_round_levels_between_its_ends() {
        let levels = |t| {
            parse_traffic(t)
                .unwrap()
                .iter()
                .map(|c| c.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(levels("10k..100k"), [10_000, 30_000, 100_000]);
        assert_eq!(levels("20k..50k"), [20_000, 30_000, 50_000]);
        assert_eq!(levels("5M,1M,5M"), [1_000_000, 5_000_000]);
        assert_eq!(levels("1M..1M"), [1_000_000]);
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for text in ["", "abc", "0", "1M..10k", "-5", "1.5", "1,,2"] {
            assert!(parse_traffic(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_comma_parts_digits_only_where_nothing_else_can_be_meant() {
        let levels = |t| parse_traffic(t).map(|l| l.iter().map(|c| c.0).collect::<Vec<_>>());
        assert_eq!(levels("1,000,000"), Ok(vec![1_000_000]));
        assert_eq!(levels("10,050"), Ok(vec![10_050]));
        assert_eq!(levels("1e5,1e6"), Ok(vec![100_000, 1_000_000]));
        assert_eq!(levels("100, 200"), Ok(vec![100, 200]));
        assert_eq!(levels("100,200k"), Ok(vec![100, 200_000]));
        assert_eq!(levels("1,000..1,000,000").unwrap().len(), 7);
        let both = parse_traffic("100,200").unwrap_err();
        assert!(both.contains("expected 100200 or \"100, 200\""), "{both}");
        let mixed = parse_traffic("10k,1,000,000").unwrap_err();
        assert!(mixed.contains("1_000_000 or 1M"), "{mixed}");
    }

    #[test]
    fn whole_numbers_are_exact_and_say_their_range() {
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(whole(1_u32, 1_000_000)("1e3"), Ok(1_000));
        for text in [
            "0",
            "1000000000",
            "99999999999999999999",
            "abc",
            "-1",
            "1.5",
        ] {
            let said = whole(1_u32, 1_000_000)(text).unwrap_err();
            assert!(
                said.ends_with("expected a whole number from 1 to 1000000"),
                "{said}"
            );
        }
    }
}
