//! Break-even analysis: the traffic at which a quota is first exceeded, the free plan gives way
//! to the paid one, a policy pays for itself, or two policies cross in cost.

mod question;
mod replication;

pub use question::{Question, Settings};

use super::cheapest::{Reason, why_excluded};
use super::error::StudyError;
use super::replicate::Work;
use super::sweep::Cell;
use crate::models::quantity::Count;
use crate::pricing::MONTH;
use crate::pricing::{Catalog, MeterItem, Money, Plan, Usage};
use crate::run::measure::Outcome;
use crate::run::scenario::Scenario;
use crate::study::stats::Estimate;
use crate::study::stats::crossing::Crossing;
use crate::study::stats::pool::{Billing, EACH_SIDE};
use crate::study::stats::root::{Onset, Search, onset_of_runs};
use question::questions;
use replication::{Replication, TOLERANCE};

/// Replications that search by themselves; the others begin where these have found it. What a search finds is the same to
/// its tolerance wherever it begins, as long as what replications differ by is more than what one shows at traffic so
/// close together: common random numbers see to that.
const PILOTS: usize = 2;

/// A question about a policy, and its answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Position among the scenario's policies.
    pub policy: usize,
    /// What is asked.
    pub question: Question,
    /// From which traffic on it holds.
    pub crossing: Crossing,
    /// Of [`Question::FirstQuota`]: which item came first, and in how many replications.
    pub first: Option<(MeterItem, usize)>,
    /// Of [`Question::PaysOff`]: the least traffic at which the mean of the paired differences is
    /// above the fixed cost with 95% confidence.
    pub significant: Option<Onset>,
    /// Of [`Question::PaysOff`] and [`Question::Crosses`]: the levels that say nothing, because the bill of
    /// the one that would pay off, or of either that would cross, is not for the whole work.
    pub excluded: Vec<Exclusion>,
}

/// A level at which a policy's bill is not for the whole work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exclusion {
    /// Requests a month.
    pub level: Count,
    /// Position among the scenario's policies.
    pub policy: usize,
    /// Why the bill is not for the whole work.
    pub reason: Reason,
}

/// The answers, and the cost at each level under the paid plan.
#[derive(Debug, Clone)]
pub struct Breakeven {
    /// Name of the plan without a fee; none if the catalog has none.
    pub free: Option<String>,
    /// Name of the plan whose bill is looked at.
    pub paid: String,
    /// The answers, by policy and question.
    pub answers: Vec<Answer>,
    /// By policy, then level: what it costs, and what that is not for. Percentiles are left out.
    pub cells: Vec<Vec<Cell>>,
    /// Replications simulated, of all points together.
    pub simulated: usize,
}

impl Breakeven {
    /// Where a policy's bill is not for the whole work.
    pub fn exclusions(&self, policy: usize) -> Vec<Exclusion> {
        exclusions(&self.cells, policy).flatten().collect()
    }
}

/// By level, whether a policy's bill is not for the whole work.
fn exclusions(cells: &[Vec<Cell>], policy: usize) -> impl Iterator<Item = Option<Exclusion>> {
    cells[policy].iter().map(move |cell| {
        why_excluded(cell).map(|reason| Exclusion {
            level: cell.traffic,
            policy,
            reason,
        })
    })
}

/// By level, why a question is not asked of it: of what a policy costs, only while it does the work.
fn left_out(
    cells: &[Vec<Cell>],
    policy: usize,
    question: Question,
    levels: usize,
) -> Vec<Option<Exclusion>> {
    let mine = exclusions(cells, policy);
    match question {
        Question::PaysOff(_) => mine.collect(),
        Question::Crosses(other) => mine
            .zip(exclusions(cells, other))
            .map(|(mine, others)| mine.or(others))
            .collect(),
        _ => vec![None; levels],
    }
}

/// Neighbouring levels that are not left out.
fn runs(levels: &[u64], left_out: &[Option<Exclusion>]) -> Vec<Vec<u64>> {
    let all: Vec<(u64, bool)> = levels
        .iter()
        .zip(left_out)
        .map(|(level, out)| (*level, out.is_none()))
        .collect();
    let runs = all.chunk_by(|a, b| a.1 == b.1).filter(|run| run[0].1);
    runs.map(|run| run.iter().map(|r| r.0).collect()).collect()
}

/// The plan that is free of charge and has daily quotas, if the catalog has one.
pub fn free_plan(catalog: &Catalog) -> Option<&Plan> {
    let quotas =
        |p: &&Plan| p.monthly_fee == Money::ZERO && p.items.iter().any(|i| i.daily_limit.is_some());
    catalog.plans.iter().find(quotas)
}

/// How often `finished` will be called.
pub fn steps(scenario: &Scenario) -> u64 {
    let (paid, free) = plans(scenario);
    questions(&paid, free.as_ref()).len() as u64 * u64::from(scenario.replications)
}

