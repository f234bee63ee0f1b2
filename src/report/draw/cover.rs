//! Lines that lie on each other: the one beneath gets a rim, so that both are seen.

use super::chart::{Chart, Series};
use std::collections::BTreeMap;

/// Heights nearer than this share of the axis cannot be told apart.
const NEAR: f64 = 0.004;
/// Most rims about one another.
const MOST: usize = 3;

/// How many of the lines drawn later lie on a line at each of its points, in the order of [`Series::points`].
pub(super) type Covered = Vec<usize>;

/// What covers each line of a chart; `together` says which two are drawn in one plot.
pub(super) fn covered(chart: &Chart, together: impl Fn(&Series, &Series) -> bool) -> Vec<Covered> {
    let axis = chart.ticks().1;
    let heights = |s: &Series| -> BTreeMap<u64, f64> {
        let points = s.points().into_iter();
        points.map(|d| (d.x.to_bits(), axis.share(d.y))).collect()
    };
    let all: Vec<_> = chart.series.iter().map(heights).collect();
    let of = |i: usize, s: &Series| -> Covered {
        // Of one colour and the same everywhere: one line with several bands.
        let is_same = |o: &Series, at: &BTreeMap<u64, f64>| o.colour == s.colour && *at == all[i];
        let later = || {
            let others = chart.series.iter().zip(&all).skip(i + 1);
            let others = others.filter(|(o, at)| !is_same(o, at));
            others.filter(|(o, _)| !o.scatter && !s.scatter && together(s, o))
        };
        let covers = |d: &super::chart::Datum| {
            let here = axis.share(d.y);
            let is_near = |height: &f64| (height - here).abs() < NEAR;
            let lying = later().filter(|(_, at)| at.get(&d.x.to_bits()).is_some_and(is_near));
            lying.count().min(MOST)
        };
        s.points().into_iter().map(covers).collect()
    };
    let lines = chart.series.iter().enumerate();
    lines.map(|(i, s)| of(i, s)).collect()
}

/// What the note of a chart says of rims, if it has any.
pub(super) const RIMS: &str = "A rim about a line: another lies on it.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::chart::tests::{chart, datum};

    #[test]
    fn a_line_is_covered_where_a_later_one_lies_on_it() {
        let mut chart = chart(&["naive", "optimised", "lazy"]);
        chart.series[0].data.push(datum(1_000.0));
        chart.series[1].data[1].y = 50.0;
        let all = covered(&chart, |_, _| true);
        assert_eq!(all, [vec![2, 1, 0], vec![1, 0], vec![0, 0]]);
        let apart = covered(&chart, |_, _| false);
        assert!(apart.iter().flatten().all(|n| *n == 0));
        // One line twice, with two bands.
        chart.series[0].data.pop();
        chart.series[1].data[1].y = 100.0;
        chart.series[1].colour = 0;
        assert_eq!(covered(&chart, |_, _| true)[0], [1, 1]);
        chart.series[1].data[1].y = 50.0;
        chart.series[2].scatter = true;
        assert_eq!(covered(&chart, |_, _| true)[0], [1, 0]);
    }
}
