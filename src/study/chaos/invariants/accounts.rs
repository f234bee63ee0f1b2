//! The books that a run keeps of itself agree.

use crate::study::chaos::invariant::{Case, Invariant};

pub(super) const ACCOUNTS: Invariant = Invariant {
    name: "accounts",
    promise: "what a run counts by itself agrees with its own audit",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let evidence = case.evidence;
    let ordinary = evidence.ordinary.as_ref().map(|_| ());
    ordinary.map_err(|defect| format!("the ordinary run: {defect}"))?;
    let rest = evidence.rest.books.as_ref().map(|_| ());
    rest.map_err(|defect| format!("the run at rest: {defect}"))
}
