//! Models from observations: distributions of latencies, and workloads.

mod bursts;
mod counts;
mod family;
mod goodness;
pub mod latency;
mod origins;
mod special;
pub mod workload;

pub use bursts::{FittedBursts, expected_dispersion};
pub use counts::{Dispersion, SCALES_S};
pub use family::{Family, Fitted, Parameter};
pub use origins::{Origins, ProviderOrigin};
