//! What a collector has in its memory.

use super::aggregate::{Aggregate, ProviderNames};
use super::cache::TtlCache;
use super::counters::Counters;
use super::keys::{Bucket, Slot};
use super::metrics::Metrics;
use super::policy::Policy;
use super::ports::KvError;
use super::rate::RateEstimate;
use super::record::Record;
use super::resilience::{Breaker, RetryTokens};
use super::sum::{QueryKey, Sums};
use super::value::Kept;
use crate::units::Timestamp;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Everything that changes; borrowed for a moment, never over an `await`. What each record looks at comes first, close
/// together: where many isolates take turns, nothing of theirs is in the nearest cache.
#[repr(C)]
pub(super) struct State {
    /// When the last record came; a clock that is set back does not go back here.
    pub latest: Timestamp,
    pub buffer: VecDeque<Record>,
    /// Number of the batch that is being filled.
    pub batch: BatchNumber,
    /// The batch whose flush at its age is under way, and until when to believe that.
    pub due: Option<(BatchNumber, Timestamp)>,
    /// Records in `rollups` or `pending` that no successful write covers.
    pub unsaved: u64,
    /// Most records in memory at once, in the buffer or not yet stored.
    pub most_held: u64,
    /// Requests that wait for room, by the order in which they came, and when each gives up.
    pub waiting: BTreeMap<u64, Timestamp>,
    /// Records that make a full batch now, and how many come.
    pub full_at: u32,
    pub counters: Counters,
    pub record_rate: RateEstimate,
    pub names: ProviderNames,
    /// The last batch whose write was asked for.
    pub asked: Option<BatchNumber>,
    /// Running totals (layout `rollup`), or what is to be added to those stored (`shared`).
    pub rollups: BTreeMap<Slot, Rollup>,
    /// Batches taken from the buffer and not yet stored (layout `batch_keys`).
    pub pending: VecDeque<PendingBatch>,
    pub waits: u64,
    pub batches_written: u64,
    pub last_write: Option<Timestamp>,
    pub cache: TtlCache<QueryKey, Rc<Metrics>>,
    /// What was read for the windows that were asked for lately.
    pub sums: Sums,
    /// The keys of windows, where they follow from the time alone: the latest first, each with its number of
    /// buckets and the one that is current.
    pub named: VecDeque<(u64, Bucket, Keys)>,
    /// Reads of the KV under way that other queries may share.
    pub flights: BTreeMap<QueryKey, Rc<Flight>>,
    /// How often each entry is looked up, and which are kept fresh, until when to believe that.
    pub lookups: BTreeMap<QueryKey, RateEstimate>,
    pub warming: BTreeMap<QueryKey, Timestamp>,
    pub breaker: Breaker,
    pub retry_tokens: RetryTokens,
    pub rng: Xoshiro256PlusPlus,
}

impl State {
    /// Moves the buffer into the running totals; returns how many records that were.
    pub(super) fn fold(&mut self, policy: &Policy) -> u64 {
        let n = self.buffer.len() as u64;
        while let Some(first) = self.buffer.front() {
            let apart = policy.layout.per_provider;
            let slot = Slot {
                bucket: Bucket::of(first.at, policy.layout.bucket),
                provider: apart.then_some(first.provider),
            };
            let rollup = self.rollups.entry(slot).or_default();
            // Records come in the order of time, so those of a bucket stand together.
            let end = slot.bucket.end(policy.layout.bucket);
            let fits = |r: &&Record| r.at < end && slot.provider.is_none_or(|p| p == r.provider);
            let together = match self.buffer.back() {
                Some(last) if !apart && last.at < end => self.buffer.len(),
                _ => self.buffer.iter().take_while(fits).count(),
            };
            for record in self.buffer.range(..together) {
                rollup.add(record);
            }
            if together == self.buffer.len() {
                self.buffer.clear();
            } else {
                self.buffer.drain(..together);
            }
        }
        self.unsaved += n;
        n
    }
}

/// This writer's running total of a bucket.
#[derive(Default)]
pub(super) struct Rollup {
    total: Aggregate,
    /// The total as it was written last, with the records that have come since: whatever else changes the total
    /// begins it anew.
    text: Kept,
    /// The key under which it is written, once it was.
    pub key: Option<Rc<str>>,
    /// Records in the total, and those of them that a successful write covers.
    pub covered: Covered,
    pub stored: Covered,
}

impl Rollup {
    /// Adds a record.
    #[inline]
    pub(super) fn add(&mut self, record: &Record) {
        let (bin, latency) = self.total.add_and_tell(record);
        if let Some(bin) = bin {
            self.text.note(record.provider.0 as usize, bin, latency);
        }
        self.covered.add(record);
    }

    /// Adds the records of another total.
    pub(super) fn merge(&mut self, other: &Aggregate) {
        self.total.merge(other);
        self.text = Kept::default();
    }

    /// The total.
    pub(super) fn total(&self) -> &Aggregate {
        &self.total
    }

    /// What is to be stored.
    pub(super) fn encode(&mut self, names: &ProviderNames) -> Vec<u8> {
        self.text.encode(&self.total, names)
    }

    /// Bytes held on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |k| k.len());
        self.total.memory_bytes() + self.text.memory_bytes() + key
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.covered.records > self.stored.records
    }
}

/// A batch under its own key; the same key and value at every attempt.
pub(super) struct PendingBatch {
    pub key: String,
    pub value: Vec<u8>,
    pub covered: Covered,
    /// Until when to believe that a flush is writing it.
    pub being_written: Timestamp,
}

/// A batch being filled; a flush of its age is void once the batch is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchNumber(pub(super) u64);

impl BatchNumber {
    pub(super) fn next(self) -> Self {
        BatchNumber(self.0 + 1)
    }
}

/// Records that a value covers: how many, and the sum of their times in nanoseconds, from which
/// their mean delay follows when the value is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Covered {
    pub records: u64,
    pub at_sum_ns: u128,
}

impl Covered {
    pub(super) fn add(&mut self, record: &Record) {
        self.records += 1;
        self.at_sum_ns += u128::from(record.at.as_nanos());
    }
}

/// Keys to be read, in the order of their buckets.
#[derive(Clone)]
pub(super) struct Keys {
    pub names: Rc<[Rc<str>]>,
    /// How many of them are of buckets before the last.
    pub past: usize,
}

/// A read of the KV whose answer other queries look out for.
pub(super) struct Flight {
    /// When it was begun.
    pub begun: Timestamp,
    /// The answer, once it is there.
    pub answer: RefCell<Option<Result<Rc<Metrics>, KvError>>>,
}
