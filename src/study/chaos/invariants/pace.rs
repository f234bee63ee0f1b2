//! No key is written more often than the service takes.

use crate::cloud::kv::Operation;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use std::collections::BTreeMap;

pub(super) const PACE: Invariant = Invariant {
    name: "pace",
    promise: "no two writes of a key are taken within the time for which the service refuses the second",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let apart = case.point.scenario.limits.refusal();
    let operations = case.spans().iter().flat_map(|s| &s.operations);
    let taken =
        |o: &&Operation| matches!(o.kind, OpKind::Write | OpKind::Delete) && o.error.is_none();
    let mut of_key: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for operation in operations.filter(taken) {
        let times = of_key.entry(&operation.key).or_default();
        times.push(operation.start);
    }
    for (key, times) in &mut of_key {
        times.sort();
        let shortest = times.windows(2).map(|w| w[1].since(w[0])).min();
        if let Some(shortest) = shortest.filter(|s| *s < apart) {
            return Err(format!(
                "two writes of {key} were taken {:.3} s apart, where {:.3} s are asked for",
                shortest.as_secs_f64(),
                apart.as_secs_f64()
            ));
        }
    }
    Ok(())
}
