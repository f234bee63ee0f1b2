//! Scenario files, sweep grid, replications, statistics.

pub mod breakeven;
pub mod claims;
pub mod curve;
pub mod fit;
pub mod forecast;
pub mod grid;
pub mod metric;
pub mod partial;
pub mod plan;
pub mod precision;
pub mod rehearsal;
pub mod replay;
pub mod result;
pub mod root;
pub mod scenario;
pub mod schema;
pub mod sensitivity;
pub mod series;
pub mod simulate;
pub mod stats;
pub mod stores;
pub mod sweep;
pub mod timeline;
pub mod trace;
pub mod warm_up;
