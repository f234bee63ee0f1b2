//! The real metrics system: production code that knows its ports only, [`ports::Kv`] and [`ports::Clock`],
//! and, where a policy asks for them, [`ports::SharedCache`] and [`ports::Archive`].
//!
//! A [`collector::Collector`] lives in an isolate. Requests are recorded into it, and it says what is to
//! be done then (a batch to write at once, or when it is due); queries are answered from its
//! cache or from the KV. There are no files, threads or clock of its own in it: time comes from the port.

mod absorb;
pub mod aggregate;
pub mod alerts;
mod attempt;
pub mod cache;
pub mod collector;
pub mod counters;
pub mod defect;
pub mod field;
pub mod flush;
pub mod health;
pub mod host;
pub mod keys;
mod lease;
pub mod load;
pub mod metrics;
pub mod policy;
pub mod ports;
pub mod query;
pub mod rate;
pub mod record;
pub mod resilience;
pub mod retry;
pub mod semaphore;
pub mod sketch;
mod state;
mod sum;
pub mod tiers;
mod totals;
pub mod units;
mod value;
