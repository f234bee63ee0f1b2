//! The collector: takes records, holds them, and hands them to flushes.
//!
//! One [`Collector`] lives in an isolate and is all of the metrics system's memory there: the buffer, batches or
//! totals on their way to the KV, the cache of answers, the breaker and the counters. Its methods are in
//! several files: records here, writes in `flush`, `attempt` and `retry`, queries in `query` and `tiers`, a
//! queue's messages in `absorb`.
//!
//! It never acts by itself. [`Collector::record`] is a plain function call whose answer ([`Recorded`]) says
//! what the caller owes the record: nothing, a flush in the background, a flush at once, or to wait for
//! room. Whoever calls pays for the operations with the [`Kv`](super::ports::Kv) of its own invocation; a
//! collector keeps none. [`Host`](super::host::Host) does what is owed, as a Worker would; use the collector by
//! itself only to test it.
//!
//! The invariant is that of conservation ([`Collector::check_conservation`]): every accepted record is
//! stored, in memory, or lost with its cause. A flush that is dropped half-way (an invocation ends) leaves its
//! records in memory for the next; an isolate that ends loses them by [`Collector::evict`], the last call.
//!
//! State is borrowed for a moment and never over an `await`, so that invocations of one isolate may be anywhere
//! in between. There is one thread, as in an isolate.
//!
//! ```
//! use kvplan_telemetry::collector::{Collector, Recorded};
//! use kvplan_telemetry::policy::Policy;
//! use kvplan_telemetry::ports::Clock;
//! use kvplan_telemetry::units::Timestamp;
//! use std::{rc::Rc, time::Duration};
//!
//! struct Stopped;
//! impl Clock for Stopped {
//!     fn now(&self) -> Timestamp {
//!         Timestamp::from_secs(1_793_577_600)
//!     }
//!     async fn sleep(&self, _: Duration) {}
//! }
//!
//! let policy: Policy = toml::from_str("name = \"example\"").unwrap();
//! let collector = Collector::new(Rc::new(policy), Stopped, "isolate-1", 1);
//! let acme = collector.provider("acme");
//! let recorded = collector.record(acme, Duration::from_millis(120), true, 250);
//! assert!(matches!(recorded, Recorded::StartedBatch(_)), "its age is to be waited for");
//! assert_eq!(collector.records_in_memory(), 1);
//! collector.check_conservation().unwrap();
//! ```

use super::aggregate::ProviderNames;
use super::cache::TtlCache;
use super::counters::{Counters, LossCause};
use super::lease::{LOOK_AGAIN, Lease, SILENCE};
use super::policy::{KeyLayout, Overflow, Policy, WriteMode};
use super::ports::Clock;
use super::rate::RateEstimate;
use super::record::{ProviderId, Record};
use super::resilience::{Breaker, BreakerState, RetryTokens};
pub use super::state::BatchNumber;
use super::state::{Rollup, State};
use super::sum::Sums;
use crate::defect::Defect;
use crate::units::Timestamp;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// How late a timer may be before its invocation is taken for cancelled.
const LATE: Duration = Duration::from_secs(1);

/// The metrics system of one isolate.
///
/// Recording and cache hits are plain function calls; what needs the KV is
/// `async` and takes the [`Kv`](super::ports::Kv) of the invocation that pays for it.
#[repr(C)]
pub struct Collector<C> {
    pub(super) policy: Rc<Policy>,
    pub(super) clock: C,
    // The next two in this order: see `State`.
    pub(super) state: RefCell<State>,
    pub(super) writer: String,
    /// Held by the write in the background, so that an older total never overtakes a newer one.
    pub(super) writing: Lease,
}

