//! The cheapest policy and plan that meet given objectives.

mod fields;
pub mod objective;
pub mod pareto;
pub mod period;
pub mod race;
pub mod space;
pub mod trial;

pub use objective::Objective;
pub use period::{look_back, shortened};
pub use race::{Planned, Settings, is_carried, plan, with_implied};
pub use trial::{Candidate, Certainty, Status, Trial, error_of_objective};
