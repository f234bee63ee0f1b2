//! Tries a case: looks at it, and asks every invariant.

use super::invariant::{Broken, Case};
use super::invariants::ALL;
use super::look::{Subject, defect_of_panic};
use crate::run::scenario::Scenario;
use crate::run::{Cut, Point};
use crate::study::error::StudyError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

/// What a panic is called among the invariants.
pub const NO_PANIC: &str = "no panic";

/// The first invariant that the scenario's first policy breaks at its own traffic, in the order of [`ALL`].
///
/// # Errors
/// If it was told to stop.
pub fn first_broken(
    scenario: &Scenario,
    subject: &dyn Subject,
    stop: &AtomicBool,
) -> Result<Option<Broken>, StudyError> {
    let Some(policy) = scenario.policies.first() else {
        return Ok(None);
    };
    let point = Point {
        scenario,
        policy,
        traffic: scenario.traffic_per_month,
        replication: 0,
    };
    // Nothing is kept of a run that has panicked.
    let looked = catch_unwind(AssertUnwindSafe(|| subject.look(&point, stop)));
    let evidence = match looked {
        Ok(Ok(evidence)) => evidence,
        Ok(Err(Cut::Stopped)) => return Err(StudyError::Interrupted),
        Ok(Err(Cut::Broken(defect))) => return Ok(Some(broken("accounts", &defect.to_string()))),
        Err(payload) => {
            let what = defect_of_panic(&*payload).to_string();
            return Ok(Some(broken(NO_PANIC, &what)));
        }
    };
    let case = Case {
        point,
        evidence: &evidence,
    };
    let found = ALL.iter().find_map(|invariant| {
        let what = (invariant.check)(&case).err()?;
        Some(broken(invariant.name, &what))
    });
    Ok(found)
}

fn broken(invariant: &'static str, what: &str) -> Broken {
    Broken {
        invariant,
        what: what.to_owned(),
    }
}
