//! What a collector has done, and the invariant that no record goes astray.

use super::cache::CacheCounters;
use super::ports::KvError;
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    /// Records handed to the collector.
    pub accepted: u64,
    /// Records that a successful write has stored.
    pub stored: u64,
    /// Records given up, by [`LossCause`].
    pub lost: [u64; LossCause::ALL.len()],
    /// Flushes begun, and the records they took from the buffer.
    pub flushes: u64,
    /// Records that flushes took from the buffer.
    pub flushed_records: u64,
    /// Writes tried, the retries among them, and flushes that gave up.
    pub put_attempts: u64,
    /// Writes tried again after a failure; they are in `put_attempts`.
    pub retries: u64,
    /// Retries not made for want of budget.
    pub retries_denied: u64,
    /// Changes of the circuit breaker's state, and operations it did not let through.
    pub breaker_changes: u64,
    /// Operations that the circuit breaker did not let through.
    pub breaker_rejected: u64,
    /// Flushes that gave up.
    pub failed_flushes: u64,
    /// Failed attempts by cause, whether or not a retry succeeded.
    pub put_errors: BTreeMap<&'static str, u64>,
    /// Most records in memory at once, in the buffer or not yet stored.
    pub buffer_high_water: u64,
    /// Queries that read the KV, and those that failed, by cause.
    pub fetches: u64,
    /// Queries that shared the answer of another under way.
    pub coalesced: u64,
    /// Times that the metrics of a window were computed from stored values.
    pub aggregations: u64,
    /// Cache entries read again before they died, for queries expected to come.
    pub prewarmed: u64,
    /// Queries answered by the cache that all isolates share.
    pub shared_hits: u64,
    /// Time from record to store, summed over the records stored, in microseconds.
    pub store_delay_us: u64,
    /// Queries that failed, by cause.
    pub query_errors: BTreeMap<&'static str, u64>,
    /// Stored values that could not be read.
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

    /// Adds the counts of another collector; high-water marks of different isolates add up.
    pub fn merge(&mut self, other: &Counters) {
        for (a, b) in self.scalars().into_iter().zip(other.clone().scalars()) {
            *a += *b;
        }
        for (mine, theirs) in [
            (&mut self.put_errors, &other.put_errors),
            (&mut self.query_errors, &other.query_errors),
        ] {
            for (cause, n) in theirs {
                *mine.entry(cause).or_default() += n;
            }
        }
        self.cache.merge(&other.cache);
    }

    /// What has been added since `earlier`, a former state of the same counters; the
    /// high-water mark stays.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let mut d = self.clone();
        let mut e = earlier.clone();
        e.buffer_high_water = 0;
        for (a, b) in d.scalars().into_iter().zip(e.scalars()) {
            *a -= *b;
        }
        for (mine, theirs) in [
            (&mut d.put_errors, &earlier.put_errors),
            (&mut d.query_errors, &earlier.query_errors),
        ] {
            for (cause, n) in theirs {
                *mine.entry(cause).or_default() -= n;
            }
        }
        d.cache = self.cache.since(&earlier.cache);
        d
    }

    /// All plain counts; a new field cannot be left out.
    fn scalars(&mut self) -> [&mut u64; 22] {
        let Counters {
            accepted,
            stored,
            lost: [newest, oldest, waited, evicted],
            flushes,
            flushed_records,
            put_attempts,
            retries,
            retries_denied,
            breaker_changes,
            breaker_rejected,
            failed_flushes,
            put_errors: _,
            buffer_high_water,
            fetches,
            coalesced,
            aggregations,
            prewarmed,
            shared_hits,
            store_delay_us,
            query_errors: _,
            corrupt_values,
            cache: _,
        } = self;
        [
            accepted,
            stored,
            newest,
            oldest,
            waited,
            evicted,
            flushes,
            flushed_records,
            put_attempts,
            retries,
            retries_denied,
            breaker_changes,
            breaker_rejected,
            failed_flushes,
            buffer_high_water,
            fetches,
            coalesced,
            aggregations,
            prewarmed,
            shared_hits,
            store_delay_us,
            corrupt_values,
        ]
    }
}
