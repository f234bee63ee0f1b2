//! What is asked of each policy.

use crate::models::quantity::Count;
use crate::pricing::{MeterItem, Money, Plan};
use crate::run::scenario::Scenario;

/// What to look for, beside the scenario.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Levels between which onsets are searched, rising; the first and the last bound the range.
    pub levels: Vec<Count>,
    /// What a policy costs beside its bill, per month, to be earned back by its saving.
    pub fixed_cost: Money,
    /// Share of operations or requests that the free plan may refuse.
    pub refused: f64,
}

/// What begins to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// An average day's use of this item exceeds what the free plan gives for a day (of storage:
    /// what it includes).
    Quota(MeterItem),
    /// The first of these.
    FirstQuota,
    /// The free plan refuses something on some day of the simulated period.
    Refuses,
    /// The free plan refuses more than [`Settings::refused`] of operations or of requests.
    RefusesMore,
    /// A month's use of this item exceeds what the paid plan includes.
    Allowance(MeterItem),
    /// The paid plan's bill exceeds its fee.
    BillExceedsFee,
    /// This policy's bill is lower than that of the other (a position among the policies) by more
    /// than the fixed cost.
    PaysOff(usize),
    /// The cheaper of the two becomes the dearer.
    Crosses(usize),
}

/// What a plan allows of an item in a month; none without a limit.
pub(super) fn allowance(plan: &Plan, item: MeterItem) -> Option<f64> {
    plan.monthly_allowance(item)
        .filter(|a| *a > 0)
        .map(|a| a as f64)
}

/// All questions about the policies of a scenario, in the order of the answers.
pub(super) fn questions(paid: &Scenario, free: Option<&Scenario>) -> Vec<(usize, Question)> {
    let items = |s: &Scenario| -> Vec<MeterItem> {
        let all = s.plan().items.iter().map(|i| i.meter);
        all.filter(|i| i.is_simulated() && allowance(s.plan(), *i).is_some())
            .collect()
    };
    let mut all = Vec::new();
    let policies = 0..paid.policies.len();
    for policy in policies.clone() {
        let mut ask = |question| all.push((policy, question));
        if let Some(free) = free {
            items(free)
                .into_iter()
                .map(Question::Quota)
                .for_each(&mut ask);
            ask(Question::FirstQuota);
            ask(Question::Refuses);
            ask(Question::RefusesMore);
        }
        items(paid)
            .into_iter()
            .map(Question::Allowance)
            .for_each(&mut ask);
        ask(Question::BillExceedsFee);
    }
    for policy in policies.clone() {
        for other in policies.clone().filter(|o| *o != policy) {
            all.push((policy, Question::PaysOff(other)));
        }
    }
    for policy in policies.clone() {
        let others = policies.clone().filter(|o| *o > policy);
        all.extend(others.map(|o| (policy, Question::Crosses(o))));
    }
    all
}
