//! Axes that charts of several questions have.

use crate::report::draw::chart::{Axis, Scale, Series};
use crate::report::format;

/// What costs less is told from nothing in words alone, and has no place on a logarithmic axis.
pub(super) const LEAST_USD: f64 = 0.01;

/// The least latency that charts tell from none.
const LEAST_MS: f64 = 0.1;

/// An amount, nothing among them.
pub(super) fn usd_or_none(v: f64) -> String {
    match v.abs() < LEAST_USD * (1.0 + 1e-9) {
        true => "$0".into(),
        false => format::usd(v),
    }
}

/// Recorded requests a month.
pub(super) fn traffic() -> Axis {
    Axis {
        label: "recorded requests per month".into(),
        scale: Scale::Log,
        format: format::count,
        min: None,
        max: None,
    }
}

/// Whether any point is no higher than this.
fn has_down_to(series: &[Series], least: f64) -> bool {
    let mut all = series.iter().flat_map(|s| &s.data);
    all.any(|d| d.y <= least)
}

/// Amounts by magnitude; where something comes to nothing, that stands beneath the axis, which then begins at the
/// decade of the least amount.
pub(super) fn amounts(label: String, series: &[Series]) -> Axis {
    let has_none = has_down_to(series, LEAST_USD);
    let all = series.iter().flat_map(|s| &s.data).map(|d| d.y);
    let least = all.filter(|y| *y > LEAST_USD).fold(f64::INFINITY, f64::min);
    let decade = match least.is_finite() {
        true => 10_f64.powf((least / 1.5).log10().floor()),
        false => LEAST_USD,
    };
    Axis {
        label,
        scale: if has_none { Scale::Floored } else { Scale::Log },
        format: usd_or_none,
        min: has_none.then_some(decade),
        max: None,
    }
}

/// What a month costs.
pub(super) fn cost(series: &[Series]) -> Axis {
    amounts("cost per month (USD)".into(), series)
}

/// Latencies by magnitude; where something takes next to no time, that stands beneath the axis.
pub(super) fn latency(series: &[Series]) -> Axis {
    let has_none = has_down_to(series, LEAST_MS);
    Axis {
        label: "latency".into(),
        scale: if has_none { Scale::Floored } else { Scale::Log },
        format: match has_none {
            false => format::milliseconds,
            true => |v| match v <= LEAST_MS {
                true => format!("<{}", format::milliseconds(LEAST_MS)),
                false => format::milliseconds(v),
            },
        },
        min: has_none.then_some(LEAST_MS),
        max: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::chart::Datum;

    fn series(y: f64) -> Vec<Series> {
        let (x, low, high) = (1.0, y, y);
        let data = vec![Datum { x, y, low, high }];
        vec![Series {
            name: "a".into(),
            data,
            colour: 0,
            dash: 0,
            scatter: false,
        }]
    }

    #[test]
    fn nothing_stands_beneath_the_axis_and_only_where_there_is_such() {
        let some = cost(&series(5.0));
        assert_eq!((some.scale, some.min), (Scale::Log, None));
        let none = cost(&series(0.0));
        assert_eq!((none.scale, none.min), (Scale::Floored, Some(LEAST_USD)));
        assert_eq!((none.format)(0.0), "$0");
        let some_and_none = [series(0.0), series(9.98)].concat();
        assert_eq!(cost(&some_and_none).min, Some(1.0));
        assert_eq!((none.format)(0.02), "$0.02");
        let quick = latency(&series(0.0));
        assert_eq!(
            (quick.scale, (quick.format)(0.1).as_str()),
            (Scale::Floored, "<0.1 ms")
        );
        let slow = latency(&series(30.0));
        assert_eq!(
            (slow.scale, (slow.format)(0.1).as_str()),
            (Scale::Log, "0.1 ms")
        );
    }
}
