//! One replication of a break-even analysis: what it has simulated, and where each question begins to hold.

use super::question::{Question, Settings, allowance};
use crate::cloud::kv::BillingRules;
use crate::models::quantity::Count;
use crate::pricing::{MeterItem, Money, Plan, Usage};
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric;
use crate::run::result::RunResult;
use crate::run::scenario::Scenario;
use crate::sim::latencies::Bins;
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::study::stats::root::{Onset, Search, onset_of_runs};
use crate::telemetry::ports::OpKind;
use std::collections::BTreeMap;

/// Relative distance, in traffic, at which a search stops: far below the sampling error.
pub(super) const TOLERANCE: f64 = 0.005;

/// What one point showed.
struct Sample {
    /// Use per month, by item; of operations those that count towards a quota.
    demand: [f64; MeterItem::ALL.len()],
    /// Billed use per month.
    billed: [f64; MeterItem::ALL.len()],
    /// Without latencies, of which there would be too many.
    outcome: Outcome,
    cost: Money,
    refused: f64,
    /// How far the busiest day is from what is refused, as a share of the quota: above 0 where something is.
    refusal: f64,
}

/// One replication: its samples so far, by whether on the free plan, policy and traffic.
pub(super) struct Replication<'a> {
    paid: &'a Scenario,
    free: Option<&'a Scenario>,
    number: u64,
    samples: BTreeMap<(bool, usize, u64), Sample>,
    work: &'a Work<'a>,
}

impl<'a> Replication<'a> {
    /// The replication of this number, of which nothing is simulated yet.
    pub(super) fn new(
        paid: &'a Scenario,
        free: Option<&'a Scenario>,
        number: u64,
        work: &'a Work<'a>,
    ) -> Self {
        Replication {
            paid,
            free,
            number,
            samples: BTreeMap::new(),
            work,
        }
    }

    /// Points simulated so far.
    pub(super) fn simulated(&self) -> usize {
        self.samples.len()
    }

    /// What a policy did at such a traffic under the paid plan.
    pub(super) fn outcome(&mut self, policy: usize, traffic: u64) -> Result<&Outcome, StudyError> {
        Ok(&self.sample(false, policy, traffic)?.outcome)
    }

    /// What it used.
    pub(super) fn usage(&mut self, policy: usize, traffic: u64) -> Result<Usage, StudyError> {
        Ok(self.outcome(policy, traffic)?.usage.clone())
    }

    /// The traffic, rising, at which all of these policies have been simulated.
    pub(super) fn known(&self, on_free: bool, policies: &[usize]) -> Vec<u64> {
        let Some((first, others)) = policies.split_first() else {
            return Vec::new();
        };
        let of_first = (on_free, *first, 0)..=(on_free, *first, u64::MAX);
        let is_known = |x: &u64| {
            let key = |policy: &usize| (on_free, *policy, *x);
            others.iter().all(|p| self.samples.contains_key(&key(p)))
        };
        let traffic = self.samples.range(of_first).map(|(key, _)| key.2);
        traffic.filter(is_known).collect()
    }

    fn sample(
        &mut self,
        on_free: bool,
        policy: usize,
        traffic: u64,
    ) -> Result<&Sample, StudyError> {
        let key = (on_free, policy, traffic);
        if !self.samples.contains_key(&key) {
            self.work.go_on()?;
            let scenario = self.free.filter(|_| on_free).unwrap_or(self.paid);
            let sample = observe(scenario, policy, traffic, self.number, self.work)?;
            self.samples.insert(key, sample);
        }
        Ok(&self.samples[&key])
    }

    /// How much less a policy costs than another, in dollars.
    fn saving(&mut self, policy: usize, other: usize, traffic: u64) -> Result<Money, StudyError> {
        let mine = self.sample(false, policy, traffic)?.cost;
        Ok(self.sample(false, other, traffic)?.cost - mine)
    }

    /// From which traffic on a question holds: on these runs of levels, and probably near the hint.
    pub(super) fn onset(
        &mut self,
        policy: usize,
        question: Question,
        (runs, hint): (&[Vec<u64>], Option<f64>),
        settings: &Settings,
    ) -> Result<Onset, StudyError> {
        let threshold = match question {
            Question::Quota(item) => self.free.and_then(|s| allowance(s.plan(), item)),
            Question::Allowance(item) => allowance(self.paid.plan(), item),
            _ => None,
        }
        .unwrap_or(f64::INFINITY);
        let fee = self.paid.plan().monthly_fee;
        let known = match question {
            Question::Refuses | Question::RefusesMore => self.known(true, &[policy]),
            Question::PaysOff(other) | Question::Crosses(other) => {
                self.known(false, &[policy, other])
            }
            _ => self.known(false, &[policy]),
        };
        // Whether this one is the cheaper at the first level at which they differ.
        let mut cheaper_at_first = None;
        let least = settings.levels.first().map_or(0, |l| l.0);
        let search = Search {
            known: &known,
            hint,
            // What is refused or saved is nothing for a while.
            smooth: matches!(question, Question::Quota(_) | Question::Allowance(_)),
            tolerance: TOLERANCE,
        };
        onset_of_runs(runs, least, &search, |x| {
            Ok(match question {
                Question::Quota(item) => {
                    self.sample(false, policy, x)?.demand[item as usize] / threshold - 1.0
                }
                Question::Allowance(item) => {
                    self.sample(false, policy, x)?.billed[item as usize] / threshold - 1.0
                }
                Question::BillExceedsFee => (self.sample(false, policy, x)?.cost - fee).to_usd(),
                Question::Refuses => self.sample(true, policy, x)?.refusal,
                Question::RefusesMore => {
                    straight(self.sample(true, policy, x)?.refused) - straight(settings.refused)
                }
                Question::PaysOff(other) => {
                    (self.saving(policy, other, x)? - settings.fixed_cost).to_usd()
                }
                Question::Crosses(other) => {
                    let saving = self.saving(policy, other, x)?;
                    if saving != Money::ZERO && cheaper_at_first.is_none() {
                        cheaper_at_first = Some(saving > Money::ZERO);
                    }
                    match cheaper_at_first {
                        Some(true) => -saving.to_usd(),
                        _ => saving.to_usd(),
                    }
                }
                Question::FirstQuota => unreachable!("derived from the quotas of each item"),
            })
        })
    }
}

