//! How often the intervals hold the truth: many small experiments against one large one.
//!
//! A point is simulated `experiments` times with so many replications each, all independent, which are then dealt out to
//! as many experiments anew, several times: how often an interval holds is known better from all of these
//! than from the first. The interval of each is compared with the estimate from all replications,
//! whose own error is smaller by the root of the number of experiments.

use super::error::StudyError;
use super::grid::pooled;
use super::replicate::{self, Work};
use crate::models::quantity::Count;
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric::{self, METRICS};
use crate::run::scenario::Scenario;
use crate::sim::random::Streams;
use rand::seq::SliceRandom;

/// How the interval of one measure did.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// The measure's name.
    pub measure: &'static str,
    /// From all replications together.
    pub truth: f64,
    /// Experiments, those of all deals.
    pub experiments: usize,
    /// Experiments that stated an interval.
    pub stated: usize,
    /// Experiments that had values, but too few for this percentile.
    pub too_few: usize,
    /// Stated intervals that hold the truth.
    pub covered: usize,
    /// Stated intervals that reach below 0, as those of what was seen but a few times: they say no more than how
    /// much it is at most, which holds at least as often as [`CONFIDENCE`](super::stats::CONFIDENCE) says.
    pub bounds: usize,
    /// Mean half-width of the stated intervals.
    pub half_width: f64,
}

impl Coverage {
    /// Share of the stated intervals that hold the truth; NaN without any.
    pub fn share(&self) -> f64 {
        self.covered as f64 / self.stated as f64
    }

    /// Whether it is told as a figure, and not as a bound.
    pub fn is_figure(&self) -> bool {
        self.stated > 0 && self.bounds * 2 < self.stated
    }

    /// Whether the measure varies at all: an interval of nothing around a constant says nothing.
    pub fn varies(&self) -> bool {
        self.half_width > 0.0
    }
}

/// How often the replications are dealt out.
pub const DEALS: usize = 8;

/// Measures the coverage of every interval at a point, the first policy of the scenario.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn coverage(
    scenario: &Scenario,
    traffic: Count,
    experiments: u32,
    work: &Work,
) -> Result<Vec<Coverage>, StudyError> {
    let n = scenario.replications as usize;
    let outcomes = work.map(0..experiments as usize * n, |replication| {
        let point = Point {
            scenario,
            policy: &scenario.policies[0],
            traffic,
            replication: replication as u64,
        };
        let result = work.simulate(&point)?;
        Ok::<_, StudyError>(metric::outcome_of(&result))
    })?;
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let truth = pooled(scenario, &all).estimates;
    let mut rng = Streams::new(scenario.seed, 0).stream("coverage.deal");
    let mut dealt = Vec::with_capacity(DEALS * all.len());
    let mut deck = all;
    for _ in 0..DEALS {
        dealt.extend_from_slice(&deck);
        deck.shuffle(&mut rng);
    }
    let of_each: Vec<&[&Outcome]> = dealt.chunks(n).collect();
    let experiments = replicate::map(of_each, |of_one| pooled(scenario, of_one));
    let judge = |(i, m): (usize, &metric::Metric)| {
        let truth = truth[i].mean;
        let stated = || {
            let estimates = experiments.iter().map(|p| p.estimates[i]);
            estimates.filter(|e| e.half_width.is_finite())
        };
        let holds = |low: f64, high: f64| {
            // What is equal but for the order of a sum is equal.
            let slack = 1e-9 * truth.abs();
            low - slack <= truth && truth <= high + slack
        };
        Coverage {
            measure: m.name,
            truth,
            experiments: experiments.len(),
            stated: stated().count(),
            too_few: experiments.iter().filter(|p| p.too_few[i]).count(),
            bounds: stated().filter(|e| e.low() < 0.0).count(),
            covered: stated().filter(|e| holds(e.low(), e.high())).count(),
            half_width: stated().map(|e| e.half_width).sum::<f64>() / stated().count() as f64,
        }
    };
    Ok(METRICS.iter().enumerate().map(judge).collect())
}
