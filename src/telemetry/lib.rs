//! The real metrics system: production code that knows two ports, `Kv` and `Clock`.

mod absorb;
pub mod aggregate;
pub mod alerts;
mod attempt;
pub mod cache;
pub mod collector;
pub mod counters;
pub mod field;
pub mod flush;
pub mod health;
pub mod keys;
pub mod load;
pub mod policy;
pub mod ports;
pub mod query;
pub mod rate;
pub mod record;
pub mod resilience;
pub mod retry;
pub mod semaphore;
pub mod tiers;
pub mod units;
