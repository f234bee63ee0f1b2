//! Virtual clock, executor, distributions and random streams.

pub mod dist;
pub mod executor;
pub mod random;
