//! Scenario files, sweep grid, replications, statistics.

pub mod result;
pub mod scenario;
pub mod simulate;
pub mod stats;
