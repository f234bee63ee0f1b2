//! Numbers as people read them.

use crate::pricing::quantity::thousands;
use crate::study::stats::Estimate;
use std::time::Duration;

/// For CSV: six significant digits, without trailing zeros; nothing for NaN. What rounding leaves
/// of a difference (below 10^-12) is 0.
pub fn csv_number(x: f64) -> String {
    if !x.is_finite() {
        return String::new();
    }
    significant(if x.abs() < 1e-12 { 0.0 } else { x }, 6)
}

/// `digits` significant digits, without trailing zeros.
pub fn significant(x: f64, digits: usize) -> String {
    if x == 0.0 {
        return "0".into();
    }
    // Of a number by nothing, there is nothing to tell.
    if !x.is_finite() {
        return "-".into();
    }
    let magnitude = x.abs().log10().floor() as i32;
    let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
    let text = format!("{x:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `12.3k`, `4.56M`: three significant digits.
pub fn count(x: f64) -> String {
    for (suffix, size) in [("B", 1e9), ("M", 1e6), ("k", 1e3)] {
        if x.is_finite() && x.abs() >= 0.9995 * size {
            return format!("{}{suffix}", significant(x / size, 3));
        }
    }
    significant(x, 3)
}

/// `93.1%`.
pub fn percent(x: f64) -> String {
    if !x.is_finite() {
        return "-".into();
    }
    // What rounding leaves of a difference is nothing.
    let x = if x.abs() < 1e-12 { 0.0 } else { x };
    format!("{}%", significant(100.0 * x, 3))
}

/// Stands for a percentile of too few values.
pub const TOO_FEW: &str = "too few";

/// A share of which it may be unknown how large it is.
pub fn share_or_unknown(x: f64) -> String {
    if !x.is_finite() {
        return "unknown".into();
    }
    percent(x)
}

/// A share with its half-width: `67.1% ± 1.2%`.
pub fn share_estimate(e: Estimate) -> String {
    if !e.mean.is_finite() || !e.half_width.is_finite() {
        return share_or_unknown(e.mean);
    }
    format!("{} ± {}", percent(e.mean), percent(e.half_width))
}

/// What a plan refuses, of the requests and of the KV operations: `85% / 3%`, `0%` if nothing.
pub fn refused(requests: f64, operations: f64) -> String {
    let or_none = |x: f64| if x.is_finite() { x } else { 0.0 };
    let (requests, operations) = (or_none(requests), or_none(operations));
    if requests == 0.0 && operations == 0.0 {
        return "0%".into();
    }
    format!("{} / {}", percent(requests), percent(operations))
}

/// `$5.00`, `$1,234.50`; more decimals below a cent.
pub fn usd(x: f64) -> String {
    if !x.is_finite() {
        return "-".into();
    }
    // What is nothing to the hundredth of a cent is nothing, and has no sign.
    let x = if x.abs() < 0.000_05 { 0.0 } else { x };
    let decimals = if x != 0.0 && x.abs() < 0.005 { 4 } else { 2 };
    let text = format!("{:.decimals$}", x.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if x < 0.0 { "-" } else { "" };
    format!("{sign}${}.{rest}", thousands(whole))
}

/// A number with its thousands apart: `1,234,567.8`; up to four digits, and whatever is no plain
/// number, as it stands.
pub fn grouped(number: &str) -> String {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, decimals) = match rest.find('.') {
        Some(dot) => rest.split_at(dot),
        None => (rest, ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() < 5 || !digits(whole) || !digits(decimals.trim_start_matches('.')) {
        return number.to_owned();
    }
    format!("{sign}{}{decimals}", thousands(whole))
}

/// `12.3 ms`, `1.2 s`.
pub fn milliseconds(x: f64) -> String {
    if !x.is_finite() {
        "-".into()
    } else if x >= 1_000.0 {
        format!("{} s", significant(x / 1e3, 3))
    } else {
        format!("{} ms", significant(x, 3))
    }
}

/// `56.5 ± 3.2 ms`, with as many digits as the half-width has to tell; `at most 76 ms` if the interval would
/// reach below 0.
pub fn milliseconds_estimate(e: Estimate) -> String {
    if !e.mean.is_finite() || !e.half_width.is_finite() {
        return milliseconds(e.mean);
    }
    if reaches_below_zero(e) {
        return format!("at most {}", milliseconds(e.high()));
    }
    if e.mean >= 1_000.0 {
        let (mean, half) = (e.mean / 1e3, e.half_width / 1e3);
        format!("{} ± {} s", significant(mean, 3), significant(half, 2))
    } else {
        format!(
            "{} ± {} ms",
            significant(e.mean, 3),
            significant(e.half_width, 2)
        )
    }
}

/// `36 s`, `1.5 h`, `7 d`: three significant digits.
pub fn span(d: Duration) -> String {
    let seconds = d.as_secs_f64();
    let sizes = [("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)];
    let (unit, size) = sizes
        .into_iter()
        .find(|s| seconds >= 1.5 * s.1)
        .unwrap_or(("s", 1.0));
    format!("{} {unit}", significant(seconds / size, 3))
}

/// An estimate with its half-width, to the digit where that begins to differ from nothing.
pub fn estimate(e: Estimate) -> String {
    let negligible = e.half_width < 1e-9 * e.mean.abs();
    let half_width = if negligible { 0.0 } else { e.half_width };
    format!("{} ± {}", count(e.mean), count(half_width))
}

/// Whether the interval of something above 0 says no more than how much it is at most.
fn reaches_below_zero(e: Estimate) -> bool {
    e.mean > 0.0 && e.half_width > e.mean && e.half_width.is_finite()
}

/// An estimate of something that is never below 0: `86 ± 5`, or `at most 690`.
pub fn amount(e: Estimate) -> String {
    match reaches_below_zero(e) {
        true => format!("at most {}", count(e.high())),
        false => interval(e),
    }
}

/// An estimate with its half-width if it has one; `-` without a value.
pub fn interval(e: Estimate) -> String {
    match (e.mean.is_finite(), e.half_width.is_finite()) {
        (false, _) => "-".into(),
        (_, false) => count(e.mean),
        _ => estimate(e),
    }
}

/// An estimate with its half-width: `$12.30 ± 0.04`.
pub fn usd_estimate(e: Estimate) -> String {
    if !e.mean.is_finite() || !e.half_width.is_finite() {
        return usd(e.mean);
    }
    let text = usd(e.half_width);
    format!("{} ± {}", usd(e.mean), text.trim_start_matches('$'))
}

/// An estimate in two short lines, as a cell of a heat map holds them, to the digit where its half-width begins:
/// `$24.4k` over `± 2.4k`, `0.3%` over `± 0.8`. Alone without a half-width; `-` without a value.
pub fn in_a_cell(e: Estimate, before: &str, after: &str) -> Vec<String> {
    if !e.mean.is_finite() {
        return vec!["-".into()];
    }
    let sizes = [("B", 1e9), ("M", 1e6), ("k", 1e3)];
    let size = sizes
        .into_iter()
        .find(|(_, size)| e.mean.abs() >= 0.9995 * size);
    let (letter, size) = size.unwrap_or(("", 1.0));
    let (mean, half) = (e.mean / size, e.half_width / size);
    let is_known = half.is_finite();
    // Of what is sure to all digits, three are told; of nothing, none.
    let told = match (is_known && half > 0.0, mean == 0.0) {
        (true, _) => half,
        (_, true) => 10.0,
        _ => mean.abs() / 100.0,
    };
    let first = told.log10().floor() as i32;
    // Two digits of an amount, so that 24.4 ± 2.4 is not 24 ± 2; of the many decimals of small ones, one.
    let digits = if (1.0..10.0).contains(&told) {
        1 - first
    } else {
        -first
    };
    let decimals = digits.clamp(0, 4) as usize;
    let sign = if mean < 0.0 { "-" } else { "" };
    let mut lines = vec![format!(
        "{sign}{before}{:.decimals$}{letter}{after}",
        mean.abs()
    )];
    if is_known {
        lines.push(
            match half > 0.0 && format!("{half:.decimals$}").parse() == Ok(0.0) {
                true => format!(
                    "± < {:.decimals$}{letter}",
                    10_f64.powi(-digits.clamp(0, 4))
                ),
                false => format!("± {half:.decimals$}{letter}"),
            },
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_tells_an_estimate_to_the_digit_where_its_half_width_begins() {
        let e = |mean, half_width| Estimate {
            mean,
            half_width,
            n: 10,
        };
        let usd = |mean, half| in_a_cell(e(mean, half), "$", "").join(" ");
        let percent = |mean, half| in_a_cell(e(mean, half), "", "%").join(" ");
        assert_eq!(usd(24_412.0, 2_400.0), "$24.4k ± 2.4k");
        assert_eq!(usd(882_000.0, 22_600.0), "$882k ± 23k");
        assert_eq!(usd(0.0243, 0.000_855), "$0.0243 ± 0.0009");
        assert_eq!(usd(452.26, 283.0), "$452 ± 283");
        assert_eq!(usd(-3.33, 0.138), "-$3.3 ± 0.1");
        assert_eq!(usd(5.0, 0.000_01), "$5.0000 ± < 0.0001");
        assert_eq!(percent(0.343, 0.777), "0.3% ± 0.8");
        assert_eq!(percent(99.0, 0.003_52), "99.000% ± 0.004");
        assert_eq!(usd(0.0, f64::NAN), "$0");
        assert_eq!(usd(0.0, 0.0), "$0 ± 0");
        assert_eq!(usd(12.345, f64::NAN), "$12.3");
        assert_eq!(usd(f64::NAN, f64::NAN), "-");
    }

    #[test]
    fn an_interval_that_would_reach_below_zero_is_told_by_its_upper_end() {
        let e = |mean, half_width| Estimate {
            mean,
            half_width,
            n: 10,
        };
        let beside_a_gap = e(29.45, 46.81);
        assert_eq!(milliseconds_estimate(beside_a_gap), "at most 76.3 ms");
        assert_eq!(amount(beside_a_gap), "at most 76.3");
        assert_eq!(milliseconds_estimate(e(56.5, 3.2)), "56.5 ± 3.2 ms");
        assert_eq!(amount(e(0.0, 0.1)), "0 ± 0.1");
    }

    /// Whatever stands above the line.
    #[test]
    fn a_number_by_nothing_is_a_dash_and_an_empty_cell() {
        let e = |mean, half_width| Estimate {
            mean,
            half_width,
            n: 2,
        };
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(csv_number(x), "");
            let of_number = [count(x), percent(x), usd(x), milliseconds(x)];
            assert_eq!(of_number, ["-"; 4], "{x}");
            for e in [e(x, 1.0), e(x, x)] {
                let of_estimate = [
                    interval(e),
                    amount(e),
                    usd_estimate(e),
                    milliseconds_estimate(e),
                ];
                assert_eq!(of_estimate, ["-"; 4], "{e:?}");
                assert_eq!(share_estimate(e), "unknown");
            }
            let wide = e(5.0, x);
            assert_eq!(
                [
                    amount(wide),
                    usd_estimate(wide),
                    milliseconds_estimate(wide),
                    share_estimate(e(0.5, x))
                ],
                ["5", "$5.00", "5 ms", "50%"]
            );
        }
    }

    #[test]
    fn numbers_are_short_and_not_misleading() {
        assert_eq!(csv_number(1234567.0), "1234567");
        assert_eq!(csv_number(0.00012345678), "0.000123457");
        assert_eq!([csv_number(2.5), csv_number(-2e-16)], ["2.5", "0"]);
        assert_eq!(csv_number(f64::NAN), "");
        assert_eq!(
            [count(999.6), count(10_000.0), count(4.56e6)],
            ["1k", "10k", "4.56M"]
        );
        assert_eq!(
            [usd(1234.5), usd(0.001), usd(-1e-17), usd(-2.0)],
            ["$1,234.50", "$0.0010", "$0.00", "-$2.00"]
        );
        assert_eq!(
            ["1234567.8", "-12345", "1234", "1e10", "10.0.0.1", "12345x"].map(grouped),
            [
                "1,234,567.8",
                "-12,345",
                "1234",
                "1e10",
                "10.0.0.1",
                "12345x"
            ]
        );
        assert_eq!([percent(0.931), milliseconds(1234.0)], ["93.1%", "1.23 s"]);
        assert_eq!(percent(-6e-17), "0%");
        let span = |s| span(Duration::from_secs(s));
        assert_eq!(
            [span(36), span(5_400), span(604_800)],
            ["36 s", "1.5 h", "7 d"]
        );
    }
}
