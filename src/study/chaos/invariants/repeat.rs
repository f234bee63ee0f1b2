//! The same seed gives the same result, whether or not somebody looks on.

use crate::run::metric::METRICS;
use crate::run::result::RunResult;
use crate::study::chaos::invariant::{Case, Invariant};

pub(super) const REPEAT: Invariant = Invariant {
    name: "repeatable",
    promise: "the same seed gives the same result, observed or not",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    match (&case.evidence.ordinary, &case.evidence.again) {
        (Ok((one, _)), Ok(other)) => differ(one, other).map_or(Ok(()), Err),
        (Err(one), Err(other)) if one == other => Ok(()),
        (one, other) => Err(format!(
            "the first run said {:?}, the second {:?}",
            one.as_ref().err(),
            other.as_ref().err()
        )),
    }
}

/// The first in which they differ.
fn differ(one: &RunResult, other: &RunResult) -> Option<String> {
    let measures = METRICS.iter().find_map(|m| {
        let (a, b) = (m.value(one), m.value(other));
        (a.to_bits() != b.to_bits()).then(|| format!("{} was {a}, then {b}", m.name))
    });
    let whole = || {
        let parts = [
            ("the KV's meter", one.kv == other.kv),
            ("the collectors' counts", one.counters == other.counters),
            ("what arrived", one.arrived == other.arrived),
            ("the usage", one.usage == other.usage),
            ("the invoice", one.invoice == other.invoice),
            (
                "the number of hung calls",
                one.calls.hung == other.calls.hung,
            ),
        ];
        let part = parts.into_iter().find(|p| !p.1)?;
        Some(format!("{} is not the same twice", part.0))
    };
    measures.or_else(whole)
}
