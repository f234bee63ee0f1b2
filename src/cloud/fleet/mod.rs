//! The fleet: places, the isolates in them, and which of them serves a request.

mod isolate;
mod routing;
mod spec;

pub use isolate::{EndCause, Isolate};
pub use routing::{Fleet, FleetCounters};
pub use spec::{FleetSpec, Life, Memory, Place, Zipf};
