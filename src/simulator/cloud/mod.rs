//! The outside world: KV with its read caches, the runtime and its isolates, latency, failures, limits.
//!
//! Each service has a room of its own (`kv`, `r2`, `sql` for D1 and objects with SQLite, `durable_object`, `queue`,
//! `analytics`); `store` is whichever of them keeps the data, reached through the port `Kv` where it has
//! keys and values, so that the same code runs against each. All count what Cloudflare bills.

pub mod analytics;
pub mod consistency;
pub mod durable_object;
pub mod failure;
pub mod fleet;
pub mod kv;
pub mod latency;
mod peak;
pub mod queue;
pub mod r2;
pub mod runtime;
pub mod service;
mod shelf;
pub mod spans;
pub mod sql;
pub mod store;
mod tally;
