//! What a collector has done, and the invariant that no record goes astray.

use super::cache::CacheCounters;
use super::ports::KvError;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Why a record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossCause {
    /// The buffer was full and the new record gave way.
    OverflowNewest,
    /// The buffer was full and the oldest record gave way.
    OverflowOldest,
    /// A request waited for room in the buffer, and none came in time.
    WaitedTooLong,
    /// The isolate was evicted with the record in its memory.
    Evicted,
}

impl LossCause {
    /// All causes, in the order of reports.
    pub const ALL: [LossCause; 4] = [
        LossCause::OverflowNewest,
        LossCause::OverflowOldest,
        LossCause::WaitedTooLong,
        LossCause::Evicted,
    ];

    /// Name used in column headers.
    pub fn name(self) -> &'static str {
        match self {
            LossCause::OverflowNewest => "overflow_newest",
            LossCause::OverflowOldest => "overflow_oldest",
            LossCause::WaitedTooLong => "waited_too_long",
            LossCause::Evicted => "evicted",
        }
    }
}

/// Counts since a collector was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Records handed to the collector.
    pub accepted: u64,
    /// Records that a successful write has stored.
    pub stored: u64,
    /// Records given up, by [`LossCause`].
    #[serde(serialize_with = "named")]
    pub lost: [u64; LossCause::ALL.len()],
    /// Flushes begun.
    pub flushes: u64,
    /// Records that flushes took from the buffer.
    pub flushed_records: u64,
    /// Writes tried, the retries among them.
    pub put_attempts: u64,
    /// Writes tried again after a failure; they are in `put_attempts`.
    pub retries: u64,
    /// Retries not made for want of budget.
    pub retries_denied: u64,
    /// Changes of the circuit breaker's state.
    pub breaker_changes: u64,
    /// Operations that the circuit breaker did not let through.
    pub breaker_rejected: u64,
    /// Flushes that gave up.
    pub failed_flushes: u64,
    /// Failed attempts by cause, whether or not a retry succeeded.
    pub put_errors: BTreeMap<&'static str, u64>,
    /// Most records in memory at once, in the buffer or not yet stored.
    pub buffer_high_water: u64,
    /// Queries that read the KV.
    pub fetches: u64,
    /// Queries that shared the answer of another under way.
    pub coalesced: u64,
    /// Answers that were made of stored values, each to be computed from them.
    pub aggregations: u64,
    /// Cache entries read again before they died, for queries expected to come.
    pub prewarmed: u64,
    /// Queries answered by the cache that all isolates share.
    pub shared_hits: u64,
    /// Time from record to store, summed over the records stored, in microseconds.
    pub store_delay_us: u64,
    /// Queries that failed, by cause.
    pub query_errors: BTreeMap<&'static str, u64>,
    /// Stored values that could not be read, found when an answer was looked at.
    pub corrupt_values: u64,
    /// Lookups and entries of the isolate's cache of answers.
    pub cache: CacheCounters,
}

impl Counters {
    /// Records given up for any cause.
    pub fn lost_total(&self) -> u64 {
        self.lost.iter().sum()
    }

    pub(super) fn put_error(&mut self, e: &KvError) {
        *self.put_errors.entry(e.cause()).or_default() += 1;
    }

    pub(super) fn query_error(&mut self, e: &KvError) {
        *self.query_errors.entry(e.cause()).or_default() += 1;
    }

    /// Adds the counts of another collector. The high-water mark is that of the one which held most: isolates hold
    /// theirs at different times, and of all that ever lived no sum is what was in memory at once.
    pub fn merge(&mut self, other: &Counters) {
        let most = self.buffer_high_water.max(other.buffer_high_water);
        *self = self.with(other, |a, b| a + b);
        self.buffer_high_water = most;
    }

    /// What has been added since `earlier`, a former state of the same counters; the
    /// high-water mark stays.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let earlier = Counters {
            buffer_high_water: 0,
            ..earlier.clone()
        };
        self.with(&earlier, |a, b| a - b)
    }

    /// Each count with that of another, put together.
    fn with(&self, other: &Counters, of: fn(u64, u64) -> u64) -> Counters {
        Counters {
            accepted: of(self.accepted, other.accepted),
            stored: of(self.stored, other.stored),
            lost: std::array::from_fn(|i| of(self.lost[i], other.lost[i])),
            flushes: of(self.flushes, other.flushes),
            flushed_records: of(self.flushed_records, other.flushed_records),
            put_attempts: of(self.put_attempts, other.put_attempts),
            retries: of(self.retries, other.retries),
            retries_denied: of(self.retries_denied, other.retries_denied),
            breaker_changes: of(self.breaker_changes, other.breaker_changes),
            breaker_rejected: of(self.breaker_rejected, other.breaker_rejected),
            failed_flushes: of(self.failed_flushes, other.failed_flushes),
            put_errors: by_cause(&self.put_errors, &other.put_errors, of),
            buffer_high_water: of(self.buffer_high_water, other.buffer_high_water),
            fetches: of(self.fetches, other.fetches),
            coalesced: of(self.coalesced, other.coalesced),
            aggregations: of(self.aggregations, other.aggregations),
            prewarmed: of(self.prewarmed, other.prewarmed),
            shared_hits: of(self.shared_hits, other.shared_hits),
            store_delay_us: of(self.store_delay_us, other.store_delay_us),
            query_errors: by_cause(&self.query_errors, &other.query_errors, of),
            corrupt_values: of(self.corrupt_values, other.corrupt_values),
            cache: self.cache.with(&other.cache, of),
        }
    }
}

/// Losses with the names of their causes.
fn named<S: Serializer>(lost: &[u64; LossCause::ALL.len()], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(LossCause::ALL.iter().map(|c| (c.name(), lost[*c as usize])))
}

/// Counts of causes, those of both put together; a cause that one does not have counts 0 there.
fn by_cause(
    mine: &BTreeMap<&'static str, u64>,
    theirs: &BTreeMap<&'static str, u64>,
    of: fn(u64, u64) -> u64,
) -> BTreeMap<&'static str, u64> {
    let mut all = mine.clone();
    for (cause, n) in theirs {
        let count = all.entry(cause).or_default();
        *count = of(*count, *n);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_counts_once_for_its_cause() {
        let mut counters = Counters::default();
        counters.query_error(&KvError::Timeout);
        counters.query_error(&KvError::RateLimited);
        counters.query_error(&KvError::Timeout);
        counters.put_error(&KvError::Unavailable);
        let of_queries = BTreeMap::from([("rate_limited", 1), ("timeout", 2)]);
        assert_eq!(counters.query_errors, of_queries);
        assert_eq!(counters.put_errors, BTreeMap::from([("unavailable", 1)]));
    }
}