/// A record that waits for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingRecord {
    record: Record,
    ticket: u64,
    gives_up: Timestamp,
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
    Full(BatchNumber),
    /// No room: run [`Collector::record_when_room`] with this before the response, and ask
    /// [`Collector::stalled`].
    MustWait(WaitingRecord),
    /// Given up, and counted; ask [`Collector::stalled`].
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
                asked: None,
                due: None,
                rollups: BTreeMap::new(),
                pending: VecDeque::new(),
                unsaved: 0,
                most_held: 0,
                waiting: BTreeMap::new(),
                waits: 0,
                full_at: match &policy.batch.adaptive {
                    Some(adaptive) => adaptive.min_records,
                    None => policy.batch.max_records,
                },
                record_rate: RateEstimate::default(),
                batches_written: 0,
                last_write: None,
                latest: Timestamp::EPOCH,
                cache,
                sums: Sums::default(),
                named: VecDeque::new(),
                flights: BTreeMap::new(),
                lookups: BTreeMap::new(),
                warming: BTreeMap::new(),
                breaker: Breaker::default(),
                retry_tokens: RetryTokens::full(policy.retry.budget.as_ref()),
                rng: Xoshiro256PlusPlus::seed_from_u64(seed),
                counters: Counters::default(),
            }),
            writing: Lease::new(SILENCE + policy.batch.min_interval.max(policy.retry.cap)),
            policy,
            clock,
            writer: writer.into(),
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
        let s = &mut *self.state.borrow_mut();
        s.latest = s.latest.max(self.clock.now());
        let record = Record {
            at: s.latest,
            provider,
            latency,
            success,
            tokens,
        };
        s.counters.accepted += 1;
        if !s.waiting.is_empty() {
            s.give_up_for_the_cancelled(record.at);
        }
        if let Err(cause) = s.make_room(&self.policy) {
            if self.policy.batch.overflow == Overflow::Wait {
                s.counters.lost[cause as usize] -= 1;
                let gives_up = record.at + self.policy.batch.max_wait;
                s.waits += 1;
                s.waiting.insert(s.waits, gives_up);
                return Recorded::MustWait(WaitingRecord {
                    record,
                    ticket: s.waits,
                    gives_up,
                });
            }
            return Recorded::Lost(cause);
        }
        s.take(record, record.at, &self.policy)
    }

    /// The batch to be written where a record found no room and nobody sees to it that there will be: as with
    /// [`Recorded::StartedBatch`], run [`Collector::flush_when_due`] in the background. Without that, batches whose
    /// writes were given up would fill the buffer for good.
    pub fn stalled(&self) -> Option<BatchNumber> {
        let now = self.clock.now();
        let s = &mut *self.state.borrow_mut();
        if s.has_room(&self.policy) || s.is_due(now) {
            return None;
        }
        s.due = Some((s.batch, now + self.policy.batch.age() + LATE));
        Some(s.batch)
    }

    /// Backpressure: waits until the buffer has room for a record that found none, and takes it;
    /// gives it up after the policy's `max_wait`.
    pub async fn record_when_room(&self, waiting: WaitingRecord) -> Recorded {
        let WaitingRecord {
            record,
            ticket,
            gives_up,
        } = waiting;
        loop {
            let left = gives_up.since(self.clock.now());
            self.clock.sleep(left.min(LOOK_AGAIN)).await;
            let now = self.clock.now();
            let s = &mut *self.state.borrow_mut();
            let room = s.room(&self.policy);
            // First come, first served.
            let before = s.waiting.range(..ticket).count() as u64;
            if before < room && s.waiting.remove(&ticket).is_some() {
                return s.take(record, now, &self.policy);
            }
            if now >= gives_up || !s.waiting.contains_key(&ticket) {
                // Unless it has been given up by others, who took this invocation for cancelled.
                if s.waiting.remove(&ticket).is_some() {
                    s.counters.lost[LossCause::WaitedTooLong as usize] += 1;
                }
                return Recorded::Lost(LossCause::WaitedTooLong);
            }
        }
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        let s = self.state.borrow();
        let mut counters = s.counters.clone();
        counters.buffer_high_water = s.most_held;
        counters.cache = s.cache.counters();
        counters.breaker_changes = s.breaker.changes;
        counters.breaker_rejected = s.breaker.rejected;
        counters.retries_denied = s.retry_tokens.denied;
        counters.corrupt_values += s.sums.unreadable();
        counters
    }

    /// Forgets how many records were in memory at most before now.
    pub fn forget_peak(&self) {
        let s = &mut *self.state.borrow_mut();
        s.most_held = s.buffer.len() as u64 + s.unsaved;
    }

    /// State of the circuit breaker at its last operation.
    pub fn breaker_state(&self) -> BreakerState {
        self.state.borrow().breaker.state()
    }

    /// Records in memory: in the buffer, waiting for room there, or not covered by a successful
    /// write.
    pub fn records_in_memory(&self) -> u64 {
        let s = self.state.borrow();
        s.buffer.len() as u64 + s.unsaved + s.waiting.len() as u64
    }

    /// Whether nothing waits to be written.
    pub fn is_clean(&self) -> bool {
        self.records_in_memory() == 0
    }

    /// Counts everything in memory as lost by eviction; the last call on a collector
    /// whose isolate ends. Returns how many records that were.
    pub fn evict(&self) -> u64 {
        let s = &mut *self.state.borrow_mut();
        let lost = s.buffer.len() as u64 + s.unsaved + s.waiting.len() as u64;
        s.counters.lost[LossCause::Evicted as usize] += lost;
        s.buffer.clear();
        s.pending.clear();
        s.rollups.clear();
        s.waiting.clear();
        s.unsaved = 0;
        lost
    }

    /// The invariant of conservation: every accepted record is stored, in memory, or lost
    /// with its cause.
    pub fn check_conservation(&self) -> Result<(), Defect> {
        let s = self.state.borrow();
        let rollups: u64 = s
            .rollups
            .values()
            .map(|r| r.covered.records - r.stored.records)
            .sum();
        let pending: u64 = s.pending.iter().map(|b| b.covered.records).sum();
        let unsaved = rollups + pending;
        if unsaved != s.unsaved {
            return Err(Defect::new(format!(
                "{} records counted unsaved, found {unsaved}",
                s.unsaved
            )));
        }
        let c = &s.counters;
        let buffered = s.buffer.len() as u64;
        let waiting = s.waiting.len() as u64;
        let accounted = c.stored + buffered + unsaved + waiting + c.lost_total();
        if c.accepted != accounted {
            return Err(Defect::new(format!(
                "{} records accepted, but {} stored + {buffered} buffered + {unsaved} unsaved + {waiting} waiting + {} lost = {accounted}",
                c.accepted,
                c.stored,
                c.lost_total()
            )));
        }
        Ok(())
    }

    /// Rough memory held by buffer, totals and cache, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let s = self.state.borrow();
        let rollups: usize = s.rollups.values().map(Rollup::memory_bytes).sum();
        let pending: usize = s.pending.iter().map(|b| b.key.len() + b.value.len()).sum();
        let cached: usize = s.cache.values().map(|m| m.memory_bytes()).sum();
        s.buffer.capacity() * size_of::<Record>()
            + rollups
            + pending
            + s.sums.memory_bytes()
            + cached
    }

    /// Computes the answers that the cache holds, as whoever asks for them would: values that cannot be read are
    /// counted then.
    pub fn compute_answers(&self) {
        for answer in self.state.borrow().cache.values() {
            answer.compute();
        }
    }

    pub(super) fn waits_for_writes(&self) -> bool {
        // Two who read, add and write at the same time would lose records.
        self.policy.batch.write == WriteMode::Await && self.policy.layout.keys != KeyLayout::Shared
    }
}

