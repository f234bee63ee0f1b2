//! Virtual clock, executor, distributions, latency histograms and random streams.

pub mod executor;
pub mod latencies;
pub mod random;
