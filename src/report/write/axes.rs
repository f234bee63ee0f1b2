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

/// Costs by magnitude; where something costs nothing, that stands beneath the axis.
pub(super) fn cost(series: &[Series]) -> Axis {
    let has_none = has_down_to(series, LEAST_USD);
    Axis {
        label: "cost per month (USD)".into(),
        scale: if has_none { Scale::Floored } else { Scale::Log },
        format: if has_none { usd_or_none } else { format::usd },
        min: has_none.then_some(LEAST_USD),
        max: None,
    }
}

/// Latencies by magnitude; where something takes next to no time, that stands beneath the axis.
pub(super) fn latency(series: &[Series]) -> Axis {
    let has_none = has_down_to(series, LEAST_MS);
    Axis {
        label: "latency".into(),
        scale: if has_none { Scale::Floored } else { Scale::Log },
        format: |v| match v <= LEAST_MS {
            true => format!("<{}", format::milliseconds(LEAST_MS)),
            false => format::milliseconds(v),
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
        assert_eq!((none.format)(LEAST_USD), "$0");
        assert_eq!((none.format)(0.02), "$0.02");
        let quick = latency(&series(0.0));
        assert_eq!((quick.scale, (quick.format)(0.1).as_str()), (Scale::Floored, "<0.1 ms"));
        assert_eq!(latency(&series(30.0)).scale, Scale::Log);
    }
}
