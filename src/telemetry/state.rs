//! What a collector has in its memory.

use super::aggregate::{Aggregate, Metrics, ProviderNames};
use super::cache::TtlCache;
use super::counters::Counters;
use super::keys::{Bucket, Slot};
use super::policy::Policy;
use super::ports::{KvError, Value};
use super::rate::RateEstimate;
use super::record::{ProviderId, Record};
use super::resilience::{Breaker, RetryTokens};
use super::value::Room;
use crate::units::Timestamp;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Everything that changes; borrowed for a moment, never over an `await`.
pub(super) struct State {
    pub names: ProviderNames,
    pub buffer: VecDeque<Record>,
    /// Number of the batch that is being filled.
    pub batch: BatchNumber,
    /// The last batch whose write was asked for.
    pub asked: Option<BatchNumber>,
    /// The batch whose flush at its age is under way, and until when to believe that.
    pub due: Option<(BatchNumber, Timestamp)>,
    /// Running totals (layout `rollup`), or what is to be added to those stored (`shared`).
    pub rollups: BTreeMap<Slot, Rollup>,
    /// Batches taken from the buffer and not yet stored (layout `batch_keys`).
    pub pending: VecDeque<PendingBatch>,
    /// Records in `rollups` or `pending` that no successful write covers.
    pub unsaved: u64,
    /// Requests that wait for room, by the order in which they came, and when each gives up.
    pub waiting: BTreeMap<u64, Timestamp>,
    pub waits: u64,
    /// Records that make a full batch now, and how many come.
    pub full_at: u32,
    pub record_rate: RateEstimate,
    pub batches_written: u64,
    pub last_write: Option<Timestamp>,
    /// When the last record came; a clock that is set back does not go back here.
    pub latest: Timestamp,
    pub cache: TtlCache<QueryKey, Rc<Metrics>>,
    pub pasts: Pasts,
    /// The names of this writer's own keys, by the buckets that they are of, the latest first.
    pub own_keys: VecDeque<(Vec<Bucket>, Rc<[String]>)>,
    /// Reads of the KV under way that other queries may share.
    pub flights: BTreeMap<QueryKey, Rc<Flight>>,
    /// How often each entry is looked up, and which are kept fresh, until when to believe that.
    pub lookups: BTreeMap<QueryKey, RateEstimate>,
    pub warming: BTreeMap<QueryKey, Timestamp>,
    pub breaker: Breaker,
    pub retry_tokens: RetryTokens,
    pub rng: Xoshiro256PlusPlus,
    pub counters: Counters,
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
                rollup.total.add(record);
                rollup.covered.add(record);
            }
            self.buffer.drain(..together);
        }
        self.unsaved += n;
        n
    }
}

/// This writer's running total of a bucket.
#[derive(Default)]
pub(super) struct Rollup {
    pub total: Aggregate,
    /// Records in the total, and those of them that a successful write covers.
    pub covered: Covered,
    pub stored: Covered,
}

impl Rollup {
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

/// What a cached result answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueryKey {
    pub window: Duration,
    /// One provider's metrics have an entry of their own if the policy says so.
    pub provider: Option<ProviderId>,
}

/// A read of the KV whose answer other queries look out for.
pub(super) struct Flight {
    /// When it was begun.
    pub begun: Timestamp,
    /// The answer, once it is there.
    pub answer: RefCell<Option<Result<Rc<Metrics>, KvError>>>,
}

/// What was read of the KV: values in the order of their buckets.
#[derive(Default)]
pub(super) struct Stored {
    pub values: Vec<Value>,
    /// How many of them are of buckets before the last.
    pub past: usize,
}

/// The totals of the windows that were asked for lately, and of their past buckets: the values of those come again
/// with every query, and all of them where nothing was written since. What comes again is not read again.
#[derive(Default)]
pub(super) struct Pasts(VecDeque<Past>);

struct Past {
    key: QueryKey,
    /// Of the buckets before the last.
    past: Sum,
    whole: Sum,
}

/// Values that were read, and what they add up to.
#[derive(Default)]
struct Sum {
    values: Vec<Value>,
    total: Rc<Aggregate>,
    /// How many could not be read.
    corrupt: u64,
}

impl Sum {
    /// Adds up other values, unless they are the same.
    fn of(&mut self, values: &[Value], names: &mut ProviderNames) {
        if self.values != values {
            let mut total = Aggregate::default();
            self.corrupt = add_all(&mut total, values, names);
            self.total = Rc::new(total);
            self.values = values.to_vec();
        }
    }

    /// Bytes held here alone: the cache may hold the total, too.
    fn memory_bytes(&self) -> usize {
        let values = self.values.iter().map(|v| v.len());
        let total = match Rc::strong_count(&self.total) {
            1 => self.total.memory_bytes(),
            _ => 0,
        };
        values.sum::<usize>() + total
    }
}

/// Windows of which something is kept.
pub(super) const WINDOWS: usize = 4;

