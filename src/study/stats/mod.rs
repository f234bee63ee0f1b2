//! Replications taken together: estimates with intervals, quantiles, roots, and when to stop.

pub mod beyond;
mod column;
pub mod crossing;
mod estimate;
pub mod pool;
pub mod root;
pub mod silence;
mod skewness;
pub mod stopping;
pub mod warm_up;

pub use estimate::*;
