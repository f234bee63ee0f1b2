//! What arrives: requests to record, metrics reads, analytics queries, health checks.

mod arrival;
pub mod arrivals;
mod mix;
mod requests;
mod sides;
mod spec;
mod stream;
pub mod trace;

pub use arrival::{Arrival, ArrivalKind};
pub use arrivals::{Shape, hour_of_week};
pub use mix::{Known, RequestMix};
pub use sides::Sides;
pub use spec::{Providers, Secondary, Tokens, WorkloadSpec};
pub use stream::WorkloadStream;