impl Pasts {
    /// The total of what was read, and how many values could not be.
    pub(super) fn total(
        &mut self,
        key: QueryKey,
        stored: &Stored,
        names: &mut ProviderNames,
    ) -> (Rc<Aggregate>, u64) {
        let Past { past, whole, .. } = self.of(key);
        if whole.values != stored.values {
            let (before, current) = stored.values.split_at(stored.past);
            past.of(before, names);
            let mut total = Aggregate::clone(&past.total);
            whole.corrupt = past.corrupt + add_all(&mut total, current, names);
            whole.total = Rc::new(total);
            whole.values.clone_from(&stored.values);
        }
        (Rc::clone(&whole.total), whole.corrupt)
    }

    /// What is kept of a window, which is the last to be given up from now on.
    fn of(&mut self, key: QueryKey) -> &mut Past {
        let found = self.0.iter().position(|p| p.key == key);
        let kept = found.and_then(|i| self.0.remove(i));
        if kept.is_none() && self.0.len() >= WINDOWS {
            self.0.pop_front();
        }
        self.0.push_back(kept.unwrap_or_else(|| Past::new(key)));
        self.0.back_mut().expect("just pushed")
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> usize {
        let sums = self.0.iter().flat_map(|p| [&p.past, &p.whole]);
        sums.map(Sum::memory_bytes).sum()
    }
}

impl Past {
    fn new(key: QueryKey) -> Self {
        Past {
            key,
            past: Sum::default(),
            whole: Sum::default(),
        }
    }
}

/// Adds up stored values; returns how many cannot be read.
pub(super) fn add_all(total: &mut Aggregate, values: &[Value], names: &mut ProviderNames) -> u64 {
    let mut room = Room::default();
    let mut cannot = |value: &&Value| total.add_stored_in(&mut room, value, names).is_err();
    values.iter().filter(|v| cannot(v)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;
    use std::time::Duration;

    /// A value that holds so many records.
    fn value(records: u64) -> Value {
        let mut names = ProviderNames::default();
        let provider = names.intern("acme");
        let mut total = Aggregate::default();
        for _ in 0..records {
            total.add(&Record {
                at: Timestamp::EPOCH,
                provider,
                latency: Duration::from_millis(5),
                success: true,
                tokens: 1,
            });
        }
        total.encode(&names).into()
    }

    /// The past is added up once, and anew when any value of it is another: one more, one less, or one that was
    /// written late.
    #[test]
    fn the_total_is_that_of_what_was_read_now() {
        let mut pasts = Pasts::default();
        let mut names = ProviderNames::default();
        let mut total = |window: u64, past: &[Value], current: &[Value]| {
            let key = QueryKey {
                window: Duration::from_secs(window),
                provider: None,
            };
            let stored = Stored {
                values: [past, current].concat(),
                past: past.len(),
            };
            let (total, corrupt) = pasts.total(key, &stored, &mut names);
            (total.count(), corrupt)
        };
        let damaged: Value = b"damaged".as_slice().into();
        let (a, b) = (value(1), value(20));
        for _ in 0..2 {
            assert_eq!(total(60, &[a.clone(), b.clone()], &[value(300)]), (321, 0));
            assert_eq!(total(60, &[a.clone(), b.clone()], &[value(301)]), (322, 0));
            assert_eq!(total(60, &[a.clone(), value(21)], &[value(301)]), (323, 0));
            assert_eq!(total(60, slice::from_ref(&b), &[value(301)]), (321, 0));
            assert_eq!(total(60, &[], &[value(301)]), (301, 0));
            // Another window has a past of its own; what cannot be read is told each time.
            for _ in 0..2 {
                let past = [damaged.clone(), b.clone()];
                assert_eq!(total(90, &past, slice::from_ref(&damaged)), (20, 2));
            }
        }
        for window in 100..200 {
            assert_eq!(total(window, slice::from_ref(&a), &[]), (1, 0));
        }
        assert_eq!(pasts.0.len(), WINDOWS);
        // Each value stands in the past and in the whole.
        let least = 2 * WINDOWS * a.len();
        assert!((least..100_000).contains(&pasts.memory_bytes()));
    }

    #[test]
    fn a_window_is_kept_once_until_others_are_asked_for_later() {
        let mut pasts = Pasts::default();
        let mut ask = |window: u64| {
            let _ = pasts.of(QueryKey {
                window: Duration::from_secs(window),
                provider: None,
            });
            let kept = pasts.0.iter().map(|p| p.key.window.as_secs());
            kept.collect::<Vec<_>>()
        };
        assert_eq!([ask(60), ask(60)], [[60], [60]]);
        assert_eq!(ask(90), [60, 90]);
        assert_eq!(ask(60), [90, 60]);
        assert_eq!((ask(1), ask(2)).1, [90, 60, 1, 2]);
        assert_eq!(ask(3), [60, 1, 2, 3]);
    }
}
