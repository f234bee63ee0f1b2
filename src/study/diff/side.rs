//! One side of a comparison at one point, however it came about.

use crate::models::quantity::Count;
use crate::run::metric;
use crate::run::scenario::Scenario;
use crate::study::stats::pool::Column;
use crate::study::stats::{Estimate, Resolution};
use crate::study::sweep::Cell;

/// A policy at a traffic level.
#[derive(Debug, Clone)]
pub struct Side {
    /// The policy's name.
    pub policy: String,
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    /// The plan that is billed.
    pub plan: String,
    /// How much of the month was simulated; none if that is not stated.
    pub period_hours: Option<f64>,
    /// Seed of all random streams; none if it is not stated.
    pub seed: Option<u64>,
    /// How many there are.
    pub replications: usize,
    /// By measure, in the order of [`METRICS`](metric::METRICS).
    pub figures: Vec<Figure>,
}

/// A measure of one side.
#[derive(Debug, Clone)]
pub struct Figure {
    /// With its interval.
    pub estimate: Estimate,
    /// Whether there are too few values for it to be stated.
    pub too_few: bool,
    /// By replication, if every one has a value.
    pub column: Option<Column>,
}

impl Side {
    /// A point that was simulated.
    pub fn of(scenario: &Scenario, cell: &Cell) -> Self {
        let figure = |i: usize| {
            let column = cell.pooled.column(i);
            let whole = column.contributions.iter().all(|c| c.is_finite());
            Figure {
                estimate: cell.pooled.estimates[i],
                too_few: cell.pooled.too_few[i],
                column: whole.then_some(column),
            }
        };
        Side {
            policy: cell.policy.clone(),
            traffic: cell.traffic,
            plan: scenario.plan.clone(),
            period_hours: Some(cell.period.as_secs_f64() / 3_600.0),
            seed: Some(scenario.seed),
            replications: cell.replications.len(),
            figures: (0..metric::METRICS.len()).map(figure).collect(),
        }
    }

    /// A measure by its name.
    ///
    /// # Panics
    /// If there is no measure of that name.
    pub fn figure(&self, name: &str) -> &Figure {
        &self.figures[metric::position(name)]
    }

    /// Whether any measure has a value of each replication.
    pub(super) fn has_replications(&self) -> bool {
        self.figures.iter().any(|f| f.column.is_some())
    }
}

/// How far files are rounded, as a share: they have six digits.
const ROUNDED: f64 = 1e-5;

impl Figure {
    /// Nothing is stated.
    pub fn none() -> Self {
        Figure::stated(Estimate::of([]), false, &[])
    }

    /// What a file states: the estimate, and the values of the replications by themselves, none if they are not all
    /// there.
    ///
    /// A stated interval may be wider than chance between replications makes it, for what they cannot tell
    /// apart; that stays with it.
    pub fn stated(estimate: Estimate, too_few: bool, values: &[f64]) -> Self {
        let spread = Estimate::of(values.iter().copied());
        let all = values.len() == estimate.n && values.iter().all(|v| v.is_finite());
        let wider = estimate.half_width - spread.half_width;
        let is_rounding = wider <= ROUNDED * estimate.half_width;
        let resolution = Resolution {
            whole: if is_rounding { 0.0 } else { wider },
            bin: 0.0,
        };
        let is_stated = all && estimate.mean.is_finite();
        Figure {
            estimate,
            too_few,
            column: is_stated.then(|| Column {
                contributions: values
                    .iter()
                    .map(|v| estimate.mean + (v - spread.mean))
                    .collect(),
                resolution,
                too_few,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_states_keeps_its_mean_and_its_interval() {
        let stated = Estimate {
            mean: 10.0,
            half_width: 5.0,
            n: 3,
        };
        let values = [1.0, 2.0, 3.0];
        let column = Figure::stated(stated, false, &values).column.unwrap();
        let e = column.estimate();
        assert!((e.mean - 10.0).abs() < 1e-12);
        assert!((e.half_width - 5.0).abs() < 1e-12, "{}", e.half_width);
        // No interval is stated: there is none of a difference either.
        let unknown = Estimate {
            half_width: f64::NAN,
            ..stated
        };
        let column = Figure::stated(unknown, false, &values).column.unwrap();
        assert!(column.estimate().half_width.is_nan());
        assert!(
            Figure::stated(stated, false, &[1.0, f64::NAN, 3.0])
                .column
                .is_none()
        );
        assert!(Figure::stated(stated, false, &[1.0]).column.is_none());
        assert!(Figure::none().column.is_none());
    }
}
