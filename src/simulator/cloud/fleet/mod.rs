//! The fleet: places, the isolates in them, and which of them serves a request.

mod counters;
mod deployments;
mod isolate;
mod places;
mod routing;
mod spec;

pub use counters::FleetCounters;
pub use isolate::{Busy, EndCause, Isolate};
pub use routing::{Fleet, Reaper};
pub use spec::{FleetSpec, Life, MemoryLimits, Place, Routing, Zipf};
