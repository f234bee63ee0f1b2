//! Retries stay within what the policy allows, and are counted.

use super::meter::is_traced;
use crate::cloud::kv::OpOutcome;
use crate::run::result::RunResult;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::policy::Backoff;
use crate::telemetry::ports::OpKind;

pub(super) const RETRIES: Invariant = Invariant {
    name: "retries",
    promise: "retries stay within the policy's attempts and budget, and each is counted",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    // Of a run from nothing, in which no retry belongs to a write of before.
    let Ok((r, _)) = &case.evidence.rest.books else {
        return Ok(());
    };
    attempts(case, r)?;
    budget(case, r)?;
    counted(case, r)
}

/// No write is tried more often than the policy says.
fn attempts(case: &Case, r: &RunResult) -> Result<(), String> {
    let retry = &case.point.policy.retry;
    let most = match retry.backoff {
        Backoff::None => 1,
        _ => u64::from(retry.max_attempts),
    };
    let c = &r.counters;
    let first = c.put_attempts - c.retries.min(c.put_attempts);
    if c.retries > (most - 1) * first {
        return Err(format!(
            "the run at rest: {} retries of {first} writes, each of which may be tried {most} times",
            c.retries
        ));
    }
    Ok(())
}

/// Every isolate may save up the budget's tokens, and earns them with what it tries.
fn budget(case: &Case, r: &RunResult) -> Result<(), String> {
    let policy = case.point.policy;
    let Some(budget) = &policy.retry.budget else {
        return Ok(());
    };
    let isolates = r.isolates.max(r.fleet.started);
    let saved = isolates * u64::from(budget.capacity);
    let first = r.kv.operation_count() - r.counters.retries.min(r.kv.operation_count());
    // Queries earn by their own budget.
    let share = policy.queries.retry.budget.as_ref();
    let share = share.map_or(0.0, |b| b.per_attempt.get());
    let share = share.max(budget.per_attempt.get());
    let earned = (share * (first + r.counters.breaker_rejected) as f64).ceil() as u64;
    match r.counters.retries <= saved + earned + isolates {
        true => Ok(()),
        false => Err(format!(
            "the run at rest: {} retries, but {isolates} isolates saved {saved} tokens and earned {earned}",
            r.counters.retries
        )),
    }
}

/// Attempts are writes; and where nothing but the attempts' number ends a write (no budget, no breaker, and no
/// batch that was given up for room), so many retries there are.
fn counted(case: &Case, r: &RunResult) -> Result<(), String> {
    if !is_traced(case, r) {
        return Ok(());
    }
    let c = &r.counters;
    let limited = c.put_errors.get("invocation_limit").copied().unwrap_or(0);
    let writes = r.kv.issued(OpKind::Write) + limited;
    if writes != c.put_attempts {
        return Err(format!(
            "the run at rest: {writes} writes made, but {} attempts counted",
            c.put_attempts
        ));
    }
    let policy = case.point.policy;
    let retry = &policy.retry;
    let may_end = retry.budget.is_some() || policy.breaker.is_some() || c.lost_total() > 0;
    if may_end || retry.backoff == Backoff::None {
        return Ok(());
    }
    let retryable = [
        OpOutcome::RateLimited,
        OpOutcome::Timeout,
        OpOutcome::AnswerLost,
        OpOutcome::Unavailable,
    ];
    let failed: u64 = retryable.map(|o| r.kv.count(OpKind::Write, o)).iter().sum();
    // Of so many failures in a row the last is not retried.
    let least = failed - failed.div_ceil(u64::from(retry.max_attempts));
    match c.retries >= least && c.retries <= failed {
        true => Ok(()),
        false => Err(format!(
            "the run at rest: {failed} writes failed, each tried {} times at most, but {} retries counted",
            retry.max_attempts, c.retries
        )),
    }
}
