//! Simulates the points of a plan: all replications where claims are judged, elsewhere as many as it takes.
//!
//! Beside one isolate and the realistic fleet, points only say where a claim holds. There a few replications come first,
//! and the others where some claim needs them: where its interval reaches across what it claims, of the policies that it
//! is about. Policies that have different numbers at a place are compared by those that both have, so that differences
//! stay paired. Rounds are decided on when they are complete, so that the results do not depend on the number of threads.

use super::cells::{Cells, Key, Outcomes, Place, Plan};
use super::ledger::Ledger;
use super::spec::Claim;
use super::surface::Surface;
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::scenario::Scenario;
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::telemetry::policy::Policy;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

/// Simulates all points of a plan; `planned` is told of each round how many replications it has.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn simulate_cells(
    plan: &Plan,
    (ledger, claims): (&Ledger, &[&Claim]),
    planned: &dyn Fn(u64),
    work: &Work,
) -> Result<Cells, StudyError> {
    let mut outcomes = Outcomes::new();
    let first = plan.points(|key, n| 0..plan.at_first(&key.place, n));
    simulate(first, planned, work, &mut outcomes)?;
    let cells = Cells::of(plan, &outcomes);
    let open = undecided(plan, ledger, claims, &cells);
    let rest = plan.points(|key, n| match open.contains(key) {
        true => plan.at_first(&key.place, n)..n,
        _ => n..n,
    });
    if rest.is_empty() {
        return Ok(cells);
    }
    simulate(rest, planned, work, &mut outcomes)?;
    Ok(Cells::of(plan, &outcomes))
}

/// Where some claim needs more replications, and of which policies.
fn undecided(plan: &Plan, ledger: &Ledger, claims: &[&Claim], cells: &Cells) -> BTreeSet<Key> {
    let mut open = BTreeSet::new();
    for claim in claims {
        for check in claim.checks.iter().filter_map(|k| k.simulation()) {
            let Some(axes) = plan.axes.get(&check.grid) else {
                continue;
            };
            let surface = Surface::read(&ledger.tariffs, claim, check, axes, cells);
            // What has no interval would not be surer with more.
            let unsure = surface.claimed_anywhere();
            let unsure = unsure.filter(|p| !p.sure && !p.value.half_width.is_nan());
            open.extend(unsure.flat_map(|p| {
                let place = Place::new(&check.grid, p.isolates, p.traffic);
                check.policies().map(move |policy| place.under(policy))
            }));
        }
    }
    open
}

/// The scenario for a policy. Without a cache there is nothing to warm up by queries: recordings
/// alone fill that time, and the arrivals stay the same.
fn without_needless_queries(scenario: &Scenario, policy: &Policy) -> Option<Scenario> {
    if policy.cache.enabled || scenario.period.warm_up <= Duration::from_secs(1) {
        return None;
    }
    let mut scenario = scenario.clone();
    let spared = scenario.period.warm_up - Duration::from_secs(1);
    scenario.period.warm_up -= spared;
    scenario.period.history += spared;
    Some(scenario)
}

/// Adds what points give to the outcomes so far.
fn simulate<'a>(
    mut points: Vec<(Key, Point<'a>)>,
    planned: &dyn Fn(u64),
    work: &Work,
    outcomes: &mut Outcomes<'a>,
) -> Result<(), StudyError> {
    planned(points.len() as u64);
    // Long ones first, so that no thread is left with one at the end.
    points.sort_by_key(|(k, p)| {
        let cached = p.policy.cache.enabled;
        Reverse((k.place.isolates, k.place.traffic, !cached))
    });
    let done = work.map(&points, |(_, point)| {
        let shorter = without_needless_queries(point.scenario, point.policy);
        let point = Point {
            scenario: shorter.as_ref().unwrap_or(point.scenario),
            ..*point
        };
        let outcome = work.outcome(&point)?;
        // A grid cuts the history short where that leaves little out, and tells how much (`history_requests`).
        Ok::<_, StudyError>(Outcome {
            short_history: false,
            ..outcome
        })
    })?;
    // The sort is stable: the replications of a point are in order.
    for ((key, point), outcome) in points.into_iter().zip(done) {
        let of_point = outcomes.entry(key);
        let (_, all) = of_point.or_insert_with(|| (point.scenario, Vec::new()));
        all.push(outcome);
    }
    Ok(())
}
