//! No record goes astray.

use crate::study::chaos::invariant::{Case, Invariant};

pub(super) const CONSERVATION: Invariant = Invariant {
    name: "conservation",
    promise: "every record that came is stored, in memory, or lost with its cause",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    for (name, r) in case.results() {
        let c = &r.counters;
        let before = r.in_memory_before + c.accepted;
        let after = c.stored + c.lost_total() + r.records_in_memory;
        if before != after {
            return Err(format!(
                "{name}: {} in memory and {} taken, but {} stored, {} lost and {} in memory",
                r.in_memory_before,
                c.accepted,
                c.stored,
                c.lost_total(),
                r.records_in_memory
            ));
        }
        if c.accepted != r.arrived.records {
            return Err(format!(
                "{name}: {} requests to be recorded were served, but {} records taken",
                r.arrived.records, c.accepted
            ));
        }
    }
    let rest = &case.evidence.rest;
    if let Ok((r, _)) = &rest.books {
        let counted = r.arrived.records + r.arrived.records_refused;
        if counted != rest.came.records {
            return Err(format!(
                "the run at rest: {} requests to be recorded were sent, but {counted} arrived",
                rest.came.records
            ));
        }
    }
    Ok(())
}
