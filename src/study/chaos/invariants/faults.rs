//! The KV fails when and where the scenario says, and not otherwise.

use crate::cloud::failure::FailureSpec;
use crate::cloud::kv::Operation;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;

pub(super) const FAULTS: Invariant = Invariant {
    name: "faults",
    promise: "operations fail when and where the scenario says, and not otherwise",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let rest = &case.evidence.rest;
    let spec = &case.point.scenario.failures;
    for span in case.spans() {
        for operation in &span.operations {
            let Some(error) = &operation.error else {
                continue;
            };
            let is_over = operation.start > rest.faults_end;
            let place = span.place.unwrap_or_default();
            let stated = is_stated(spec, operation, error.cause(), place, rest.start);
            if is_over || !stated {
                let at = operation.start.since(rest.start).as_secs_f64();
                // What the KV refuses by itself is no fault.
                if is_a_fault(operation, error.cause()) {
                    return Err(format!(
                        "{} in place {place} failed after {at:.1} s ({error}), which the scenario does not say",
                        operation.kind.plural()
                    ));
                }
            }
        }
    }
    Ok(())
}

fn is_a_fault(operation: &Operation, cause: &str) -> bool {
    match cause {
        "unavailable" | "timeout" => true,
        // Writes and deletes of a key that was just written are refused.
        "rate_limited" => matches!(operation.kind, OpKind::Read | OpKind::List),
        _ => false,
    }
}

/// Whether the scenario has such a failure for operations of that kind, time and place.
fn is_stated(
    spec: &FailureSpec,
    operation: &Operation,
    cause: &str,
    place: usize,
    start: Timestamp,
) -> bool {
    let of_kind = match operation.kind {
        OpKind::Read => spec.read,
        OpKind::Write => spec.write,
        OpKind::Delete => spec.delete,
        OpKind::List => spec.list,
    };
    let mut windows = spec.windows.iter().filter(|w| {
        let here = w.place.is_none_or(|p| p as usize == place);
        let after = operation.start.since(start);
        here && after >= w.start && after < w.start + w.length
    });
    match cause {
        "unavailable" => {
            let always = of_kind.error.get() > 0.0;
            always
                || spec.outages.is_some()
                || spec.capacity.is_some()
                || windows.any(|w| w.error.get() > 0.0)
        }
        "timeout" => of_kind.timeout.get() + of_kind.answer_lost.get() > 0.0,
        "rate_limited" => windows.any(|w| w.rate_limited.get() > 0.0),
        _ => true,
    }
}
