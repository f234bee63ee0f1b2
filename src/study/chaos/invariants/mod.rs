//! The promises that every scenario is given, a file each.

mod accounts;
mod bill;
mod calls;
mod chains;
mod conservation;
mod crowds;
mod faults;
mod freshness;
mod liveness;
mod meter;
mod order;
mod pace;
mod pages;
mod reads;
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
    calls::CALLS,
    reads::READS,
    crowds::CROWDS,
    pages::PAGES,
    order::ORDER,
    repeat::REPEAT,
];
