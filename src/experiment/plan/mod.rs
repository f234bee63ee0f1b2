//! The cheapest policy and plan that meet given objectives.

pub mod objective;
pub mod pareto;
pub mod race;
pub mod space;

pub use objective::Objective;
pub use race::{Candidate, Planned, Settings, Status, Trial, plan};
