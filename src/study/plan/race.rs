//! Racing: replications are spent on the candidates that may still win.
//!
//! All candidates meet the same arrivals and failures in a replication. After each round those
//! go that certainly miss an objective, or that certainly cost more than one that certainly meets
//! all; certainly means by one-sided t intervals that share an error of 5% between all
//! candidates, objectives and rounds (Bonferroni). Maron and Moore, "The racing algorithm",
//! Artificial Intelligence Review 11 (1997). What wins is then tried once more on fresh
//! replications, which the choice has not seen.

use super::objective::Objective;
use crate::models::quantity::Count;
use crate::pricing::{MeterItem, Plan};
use crate::run::Point;
use crate::run::measure::{Calls, Get, LEAST_BEYOND, Outcome, calls_of};
use crate::run::metric::{self, METRICS, index_of};
use crate::run::scenario::Scenario;
use crate::study::cheapest::{BOUNDED, TOLERATED};
use crate::study::error::StudyError;
use crate::study::grid::pooled;
use crate::study::replicate::Work;
use crate::study::stats::pool::{Billing, Bounds, Column, Pooled, one_sided};
use crate::study::stats::{CONFIDENCE, Estimate};
use crate::telemetry::policy::Policy;
use crate::telemetry::ports::OpKind;

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

/// How to race.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Recorded requests a month.
    pub traffic: Count,
    /// Replications of every candidate in the first round.
    pub first: u32,
    /// Replications of a candidate at most.
    pub most: u32,
    /// Costs that differ by no more than this share of the lower one count as equal: then the
    /// fresher answer wins.
    pub tie: f64,
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
    pricing: Plan,
    outcomes: Vec<Outcome>,
    /// The error of each objective with which `meets` was decided.
    pub error: f64,
    /// Its replications taken together; none before the first.
    pooled: Option<Pooled>,
    /// What became of it.
    pub status: Status,
    /// Whether the upper confidence bounds of all objectives are within their bounds.
    pub meets: bool,
}

/// The outcome.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What was asked for.
    pub objectives: Vec<Objective>,
    /// All candidates, in the order of the space.
    pub trials: Vec<Trial>,
    /// Position of the choice among the trials.
    pub choice: Option<usize>,
    /// The choice on fresh replications.
    pub confirmation: Option<Trial>,
    /// Those that met all objectives in the race but not on fresh replications: position, and what
    /// these gave.
    pub rejected: Vec<(usize, Trial)>,
    /// The next best that meet all objectives.
    pub runners_up: Vec<usize>,
    /// Candidates that would be cheaper than the choice, certainly miss no objective, but do not
    /// certainly meet all; the cheapest first.
    pub cheaper_unsure: Vec<usize>,
    /// The objective that certainly keeps cheaper candidates out, and the cheapest that certainly
    /// misses no other.
    pub binding: Option<(usize, usize)>,
    /// Where nothing meets all: the candidate that comes nearest.
    pub nearest: Option<usize>,
    /// Rounds raced.
    pub rounds: u32,
    /// Replications simulated, the confirmation among them.
    pub simulated: usize,
    /// Replications that all candidates would have taken with as many as the choice.
    pub enumeration: usize,
}

impl Planned {
    /// What was last found of a candidate: where fresh replications turned it down, these.
    pub fn latest(&self, i: usize) -> &Trial {
        latest(&self.trials, &self.rejected, i)
    }
}

fn latest<'a>(trials: &'a [Trial], rejected: &'a [(usize, Trial)], i: usize) -> &'a Trial {
    let fresh = rejected.iter().find(|r| r.0 == i);
    fresh.map_or(&trials[i], |r| &r.1)
}

const COST: &str = "cost_usd";
/// What decides between equal costs.
const STALENESS: &str = "answer_age_p99_s";
const RUNNERS_UP: usize = 5;

/// The error of each objective of one candidate by itself, so that all together err in 5% at most.
pub fn error_of_objective(objectives: usize) -> f64 {
    (1.0 - CONFIDENCE) / objectives as f64
}

