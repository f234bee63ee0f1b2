//! The collector: takes records, holds them, and hands them to flushes.

use super::aggregate::{Aggregate, Metrics, ProviderNames};
use super::cache::TtlCache;
use super::counters::{Counters, LossCause};
use super::keys::Bucket;
use super::policy::{KeyLayout, Overflow, Policy, WriteMode};
use super::ports::{Clock, Kv, KvError};
use super::query::{Decoded, QueryKey};
use super::record::{ProviderId, Record};
use super::semaphore::Semaphore;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// The metrics system of one isolate.
///
/// Recording and cache hits are plain function calls; what needs the KV is
/// `async` and takes the [`Kv`] of the invocation that pays for it.
pub struct Collector<C> {
    pub(super) policy: Rc<Policy>,
    pub(super) clock: C,
    pub(super) writer: String,
    pub(super) state: RefCell<State>,
    /// Held by the write in the background, so that an older total never overtakes a newer one.
    pub(super) writing: Semaphore,
}

pub(super) struct State {
    pub names: ProviderNames,
    pub buffer: VecDeque<Record>,
    /// Number of the batch that is being filled.
    pub batch: BatchNumber,
    /// The batch whose flush at its age is under way.
    pub due: Option<BatchNumber>,
    /// Running totals by bucket (layout `rollup`).
    pub rollups: BTreeMap<Bucket, Rollup>,
    /// Batches taken from the buffer and not yet stored (layout `batch_keys`).
    pub pending: VecDeque<PendingBatch>,
    /// Records in `rollups` or `pending` that no successful write covers.
    pub unsaved: u64,
    pub batches_written: u64,
    pub last_write: Option<crate::units::Timestamp>,
    pub cache: TtlCache<QueryKey, Rc<Metrics>>,
    pub decoded: Decoded,
    pub rng: Xoshiro256PlusPlus,
    pub counters: Counters,
}

/// This writer's running total of a bucket.
#[derive(Default)]
pub(super) struct Rollup {
    pub total: Aggregate,
    /// Records in the total, and how many of them a successful write covers.
    pub records: u64,
    pub stored: u64,
}

/// A batch under its own key; the same key and value at every attempt.
pub(super) struct PendingBatch {
    pub key: String,
    pub value: Vec<u8>,
    pub records: u64,
}

/// A batch being filled; a flush of its age is void once the batch is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchNumber(u64);

impl BatchNumber {
    pub(super) fn next(self) -> Self {
        BatchNumber(self.0 + 1)
    }
}

/// What became of a record, and what the caller owes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// In the buffer; nothing to do.
    Buffered,
    /// Nobody waits for the age of its batch: run [`Collector::flush_when_due`] in the
    /// background. The first of a batch, or the first after that wait was cut short.
    StartedBatch(BatchNumber),
    /// The batch is full: run [`Collector::flush_batch`].
    Full,
    /// Given up, and counted.
    Lost(LossCause),
}

impl<C: Clock> Collector<C> {
    /// A collector with an empty buffer. `writer` must differ from that of every other
    /// isolate, living or dead: it is part of the keys. `seed` drives the jitter.
    pub fn new(policy: Rc<Policy>, clock: C, writer: impl Into<String>, seed: u64) -> Self {
        let cache = TtlCache::new(policy.cache.ttl, policy.cache.max_entries as usize);
        Collector {
            state: RefCell::new(State {
                names: ProviderNames::default(),
                buffer: VecDeque::new(),
                batch: BatchNumber(0),
                due: None,
                rollups: BTreeMap::new(),
                pending: VecDeque::new(),
                unsaved: 0,
                batches_written: 0,
                last_write: None,
                cache,
                decoded: Decoded::default(),
                rng: Xoshiro256PlusPlus::seed_from_u64(seed),
                counters: Counters::default(),
            }),
            policy,
            clock,
            writer: writer.into(),
            writing: Semaphore::new(1),
        }
    }

    /// The settings in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The number by which [`Collector::record`] knows the provider `name`.
    pub fn provider(&self, name: &str) -> ProviderId {
        self.state.borrow_mut().names.intern(name)
    }

    /// Takes a record into the buffer.
    #[inline]
    pub fn record(
        &self,
        provider: ProviderId,
        latency: Duration,
        success: bool,
        tokens: u32,
    ) -> Recorded {
        let record = Record {
            at: self.clock.now(),
            provider,
            latency,
            success,
            tokens,
        };
        let s = &mut *self.state.borrow_mut();
        s.counters.accepted += 1;
        if let Err(cause) = s.make_room(&self.policy) {
            return Recorded::Lost(cause);
        }
        s.buffer.push_back(record);
        let held = s.buffer.len() as u64 + s.unsaved;
        s.counters.buffer_high_water = s.counters.buffer_high_water.max(held);
        if s.buffer.len() >= self.policy.batch.max_records as usize {
            Recorded::Full
        } else if s.due != Some(s.batch) {
            s.due = Some(s.batch);
            Recorded::StartedBatch(s.batch)
        } else {
            Recorded::Buffered
        }
    }

