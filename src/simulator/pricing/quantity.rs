//! How much was used, as people write and read it: `15M`, `1.5GB`, `400000 GB-s`.

use super::meter::Unit;
use crate::models::ValueError;
use crate::models::quantity::{Count, number_part};

/// The most of an item that may be stated; with it, no sum of a bill overflows.
const MOST: u128 = 1_000_000_000_000_000_000;

/// Names of a unit's multiples, with how many of the smallest they are.
fn multiples(unit: Unit) -> &'static [(&'static str, u128)] {
    const COUNTS: &[(&str, u128)] = &[
        ("", 1),
        ("k", 1_000),
        ("K", 1_000),
        ("M", 1_000_000),
        ("B", 1_000_000_000),
    ];
    match unit {
        Unit::Count => COUNTS,
        // Not "B", which is a billion elsewhere and a byte here.
        Unit::Bytes => &[
            ("", 1),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ],
        Unit::Milliseconds => &[
            ("", 1),
            ("ms", 1),
            ("k", 1_000),
            ("K", 1_000),
            ("M", 1_000_000),
            ("B", 1_000_000_000),
            ("s", 1_000),
            ("min", 60_000),
            ("h", 3_600_000),
        ],
        Unit::MegabyteMs => &[
            ("", 1),
            ("k", 1_000),
            ("K", 1_000),
            ("M", 1_000_000),
            ("B", 1_000_000_000),
            ("MB-s", 1_000),
            ("GB-s", 1_000_000),
        ],
    }
}

fn expected(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "a number of 0 or more, such as 250, 10k, 2.5M or 1B",
        Unit::Bytes => {
            "a size of 0 or more, such as 1.5GB (also KB, MB, TB, KiB, MiB, GiB; a number alone is bytes)"
        }
        Unit::Milliseconds => "a time of 0 or more, such as 105M (milliseconds), or in s, min or h",
        Unit::MegabyteMs => {
            "a duration of 0 or more, such as \"400000 GB-s\" (a number alone is megabyte-milliseconds)"
        }
    }
}

/// How many of the smallest unit a name stands for: of a multiple (`GB-s`, `M`), or of a number's
/// suffix with one behind it (`M ms`, `k GB-s`).
fn factor(name: &str, unit: Unit) -> Option<u128> {
    let of = |name: &str, unit: Unit| {
        let found = multiples(unit).iter().find(|m| m.0 == name);
        found.map(|m| m.1)
    };
    of(name, unit).or_else(|| {
        let (suffix, multiple) = name.split_once(' ')?;
        Some(of(suffix, Unit::Count)? * of(multiple.trim(), unit)?)
    })
}

/// Reads a quantity exactly, in the smallest unit.
///
/// # Errors
/// If it is no such quantity, not a whole number of the smallest unit, or more than 10^18 of it.
pub fn parse(text: &str, unit: Unit) -> Result<u128, ValueError> {
    let fail = || ValueError::new(format!("found \"{text}\", expected {}", expected(unit)));
    let text = text.trim();
    let (number, name) = number_part(text).ok_or_else(fail)?;
    let (number, power) = number.split_once(['e', 'E']).unwrap_or((&number, "0"));
    let power: i32 = power
        .parse()
        .ok()
        .filter(|p| (-30..=18).contains(p))
        .ok_or_else(fail)?;
    if number.contains(['-', '+']) {
        return Err(fail());
    }
    let factor = factor(name, unit).ok_or_else(fail)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{}", decimals.trim_end_matches('0'));
    let decimals = decimals.trim_end_matches('0').len() as i32 - power;
    if whole.is_empty() || digits.len() > 20 || digits.contains('.') {
        return Err(fail());
    }
    let digits = digits.parse::<u128>().map_err(|_| fail())?;
    // More than is allowed in any case, if it does not fit.
    let shift = 10_u128.pow((-decimals).max(0) as u32);
    let product = digits.saturating_mul(factor).saturating_mul(shift);
    let scale = 10_u128.pow(decimals.max(0) as u32);
    if product % scale != 0 || product / scale > MOST {
        return Err(ValueError::new(format!(
            "found \"{text}\", expected a whole number of {} from 0 to 10^18",
            match unit {
                Unit::Count => "them",
                Unit::Bytes => "bytes",
                Unit::Milliseconds => "milliseconds",
                Unit::MegabyteMs => "megabyte-milliseconds",
            }
        )));
    }
    Ok(product / scale)
}

