//! What is told of calls is what their callers saw.

use crate::app::{Answered, Call};
use crate::run::Observed;
use crate::run::measure::are_enough;
use crate::study::chaos::invariant::{Case, Invariant};

pub(super) const CALLS: Invariant = Invariant {
    name: "calls",
    promise: "percentiles and shares of calls are those of the calls as their callers saw them",
    check,
};

/// Each kind of call with its percentiles.
const KINDS: [(Call, [&str; 3]); 4] = [
    (
        Call::Record,
        ["record_p50_ms", "record_p95_ms", "record_p99_ms"],
    ),
    (
        Call::Metrics,
        ["metrics_p50_ms", "metrics_p95_ms", "metrics_p99_ms"],
    ),
    (
        Call::Analytics,
        ["query_p50_ms", "query_p95_ms", "query_p99_ms"],
    ),
    (
        Call::Health,
        ["health_p50_ms", "health_p95_ms", "health_p99_ms"],
    ),
];

fn check(case: &Case) -> Result<(), String> {
    let Ok((_, observed)) = &case.evidence.rest.books else {
        return Ok(());
    };
    for (call, names) in KINDS {
        let of_kind = observed.calls.iter().filter(|c| c.call == call);
        let mut took: Vec<f64> = of_kind.map(|c| c.took.as_secs_f64() * 1e3).collect();
        took.sort_by(f64::total_cmp);
        for (name, q) in names.into_iter().zip([0.50, 0.95, 0.99]) {
            percentile(case, name, &took, q)?;
        }
    }
    cold_starts(case, observed)?;
    share(case, "record_error_rate", observed, |c| {
        c.call == Call::Record
    })?;
    share(case, "query_error_rate", observed, |c| {
        c.call != Call::Record
    })?;
    share(case, "error_rate", observed, |_| true)
}

/// A percentile is the value of rank `q n`, rounded up, to the width of a histogram's bin; and none is told of few.
fn percentile(case: &Case, name: &str, sorted: &[f64], q: f64) -> Result<(), String> {
    let told = case.told(name);
    let n = sorted.len();
    if !are_enough(n as u64, q) {
        return match told.is_nan() {
            true => Ok(()),
            false => Err(format!("{name} of {n} calls is told to be {told}")),
        };
    }
    let rank = q * n as f64;
    // A share is no whole number of binary digits: rank 190 of 200 may as well be rounded up.
    let ranked = |rank: f64| sorted[(rank.ceil() as usize).clamp(1, n) - 1];
    let (least, most) = (ranked(rank - 1e-6), ranked(rank + 1e-6));
    let within = told >= least * (1.0 - 1e-3) - 1e-6 && told <= most * (1.0 + 1e-3) + 1e-6;
    match within {
        true => Ok(()),
        false => Err(format!(
            "the run at rest: {name} of {n} calls is {least}, but {told} is told"
        )),
    }
}

/// Requests that waited for their isolate to start.
fn cold_starts(case: &Case, observed: &Observed) -> Result<(), String> {
    let requests = observed.served.iter().filter(|s| s.is_request);
    let waits = requests.map(|s| s.ready.since(s.at).as_secs_f64() * 1e3);
    let mut waits: Vec<f64> = waits.filter(|ms| *ms > 0.0).collect();
    waits.sort_by(f64::total_cmp);
    percentile(case, "cold_start_p95_ms", &waits, 0.95)
}

/// A share of calls that failed.
fn share(
    case: &Case,
    name: &str,
    observed: &Observed,
    of: impl Fn(&Answered) -> bool,
) -> Result<(), String> {
    let calls = || observed.calls.iter().filter(|c| of(c));
    let (failed, all) = (calls().filter(|c| !c.ok).count(), calls().count());
    let told = case.told(name);
    let share = failed as f64 / all as f64;
    match (told - share).abs() <= 1e-9 || told.is_nan() && all == 0 {
        true => Ok(()),
        false => Err(format!(
            "the run at rest: {failed} of {all} calls failed, but {name} is told to be {told}"
        )),
    }
}