    /// The seed's `recordRequest`: records, and writes the batch if that fills it. A batch
    /// that is not full stays until [`Collector::flush`] or [`Collector::flush_when_due`].
    pub async fn record_request<K: Kv>(
        &self,
        kv: &K,
        provider: &str,
        latency: Duration,
        success: bool,
        tokens: u32,
    ) -> Result<Recorded, KvError> {
        let provider = self.provider(provider);
        let recorded = self.record(provider, latency, success, tokens);
        if recorded == Recorded::Full {
            self.flush_batch(kv).await?;
        }
        Ok(recorded)
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        let s = self.state.borrow();
        let mut counters = s.counters.clone();
        counters.cache = s.cache.counters();
        counters
    }

    /// Records in memory: in the buffer, or not covered by a successful write.
    pub fn records_in_memory(&self) -> u64 {
        let s = self.state.borrow();
        s.buffer.len() as u64 + s.unsaved
    }

    /// Whether nothing waits to be written.
    pub fn is_clean(&self) -> bool {
        self.records_in_memory() == 0
    }

    /// Counts everything in memory as lost by eviction; the last call on a collector
    /// whose isolate ends. Returns how many records that were.
    pub fn evict(&self) -> u64 {
        let s = &mut *self.state.borrow_mut();
        let lost = s.buffer.len() as u64 + s.unsaved;
        s.counters.lost[LossCause::Evicted as usize] += lost;
        s.buffer.clear();
        s.pending.clear();
        s.rollups.clear();
        s.unsaved = 0;
        lost
    }

    /// The invariant of conservation: every accepted record is stored, in memory, or lost
    /// with its cause.
    pub fn check_conservation(&self) -> Result<(), String> {
        let s = self.state.borrow();
        let rollups: u64 = s.rollups.values().map(|r| r.records - r.stored).sum();
        let pending: u64 = s.pending.iter().map(|b| b.records).sum();
        let unsaved = rollups + pending;
        if unsaved != s.unsaved {
            return Err(format!(
                "{} records counted unsaved, found {unsaved}",
                s.unsaved
            ));
        }
        let c = &s.counters;
        let buffered = s.buffer.len() as u64;
        let accounted = c.stored + buffered + unsaved + c.lost_total();
        if c.accepted != accounted {
            return Err(format!(
                "{} records accepted, but {} stored + {buffered} buffered + {unsaved} unsaved + {} lost = {accounted}",
                c.accepted,
                c.stored,
                c.lost_total()
            ));
        }
        Ok(())
    }

    /// Rough memory held by buffer, totals and cache, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let s = self.state.borrow();
        let rollups: usize = s.rollups.values().map(|r| r.total.memory_bytes()).sum();
        let pending: usize = s.pending.iter().map(|b| b.key.len() + b.value.len()).sum();
        let cached: usize = s.cache.values().map(|m| m.memory_bytes()).sum();
        s.buffer.capacity() * size_of::<Record>()
            + rollups
            + pending
            + s.decoded.memory_bytes()
            + cached
    }

    pub(super) fn waits_for_writes(&self) -> bool {
        self.policy.batch.write == WriteMode::Await
    }
}

impl State {
    /// Makes room for one record, or says why it must be given up.
    fn make_room(&mut self, policy: &Policy) -> Result<(), LossCause> {
        let capacity = u64::from(policy.batch.buffer_capacity);
        match policy.layout.keys {
            // Totals do not grow with the number of records: fold the buffer into them.
            KeyLayout::Rollup => {
                if self.buffer.len() as u64 >= capacity {
                    self.fold(policy);
                }
                Ok(())
            }
            KeyLayout::BatchKeys if self.buffer.len() as u64 + self.unsaved < capacity => Ok(()),
            KeyLayout::BatchKeys => match policy.batch.overflow {
                Overflow::DropNewest => {
                    self.counters.lost[LossCause::OverflowNewest as usize] += 1;
                    Err(LossCause::OverflowNewest)
                }
                Overflow::DropOldest if self.buffer.pop_front().is_some() => {
                    self.counters.lost[LossCause::OverflowOldest as usize] += 1;
                    Ok(())
                }
                // The oldest are in batches under way: give those up that wait longest.
                Overflow::DropOldest => match self.pending.pop_front() {
                    Some(batch) => {
                        self.unsaved -= batch.records;
                        self.counters.lost[LossCause::OverflowOldest as usize] += batch.records;
                        Ok(())
                    }
                    None => {
                        self.counters.lost[LossCause::OverflowNewest as usize] += 1;
                        Err(LossCause::OverflowNewest)
                    }
                },
            },
        }
    }

    /// Moves the buffer into the running totals; returns how many records that were.
    pub fn fold(&mut self, policy: &Policy) -> u64 {
        let n = self.buffer.len() as u64;
        while let Some(first) = self.buffer.front() {
            let bucket = Bucket::of(first.at, policy.layout.bucket);
            let rollup = self.rollups.entry(bucket).or_default();
            // Records come in the order of time, so those of a bucket stand together.
            let end = bucket.end(policy.layout.bucket);
            while let Some(record) = self.buffer.pop_front_if(|r| r.at < end) {
                rollup.total.add(&record);
                rollup.records += 1;
            }
        }
        self.unsaved += n;
        n
    }
}
