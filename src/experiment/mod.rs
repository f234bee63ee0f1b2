//! Scenario files, sweep grid, replications, statistics.

pub mod metric;
pub mod result;
pub mod scenario;
pub mod simulate;
pub mod stats;
pub mod sweep;
