//! The promises that every scenario is given, a file each.

mod accounts;
mod bill;
mod chains;
mod conservation;
mod faults;
mod freshness;
mod liveness;
mod meter;
mod pace;
mod repeat;
mod retries;
mod updates;

use super::invariant::Invariant;

/// All invariants, in the order in which they are asked.
pub const ALL: &[Invariant] = &[
    accounts::ACCOUNTS,
    conservation::CONSERVATION,
    updates::UPDATES,
    meter::METER,
    bill::BILL,
    pace::PACE,
    retries::RETRIES,
    faults::FAULTS,
    freshness::FRESHNESS,
    chains::CHAINS,
    liveness::LIVENESS,
    repeat::REPEAT,
];
