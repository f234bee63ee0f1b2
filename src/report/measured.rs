//! Measures and their changes as people read them, each in its dimension.

use super::format;
use crate::run::dimension::Dimension;
use crate::run::metric::METRICS;
use crate::study::stats::Estimate;

/// A measure (a position in [`METRICS`]) with its interval: `$5.02 ± 0.01`, `47.8 ± 4.7 ms`, `93.1% ± 0.2%`.
pub fn value(metric: usize, e: Estimate, too_few: bool) -> String {
    if too_few {
        return format::TOO_FEW.into();
    }
    let name = METRICS[metric].name;
    if !e.mean.is_finite() {
        // What is lost is known to be unknown; of other measures there is nothing.
        return if name == "loss_rate" { "unknown" } else { "-" }.into();
    }
    match Dimension::of(name) {
        Dimension::Money => format::usd_estimate(e),
        Dimension::Time { per_second } => {
            format::milliseconds_estimate(times(e, to_ms(per_second)))
        }
        Dimension::Share if e.mean > 0.0 && e.half_width > e.mean => {
            format!("at most {}", format::percent(e.high().min(1.0)))
        }
        Dimension::Share => format::share_estimate(e),
        Dimension::Bytes => format!("{} B", format::amount(e)),
        Dimension::Number => format::amount(e),
    }
}

/// A measure as a title or an axis calls it: `cost per month (USD)`, `query p95 (ms)`.
pub fn title(metric: usize) -> String {
    let name = METRICS[metric].name;
    let units = [
        ("_usd", " (USD)"),
        ("_ms", " (ms)"),
        ("_s", " (s)"),
        ("_mb", " (MB)"),
    ];
    let unit = units.iter().find(|(end, _)| name.ends_with(end));
    let (end, unit) = unit.copied().unwrap_or_default();
    let words = match name.strip_suffix(end).unwrap_or(name) {
        "cost" => "cost per month".to_owned(),
        words => words.replace('_', " "),
    };
    let words = match words.strip_prefix("kv ") {
        Some(rest) => format!("KV {rest}"),
        None => words,
    };
    words + unit
}

/// What a measure changes by: `+$0.60 ± 0.02`, `-1.2 ± 0.3 ms`, `+2.1 ± 0.4 pp` (points of a percentage).
pub fn change(metric: usize, e: Estimate) -> String {
    if !e.mean.is_finite() {
        return "-".into();
    }
    let text = match Dimension::of(METRICS[metric].name) {
        Dimension::Money => format::usd_estimate(e),
        Dimension::Time { per_second } => {
            let e = times(e, to_ms(per_second));
            match e.mean.abs().max(e.half_width) >= 10_000.0 {
                true => format!("{} s", digits(times(e, 1e-3))),
                false => format!("{} ms", digits(e)),
            }
        }
        Dimension::Share => format!("{} pp", digits(times(e, 100.0))),
        Dimension::Bytes => format!("{} B", format::interval(e)),
        Dimension::Number => format::interval(e),
    };
    let is_nothing = !text.contains(|c: char| c.is_ascii_digit() && c != '0');
    match e.mean > 0.0 && !is_nothing {
        true => format!("+{text}"),
        false => text,
    }
}

/// By how much of the old value the new one is more: `+12%`.
pub fn relative(old: f64, new: f64) -> Option<String> {
    let share = new / old - 1.0;
    let sign = if share > 0.0 { "+" } else { "" };
    share
        .is_finite()
        .then(|| format!("{sign}{}", format::percent(share)))
}

fn to_ms(per_second: u32) -> f64 {
    1e3 / f64::from(per_second)
}

fn times(e: Estimate, factor: f64) -> Estimate {
    Estimate {
        mean: factor * e.mean,
        half_width: factor * e.half_width,
        ..e
    }
}

fn digits(e: Estimate) -> String {
    let mean = format::significant(e.mean, 3);
    match e.half_width.is_finite() {
        true => format!("{mean} ± {}", format::significant(e.half_width, 2)),
        false => mean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::metric::position;

    fn e(mean: f64, half_width: f64) -> Estimate {
        Estimate {
            mean,
            half_width,
            n: 10,
        }
    }

    #[test]
    fn a_measure_is_told_in_its_dimension() {
        let of = |name: &str, mean, half| value(position(name), e(mean, half), false);
        assert_eq!(of("cost_usd", 5.0, 0.013), "$5.00 ± 0.01");
        assert_eq!(of("query_p95_ms", 47.8, 4.66), "47.8 ± 4.7 ms");
        assert_eq!(of("answer_age_p50_s", 2.5, 0.1), "2.5 ± 0.1 s");
        assert_eq!(of("hit_ratio", 0.931, 0.002), "93.1% ± 0.2%");
        assert_eq!(of("loss_rate", 0.001, 0.003), "at most 0.4%");
        assert_eq!(of("loss_rate", f64::NAN, f64::NAN), "unknown");
        assert_eq!(of("hit_ratio", f64::NAN, f64::NAN), "-");
        assert_eq!(of("operations_per_request", 2.5, 0.1), "2.5 ± 0.1");
        assert_eq!(
            value(position("query_p95_ms"), e(5.0, 1.0), true),
            "too few"
        );
    }

    #[test]
    fn a_measure_has_a_title_with_its_unit() {
        let of = |name: &str| title(position(name));
        assert_eq!(of("cost_usd"), "cost per month (USD)");
        assert_eq!(of("query_p95_ms"), "query p95 (ms)");
        assert_eq!(of("answer_age_p99_s"), "answer age p99 (s)");
        assert_eq!(of("kv_reads_per_month"), "KV reads per month");
        assert_eq!(of("hit_ratio"), "hit ratio");
    }

    #[test]
    fn a_change_has_its_sign_and_never_an_upper_end_alone() {
        let of = |name: &str, mean, half| change(position(name), e(mean, half));
        assert_eq!(of("cost_usd", 0.6, 0.02), "+$0.60 ± 0.02");
        assert_eq!(of("cost_usd", -0.6, 0.02), "-$0.60 ± 0.02");
        assert_eq!(of("cost_usd", 0.0, 0.0), "$0.00 ± 0.00");
        assert_eq!(of("query_p95_ms", 5.0, 10.0), "+5 ± 10 ms");
        assert_eq!(of("query_p95_ms", -1.25, f64::NAN), "-1.25 ms");
        assert_eq!(of("answer_age_p50_s", 20.0, 1.0), "+20 ± 1 s");
        assert_eq!(of("hit_ratio", -0.021, 0.004), "-2.1 ± 0.4 pp");
        assert_eq!(of("kv_reads_per_month", 1.2e5, 1.0e4), "+120k ± 10k");
        assert_eq!(of("hit_ratio", f64::NAN, 0.1), "-");
        assert_eq!(relative(5.0, 5.6).unwrap(), "+12%");
        assert_eq!(relative(5.0, 4.5).unwrap(), "-10%");
        assert_eq!(relative(0.0, 4.5), None);
    }
}