impl State {
    /// Puts a record into the buffer, which has room for it.
    #[inline]
    fn take(&mut self, record: Record, now: Timestamp, policy: &Policy) -> Recorded {
        self.buffer.push_back(record);
        let held = self.buffer.len() as u64 + self.unsaved;
        self.most_held = self.most_held.max(held);
        if self.buffer.len() >= self.full_at as usize {
            Recorded::Full(self.batch)
        } else if self.is_due(now) {
            Recorded::Buffered
        } else {
            let wakes = now + policy.batch.age() + LATE;
            self.due = Some((self.batch, wakes));
            Recorded::StartedBatch(self.batch)
        }
    }

    /// Whether somebody alive sees to it that the batch is flushed at its age.
    fn is_due(&self, now: Timestamp) -> bool {
        let due = self.due;
        due.is_some_and(|(batch, until)| batch == self.batch && now < until)
    }

    /// Room in the buffer, in records.
    fn room(&self, policy: &Policy) -> u64 {
        let held = self.buffer.len() as u64 + self.unsaved;
        u64::from(policy.batch.buffer_capacity).saturating_sub(held)
    }

    fn has_room(&self, policy: &Policy) -> bool {
        self.room(policy) > 0
    }

    /// Counts the records lost whose requests waited for room and were cancelled meanwhile.
    fn give_up_for_the_cancelled(&mut self, now: Timestamp) {
        let before = self.waiting.len();
        self.waiting.retain(|_, gives_up| now < *gives_up + LATE);
        let lost = before - self.waiting.len();
        self.counters.lost[LossCause::WaitedTooLong as usize] += lost as u64;
    }

