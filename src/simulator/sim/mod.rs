//! Virtual clock, executor, distributions, latency histograms and random streams.

mod contexts;
pub mod executor;
pub mod latencies;
pub mod random;
mod ready;
mod timer;
