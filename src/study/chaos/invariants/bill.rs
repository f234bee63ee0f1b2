//! What is on the bill is what was metered, at the catalog's prices.

use super::meter::{is_traced, made};
use crate::cloud::kv::{BillingRules, OpOutcome};
use crate::pricing::{MONTH, MeterItem, Rounding};
use crate::run::result::RunResult;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::policy::Policy;
use crate::telemetry::ports::OpKind;
use std::time::Duration;

pub(super) const BILL: Invariant = Invariant {
    name: "bill",
    promise: "the bill is for what was metered and what came, once, at the catalog's prices",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let rules = BillingRules::from(&case.point.scenario.catalog);
    if let Ok((r, _)) = &case.evidence.ordinary {
        // A month of 30 days, however long the period.
        let factor = MONTH.as_secs_f64() / r.period.as_secs_f64();
        usage(r, rules, factor).map_err(|what| format!("the ordinary run: {what}"))?;
        allowances(case, r, rules, factor)?;
    }
    if let Ok((r, _)) = &case.evidence.rest.books {
        usage(r, rules, 1.0).map_err(|what| format!("the run at rest: {what}"))?;
        requests(case, r)?;
        by_trace(case, rules)?;
    }
    for (name, r) in case.results() {
        sum(case, r).map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}

/// Usage is the meter's count, `factor` times.
fn usage(r: &RunResult, rules: BillingRules, factor: f64) -> Result<(), String> {
    let requests = (
        "requests and cron triggers",
        MeterItem::WorkersRequests,
        r.arrived.requests() + r.arrived.cron,
    );
    let operations = OpKind::ALL.map(|kind| {
        let item = MeterItem::of_operation(kind);
        (kind.plural(), item, r.kv.billed(kind, rules))
    });
    for (what, item, counted) in operations.into_iter().chain([requests]) {
        let (used, expected) = (r.usage.get(item) as f64, counted as f64 * factor);
        if (used - expected).abs() > 1.0 + 1e-9 * expected {
            return Err(format!(
                "{counted} {what} make {expected} on the bill, which says {used}"
            ));
        }
    }
    Ok(())
}

/// Requests as they were sent, and cron triggers by the clock.
fn requests(case: &Case, r: &RunResult) -> Result<(), String> {
    let rest = &case.evidence.rest;
    let cron = crons(case.point.policy, rest.end.since(rest.start));
    let sent = rest.came.records + rest.came.queries - r.arrived.refused;
    let used = r.usage.get(MeterItem::WorkersRequests);
    match u128::from(sent + cron) == used {
        true => Ok(()),
        false => Err(format!(
            "the run at rest: {sent} requests and {cron} cron triggers, but {used} on the bill"
        )),
    }
}

/// How often cron triggers fire in a time that begins with the run: those of each day have a time of
/// day of their own, and none comes in so short a time but at midnight.
fn crons(policy: &Policy, time: Duration) -> u64 {
    let every = policy.cron.as_ref().map(|c| c.every);
    every.map_or(0, |every| (time.as_nanos() / every.as_nanos()) as u64)
}

/// What the callers saw is what is billed, where all of them are known: an operation without an answer may
/// have been done.
fn by_trace(case: &Case, rules: BillingRules) -> Result<(), String> {
    let Ok((r, observed)) = &case.evidence.rest.books else {
        return Ok(());
    };
    if rules.rate_limited || !rules.hot_reads || !is_traced(case, r) {
        return Ok(());
    }
    for kind in OpKind::ALL {
        let failed = |unsure: bool| {
            let operations = observed.traces.iter().flat_map(|s| &s.operations);
            let failed = operations.filter(|o| {
                let error = o.error.as_ref().map(|e| e.cause());
                o.kind == kind && error.is_some_and(|e| (e == "timeout") == unsure)
            });
            failed
                .map(|o| if kind == OpKind::Read { o.keys } else { 1 } as u64)
                .sum::<u64>()
        };
        let most = made(observed, kind) - failed(false);
        let least = most - failed(true);
        let used = r.usage.get(MeterItem::of_operation(kind));
        if !(u128::from(least)..=u128::from(most)).contains(&used) {
            return Err(format!(
                "the run at rest: {least} to {most} {} were done, but {used} are on the bill",
                kind.plural()
            ));
        }
    }
    Ok(())
}

/// What is told of an allowance is what was done over what the plan allows, where nothing was refused.
fn allowances(case: &Case, r: &RunResult, rules: BillingRules, factor: f64) -> Result<(), String> {
    let plan = case.point.scenario.plan();
    for (kind, told) in OpKind::ALL.into_iter().zip(r.quota_use) {
        let item = MeterItem::of_operation(kind);
        let refused = r.kv.count(kind, OpOutcome::QuotaExceeded) + r.arrived.refused;
        let Some(allowed) = plan.monthly_allowance(item).filter(|a| *a > 0) else {
            continue;
        };
        // What was refused with 429 is on a bill, but uses up no quota.
        let rules = match plan.daily_limit(item) {
            Some(_) => BillingRules::DONE,
            None => rules,
        };
        let done = r.kv.billed(kind, rules) as f64 * factor / allowed as f64;
        if refused == 0 && (told - done).abs() > 1e-6 + 2.0 / allowed as f64 {
            return Err(format!(
                "the ordinary run: {done} of the {} allowed were done, but {told} is told",
                kind.plural()
            ));
        }
    }
    Ok(())
}

/// Every line follows from the plan, and all together make the total.
fn sum(case: &Case, r: &RunResult) -> Result<(), String> {
    let plan = case.point.scenario.plan();
    let mut expected = plan.monthly_fee.to_usd();
    for item in &plan.items {
        let beyond = r.usage.get(item.meter) as f64 - item.included.0 as f64;
        let per = item.per.0 as f64;
        let units = match item.rounding {
            Rounding::None => beyond.max(0.0) / per,
            _ => (beyond.max(0.0) / per).ceil(),
        };
        expected += units * item.price.to_usd();
    }
    let total = r.invoice.total.to_usd();
    match (total - expected).abs() <= 0.011 + 1e-6 * expected {
        true => Ok(()),
        false => Err(format!(
            "the usage makes ${expected:.2}, the bill says ${total:.2}"
        )),
    }
}
