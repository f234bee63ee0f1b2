//! What can be put around any KV, real or simulated: it counts, limits, or fails.
//!
//! These know the ports of the metrics system and nothing else: no runtime, no network, no clock of
//! their own.

mod faulty;
mod limited;
mod metered;
mod prefixed;

pub use faulty::{Fate, Fault, Faults, Faulty};
pub use limited::{KeyPace, Limited, Limits};
pub use metered::{Ended, KindMeter, Meter, Metered};
pub use prefixed::Prefixed;
