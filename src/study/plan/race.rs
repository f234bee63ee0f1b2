//! Racing: replications are spent on the candidates that may still win.
//!
//! All candidates meet the same arrivals and failures in a replication. After each round those
//! go that certainly miss an objective, or that certainly cost more than one that certainly meets
//! all; certainly means by one-sided t intervals that share an error of 5% between all
//! candidates, objectives and rounds (Bonferroni). Maron and Moore, "The racing algorithm",
//! Artificial Intelligence Review 11 (1997). What wins is then tried once more on fresh
//! replications, which the choice has not seen.
//!
//! The replications of the race are short: what decides is how much candidates differ, and many short replications tell more
//! of that than a few long ones of the same length together, as Student's factor of four is four times that of
//! ten where the error is shared among thousands. Those that try the choice have the scenario's own period.

use super::objective::Objective;
use super::period::{World, look_back, shortened};
use super::trial::{Candidate, Certainty, Status, Trial, error_of_objective};
use crate::models::quantity::Count;
use crate::pricing::{MeterItem, Plan};
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric::{self, index_of};
use crate::run::scenario::Scenario;
use crate::study::cheapest::{BOUNDED, TOLERATED};
use crate::study::error::StudyError;
use crate::study::grid::pooled;
use crate::study::replicate::Work;
use crate::study::stats::CONFIDENCE;
use crate::study::stats::pool::Pooled;
use crate::telemetry::ports::OpKind;