/// Bounds on what the plan refuses and on what is lost, for objectives that have none.
pub fn with_implied(mut objectives: Vec<Objective>) -> Vec<Objective> {
    for name in BOUNDED {
        let metric = metric::position(name);
        if objectives.iter().all(|o| o.metric != metric) {
            objectives.push(Objective {
                text: format!("{name}<{TOLERATED} (implied)"),
                metric,
                below: true,
                bound: TOLERATED,
            });
        }
    }
    objectives
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
    fn difference(&self, other: &Trial, metric: usize, error: f64) -> Bounds {
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
        let at = calls_of(METRICS).into_iter().position(|c| c == of);
        let bins = self.outcomes.iter().filter_map(|o| o.latencies.get(at?));
        bins.map(|b| b.count()).sum()
    }

    /// The objectives (positions among them) of which it is not certain whether it meets them; `None`
    /// if it certainly misses any.
    pub fn open(&self, objectives: &[Objective]) -> Option<Vec<usize>> {
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
    fn meets(&self, o: &Objective, error: f64) -> bool {
        matches!(self.certainty(o, error), Certainty::Met(_))
    }

    /// Whether the objective is missed with at most this error. A measure that has no value after
    /// `patience` replications will have none.
    fn misses(&self, o: &Objective, error: f64, patience: usize) -> bool {
        match self.certainty(o, error) {
            Certainty::Missed => true,
            Certainty::NoValue => self.replications() > patience,
            _ => false,
        }
    }

    fn mean(&self, name: &str) -> f64 {
        let mean = self.estimate(metric::position(name)).mean;
        if mean.is_nan() { f64::INFINITY } else { mean }
    }
}

/// Finds the cheapest candidate that meets all objectives with 95% confidence. `planned` is
/// called before each round with the replications that are to come.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn plan(
    scenario: &Scenario,
    candidates: Vec<Candidate>,
    objectives: Vec<Objective>,
    settings: &Settings,
    planned: &dyn Fn(u64),
    work: &Work,
) -> Result<Planned, StudyError> {
    let objectives = with_implied(objectives);
    let mut race = Race::new(scenario, candidates, objectives, settings, work);
    let mut wanted = settings.first.min(settings.most) as usize;
    loop {
        race.rounds += 1;
        planned(race.to_come(wanted));
        race.simulate_to(wanted)?;
        race.eliminate();
        if race.is_over() || wanted >= settings.most as usize {
            break;
        }
        wanted = (wanted + wanted.div_ceil(2)).min(settings.most as usize);
    }
    race.conclude(planned)
}

struct Race<'a> {
    /// The scenario under each plan.
    worlds: Vec<Scenario>,
    objectives: Vec<Objective>,
    settings: &'a Settings,
    trials: Vec<Trial>,
    rounds: u32,
    simulated: usize,
    work: &'a Work<'a>,
}

impl<'a> Race<'a> {
    fn new(
        scenario: &Scenario,
        candidates: Vec<Candidate>,
        objectives: Vec<Objective>,
        settings: &'a Settings,
        work: &'a Work<'a>,
    ) -> Self {
        let mut worlds: Vec<Scenario> = Vec::new();
        for c in &candidates {
            if worlds.iter().all(|w| w.plan != c.plan) {
                worlds.push(Scenario {
                    plan: c.plan.clone(),
                    ..scenario.clone()
                });
            }
        }
        let mut race = Race {
            worlds,
            objectives,
            settings,
            trials: Vec::new(),
            rounds: 0,
            simulated: 0,
            work,
        };
        race.trials = candidates
            .into_iter()
            .map(|candidate| Trial {
                status: if race.cannot_carry(&candidate.plan) {
                    Status::Refused
                } else {
                    Status::Raced
                },
                pricing: race.world(&candidate.plan).plan().clone(),
                candidate,
                outcomes: Vec::new(),
                error: error_of_objective(race.objectives.len()),
                pooled: None,
                meets: false,
            })
            .collect();
        race
    }

    fn world(&self, plan: &str) -> &Scenario {
        let found = self.worlds.iter().find(|w| w.plan == plan);
        found.expect("there is a world for each plan of a candidate")
    }

    /// Whether a plan's limit on requests a day turns away more than is allowed, whatever the
    /// policy: each recorded request is one, so that of x a day at least 1 - limit / x are refused.
    fn cannot_carry(&self, plan: &str) -> bool {
        let Some(limit) = self
            .world(plan)
            .plan()
            .daily_limit(MeterItem::WorkersRequests)
        else {
            return false;
        };
        let refused = 1.0 - limit as f64 * 30.0 / self.settings.traffic.0 as f64;
        let metric = index_of("requests_refused_share");
        self.objectives
            .iter()
            .any(|o| Some(o.metric) == metric && o.below && refused > o.bound)
    }

