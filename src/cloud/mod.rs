//! The outside world: KV store and its read caches, isolates, latency, failures, limits.

mod active;
pub mod consistency;
pub mod failure;
pub mod fleet;
pub mod kv;
pub mod latency;
pub mod object;
pub mod runtime;
pub mod spans;
pub mod stores;