fn observe(
    scenario: &Scenario,
    policy: usize,
    traffic: u64,
    replication: u64,
    work: &Work,
) -> Result<Sample, StudyError> {
    let point = Point {
        scenario,
        policy: &scenario.policies[policy],
        traffic: Count(traffic),
        replication,
    };
    let result = work.simulate(&point)?;
    let measure = |name: &str| {
        let i = metric::position(name);
        metric::METRICS[i].value(&result)
    };
    let billed = MeterItem::ALL.map(|item| result.usage.get(item) as f64);
    let mut demand = billed;
    for kind in OpKind::ALL {
        // What is refused with 429 is billed, perhaps, but not counted.
        let counted = result.kv.billed(kind, BillingRules::DONE);
        demand[MeterItem::of_operation(kind) as usize] = result.per_month(counted);
    }
    let mut outcome = metric::outcome_of(&result);
    outcome
        .latencies
        .iter_mut()
        .for_each(|l| *l = Bins::default());
    let refused = measure("kv_quota_exceeded_share")
        .max(measure("requests_refused_share"))
        .max(0.0);
    Ok(Sample {
        demand,
        billed,
        cost: result.invoice.total,
        outcome,
        refused,
        refusal: refusal(scenario.plan(), &result, refused),
    })
}

/// See [`Sample::refusal`]. What is used stops at the quota, so beyond it what is refused has to tell, and what an
/// average day wants.
fn refusal(plan: &Plan, result: &RunResult, refused: f64) -> f64 {
    let requests = result.quota_use_requests;
    if refused > 0.0 {
        let wanted = result.quota_use.into_iter().fold(requests, f64::max);
        return straight(refused).max(wanted - 1.0);
    }
    let busiest = OpKind::ALL.into_iter().filter_map(|kind| {
        let monthly = allowance(plan, MeterItem::of_operation(kind))?;
        Some(result.busiest_day[kind as usize] as f64 * 30.0 / monthly)
    });
    (busiest.fold(requests, f64::max) - 1.0).min(0.0)
}

/// What is refused for each that is not, its root: about a straight line over traffic, as first on few days only a
/// little is refused.
fn straight(share: f64) -> f64 {
    (share / (1.0 - share)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parse_overrides;

    /// What a quota is exceeded by, what first is refused, and where a policy pays off: each is found where it is found
    /// without a hint, with one that is a hundredth off.
    #[test]
    fn an_onset_is_where_it_is_wherever_the_search_begins() {
        let settings = parse_overrides(&["period.requests=\"5k\"".into()]).unwrap();
        let policies = ["naive".into(), "optimised".into()];
        let with = |plan: &str| {
            let mut scenario = Scenario::load("default", &policies, None, &settings).unwrap();
            scenario.period.calls = Count(0);
            scenario.plan = plan.into();
            scenario
        };
        let (paid, free) = (with("paid"), with("free"));
        let levels = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000];
        let settings = Settings {
            levels: levels.map(Count).to_vec(),
            fixed_cost: Money::ZERO,
            refused: 0.01,
        };
        let work = Work::unwatched();
        let find = |policy, question, hint| {
            let mut replication = Replication::new(&paid, Some(&free), 3, &work);
            let runs = [levels.to_vec()];
            let found = replication.onset(policy, question, (&runs, hint), &settings);
            match found.unwrap() {
                Onset::At(x) => x,
                other => panic!("{question:?}: {other:?}"),
            }
        };
        for (policy, question) in [
            (0, Question::Quota(MeterItem::KvWrites)),
            (0, Question::Quota(MeterItem::KvReads)),
            (1, Question::RefusesMore),
            (1, Question::PaysOff(0)),
        ] {
            let x = find(policy, question, None);
            for away in [0.99, 1.01] {
                let y = find(policy, question, Some(x * away));
                assert!((y / x).ln().abs() <= TOLERANCE, "{question:?}: {x} and {y}");
            }
        }
    }
}
