//! Virtual clock, executor and random streams.

pub mod random;
