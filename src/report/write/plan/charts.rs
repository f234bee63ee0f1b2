//! The candidates of a plan as charts: cost against the age of an answer, and against loss.

use super::super::axes;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::format;
use crate::run::metric;
use crate::study::plan::{Planned, Settings, Trial};
use crate::study::stats::Estimate;

/// The measures of the Pareto front, beside those of the objectives.
pub(super) const FRONT: [&str; 3] = ["cost_usd", "answer_age_p99_s", "loss_rate"];

/// The least age of an answer that the chart tells from none.
const STALENESS_FLOOR_S: f64 = 0.01;

/// A measure of a candidate.
pub(super) fn estimate(trial: &Trial, name: &str) -> Estimate {
    trial.estimate(metric::position(name))
}

/// A search with its front.
pub(super) struct Plotter<'a> {
    pub(super) settings: &'a Settings,
    pub(super) result: &'a Planned,
    /// The settings in force, in one line.
    pub(super) line: String,
    /// Candidates that no other beats.
    pub(super) front: &'a [usize],
}

impl Plotter<'_> {
    /// Names and charts.
    pub(super) fn charts(&self) -> Vec<(&'static str, Chart)> {
        let ages = self.simulated().map(|i| self.measure(i, FRONT[1]));
        let has_none = ages.into_iter().any(|age| age <= STALENESS_FLOOR_S);
        let age = Axis {
            label: "age of an answer, 99th percentile (s)".into(),
            scale: if has_none { Scale::Floored } else { Scale::Log },
            format: |v| match v <= STALENESS_FLOOR_S {
                true => format!("<{} s", format::count(STALENESS_FLOOR_S)),
                false => format!("{} s", format::count(v)),
            },
            min: has_none.then_some(STALENESS_FLOOR_S),
            max: None,
        };
        let loss = Axis {
            label: "share of records lost".into(),
            scale: Scale::Linear,
            format: format::percent,
            min: Some(0.0),
            max: None,
        };
        let mut charts = vec![("pareto", self.chart("staleness", FRONT[1], age))];
        if self.simulated().any(|i| self.measure(i, FRONT[2]) > 0.0) {
            charts.push(("pareto_loss", self.chart("loss", FRONT[2], loss)));
        }
        charts
    }

    fn simulated(&self) -> impl Iterator<Item = usize> {
        let trials = self.result.trials.iter().enumerate();
        let simulated: Vec<usize> = trials
            .filter(|(_, t)| t.replications() > 0)
            .map(|(i, _)| i)
            .collect();
        simulated.into_iter()
    }

    fn measure(&self, i: usize, name: &str) -> f64 {
        estimate(self.result.latest(i), name).mean
    }

    fn datum(&self, i: usize, measure: &str) -> Datum {
        let cost = estimate(self.result.latest(i), FRONT[0]);
        Datum {
            x: self.measure(i, measure),
            y: cost.mean,
            low: cost.low(),
            high: cost.high(),
        }
    }

    /// Candidates are points, which nothing joins: there is none between two of them.
    fn points(&self, name: &str, which: &[usize], measure: &str, colour: usize) -> Series {
        let data = which.iter().map(|i| self.datum(*i, measure));
        // What is not known is not drawn.
        let mut data: Vec<Datum> = data.filter(|d| d.x.is_finite()).collect();
        data.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series {
            name: name.to_owned(),
            data,
            colour,
            dash: 0,
            scatter: true,
        }
    }

    fn chart(&self, what: &str, measure: &'static str, x: Axis) -> Chart {
        let trials = &self.result.trials;
        let choice = self.result.choice.as_slice();
        let is_apart = |i: &usize| self.front.contains(i) || choice.contains(i);
        let rest = self.simulated().filter(|i| !is_apart(i));
        let (meets, others): (Vec<usize>, Vec<usize>) = rest.partition(|i| trials[*i].meets);
        let front: Vec<usize> = self
            .front
            .iter()
            .copied()
            .filter(|i| !choice.contains(i))
            .collect();
        let mut series = vec![
            self.points("other candidates", &others, measure, 6),
            self.points("meets all objectives", &meets, measure, 0),
            self.points("Pareto front", &front, measure, 1),
            self.points("choice", choice, measure, 2),
        ];
        series.retain(|s| !s.data.is_empty());
        let bound = |name: &'static str, vertical| {
            let objectives = self.result.objectives.iter();
            objectives
                .filter(move |o| o.name() == name)
                .map(move |o| Mark {
                    at: o.bound,
                    label: o.text.clone(),
                    vertical,
                    colour: None,
                })
        };
        Chart {
            title: format!(
                "Cost against {what} at {} requests a month",
                self.settings.traffic
            ),
            subtitle: format!(
                "{} candidates, {} of them simulated; {}",
                trials.len(),
                self.simulated().count(),
                self.line
            ),
            marks: bound(measure, true).chain(bound(FRONT[0], false)).collect(),
            x,
            y: axes::cost(&series),
            series,
            note: format!(
                "Means over {} to {} replications, common random numbers; upright lines: 95% confidence of the cost, where there are not too many points; hollow: it is not known. Pareto front: no other costs less, is fresher and loses less at once. Dotted: objectives.",
                self.settings.first, self.settings.most
            ),
        }
    }
}