    /// Makes room for one record, or says why it must be given up.
    fn make_room(&mut self, policy: &Policy) -> Result<(), LossCause> {
        match policy.layout.keys {
            // Totals do not grow with the number of records: fold the buffer into them.
            KeyLayout::Rollup => {
                if self.buffer.len() as u64 >= u64::from(policy.batch.buffer_capacity) {
                    self.fold(policy);
                }
                Ok(())
            }
            _ if self.has_room(policy) => Ok(()),
            KeyLayout::BatchKeys | KeyLayout::Shared => match policy.batch.overflow {
                Overflow::DropNewest | Overflow::Wait => {
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
                        self.unsaved -= batch.covered.records;
                        self.counters.lost[LossCause::OverflowOldest as usize] +=
                            batch.covered.records;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A clock that is set.
    struct Set(Cell<Timestamp>);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            self.0.get()
        }

        async fn sleep(&self, _: Duration) {
            std::future::pending().await
        }
    }

    fn collector(settings: &str) -> Collector<Set> {
        let policy: Policy = toml::from_str(&format!("name = \"plain\"\n{settings}")).unwrap();
        Collector::new(Rc::new(policy), Set(Cell::default()), "writer", 1)
    }

    fn record(collector: &Collector<Set>) -> Recorded {
        let acme = collector.provider("acme");
        collector.record(acme, Duration::from_millis(5), true, 1)
    }

    #[test]
    fn a_record_that_went_astray_is_told() {
        type Change = fn(&mut State);
        let changes: [(Change, &str); 4] = [
            (|s| s.counters.accepted += 1, "2 records accepted"),
            (|s| s.counters.stored += 1, "1 stored + 1 buffered"),
            (|s| s.buffer.clear(), "0 buffered"),
            (|s| s.unsaved += 1, "1 records counted unsaved, found 0"),
        ];
        for (change, told) in changes {
            let one = collector("");
            assert!(matches!(record(&one), Recorded::StartedBatch(_)));
            assert_eq!(one.check_conservation(), Ok(()));
            change(&mut one.state.borrow_mut());
            let defect = one.check_conservation().unwrap_err().to_string();
            assert!(defect.contains(told), "{told}: {defect}");
        }
    }

    /// Who waits for room gives up after 5 s by itself; who is silent for a second more has been cancelled.
    #[test]
    fn a_request_that_waits_for_room_is_taken_for_cancelled_after_its_time_and_a_second() {
        let one_and_wait = "batch = { buffer_capacity = 1, overflow = \"wait\" }";
        let full = collector(&format!("{one_and_wait}\nlayout.keys = \"batch_keys\""));
        assert!(matches!(record(&full), Recorded::StartedBatch(_)));
        let lost = |nanos| {
            full.clock.0.set(Timestamp::from_nanos(nanos));
            assert!(matches!(record(&full), Recorded::MustWait(_)));
            full.counters().lost[LossCause::WaitedTooLong as usize]
        };
        assert_eq!([lost(0), lost(5_999_999_999)], [0, 0]);
        assert_eq!(lost(6_000_000_000), 1);
        assert_eq!(full.check_conservation(), Ok(()));
    }
}
