//! What is told of reads is what they found.

use crate::cloud::kv::{Found, Operation};
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::ports::OpKind;

pub(super) const READS: Invariant = Invariant {
    name: "reads",
    promise: "shares of cached and outdated reads are those of all keys that were read",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let Ok((r, _)) = &case.evidence.rest.books else {
        return Ok(());
    };
    if case.point.scenario.consistency.is_none() {
        return Ok(());
    }
    let reads = || {
        let all = case.spans().iter().flat_map(|s| &s.operations);
        all.filter(|o: &&Operation| o.kind == OpKind::Read)
    };
    let traced: usize = reads().map(|o| o.keys).sum();
    let found = || reads().flat_map(|o| &o.found);
    let n = found().count() as f64;
    // Reads that are not in the trace may have found anything.
    let unseen = r.kv.issued(OpKind::Read).saturating_sub(traced as u64) as f64;
    type Is = fn(&Found) -> bool;
    let shares: [(&str, Is); 2] = [
        ("hot_read_share", |f| f.cached),
        ("stale_read_share", |f| !f.outdated.is_zero()),
    ];
    for (name, is) in shares {
        let told = case.told(name);
        let some = found().filter(|f| is(f)).count() as f64;
        let (least, most) = (some / (n + unseen), (some + unseen) / (n + unseen));
        let as_seen = told >= least - 1e-9 && told <= most + 1e-9;
        let is_none = told.is_nan() && n == 0.0;
        if !as_seen && !is_none {
            return Err(format!(
                "the run at rest: {some} of {n} keys read and {unseen} unseen, but {name} is told to be {told}"
            ));
        }
    }
    Ok(())
}
