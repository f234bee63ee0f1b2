//! The KV's meter counts what invocations did, by their own count.

use crate::run::Observed;
use crate::run::result::RunResult;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::ports::OpKind;

pub(super) const METER: Invariant = Invariant {
    name: "meter",
    promise: "the KV meters each operation once, as its caller made it",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let Ok((r, observed)) = &case.evidence.rest.books else {
        return Ok(());
    };
    for kind in OpKind::ALL {
        let (made, metered) = (made(observed, kind), r.kv.issued(kind));
        let agree = match is_traced(case, r) {
            true => made == metered,
            false => made <= metered,
        };
        if !agree {
            let what = kind.plural();
            return Err(format!("{made} {what} made, but {metered} metered"));
        }
    }
    Ok(())
}

/// Operations that invocations have seen the end of.
pub(super) fn made(observed: &Observed, kind: OpKind) -> u64 {
    let operations = observed.traces.iter().flat_map(|s| &s.operations);
    let units = |o: &crate::cloud::kv::Operation| match kind {
        OpKind::Read => o.keys as u64,
        _ => 1,
    };
    operations.filter(|o| o.kind == kind).map(units).sum()
}

/// Whether every operation is in the trace: neither cron triggers nor what was cut short are.
pub(super) fn is_traced(case: &Case, r: &RunResult) -> bool {
    r.arrived.cron == 0
        && r.calls.hung == 0
        && r.cut_short == 0
        && case.point.scenario.fleet.life.is_none()
}
