//! What can be put around any KV, real or simulated: it counts, limits, or fails.
//!
//! These know the ports of the metrics system and nothing else: no runtime, no network, no clock of
//! their own.

mod faulty;
mod limited;
mod metered;

pub use faulty::{Fault, Faults, Faulty, Latency};
pub use limited::{KeyPace, Limited, Limits};
pub use metered::{KindMeter, Meter, Metered};
