//! What a namespace is made from.

use super::limits::KvLimits;
use super::pops::Consistency;
use crate::cloud::failure::FailureSpec;
use crate::models::dist::Sampler;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;

/// Latency of each kind of operation.
#[derive(Debug, Clone)]
pub struct KvLatency {
    /// Of reads, single and bulk.
    pub read: Sampler,
    /// Of writes.
    pub write: Sampler,
    /// Of deletes.
    pub delete: Sampler,
    /// Of lists.
    pub list: Sampler,
}

impl KvLatency {
    /// The same distribution for every kind.
    pub fn uniform(sampler: Sampler) -> Self {
        KvLatency {
            read: sampler.clone(),
            write: sampler.clone(),
            delete: sampler.clone(),
            list: sampler,
        }
    }

    /// That of one kind.
    pub fn of(&self, kind: OpKind) -> &Sampler {
        match kind {
            OpKind::Read => &self.read,
            OpKind::Write => &self.write,
            OpKind::Delete => &self.delete,
            OpKind::List => &self.list,
        }
    }
}

/// Operations of each kind that the plan allows in a UTC day; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DailyQuota(pub [Option<u64>; OpKind::ALL.len()]);

/// What a namespace is made from.
#[derive(Debug, Clone)]
pub struct KvConfig {
    /// Sizes, rates and numbers that are refused beyond.
    pub limits: KvLimits,
    /// How long operations take.
    pub latency: KvLatency,
    /// How often operations fail, and when.
    pub failures: FailureSpec,
    /// Where the failure windows count from.
    pub origin: Timestamp,
    /// What the plan allows in a day.
    pub quota: DailyQuota,
    /// Caches at the points of presence and late visibility; none is a store that all see at once.
    pub consistency: Option<Consistency>,
}
