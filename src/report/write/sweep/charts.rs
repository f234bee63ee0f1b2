//! The charts of a sweep: measures of each policy against the traffic.

use super::super::axes;
use super::super::precision::replications;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::format;
use crate::run::metric::ALLOWANCES;
use crate::run::scenario::Scenario;
use crate::study::answers::{UsedUp, used_up};
use crate::study::cheapest::why_excluded;
use crate::study::sweep::Cell;

/// Names and charts of a sweep, which tell the settings in force.
pub(super) fn charts(
    scenario: &Scenario,
    cells: &[Cell],
    settings: &str,
) -> Vec<(&'static str, Chart)> {
    let plotter = Plotter {
        scenario,
        cells,
        settings,
    };
    vec![
        ("cost", plotter.cost()),
        ("hit_ratio", plotter.hit_ratio()),
        ("operations_per_request", plotter.operations()),
        (
            "latency_query",
            plotter.latency("query", "analytics queries (24 h window)"),
        ),
        (
            "latency_metrics",
            plotter.latency("metrics", "the metrics endpoint"),
        ),
        (
            "latency_record",
            plotter.latency("record", "recording a request"),
        ),
        ("quota_use", plotter.quota_use()),
    ]
}

/// What must be known of the bands of these series.
pub(super) fn note(cells: &[Cell], series: &[Series]) -> String {
    let n = replications(cells);
    if n == "1" {
        return "One replication: no confidence interval.".into();
    }
    let is_unsure = |d: &Datum| d.y.is_finite() && !(d.low.is_finite() && d.high.is_finite());
    let hollow = match series.iter().flat_map(|s| &s.data).any(is_unsure) {
        true => " Hollow: no interval is known.",
        false => "",
    };
    format!(
        "Bands: 95% confidence over {n} replications (Student's t); where none is seen, it is thinner than the line.{hollow}"
    )
}

struct Plotter<'a> {
    scenario: &'a Scenario,
    cells: &'a [Cell],
    settings: &'a str,
}

