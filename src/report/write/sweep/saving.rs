//! What policies save against the first, as charts: in dollars, and as a share of its bill.

use super::super::axes::{self, LEAST_USD, usd_or_none};
use super::charts::note;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::format;
use crate::report::reason::reason_words;
use crate::study::cheapest::{Reason, Saved};
use crate::study::savings::{Held, against_first};
use crate::study::stats::Estimate;
use crate::study::sweep::Cell;

/// Most levels at which something is not told that a note names one by one.
const TOLD: usize = 6;

/// Names and charts; none where there is but one policy.
pub(super) fn charts(cells: &[Cell], settings: &str) -> Vec<(&'static str, Chart)> {
    let held = against_first(cells);
    let Some(first) = cells.first().filter(|_| !held.is_empty()) else {
        return Vec::new();
    };
    let savings = Savings {
        first: &first.policy,
        policies: policies(cells),
        cells,
        held,
        settings,
    };
    vec![("saving", savings.usd()), ("saving_share", savings.share())]
}

/// The policies in their order, which decides their colours in all charts.
fn policies(cells: &[Cell]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for c in cells {
        if !all.contains(&c.policy.as_str()) {
            all.push(&c.policy);
        }
    }
    all
}

struct Savings<'a> {
    first: &'a str,
    policies: Vec<&'a str>,
    cells: &'a [Cell],
    held: Vec<(&'a Cell, Held<'a>)>,
    settings: &'a str,
}

