//! No update is lost where the layout promises none.

use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::policy::KeyLayout;

pub(super) const UPDATES: Invariant = Invariant {
    name: "no lost update",
    promise: "what was stored under a key of one writer is there",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    if case.point.policy.layout.keys == KeyLayout::Shared {
        return Ok(());
    }
    for (name, r) in case.results() {
        if r.lost_updates != Some(0) {
            let lost = r.lost_updates;
            return Err(format!("{name}: {lost:?} records taken from the KV again"));
        }
        // Negative where a write was done whose answer was lost. None where keys have expired.
        if let Some(missing) = r.missing_share.filter(|m| *m > 0.0) {
            return Err(format!(
                "{name}: a share of {missing} of the records thought to be stored is not in the KV"
            ));
        }
        if r.counters.corrupt_values > 0 {
            let n = r.counters.corrupt_values;
            return Err(format!("{name}: {n} stored values cannot be read"));
        }
    }
    Ok(())
}
