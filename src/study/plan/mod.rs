//! The cheapest policy and plan that meet given objectives.

mod fields;
pub mod objective;
pub mod pareto;
pub mod race;
pub mod space;

pub use objective::Objective;
pub use race::{Candidate, Certainty, Planned, Settings, Status, Trial, error_of_objective, plan};