    /// Whether what the same policy does without quotas is beyond the plan's quotas: then the rest
    /// is refused.
    fn needs_more_than(&self, trial: &Trial, plan: &str) -> bool {
        let metric = index_of("kv_quota_exceeded_share");
        let bound = self
            .objectives
            .iter()
            .find(|o| Some(o.metric) == metric && o.below);
        let Some(allowed) = bound.map(|o| o.bound) else {
            return false;
        };
        let plan = self.world(plan).plan();
        let per_month = |kind: OpKind| trial.mean(&format!("kv_{}_per_month", kind.plural()));
        let all: f64 = OpKind::ALL.into_iter().map(per_month).sum();
        let refused: f64 = OpKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let limit = plan.daily_limit(MeterItem::of_operation(kind))?;
                Some((per_month(kind) - limit as f64 * 30.0).max(0.0))
            })
            .sum();
        // Twice, for what is not known yet after one round.
        refused / all > 2.0 * allowed.max(TOLERATED)
    }

    fn racing(&self) -> Vec<usize> {
        let all = 0..self.trials.len();
        all.filter(|i| self.trials[*i].status == Status::Raced)
            .collect()
    }

    fn to_come(&self, wanted: usize) -> u64 {
        let missing = |i: &usize| wanted.saturating_sub(self.trials[*i].replications());
        self.racing().iter().map(missing).sum::<usize>() as u64
    }

    /// Brings every candidate in the race to as many replications: first those without quotas,
    /// which tell what the others would need.
    fn simulate_to(&mut self, wanted: usize) -> Result<(), StudyError> {
        let limited = |race: &Self, i: usize| {
            let plan = race.world(&race.trials[i].candidate.plan).plan();
            plan.items.iter().any(|item| item.daily_limit.is_some())
        };
        let (with, without): (Vec<usize>, Vec<usize>) =
            self.racing().into_iter().partition(|i| limited(self, *i));
        self.simulate(&without, wanted)?;
        let mut left = Vec::new();
        for i in with {
            let candidate = &self.trials[i].candidate;
            let twin = self.trials.iter().find(|t| {
                t.candidate.policy == candidate.policy
                    && t.candidate.plan != candidate.plan
                    && t.replications() > 0
            });
            if twin.is_some_and(|t| self.needs_more_than(t, &candidate.plan)) {
                self.trials[i].status = Status::Refused;
            } else {
                left.push(i);
            }
        }
        self.simulate(&left, wanted)
    }

    fn simulate(&mut self, which: &[usize], wanted: usize) -> Result<(), StudyError> {
        let jobs: Vec<(usize, usize)> = which
            .iter()
            .flat_map(|i| (self.trials[*i].replications()..wanted).map(move |r| (*i, r)))
            .collect();
        let outcomes = self.work.map(&jobs, |(i, r)| {
            self.replicate(&self.trials[*i].candidate, *r as u64)
        })?;
        self.simulated += outcomes.len();
        for ((i, _), outcome) in jobs.into_iter().zip(outcomes) {
            self.trials[i].outcomes.push(outcome);
        }
        for i in which {
            let pooled = self.pool(&self.trials[*i]);
            self.trials[*i].pooled = Some(pooled);
        }
        Ok(())
    }

    /// Takes the replications of a candidate together.
    fn pool(&self, trial: &Trial) -> Pooled {
        let outcomes: Vec<&Outcome> = trial.outcomes.iter().collect();
        pooled(self.world(&trial.candidate.plan), &outcomes)
    }

    fn replicate(&self, candidate: &Candidate, replication: u64) -> Result<Outcome, StudyError> {
        let point = Point {
            scenario: self.world(&candidate.plan),
            policy: &candidate.policy,
            traffic: self.settings.traffic,
            replication,
        };
        self.work.outcome(&point)
    }

    /// The error of each comparison, so that all of them together err in 5% of races at most.
    fn error_of_one(&self) -> f64 {
        let n = self.settings.most as f64 / self.settings.first.max(1) as f64;
        let rounds = n.ln().max(0.0) / 1.5_f64.ln() + 2.0;
        let comparisons = self.trials.len() * (self.objectives.len() + 2);
        (1.0 - CONFIDENCE) / (comparisons as f64 * rounds)
    }

    fn eliminate(&mut self) {
        let error = self.error_of_one();
        for i in self.racing() {
            let trial = &self.trials[i];
            let patience = self.settings.first as usize;
            let missed = |o: &Objective| trial.misses(o, error, patience);
            let missed = self.objectives.iter().position(missed);
            let meets = self.objectives.iter().all(|o| trial.meets(o, error));
            let trial = &mut self.trials[i];
            trial.meets = meets;
            if let Some(o) = missed {
                trial.status = Status::Misses(o);
            }
        }
        let Some(best) = self.best(&self.racing()) else {
            return;
        };
        let index = |name| metric::position(name);
        let tie = self.tie(best);
        for i in self.racing().into_iter().filter(|i| *i != best) {
            let (trial, best) = (&self.trials[i], &self.trials[best]);
            let cost = trial.difference(best, index(COST), error);
            let age = trial.difference(best, index(STALENESS), error);
            let alike = 0.05 * best.mean(STALENESS);
            if cost.low > tie || (cost.low >= -tie && age.low > 0.0) {
                self.trials[i].status = Status::Worse;
            } else if cost.low >= -tie
                && cost.high <= tie
                && age.low >= -alike
                && age.high <= alike
                && trial.meets
            {
                self.trials[i].status = Status::Equivalent;
            }
        }
    }

    fn tie(&self, best: usize) -> f64 {
        self.settings.tie * self.trials[best].mean(COST)
    }

    /// The best of those that meet all objectives, by [`Race::ranking`].
    fn best(&self, among: &[usize]) -> Option<usize> {
        self.ranking(among).first().copied()
    }

    /// Those that meet all objectives: the cheapest and all that cost the same within the tie, the
    /// freshest first; then the rest by cost.
    fn ranking(&self, among: &[usize]) -> Vec<usize> {
        let mut left: Vec<usize> = among
            .iter()
            .copied()
            .filter(|i| self.trials[*i].meets)
            .collect();
        let by = |name: &'static str| {
            move |a: &usize, b: &usize| {
                let mean = |i: &usize| self.trials[*i].mean(name);
                mean(a).total_cmp(&mean(b)).then(a.cmp(b))
            }
        };
        left.sort_by(by(COST));
        let Some(cheapest) = left.first() else {
            return left;
        };
        let most = self.trials[*cheapest].mean(COST) + self.tie(*cheapest);
        let tied = left.partition_point(|i| self.trials[*i].mean(COST) <= most);
        left[..tied].sort_by(by(STALENESS));
        left
    }

    fn is_over(&self) -> bool {
        let racing = self.racing();
        match racing[..] {
            [] => true,
            [one] => self.trials[one].meets,
            _ => false,
        }
    }

    /// Chooses, and tries the choice on replications that had no part in choosing it.
    fn conclude(mut self, planned: &dyn Fn(u64)) -> Result<Planned, StudyError> {
        let error = error_of_objective(self.objectives.len());
        for trial in self.trials.iter_mut() {
            trial.meets = !matches!(trial.status, Status::Misses(_) | Status::Refused)
                && self.objectives.iter().all(|o| trial.meets(o, error));
        }
        let all: Vec<usize> = (0..self.trials.len()).collect();
        let mut ranking = self.ranking(&all);
        // What was raced to the end comes before what was found worse or alike on the way.
        ranking.sort_by_key(|i| match self.trials[*i].status {
            Status::Raced => 0,
            Status::Equivalent => 1,
            _ => 2,
        });
        let mut confirmation = None;
        let fresh = self.settings.most.max(2) as u64;
        let mut rejected = Vec::new();
        let mut error = error;
        for i in &ranking {
            // Each further try would be one more chance to be wrong: all together have one error.
            error /= 2.0;
            planned(fresh);
            let candidate = self.trials[*i].candidate.clone();
            let jobs: Vec<u64> = (fresh..2 * fresh).collect();
            let outcomes = self.work.map(jobs, |r| self.replicate(&candidate, r))?;
            self.simulated += outcomes.len();
            let mut trial = Trial {
                outcomes,
                ..self.trials[*i].clone()
            };
            trial.pooled = Some(self.pool(&trial));
            trial.error = error;
            trial.meets = self.objectives.iter().all(|o| trial.meets(o, error));
            if trial.meets {
                confirmation = Some((*i, trial));
                break;
            }
            rejected.push((*i, trial));
        }
        for (i, _) in &rejected {
            self.trials[*i].meets = false;
        }
        let choice = confirmation.as_ref().map(|c| c.0);
        let cheaper = choice.map_or_else(Vec::new, |i| self.cheaper(i));
        let latest = |i: usize| latest(&self.trials, &rejected, i);
        let is_unsure = |i: &usize| {
            let open = latest(*i).open(&self.objectives);
            open.is_some_and(|o| !o.is_empty())
        };
        let cheaper_unsure = cheaper.iter().copied().filter(is_unsure).collect();
        let binding = cheaper
            .iter()
            .find_map(|i| Some((self.only_miss(latest(*i))?, *i)));
        let runners_up = ranking.iter().copied();
        let runners_up = runners_up.filter(|i| self.trials[*i].meets && Some(*i) != choice);
        let most = choice.map_or(0, |i| self.trials[i].replications());
        Ok(Planned {
            runners_up: runners_up.take(RUNNERS_UP).collect(),
            cheaper_unsure,
            binding,
            nearest: if choice.is_none() {
                self.nearest()
            } else {
                None
            },
            choice,
            confirmation: confirmation.map(|c| c.1),
            rejected,
            rounds: self.rounds,
            simulated: self.simulated,
            enumeration: self.trials.len() * most.max(self.settings.first as usize),
            objectives: self.objectives,
            trials: self.trials,
        })
    }

    /// Candidates that cost less than the choice by more than the tie, the cheapest first.
    fn cheaper(&self, choice: usize) -> Vec<usize> {
        let cost = |i: &usize| self.trials[*i].mean(COST);
        let limit = cost(&choice) - self.tie(choice);
        let all = 0..self.trials.len();
        let mut all: Vec<usize> = all.filter(|i| cost(i) < limit).collect();
        all.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        all
    }

    /// The one objective that a candidate certainly misses.
    fn only_miss(&self, t: &Trial) -> Option<usize> {
        let is_missed = |o: &Objective| {
            let certainty = t.certainty(o, t.error);
            matches!(certainty, Certainty::Missed | Certainty::NoValue)
        };
        let all = 0..self.objectives.len();
        let mut missed = all.filter(|k| is_missed(&self.objectives[*k]));
        missed.next().filter(|_| missed.next().is_none())
    }

    /// The candidate whose worst excess over an objective is least.
    fn nearest(&self) -> Option<usize> {
        let worst = |t: &Trial| {
            let excess = |o: &Objective| {
                let mean = t.estimate(o.metric).mean;
                if mean.is_nan() {
                    f64::INFINITY
                } else {
                    o.excess(mean)
                }
            };
            self.objectives
                .iter()
                .map(excess)
                .fold(f64::NEG_INFINITY, f64::max)
        };
        let simulated = self.trials.iter().enumerate();
        simulated
            .filter(|(_, t)| t.replications() > 0)
            .min_by(|a, b| worst(a.1).total_cmp(&worst(b.1)))
            .map(|(i, _)| i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Usage;

    /// A candidate that writes so often in each replication, under the paid plan.
    fn trial(writes: &[f64]) -> Trial {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let outcome = |w: &f64| {
            let mut outcome = Outcome::of_values(METRICS, &vec![0.0; METRICS.len()]);
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
        let parse = super::super::objective::parse;
        let objective = &parse("cost<5.01USD").unwrap()[0];
        let Certainty::Open(worst) = naive.certainty(objective, 0.0125) else {
            panic!("{:?}", naive.certainty(objective, 0.0125))
        };
        assert!((worst - 5.012).abs() < 1e-4, "{worst}");
        assert_eq!(naive.certainty(objective, 0.025), Certainty::Met(5.0));
        // What certainly stays within the allowance costs no less for certain.
        let idle = trial(&[0.0; 6]);
        let cost = metric::position(COST);
        assert_eq!(naive.difference(&idle, cost, 0.025).high, 0.0);
        assert!(naive.difference(&idle, cost, 0.0125).high > 0.01);
    }

    #[test]
    fn what_is_refused_or_lost_is_bounded_unless_an_objective_says_otherwise() {
        let parse = super::super::objective::parse;
        assert_eq!(with_implied(parse("cost<5USD").unwrap()).len(), 4);
        let own = with_implied(parse("refused<50%").unwrap());
        assert_eq!((own.len(), own[0].bound), (3, 0.5));
        let own = with_implied(parse("loss<2%").unwrap());
        assert_eq!((own.len(), own[0].bound), (3, 0.02));
    }
}