/// The scenario under the paid and under the free plan.
fn plans(scenario: &Scenario) -> (Scenario, Option<Scenario>) {
    // No question is about percentiles of rare calls.
    let mut scenario = scenario.clone();
    scenario.period.calls = Count(0);
    let with = |plan: &str| Scenario {
        plan: plan.to_owned(),
        ..scenario.clone()
    };
    let free = free_plan(&scenario.catalog).map(|p| with(&p.name));
    let with_a_fee = scenario
        .catalog
        .plans
        .iter()
        .find(|p| p.monthly_fee > Money::ZERO);
    let paid = match (&free, with_a_fee) {
        (Some(f), Some(p)) if f.plan == scenario.plan => with(&p.name),
        _ => scenario.clone(),
    };
    (paid, free)
}

/// Answers all questions. Each replication finds its own onsets, all policies under common random
/// numbers; the intervals are over replications. What is told as finished is a question of a
/// replication.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn breakeven(
    scenario: &Scenario,
    settings: &Settings,
    work: &Work,
) -> Result<Breakeven, StudyError> {
    let (paid, free) = plans(scenario);
    let questions = questions(&paid, free.as_ref());
    let levels: Vec<u64> = settings.levels.iter().map(|c| c.0).collect();
    let least = levels.first().copied().unwrap_or(0);
    let policies = 0..paid.policies.len();
    let mut replications = work.silently().map(0..scenario.replications, |number| {
        let mut replication = Replication::new(&paid, free.as_ref(), u64::from(number), work);
        for policy in policies.clone() {
            for level in &levels {
                replication.outcome(policy, *level)?;
            }
        }
        Ok::<_, StudyError>(replication)
    })?;
    let mut cell = |policy: usize, level: &Count| {
        let outcomes = replications.iter_mut().map(|r| r.outcome(policy, level.0));
        let outcomes: Vec<&Outcome> = outcomes.collect::<Result<_, _>>()?;
        Ok(Cell::of(&paid, policy, *level, &outcomes))
    };
    let cells: Vec<Vec<Cell>> = policies
        .map(|policy| settings.levels.iter().map(|l| cell(policy, l)).collect())
        .collect::<Result<_, StudyError>>()?;
    let left_out: Vec<Vec<Option<Exclusion>>> = questions
        .iter()
        .map(|(policy, question)| left_out(&cells, *policy, *question, levels.len()))
        .collect();
    let search = |replications: &mut [Replication], hints: &[Option<f64>]| {
        work.silently().map(replications, |replication| {
            let mut onsets = Vec::new();
            for (i, (policy, question)) in questions.iter().enumerate() {
                let runs = runs(&levels, &left_out[i]);
                let hint = hints.get(i).copied().flatten();
                onsets.push(match question {
                    Question::FirstQuota => None,
                    _ => Some(replication.onset(*policy, *question, (&runs, hint), settings)?),
                });
                work.finished();
            }
            Ok::<_, StudyError>(onsets)
        })
    };
    let (pilots, others) = replications.split_at_mut(PILOTS.min(scenario.replications as usize));
    let mut onsets = search(pilots, &[])?;
    let hints: Vec<Option<f64>> = (0..questions.len())
        .map(|i| typical(onsets.iter().filter_map(|o| o[i])))
        .collect();
    onsets.extend(search(others, &hints)?);
    let mut answers = Vec::new();
    for (i, (policy, question)) in questions.iter().enumerate() {
        let mut first = None;
        let of_question: Vec<Onset> = if *question == Question::FirstQuota {
            let quotas = quotas_of(&questions, *policy);
            let firsts: Vec<_> = onsets.iter().map(|o| first_quota(&quotas, o)).collect();
            first = most_frequent(firsts.iter().filter_map(|f| f.1));
            firsts.into_iter().map(|f| f.0).collect()
        } else {
            onsets.iter().filter_map(|o| o[i]).collect()
        };
        let significant = match question {
            Question::PaysOff(other) => {
                let fixed = settings.fixed_cost;
                Some(significant(
                    paid.plan(),
                    work,
                    &mut replications,
                    *policy,
                    *other,
                    fixed,
                    // Most replications have been where the hint is.
                    (&runs(&levels, &left_out[i]), least, hints[i]),
                )?)
            }
            _ => None,
        };
        answers.push(Answer {
            policy: *policy,
            question: *question,
            crossing: Crossing::of(&of_question),
            first,
            significant,
            excluded: left_out[i].iter().flatten().copied().collect(),
        });
    }
    Ok(Breakeven {
        free: free.as_ref().map(|s| s.plan.clone()),
        paid: paid.plan.clone(),
        answers,
        cells,
        simulated: replications.iter().map(|r| r.simulated()).sum(),
    })
}

/// The positions of a policy's quotas among the questions.
fn quotas_of(questions: &[(usize, Question)], policy: usize) -> Vec<(usize, MeterItem)> {
    let all = questions.iter().enumerate();
    all.filter_map(|(i, (p, q))| match q {
        Question::Quota(item) if *p == policy => Some((i, *item)),
        _ => None,
    })
    .collect()
}