impl Savings<'_> {
    fn usd(&self) -> Chart {
        let series = self.series(|s| s.usd);
        let means = || series.iter().flat_map(|s| &s.data).map(|d| d.y);
        let most = means().filter(|y| y.is_finite()).fold(0.0, f64::max);
        // What costs more has no logarithm; nor is there need of one where all is of one size.
        let is_log = means().all(|y| y.is_nan() || y > -LEAST_USD) && most > 1.0;
        let label = "saved per month (USD)".to_owned();
        let axis = match is_log {
            true => axes::amounts(label, &series),
            false => Axis {
                label,
                scale: Scale::Linear,
                format: usd_or_none,
                min: None,
                max: None,
            },
        };
        let title = format!("Saved against {} a month", self.first);
        self.chart(title, axis, series)
    }

    fn share(&self) -> Chart {
        let axis = Axis {
            label: format!("share of the bill of {}", self.first),
            scale: Scale::Linear,
            format: format::percent,
            min: None,
            max: None,
        };
        let title = format!("Saved against {}, as a share of its bill", self.first);
        self.chart(title, axis, self.series(|s| s.share))
    }

    /// A line for each other policy, with a gap where nothing can be said.
    fn series(&self, of: fn(&Saved) -> Estimate) -> Vec<Series> {
        let others = self.policies.iter().enumerate().skip(1);
        let series = others.map(|(colour, policy)| Series {
            name: (*policy).to_owned(),
            data: self.points(policy, of),
            colour,
            dash: 0,
            scatter: false,
        });
        let is_told = |s: &Series| s.data.iter().any(|d| d.y.is_finite());
        series.filter(is_told).collect()
    }

    fn points(&self, policy: &str, of: fn(&Saved) -> Estimate) -> Vec<Datum> {
        let mine = self.held.iter().filter(|(c, _)| c.policy == policy);
        let datum = |(cell, held): &(&Cell, Held)| {
            let e = match held {
                Held::Saves(saved) => of(saved),
                Held::Excluded(..) => Estimate::of([]),
            };
            Datum {
                x: cell.traffic.0 as f64,
                y: e.mean,
                low: e.low(),
                high: e.high(),
            }
        };
        mine.map(datum).collect()
    }

    /// What does not do the whole work, at which levels, and why at the first of them.
    fn excluded(&self) -> Vec<(&str, Vec<&Cell>, Reason)> {
        let mut all: Vec<(&str, Vec<&Cell>, Reason)> = Vec::new();
        for (cell, held) in &self.held {
            let Held::Excluded(which, reason) = held else {
                continue;
            };
            match all.iter_mut().find(|a| a.0 == *which) {
                Some(of) if of.1.iter().all(|c| c.traffic != cell.traffic) => of.1.push(cell),
                Some(_) => {}
                None => all.push((which, vec![cell], *reason)),
            }
        }
        all
    }

    fn chart(&self, title: String, y: Axis, series: Vec<Series>) -> Chart {
        let excluded = self.excluded();
        let mut note = format!(
            "Paired differences: all policies met the same requests. {}",
            note(self.cells, &series)
        );
        for (policy, cells, reason) in &excluded {
            let levels: Vec<String> = cells.iter().map(|c| c.traffic.to_string()).collect();
            let at = match levels.as_slice() {
                few if few.len() <= TOLD => few.join(", "),
                [first, .., last] => format!("{} levels from {first} to {last}", levels.len()),
                _ => String::new(),
            };
            note.push_str(&format!(
                " Nothing is told at {at} ({policy}: {}).",
                reason_words(*reason)
            ));
        }
        let marks = excluded.iter().map(|(policy, cells, reason)| Mark {
            at: cells[0].traffic.0 as f64,
            label: format!(
                "{policy}: {} at {}",
                reason_words(*reason),
                cells[0].traffic
            ),
            vertical: true,
            colour: self.policies.iter().position(|p| p == policy),
        });
        let mut marks: Vec<Mark> = marks.collect();
        marks.push(Mark {
            at: 0.0,
            label: "costs more below".into(),
            vertical: false,
            colour: None,
        });
        Chart {
            title,
            subtitle: self.settings.to_owned(),
            x: axes::traffic(),
            y,
            series,
            marks,
            note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::fixtures::cell;

    fn cells() -> Vec<Cell> {
        let mut cells = vec![
            cell(&[10.0, 20.0, 30.0], 0.0, 0.0),
            cell(&[9.0, 18.0, 27.0], 0.0, 0.0),
            cell(&[1.0, 1.0, 1.0], 0.0, 0.5),
        ];
        for (cell, name) in cells.iter_mut().zip(["naive", "lazy", "eager"]) {
            cell.policy = name.into();
        }
        cells
    }

    #[test]
    fn a_saving_has_its_paired_interval_and_what_loses_has_none_and_is_named() {
        let cells = cells();
        let charts = charts(&cells, "settings");
        assert_eq!(charts.len(), 2);
        for ((name, chart), expected) in charts.iter().zip([2.0, 0.1]) {
            let names: Vec<&str> = chart.series.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(names, ["lazy"], "{name}");
            assert_eq!(
                chart.series[0].colour, 1,
                "that of the policy in every chart"
            );
            let d = chart.series[0].data[0];
            assert!((d.y - expected).abs() < 1e-9, "{name} {d:?}");
            assert!(d.low < d.y && d.y < d.high, "{name} {d:?}");
            let why = "eager: loses 50% of the records";
            assert!(
                chart
                    .note
                    .contains(&format!("Nothing is told at 1M ({why}).")),
                "{}",
                chart.note
            );
            assert_eq!(chart.marks[0].label, format!("{why} at 1M"));
            assert_eq!(chart.marks[0].colour, Some(2));
        }
    }

    #[test]
    fn nothing_is_saved_against_what_does_not_do_the_work_or_by_one_policy() {
        let mut all = cells();
        all.swap(0, 2);
        for (name, chart) in charts(&all, "") {
            assert!(chart.series.is_empty(), "{name}");
            assert!(chart.note.contains("eager: loses 50%"), "{}", chart.note);
        }
        assert!(charts(&cells()[..1], "").is_empty());
    }

    #[test]
    fn what_costs_more_is_below_nothing_on_an_even_axis() {
        let mut all = cells();
        all.swap(0, 1);
        all.truncate(2);
        let charts = charts(&all, "");
        let (_, usd) = &charts[0];
        assert_eq!(usd.y.scale, Scale::Linear);
        assert!(usd.series[0].data[0].y < 0.0);
    }
}
