//! The figures of a claim in its unit, short, but with as many digits as tell those apart that differ.

use crate::report::format;
use crate::study::claims::{Judgement, Lens};
use crate::study::stats::Estimate;

/// Figures are the same if they differ by no more than what arithmetic leaves.
const SAME: f64 = 1e-9;
/// More digits than this tell nobody anything.
const MOST_DIGITS: usize = 9;

/// How the figures of one claim are written.
pub(super) struct Words<'a> {
    unit: &'a str,
    /// Significant digits, where fewer would write different figures alike.
    digits: Option<usize>,
}

impl<'a> Words<'a> {
    /// Of what is stated, what is right, and what was worked out without an interval.
    pub(super) fn of(j: &'a Judgement) -> Self {
        let exact = Lens::ALL.map(|lens| {
            let found = j.through(lens)?.value?;
            (!found.half_width.is_finite() || found.half_width == 0.0).then_some(found.mean)
        });
        let figures = [j.claim.stated, j.claim.to, j.right].into_iter();
        let figures: Vec<f64> = figures.chain(exact).flatten().collect();
        Words::apart(&figures, &j.claim.unit)
    }

    /// Words in which different figures look different.
    fn apart(figures: &[f64], unit: &'a str) -> Self {
        let short = Words { unit, digits: None };
        let more = (3..=MOST_DIGITS).map(|digits| Words {
            unit,
            digits: Some(digits),
        });
        let mut all = std::iter::once(short).chain(more);
        let found = all.find(|words| words.tell_apart(figures));
        found.unwrap_or(Words {
            unit,
            digits: Some(MOST_DIGITS),
        })
    }

    fn tell_apart(&self, figures: &[f64]) -> bool {
        let differ = |a: f64, b: f64| (a - b).abs() > SAME * a.abs().max(b.abs());
        let pairs = figures
            .iter()
            .enumerate()
            .flat_map(|(i, a)| figures[i + 1..].iter().map(move |b| (*a, *b)));
        let mut told = pairs.filter(|(a, b)| differ(*a, *b));
        told.all(|(a, b)| self.value(a) != self.value(b))
    }

    /// A value in the claim's unit.
    pub(super) fn value(&self, x: f64) -> String {
        match self.digits {
            Some(digits) if x.is_finite() => in_unit(
                self.unit,
                |x| usd_to(x, digits),
                |x| format::grouped(&format::significant(x, digits)),
                x,
            ),
            _ => value(x, self.unit),
        }
    }

    /// A value with its interval, if it has one.
    pub(super) fn estimate(&self, e: Estimate) -> String {
        if !e.half_width.is_finite() {
            return self.value(e.mean);
        }
        let unit = self.unit.split('/').next().unwrap_or_default();
        let words = Words { unit, ..*self };
        let half_width = format::count(e.half_width);
        format!("{} ±{half_width}", words.value(e.mean))
    }
}

/// A value in a claim's unit, short.
pub(super) fn value(x: f64, unit: &str) -> String {
    if x.is_nan() {
        return "-".into();
    }
    let usd = |x: f64| match x != 0.0 && x.abs() < 0.005 {
        true => format!("${}", format::csv_number(x)),
        false => format::usd(x),
    };
    in_unit(unit, usd, format::count, x)
}

/// Dollars with so many digits, and those of cents at least.
fn usd_to(x: f64, digits: usize) -> String {
    let sign = if x < 0.0 { "-" } else { "" };
    let mut text = format::significant(x.abs(), digits);
    if text.split_once('.').is_none_or(|(_, d)| d.len() < 2) {
        text = format!("{:.2}", x.abs());
    }
    format!("{sign}${}", format::grouped(&text))
}

fn in_unit(
    unit: &str,
    usd: impl Fn(f64) -> String,
    number: impl Fn(f64) -> String,
    x: f64,
) -> String {
    if let Some(rest) = unit.strip_prefix("USD") {
        return format!("{}{rest}", usd(x));
    }
    if unit.starts_with('%') {
        return format!("{}%", number(x));
    }
    match unit.split_whitespace().next() {
        Some(word) if word.len() <= 3 => format!("{} {word}", number(x)),
        _ => number(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(figures: &[f64], unit: &str) -> Vec<String> {
        let words = Words::apart(figures, unit);
        figures.iter().map(|x| words.value(*x)).collect()
    }

    #[test]
    fn what_differs_looks_different() {
        assert_eq!(written(&[0.013, 0.0065], "USD"), ["$0.013", "$0.0065"]);
        assert_eq!(
            written(&[-12_345.001, -12_345.0, 12.0], "USD"),
            ["-$12,345.001", "-$12,345.00", "$12.00"]
        );
        assert_eq!(written(&[12_340.0, 12_341.0], ""), ["12,340", "12,341"]);
        assert_eq!(written(&[99.95, 99.96], "%"), ["99.95%", "99.96%"]);
        assert_eq!(written(&[10.001, 10.002], "ms"), ["10.001 ms", "10.002 ms"]);
    }

    #[test]
    fn what_is_short_enough_stays_so() {
        assert_eq!(written(&[2.7, 5.0], "USD"), ["$2.70", "$5.00"]);
        let sum = 0.1 + 0.2;
        assert_eq!(written(&[0.3, sum], "USD"), ["$0.30", "$0.30"]);
        assert_eq!(written(&[1e6, 2e6, 2e6], ""), ["1M", "2M", "2M"]);
        assert_eq!(written(&[f64::NAN, 2.0], "ms"), ["-", "2 ms"]);
    }
}
