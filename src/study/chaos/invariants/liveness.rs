//! Nothing hangs: once traffic and faults are over, what is in memory gets stored, and within its age.

use crate::cloud::kv::OpOutcome;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::ports::OpKind;

pub(super) const LIVENESS: Invariant = Invariant {
    name: "liveness",
    promise: "no call hangs, and after the faults every record is stored in bounded time",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    for (name, r) in case.results() {
        if r.calls.hung > 0 {
            let n = r.calls.hung;
            return Err(format!("{name}: {n} calls that nothing could answer"));
        }
    }
    if !is_promised(case) {
        return Ok(());
    }
    let rest = &case.evidence.rest;
    if let Some(left) = rest.backlog.last().filter(|left| **left > 0) {
        return Err(format!(
            "{left} records are still in memory {:.0} s after the faults, and {} rounds of probes to every machine; after each round: {:?}",
            rest.end.since(rest.faults_end).as_secs_f64(),
            rest.backlog.len(),
            rest.backlog
        ));
    }
    match rest.probes.iter().find(|p| p.left > 0) {
        None => Ok(()),
        Some(probe) => Err(format!(
            "a record that came alone to a KV that is well is not stored after {:.1} s",
            probe.waited.as_secs_f64()
        )),
    }
}

/// Whether the scenario lets records be written: not beyond the plan's quota, nor later than the
/// runtime carries work on.
fn is_promised(case: &Case) -> bool {
    let Ok((r, _)) = &case.evidence.rest.books else {
        return false;
    };
    let quota = |kind| r.kv.count(kind, OpOutcome::QuotaExceeded) > 0;
    let refused = OpKind::ALL.into_iter().any(quota) || r.arrived.refused > 0;
    let age = case.point.policy.batch.age() + case.point.policy.batch.min_interval;
    let life = case.point.scenario.fleet.life.as_ref();
    !refused && life.is_none_or(|life| age < life.wait_until)
}