/// How to race.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Recorded requests a month.
    pub traffic: Count,
    /// A replication of the race has the scenario's period, but with [`Period::requests`](crate::run::scenario::Period::requests)
    /// of so many at most; what wins is tried on the scenario's own.
    pub requests: Count,
    /// Replications of every candidate in the first round.
    pub first: u32,
    /// Replications of a candidate at most.
    pub most: u32,
    /// Costs that differ by no more than this share of the lower one count as equal: then the
    /// fresher answer wins.
    pub tie: f64,
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
    /// Those that seemed to meet all objectives in the race but did not on fresh replications: position, and what
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
    /// What was last found of a candidate: where it was tried on fresh replications, these.
    pub fn latest(&self, i: usize) -> &Trial {
        match &self.confirmation {
            Some(trial) if self.choice == Some(i) => trial,
            _ => latest(&self.trials, &self.rejected, i),
        }
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
/// Candidates at most that are tried on fresh replications though the race left open whether they meet all objectives.
const TRIES: usize = 5;

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

/// Whether a plan carries this traffic: not if its limit on requests a day turns away more than the objectives
/// allow, whatever the policy; each recorded request is one, so that of x a day at least 1 - limit / x are refused.
pub fn is_carried(plan: &Plan, traffic: Count, objectives: &[Objective]) -> bool {
    let Some(limit) = plan.daily_limit(MeterItem::WorkersRequests) else {
        return true;
    };
    let refused = 1.0 - limit as f64 * 30.0 / traffic.0 as f64;
    let metric = metric::position("requests_refused_share");
    let mut bounds = objectives.iter().filter(|o| o.metric == metric && o.below);
    bounds.all(|o| refused <= o.bound)
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
    /// The scenario under each plan, with the period of the race and with its own.
    worlds: Vec<World>,
    /// Candidates in the race at first.
    starters: usize,
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
        let look_back = look_back(&candidates);
        let mut worlds: Vec<World> = Vec::new();
        for c in &candidates {
            if worlds.iter().all(|w| w.whole.plan != c.plan) {
                let (traffic, requests) = (settings.traffic, settings.requests);
                let whole = Scenario {
                    plan: c.plan.clone(),
                    ..scenario.clone()
                };
                worlds.push(World {
                    short: shortened(&whole, traffic, requests, look_back),
                    whole,
                });
            }
        }
        let mut race = Race {
            worlds,
            starters: 0,
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
                status: match is_carried(
                    race.pricing(&candidate.plan),
                    settings.traffic,
                    &race.objectives,
                ) {
                    true => Status::Raced,
                    false => Status::Refused,
                },
                pricing: race.pricing(&candidate.plan).clone(),
                candidate,
                outcomes: Vec::new(),
                error: error_of_objective(race.objectives.len()),
                pooled: None,
                meets: false,
            })
            .collect();
        race.starters = race.racing().len();
        race
    }

    fn world(&self, plan: &str) -> &World {
        let found = self.worlds.iter().find(|w| w.whole.plan == plan);
        found.expect("there is a world for each plan of a candidate")
    }

    fn pricing(&self, plan: &str) -> &Plan {
        self.world(plan).whole.plan()
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
        let plan = self.pricing(plan);
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
            let plan = race.pricing(&race.trials[i].candidate.plan);
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
            let candidate = &self.trials[*i].candidate;
            self.replicate(candidate, &self.world(&candidate.plan).short, *r as u64)
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
        pooled(&self.world(&trial.candidate.plan).whole, &outcomes)
    }

    fn replicate(
        &self,
        candidate: &Candidate,
        scenario: &Scenario,
        replication: u64,
    ) -> Result<Outcome, StudyError> {
        let point = Point {
            scenario,
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
        let comparisons = self.starters.max(1) * (self.objectives.len() + 2);
        (1.0 - CONFIDENCE) / (comparisons as f64 * rounds)
    }

    fn eliminate(&mut self) {
        let error = self.error_of_one();
        for i in self.racing() {
            let trial = &self.trials[i];
            let patience = self.settings.first as usize;
            let missed = |o: &Objective| trial.surely_misses(o, error, patience);
            let missed = self.objectives.iter().position(missed);
            let sure = |o: &Objective| trial.surely_meets(o, error);
            let meets = self.objectives.iter().all(sure);
            let trial = &mut self.trials[i];
            trial.meets = meets;
            if let Some(o) = missed {
                trial.status = Status::Misses(o);
            }
        }
        let Some(best) = self.best(self.racing()) else {
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
    fn best(&self, mut among: Vec<usize>) -> Option<usize> {
        among.retain(|i| self.trials[*i].meets);
        self.ranking(among).first().copied()
    }

    /// The cheapest and all that cost the same within the tie, the freshest first; then the rest by cost.
    fn ranking(&self, mut left: Vec<usize>) -> Vec<usize> {
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
        // Short replications cannot tell of every objective what those can that try a candidate again.
        let mut seem_good = Vec::new();
        for (i, trial) in self.trials.iter_mut().enumerate() {
            let objectives = || self.objectives.iter();
            let carried = !matches!(trial.status, Status::Misses(_) | Status::Refused);
            trial.meets = carried && objectives().all(|o| trial.surely_meets(o, error));
            if carried && objectives().all(|o| trial.seems_to_meet(o)) {
                seem_good.push(i);
            }
        }
        let mut ranking = self.ranking(seem_good);
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
        let mut tries = 0;
        for i in &ranking {
            // A try takes as long as many candidates in the race.
            if !self.trials[*i].meets {
                if tries == TRIES {
                    continue;
                }
                tries += 1;
            }
            // Each further try would be one more chance to be wrong: all together have one error.
            error /= 2.0;
            planned(fresh);
            let candidate = self.trials[*i].candidate.clone();
            let jobs: Vec<u64> = (fresh..2 * fresh).collect();
            let whole = &self.world(&candidate.plan).whole;
            let outcomes = self
                .work
                .map(jobs, |r| self.replicate(&candidate, whole, r))?;
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
        if let Status::Misses(one) = t.status {
            let others = (0..self.objectives.len()).filter(|k| *k != one);
            let mut others = others.filter(|k| is_missed(&self.objectives[*k]));
            return others.next().is_none().then_some(one);
        }
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
    use super::super::objective::parse;
    use super::*;

    #[test]
    fn what_is_refused_or_lost_is_bounded_unless_an_objective_says_otherwise() {
        assert_eq!(with_implied(parse("cost<5USD").unwrap()).len(), 4);
        let own = with_implied(parse("refused<50%").unwrap());
        assert_eq!((own.len(), own[0].bound), (3, 0.5));
        let own = with_implied(parse("loss<2%").unwrap());
        assert_eq!((own.len(), own[0].bound), (3, 0.02));
    }

    /// 100,000 requests a day are 3M in 30 days; of 6M half are refused.
    #[test]
    fn a_plan_carries_what_its_requests_and_the_objectives_allow() {
        let of = |plan| Scenario::load("default", &[], Some(plan), &[]).unwrap();
        let (free, paid) = (of("free"), of("paid"));
        let strict = with_implied(Vec::new());
        let half = with_implied(parse("refused<50%").unwrap());
        let carried = |scenario: &Scenario, traffic, objectives: &[Objective]| {
            is_carried(scenario.plan(), Count(traffic), objectives)
        };
        assert!(carried(&free, 3_000_000, &strict));
        assert!(!carried(&free, 3_010_000, &strict));
        assert!(carried(&free, 6_000_000, &half));
        assert!(!carried(&free, 6_100_000, &half));
        assert!(carried(&paid, 1_000_000_000, &strict));
    }
}
