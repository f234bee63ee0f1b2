//! A virtual Workers KV namespace.
//!
//! An operation takes effect when it starts and is answered after its latency, so
//! a caller that is evicted while it waits leaves the store as production would.
//! A failed operation changes nothing; only an answer that is lost on the way
//! ([`OpOutcome::AnswerLost`]) leaves the caller unsure.

mod at_once;
mod config;
mod entries;
mod handle;
mod limits;
mod log;
mod meter;
mod pops;
mod store;

pub use at_once::AtOnce;
pub use config::{DailyQuota, KvConfig, KvLatency};
pub use handle::KvHandle;
pub use limits::{KvLimits, PlanLimits, SameKeyExcess};
pub use log::{Found, OpLog, Operation, Page};
pub use meter::{BillingRules, KvMeter, OpOutcome};
pub use pops::{Consistency, ReadAges};
pub use store::KvStore;
