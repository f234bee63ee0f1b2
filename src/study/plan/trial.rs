//! A candidate with its replications, and what they say of objectives.

use super::objective::Objective;
use crate::pricing::Plan;
use crate::run::measure::{Calls, Get, LEAST_BEYOND, Outcome, calls_of};
use crate::run::metric::{self, METRICS, index_of};
use crate::sim::latencies::Bins;
use crate::study::stats::beyond::share_beyond;
use crate::study::stats::pool::{Billing, Bounds, Column, Pooled, one_sided};
use crate::study::stats::{CONFIDENCE, Estimate};
use crate::telemetry::policy::Policy;

/// A policy under a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The label of its option in each dimension.
    pub options: Vec<String>,
    /// The policy, with the settings of its choices.
    pub policy: Policy,
    /// Name of the plan.
    pub plan: String,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The plan's quotas cannot carry this traffic: not simulated.
    Refused,
    /// Certainly misses this objective (a position among them).
    Misses(usize),
    /// Certainly worse than one that certainly meets all objectives.
    Worse,
    /// No different from the best within the tie.
    Equivalent,
    /// Raced to the end.
    Raced,
}

/// A candidate with its replications.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What was tried.
    pub candidate: Candidate,
    /// The prices of its plan.
    pub(super) pricing: Plan,
    pub(super) outcomes: Vec<Outcome>,
    /// The error of each objective with which `meets` was decided.
    pub error: f64,
    /// Its replications taken together; none before the first.
    pub(super) pooled: Option<Pooled>,
    /// What became of it.
    pub status: Status,
    /// Whether it certainly meets all objectives.
    pub meets: bool,
}

/// The error of each objective of one candidate by itself, so that all together err in 5% at most.
pub fn error_of_objective(objectives: usize) -> f64 {
    (1.0 - CONFIDENCE) / objectives as f64
}

/// What the replications say of an objective at a confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certainty {
    /// The one-sided bound of the measure, which is given, is within the objective's.
    Met(f64),
    /// The measure is beyond the objective's bound even at its other one-sided bound.
    Missed,
    /// Neither: the one-sided bound, which is given, is beyond the objective's.
    Open(f64),
    /// So many calls came, too few to state this percentile, which needs so many.
    TooFew {
        /// Calls that came, in all replications.
        came: u64,
        /// Calls that are needed.
        needed: u64,
    },
    /// There is no such measure here.
    NoValue,
}

impl Trial {
    /// How many replications it has had.
    pub fn replications(&self) -> usize {
        self.outcomes.len()
    }

    /// A measure over all replications, with its 95% interval.
    pub fn estimate(&self, metric: usize) -> Estimate {
        let pooled = self.pooled.as_ref();
        pooled.map_or_else(|| Estimate::of([]), |p| p.estimates[metric])
    }

    /// Whether there are values, but too few for this percentile.
    pub fn is_too_few(&self, name: &str) -> bool {
        let pooled = self.pooled.as_ref().zip(index_of(name));
        pooled.is_some_and(|(p, metric)| p.too_few[metric])
    }

    /// A measure's column, for bounds with this error.
    fn column(&self, metric: usize, error: f64) -> Column {
        let pooled = self.pooled.as_ref();
        match METRICS[metric].get {
            Get::Bill(of) => {
                let usages = self.outcomes.iter().map(|o| &o.usage).collect();
                Billing::new(&self.pricing, usages).lines(of, error)
            }
            _ => pooled.map_or_else(Column::default, |p| p.column(metric)),
        }
    }

    fn bounds(&self, metric: usize, error: f64) -> Bounds {
        let outcomes: Vec<&Outcome> = self.outcomes.iter().collect();
        let own = one_sided(METRICS, metric, &self.pricing, &outcomes, error);
        own.unwrap_or_else(|| self.column(metric, error).bounds(error))
    }

    /// Bounds of what a measure is more here than in `other`, over common replications.
    pub(super) fn difference(&self, other: &Trial, metric: usize, error: f64) -> Bounds {
        let of = |trial: &Trial| trial.column(metric, error);
        of(self).less(&of(other)).bounds(error)
    }

