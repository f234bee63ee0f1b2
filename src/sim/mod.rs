//! Virtual clock, executor and random streams.

pub mod executor;
pub mod random;