/// The earliest onset among the quotas of a replication, and whose it is.
fn first_quota(
    quotas: &[(usize, MeterItem)],
    onsets: &[Option<Onset>],
) -> (Onset, Option<MeterItem>) {
    let rank = |o: Onset| match o {
        Onset::Already => 0.0,
        Onset::At(x) => x,
        Onset::Never => f64::INFINITY,
    };
    let all = quotas
        .iter()
        .filter_map(|(i, item)| Some((onsets[*i]?, *item)));
    match all.min_by(|a, b| rank(a.0).total_cmp(&rank(b.0))) {
        Some((o, item)) if o != Onset::Never => (o, Some(item)),
        _ => (Onset::Never, None),
    }
}

fn most_frequent(items: impl Iterator<Item = MeterItem>) -> Option<(MeterItem, usize)> {
    let items: Vec<MeterItem> = items.collect();
    let count = |item: MeterItem| items.iter().filter(|i| **i == item).count();
    let mut kinds = items.clone();
    kinds.sort();
    kinds.dedup();
    kinds
        .into_iter()
        .map(|i| (i, count(i)))
        .max_by_key(|(_, n)| *n)
}

/// The geometric mean of where something begins to hold, of the replications in which it does.
fn typical(onsets: impl Iterator<Item = Onset>) -> Option<f64> {
    let logarithms = onsets.filter_map(|o| match o {
        Onset::At(x) => Some(x.ln()),
        Onset::Already | Onset::Never => None,
    });
    let mean = Estimate::of(logarithms).mean;
    (!mean.is_nan()).then(|| mean.exp())
}

/// Where the mean saving over all replications is first above the fixed cost with 95% confidence.
fn significant(
    plan: &Plan,
    work: &Work,
    replications: &mut [Replication],
    policy: usize,
    other: usize,
    fixed: Money,
    (runs, least, hint): (&[Vec<u64>], u64, Option<f64>),
) -> Result<Onset, StudyError> {
    // Where all replications have been.
    let of_each = replications
        .iter()
        .map(|r| r.known(false, &[policy, other]));
    let known = of_each.reduce(|mut all, of_one| {
        all.retain(|x| of_one.binary_search(x).is_ok());
        all
    });
    let search = Search {
        known: &known.unwrap_or_default(),
        hint,
        smooth: false,
        tolerance: TOLERANCE,
    };
    onset_of_runs(runs, least, &search, |x| {
        let pairs = work.silently().map(&mut *replications, |r| {
            Ok::<[Usage; 2], StudyError>([r.usage(policy, x)?, r.usage(other, x)?])
        })?;
        let costs = |which: usize| {
            let usages = pairs.iter().map(|p| &p[which]).collect();
            Billing::new(plan, usages).lines(|_| true, EACH_SIDE)
        };
        let (mine, others) = (costs(0), costs(1));
        let saving = others.less(&mine).estimate();
        Ok(saving.low() - fixed.to_usd())
    })
}

/// Days of the simulated period at a level, under the free plan; a quota is judged on each of them.
pub fn days_judged(scenario: &Scenario, free: &str, traffic: Count) -> f64 {
    let scenario = Scenario {
        plan: free.to_owned(),
        ..scenario.clone()
    };
    scenario.horizon(traffic).as_secs_f64() * 30.0 / MONTH.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_plan_is_the_one_without_a_fee_but_with_quotas() {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        assert_eq!(free_plan(&scenario.catalog).unwrap().name, "free");
        let on_free = Scenario::load("free-plan", &[], None, &[]).unwrap();
        let (paid, free) = plans(&on_free);
        assert_eq!(
            (paid.plan.as_str(), free.unwrap().plan.as_str()),
            ("paid", "free")
        );
        let seed = Scenario::load("seed-load-test", &[], None, &[]).unwrap();
        let (paid, free) = plans(&seed);
        assert_eq!(paid.plan, "per-gb");
        assert_eq!(free.unwrap().plan, "free-as-claimed");
    }

    #[test]
    fn levels_that_say_nothing_part_the_others() {
        let out = |level: u64| {
            Some(Exclusion {
                level: Count(level),
                policy: 0,
                reason: Reason::LossUnknown,
            })
        };
        let all = [None, None, out(3), None, out(5)];
        assert_eq!(runs(&[1, 2, 3, 4, 5], &all), [vec![1, 2], vec![4]]);
        assert!(runs(&[3, 5], &[out(3), out(5)]).is_empty());
    }

    #[test]
    fn the_first_quota_is_the_earliest_onset() {
        use MeterItem::*;
        let quotas = [(0, KvReads), (1, KvWrites), (2, KvLists)];
        let first = |o: [Onset; 3]| first_quota(&quotas, &o.map(Some));
        assert_eq!(
            first([Onset::At(5.0), Onset::At(3.0), Onset::Never]),
            (Onset::At(3.0), Some(KvWrites))
        );
        assert_eq!(
            first([Onset::At(5.0), Onset::At(3.0), Onset::Already]),
            (Onset::Already, Some(KvLists))
        );
        assert_eq!(first([Onset::Never; 3]), (Onset::Never, None));
    }
}