    /// What is known of an objective, with at most this error on either side.
    pub fn certainty(&self, o: &Objective, error: f64) -> Certainty {
        if self.estimate(o.metric).n == 0 {
            let too_few = self.pooled.as_ref().is_some_and(|p| p.too_few[o.metric]);
            return match METRICS[o.metric].get {
                Get::Quantile { of, q, .. } if too_few => Certainty::TooFew {
                    came: self.calls(of),
                    needed: (LEAST_BEYOND / q.min(1.0 - q)).round() as u64,
                },
                _ => Certainty::NoValue,
            };
        }
        let b = self.bounds(o.metric, error);
        let (best, worst) = match o.below {
            true => (b.low, b.high),
            false => (b.high, b.low),
        };
        if o.excess(worst) < 0.0 {
            Certainty::Met(worst)
        } else if o.excess(best) >= 0.0 {
            Certainty::Missed
        } else {
            Certainty::Open(worst)
        }
    }

    /// How many of these calls came in all replications.
    fn calls(&self, of: Calls) -> u64 {
        self.latencies(of).map(Bins::count).sum()
    }

    /// The latencies of these calls, by replication.
    fn latencies(&self, of: Calls) -> impl Iterator<Item = &Bins> {
        let at = calls_of(METRICS).into_iter().position(|c| c == of);
        self.outcomes
            .iter()
            .filter_map(move |o| o.latencies.get(at?))
    }

    /// The objectives (positions among them) of which it is not certain whether it meets them; `None`
    /// if it certainly misses any.
    pub fn open(&self, objectives: &[Objective]) -> Option<Vec<usize>> {
        if matches!(self.status, Status::Misses(_)) {
            return None;
        }
        let all = objectives.iter().enumerate();
        let all = all.map(|(k, o)| (k, self.certainty(o, self.error)));
        let mut open = Vec::new();
        for (k, certainty) in all {
            match certainty {
                Certainty::Met(_) => {}
                Certainty::Open(_) | Certainty::TooFew { .. } => open.push(k),
                Certainty::Missed | Certainty::NoValue => return None,
            }
        }
        Some(open)
    }

    /// Whether the objective is met with at most this error. A measure without a value does not
    /// meet any, nor does one with too few.
    pub(super) fn meets(&self, o: &Objective, error: f64) -> bool {
        matches!(self.certainty(o, error), Certainty::Met(_))
    }

    /// The same of a race, which asks of a percentile how many calls lie beyond the objective's bound.
    pub(super) fn surely_meets(&self, o: &Objective, error: f64) -> bool {
        match self.beyond(o, error) {
            Some((beyond, allowed)) if o.below => beyond.high < allowed,
            Some((beyond, allowed)) => beyond.low > allowed,
            None => self.meets(o, error),
        }
    }

    /// Whether a race takes the objective for missed, with at most this error. A measure that has no value after
    /// `patience` replications will have none.
    pub(super) fn surely_misses(&self, o: &Objective, error: f64, patience: usize) -> bool {
        if let Some((beyond, allowed)) = self.beyond(o, error) {
            return match o.below {
                true => beyond.low > allowed,
                false => beyond.high < allowed,
            };
        }
        match self.certainty(o, error) {
            Certainty::Missed => true,
            Certainty::NoValue => self.replications() > patience,
            _ => false,
        }
    }

    /// Whether its estimate is within the objective's bound, however sure that is; of a percentile, whether no more calls
    /// than its share lie beyond. Not without a value.
    pub(super) fn seems_to_meet(&self, o: &Objective) -> bool {
        let Get::Quantile { of, q, unit_ms } = METRICS[o.metric].get else {
            return o.excess(self.estimate(o.metric).mean) < 0.0;
        };
        let bound = o.bound * unit_ms;
        let beyond: u64 = self.latencies(of).map(|b| b.from_ms(bound)).sum();
        let share = beyond as f64 / self.calls(of) as f64;
        match o.below {
            true => share < 1.0 - q,
            false => share > 1.0 - q,
        }
    }

    /// Of an objective on a percentile, the share of calls beyond its bound, and how large it may be; `None` of any other,
    /// or without calls.
    fn beyond(&self, o: &Objective, error: f64) -> Option<(Bounds, f64)> {
        let Get::Quantile { of, q, unit_ms } = METRICS[o.metric].get else {
            return None;
        };
        let parts: Vec<&Bins> = self.latencies(of).collect();
        Some((share_beyond(&parts, o.bound * unit_ms, error)?, 1.0 - q))
    }

