//! The outside world: KV store, latency, failures, limits.

pub mod failure;
pub mod fleet;
pub mod kv;
pub mod latency;