/// As people read it, exactly: `15M`, `1.1 GB`, `32,777,600 GB-s`, `105M ms`.
pub fn show(quantity: u128, unit: Unit) -> String {
    // Exact: the suffix takes two decimals at most. Not "33177.6k", for 33,177,600.
    let count = |n: u128| {
        let short = u64::try_from(n).ok().map(|n| Count(n).to_string());
        let fits = |text: &String| {
            let number = text.strip_suffix(['k', 'M', 'B']);
            number.is_some_and(|x| x.parse::<f64>().is_ok_and(|x| x < 1_000.0))
        };
        short.filter(fits).unwrap_or_else(|| grouped(n))
    };
    match unit {
        Unit::Count => count(quantity),
        Unit::Milliseconds => format!("{} ms", count(quantity)),
        Unit::MegabyteMs if quantity.is_multiple_of(1_000_000) => {
            format!("{} GB-s", count(quantity / 1_000_000))
        }
        Unit::MegabyteMs => format!("{} MB-ms", grouped(quantity)),
        Unit::Bytes => {
            let sizes = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
            let fits = sizes
                .into_iter()
                .find(|(_, size)| quantity >= *size && (quantity * 1_000).is_multiple_of(*size));
            match fits {
                None => format!("{} bytes", grouped(quantity)),
                Some((name, size)) => {
                    let thousandths = quantity * 1_000 / size % 1_000;
                    let decimals = format!(".{thousandths:03}");
                    let decimals = decimals.trim_end_matches('0').trim_end_matches('.');
                    format!("{}{decimals} {name}", grouped(quantity / size))
                }
            }
        }
    }
}

/// A number, `1,234,567`.
fn grouped(n: u128) -> String {
    thousands(&n.to_string())
}

/// Digits with their thousands apart: `1,234,567`.
pub fn thousands(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        let read = |t: &str, unit| parse(t, unit).unwrap();
        assert_eq!(read("15M", Unit::Count), 15_000_000);
        assert_eq!(read("1_000_000_000_000_000_000", Unit::Count), MOST);
        assert_eq!(read("1.1GB", Unit::Bytes), 1_100_000_000);
        assert_eq!(read("1 GiB", Unit::Bytes), 1 << 30);
        assert_eq!(read("12.50 h", Unit::Milliseconds), 45_000_000);
        assert_eq!(read("400000 GB-s", Unit::MegabyteMs), 400_000_000_000);
        for (bad, unit) in [
            ("", Unit::Count),
            (".", Unit::Count),
            ("M", Unit::Count),
            ("-1", Unit::Count),
            ("1.5", Unit::Count),
            ("1.2.3M", Unit::Count),
            ("1e60", Unit::Count),
            ("1001T", Unit::Count),
            ("5B", Unit::Bytes),
            ("0.1", Unit::Bytes),
            ("10000000000B", Unit::Count),
            ("99999999999999999999999", Unit::Count),
            ("5 GB", Unit::Count),
            ("1 d", Unit::Milliseconds),
        ] {
            assert!(parse(bad, unit).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (n, unit, text) in [
            (15_000_000, Unit::Count, "15M"),
            (1_000_001, Unit::Count, "1,000,001"),
            (1_100_000_000, Unit::Bytes, "1.1 GB"),
            (1_000_000_000_000, Unit::Bytes, "1,000 GB"),
            (999, Unit::Bytes, "999 bytes"),
            (1_000, Unit::Bytes, "1 KB"),
            (1_000_000, Unit::Bytes, "1 MB"),
            (1_000_000_000, Unit::Bytes, "1 GB"),
            (105_000_000, Unit::Milliseconds, "105M ms"),
            (32_777_600_000_000, Unit::MegabyteMs, "32,777,600 GB-s"),
            (400_000_000_000, Unit::MegabyteMs, "400k GB-s"),
            (1, Unit::MegabyteMs, "1 MB-ms"),
        ] {
            assert_eq!(show(n, unit), text);
            let plain = text
                .replace(',', "")
                .replace(" bytes", "")
                .replace(" MB-ms", "");
            assert_eq!(parse(&plain, unit), Ok(n), "{text}");
        }
    }
}