impl Plotter<'_> {
    fn policies(&self) -> Vec<&str> {
        let policies = self.scenario.policies.iter();
        policies.map(|p| p.name.as_str()).collect()
    }

    fn of_policy(&self, policy: &str) -> Vec<&Cell> {
        self.cells.iter().filter(|c| c.policy == policy).collect()
    }

    fn series(&self, policy: &str, metric: &str) -> Vec<Datum> {
        let datum = |c: &&Cell| {
            let e = c.estimate(metric);
            Datum {
                x: c.traffic.0 as f64,
                y: e.mean,
                low: e.low(),
                high: e.high(),
            }
        };
        self.of_policy(policy).iter().map(datum).collect()
    }

    fn by_policy(&self, metric: &str) -> Vec<Series> {
        let policies = self.policies().into_iter().enumerate();
        policies
            .map(|(i, policy)| Series {
                name: policy.to_owned(),
                data: self.series(policy, metric),
                colour: i,
                dash: 0,
                scatter: false,
            })
            .collect()
    }

    fn chart(&self, title: &str, y: Axis, series: Vec<Series>) -> Chart {
        let note = note(self.cells, &series);
        Chart {
            title: title.to_owned(),
            subtitle: self.settings.to_owned(),
            x: axes::traffic(),
            y,
            series,
            marks: Vec::new(),
            note,
        }
    }

    fn cost(&self) -> Chart {
        let series = self.costs();
        let axis = axes::cost(&series);
        let mut chart = self.chart("Monthly cost against traffic", axis, series);
        for (i, policy) in self.policies().into_iter().enumerate() {
            let cells = self.of_policy(policy);
            // The first of a policy's allowances: from there on it costs more. The page tells of all.
            let all = ALLOWANCES.iter().filter_map(|(metric, what)| {
                let used_up = used_up(&cells, metric)?;
                Some((what, used_up))
            });
            let first = all.min_by(|a, b| a.1.at.total_cmp(&b.1.at));
            if let Some((what, UsedUp { at, everywhere })) = first {
                let from = if everywhere {
                    "at every level from"
                } else {
                    "at"
                };
                chart.marks.push(Mark {
                    at,
                    label: format!("{policy}: {what} used up {from} {}", format::count(at)),
                    vertical: true,
                    colour: Some(i),
                });
            }
        }
        let fee = self.scenario.plan().monthly_fee.to_usd();
        if fee > 0.0 {
            chart.marks.push(Mark {
                at: fee,
                label: format!("fee of plan \"{}\"", self.scenario.plan),
                vertical: false,
                colour: None,
            });
        }
        chart
    }

    /// The cost of each policy; apart, and dashed, where its bill is not for the whole work.
    fn costs(&self) -> Vec<Series> {
        let mut all = Vec::new();
        for (colour, policy) in self.policies().into_iter().enumerate() {
            let costs = self.series(policy, "cost_usd");
            let cells = self.of_policy(policy);
            let points = cells.into_iter().zip(costs);
            all.extend(costs_of(policy, colour, points));
        }
        all
    }

    fn hit_ratio(&self) -> Chart {
        let axis = Axis {
            label: "cache hit ratio".into(),
            scale: Scale::Linear,
            format: format::percent,
            min: Some(0.0),
            max: Some(1.0),
        };
        let mut series = self.by_policy("hit_ratio");
        // A policy without a cache has no hit ratio.
        series.retain(|s| s.data.iter().any(|d| d.y.is_finite()));
        let mut chart = self.chart("Cache hit ratio against traffic", axis, series);
        chart.marks.push(Mark {
            at: 0.9,
            label: "90%".into(),
            vertical: false,
            colour: None,
        });
        chart
    }

    fn operations(&self) -> Chart {
        let axis = Axis {
            label: "KV operations per recorded request".into(),
            scale: Scale::Log,
            format: format::count,
            min: None,
            max: None,
        };
        let series = self.by_policy("operations_per_request");
        let mut chart = self.chart("KV operations per request against traffic", axis, series);
        chart.marks.push(Mark {
            at: 0.5,
            label: "0.5: the document's limit".into(),
            vertical: false,
            colour: None,
        });
        chart
    }

    fn latency(&self, call: &str, what: &str) -> Chart {
        let mut series = Vec::new();
        for (i, policy) in self.policies().into_iter().enumerate() {
            for (dash, p) in ["p50", "p95", "p99"].into_iter().enumerate() {
                series.push(Series {
                    name: format!("{policy} {p}"),
                    data: self.series(policy, &format!("{call}_{p}_ms")),
                    colour: i,
                    dash,
                    scatter: false,
                });
            }
        }
        let axis = axes::latency(&series);
        self.chart(&format!("Latency of {what}, against traffic"), axis, series)
    }

    fn quota_use(&self) -> Chart {
        let [reads, writes, _, _, requests] = ALLOWANCES;
        let axis = Axis {
            label: "share of the plan's allowance used".into(),
            scale: Scale::Log,
            format: format::percent,
            min: None,
            max: None,
        };
        let mut series = Vec::new();
        for (i, policy) in self.policies().into_iter().enumerate() {
            for (dash, (metric, what)) in [reads, writes, requests].into_iter().enumerate() {
                series.push(Series {
                    name: format!("{policy}: {what}"),
                    data: self.series(policy, metric),
                    colour: i,
                    dash,
                    scatter: false,
                });
            }
        }
        let title = format!("Use of the allowance of plan \"{}\"", self.scenario.plan);
        let mut chart = self.chart(&title, axis, series);
        chart.marks.push(Mark {
            at: 1.0,
            label: "all of it".into(),
            vertical: false,
            colour: None,
        });
        chart
    }
}

/// What a policy costs; apart, and dashed, where its bill is not for the whole work.
pub fn costs_of<'a>(
    policy: &str,
    colour: usize,
    points: impl IntoIterator<Item = (&'a Cell, Datum)>,
) -> Vec<Series> {
    let is_excluded = |point: &(&Cell, Datum)| why_excluded(point.0).is_some();
    let (excluded, whole): (Vec<_>, Vec<_>) = points.into_iter().partition(is_excluded);
    let series = |name: String, points: Vec<(&Cell, Datum)>, dash| Series {
        name,
        data: points.into_iter().map(|(_, d)| d).collect(),
        colour,
        dash,
        scatter: false,
    };
    let mut all = vec![
        series(policy.to_owned(), whole, 0),
        series(format!("{policy}: refuses or loses"), excluded, 2),
    ];
    all.retain(|s| !s.data.is_empty());
    all
}