    pub(super) fn mean(&self, name: &str) -> f64 {
        let mean = self.estimate(metric::position(name)).mean;
        if mean.is_nan() { f64::INFINITY } else { mean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{MeterItem, Usage};
    use crate::run::scenario::Scenario;
    use crate::sim::latencies::Latencies;
    use crate::study::fixtures;
    use crate::study::grid::pooled;
    use crate::study::plan::objective::parse;
    use std::time::Duration;

    /// A candidate that writes so often in each replication, under the paid plan.
    fn trial(writes: &[f64]) -> Trial {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let outcome = |w: &f64| {
            let mut outcome = fixtures::outcome(&vec![0.0; METRICS.len()]);
            outcome.usage = Usage::default();
            outcome.usage.add(MeterItem::KvWrites, w.round() as u128);
            outcome
        };
        let outcomes: Vec<Outcome> = writes.iter().map(outcome).collect();
        Trial {
            candidate: Candidate {
                options: Vec::new(),
                policy: scenario.policies[0].clone(),
                plan: "paid".into(),
            },
            pricing: scenario.plan().clone(),
            error: 0.0125,
            pooled: Some(pooled(&scenario, &outcomes.iter().collect::<Vec<_>>())),
            outcomes,
            status: Status::Raced,
            meets: false,
        }
    }

    /// As in the pool's test: within the allowance at 2.5%, beyond it at 1.25%.
    #[test]
    fn costs_are_judged_at_the_error_of_the_race() {
        let off = 6_870.0 * 5_f64.sqrt();
        let writes = [off, -off, off, -off, off, -off].map(|o| 980_672.0 + o);
        let naive = trial(&writes);
        let objective = &parse("cost<5.01USD").unwrap()[0];
        let Certainty::Open(worst) = naive.certainty(objective, 0.0125) else {
            panic!("{:?}", naive.certainty(objective, 0.0125))
        };
        assert!((worst - 5.012).abs() < 1e-4, "{worst}");
        assert_eq!(naive.certainty(objective, 0.025), Certainty::Met(5.0));
        // What certainly stays within the allowance costs no less for certain.
        let idle = trial(&[0.0; 6]);
        let cost = metric::position("cost_usd");
        assert_eq!(naive.difference(&idle, cost, 0.025).high, 0.0);
        assert!(naive.difference(&idle, cost, 0.0125).high > 0.01);
    }

    /// A race of a thousand candidates asks whether 95% of sixty queries in each of six replications are answered in time: an
    /// interval of the percentile could not tell, though all of them take a tenth of it.
    #[test]
    fn a_percentile_is_judged_by_the_calls_beyond_its_bound() {
        let at = calls_of(METRICS)
            .iter()
            .position(|c| *c == Calls::Analytics);
        let of = |slow: usize| {
            let mut trial = trial(&[0.0; 6]);
            for (r, outcome) in trial.outcomes.iter_mut().enumerate() {
                let mut latencies = Latencies::default();
                for i in 0..60 {
                    let ms = if i < slow { 900 } else { 40 + i + 7 * r };
                    latencies.add(Duration::from_millis(ms as u64));
                }
                outcome.latencies[at.unwrap()] = latencies.bins();
            }
            let scenario = Scenario::load("default", &[], None, &[]).unwrap();
            let outcomes: Vec<&Outcome> = trial.outcomes.iter().collect();
            trial.pooled = Some(pooled(&scenario, &outcomes));
            trial
        };
        let parsed = parse("p95_query<500ms,p95_query>500ms").unwrap();
        let [below, above] = &parsed[..] else {
            unreachable!("two objectives")
        };
        let error = 1e-6;
        let judged = |trial: &Trial, o: &Objective| {
            let missed = trial.surely_misses(o, error, 6);
            (trial.surely_meets(o, error), missed)
        };
        let quick = of(0);
        assert!(matches!(quick.certainty(below, error), Certainty::Open(_)));
        assert_eq!(judged(&quick, below), (true, false));
        assert_eq!(judged(&quick, above), (false, true));
        // One in sixty is within the twentieth that may be late, but that is not sure, though all replications agree; nor is
        // it that four in sixty are too many.
        assert_eq!(judged(&of(1), below), (false, false));
        assert_eq!(judged(&of(4), below), (false, false));
        let seems = [0, 1, 4].map(|slow| of(slow).seems_to_meet(below));
        assert_eq!(seems, [true, true, false]);
        assert!(of(4).seems_to_meet(above) && !of(0).seems_to_meet(above));
        let slow = of(60);
        assert_eq!(judged(&slow, below), (false, true));
        assert_eq!(judged(&slow, above), (true, false));
    }
}
