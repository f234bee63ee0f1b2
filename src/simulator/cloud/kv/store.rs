//! The namespace itself: data, limits, quotas, failures, latency and meter.

use super::config::{DailyQuota, KvConfig, KvLatency};
use super::entries::{ByKey, Entries, Entry};
use super::limits::KvLimits;
use super::meter::{KvMeter, OpOutcome};
use super::pops::{PopCaches, ReadAges, Sight};
use crate::cloud::failure::{FailureProcess, FailureSpec, Fault};
use crate::models::dist::Sampler;
use crate::sim::executor::SimHandle;
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::ports::{
    Clock, KvError, ListPage, ListedKey, OpKind, PutOptions, ReadOptions, Value,
};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

/// Keys of a page that there is room for before they are looked for.
const FIRST_KEYS: usize = 128;

/// The central store of a namespace, with its meter.
pub struct KvStore {
    clock: SimHandle,
    limits: KvLimits,
    state: RefCell<State>,
}

struct State {
    latency: KvLatency,
    latency_rng: StreamRng,
    failures: FailureProcess,
    /// Factor on the latency of the operation that is being looked at.
    slowness: f64,
    quota: DailyQuota,
    entries: Entries,
    /// For how long after a write another to the same key is refused.
    refusal: Duration,
    /// When a write was last let in, of keys that are not there any more.
    let_in: ByKey<Timestamp>,
    pops: Option<PopCaches>,
    /// Writes and deletes so far.
    versions: u64,
    meter: KvMeter,
    stored_bytes: u64,
    /// Byte-time that writes have bespoken so far: bytes until they expire, less what was
    /// overwritten or deleted before it did.
    bespoken_byte_ns: u128,
    stored_since: Timestamp,
    day: u64,
    used_today: [u64; OpKind::ALL.len()],
    busiest_day: [u64; OpKind::ALL.len()],
}

impl KvStore {
    /// An empty namespace whose time is `clock`'s.
    pub fn new(config: KvConfig, clock: SimHandle, streams: &Streams) -> Rc<Self> {
        let now = clock.now();
        Rc::new(KvStore {
            state: RefCell::new(State {
                latency: config.latency,
                latency_rng: streams.stream("kv.latency"),
                failures: FailureProcess::new(&config.failures, now, config.origin, streams),
                slowness: 1.0,
                quota: config.quota,
                entries: Entries::default(),
                refusal: config.limits.refusal(),
                let_in: ByKey::default(),
                pops: config.consistency.map(|c| PopCaches::new(c, streams)),
                versions: 0,
                meter: KvMeter::default(),
                stored_bytes: 0,
                bespoken_byte_ns: 0,
                stored_since: now,
                day: now.utc_day(),
                used_today: Default::default(),
                busiest_day: Default::default(),
            }),
            limits: config.limits,
            clock,
        })
    }

    /// The counting KV of the seed's load tests: no latency, no failures, no quota.
    pub fn counting(limits: KvLimits, clock: SimHandle) -> Rc<Self> {
        let config = KvConfig {
            limits,
            latency: KvLatency::uniform(Sampler::constant(Duration::ZERO)),
            failures: FailureSpec::default(),
            origin: clock.now(),
            quota: DailyQuota::default(),
            consistency: None,
        };
        KvStore::new(config, clock, &Streams::new(0, 0))
    }

    /// How old the answers of reads were; none if all see every write at once.
    pub fn read_ages(&self) -> Option<ReadAges> {
        self.state.borrow().pops.as_ref().map(|p| p.ages().clone())
    }

    /// All values under a prefix as the central store has them, without an operation.
    pub fn inspect(&self, prefix: &str) -> Vec<Value> {
        let s = self.state.borrow();
        let these = s.entries.under(prefix, Bound::Included(prefix));
        let values = these.filter_map(|key| s.entries.get(key));
        values.map(|e| Rc::clone(&e.value)).collect()
    }

    /// Stores a value now, without an operation.
    pub(super) fn place_value(&self, key: &str, value: Vec<u8>, options: PutOptions) {
        let now = self.clock.now();
        let mut s = self.state.borrow_mut();
        s.settle_storage(now);
        s.store((0, None), key, value, options, now);
    }

    /// The limits in force.
    pub fn limits(&self) -> &KvLimits {
        &self.limits
    }

    pub(crate) fn clock(&self) -> &SimHandle {
        &self.clock
    }

    /// What has been done so far, storage counted up to now.
    pub fn meter(&self) -> KvMeter {
        let mut s = self.state.borrow_mut();
        s.settle_storage(self.clock.now());
        s.meter.clone()
    }

    /// Sets all counters to zero; what is stored stays.
    pub fn reset_counters(&self) {
        let mut s = self.state.borrow_mut();
        s.settle_storage(self.clock.now());
        s.meter = KvMeter::default();
        if let Some(pops) = &mut s.pops {
            pops.reset_ages();
        }
        s.busiest_day = s.used_today;
    }

    /// From now on nothing fails.
    pub fn end_faults(&self) {
        self.state.borrow_mut().failures.end();
    }

    /// Forgets what the days so far have used of their quotas, today among them, and the ages of answers;
    /// the meter goes on.
    pub fn forget_peaks(&self) {
        let mut s = self.state.borrow_mut();
        s.used_today = Default::default();
        s.busiest_day = Default::default();
        if let Some(pops) = &mut s.pops {
            pops.reset_ages();
        }
    }

    /// Operations of all kinds since the counters were last set to zero.
    pub fn operation_count(&self) -> u64 {
        self.state.borrow().meter.operation_count()
    }

    /// The most operations of each kind in one UTC day that counted towards a quota.
    pub fn busiest_day(&self) -> [u64; OpKind::ALL.len()] {
        self.state.borrow().busiest_day
    }

    /// Bytes stored now: keys, values and metadata.
    pub fn stored_bytes(&self) -> u64 {
        let mut s = self.state.borrow_mut();
        s.settle_storage(self.clock.now());
        s.stored_bytes
    }

    /// Byte-nanoseconds that all writes so far have bespoken: what has been held, and what is held
    /// until it expires. By Little's law its growth in a span of time, over that span, is the level
    /// that storage comes to. Keys that never expire are not in it.
    pub fn bespoken_byte_ns(&self) -> u128 {
        self.state.borrow().bespoken_byte_ns
    }

    /// Keys stored now.
    pub fn key_count(&self) -> usize {
        let mut s = self.state.borrow_mut();
        s.settle_storage(self.clock.now());
        s.entries.len()
    }

    /// What is seen of each key is told to `note`.
    pub(super) fn read(
        &self,
        place: usize,
        keys: &[&str],
        options: ReadOptions,
        note: impl FnMut(&str, &Sight),
    ) -> (Result<Vec<Option<Value>>, KvError>, Duration) {
        let now = self.clock.now();
        let mut s = self.state.borrow_mut();
        let units = keys.len() as u64;
        let (admitted, mut latency) = s.admit(OpKind::Read, place, units, now);
        let result = admitted.clone().and_then(|fault| {
            if keys.len() > self.limits.bulk_read_keys || keys.is_empty() {
                return Err(KvError::Invalid("bulk read of no or too many keys"));
            }
            for key in keys {
                self.limits.check_key(key)?;
            }
            if options
                .cache_ttl
                .is_some_and(|ttl| ttl < self.limits.min_cache_ttl)
            {
                return Err(KvError::Invalid("cacheTtl below the minimum"));
            }
            if matches!(fault, Fault::AnswerLost) {
                return Err(KvError::Timeout);
            }
            let (values, took) = s.look_up((place, options), keys, latency, now, note);
            latency = took;
            Ok(values)
        });
        match &result {
            Ok(values) => {
                for v in values {
                    let outcome = match v {
                        Some(v) => {
                            s.meter.read_bytes += v.len() as u64;
                            OpOutcome::Ok
                        }
                        None => OpOutcome::NotFound,
                    };
                    s.meter.settle(OpKind::Read, outcome, 1);
                }
            }
            Err(e) => s.refuse(OpKind::Read, e, &admitted, units),
        }
        (result, latency)
    }

    pub(super) fn write(
        &self,
        place: usize,
        key: &str,
        value: Vec<u8>,
        options: PutOptions,
    ) -> (Result<(), KvError>, Duration) {
        let now = self.clock.now();
        let mut s = self.state.borrow_mut();
        let (admitted, latency) = s.admit(OpKind::Write, place, 1, now);
        let result = admitted.clone().and_then(|fault| {
            self.limits.check_put(key, &value, &options)?;
            if !s.may_write(key, now) {
                return Err(KvError::RateLimited);
            }
            s.store((place, Some(now)), key, value, options, now);
            Ok(fault)
        });
        s.conclude(OpKind::Write, result, &admitted, latency)
    }

    pub(super) fn delete(&self, place: usize, key: &str) -> (Result<(), KvError>, Duration) {
        let now = self.clock.now();
        let mut s = self.state.borrow_mut();
        let (admitted, latency) = s.admit(OpKind::Delete, place, 1, now);
        let result = admitted.clone().and_then(|fault| {
            self.limits.check_key(key)?;
            if !s.may_write(key, now) {
                return Err(KvError::RateLimited);
            }
            s.remove(key, now);
            let number = s.next_version();
            if let Some(pops) = &mut s.pops {
                pops.write(place, (key, number), None, None, now);
            }
            Ok(fault)
        });
        s.conclude(OpKind::Delete, result, &admitted, latency)
    }

    pub(super) fn list(
        &self,
        place: usize,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> (Result<ListPage, KvError>, Duration) {
        let now = self.clock.now();
        let mut s = self.state.borrow_mut();
        let (admitted, latency) = s.admit(OpKind::List, place, 1, now);
        let result = admitted.clone().and_then(|fault| {
            if limit == 0 || limit > self.limits.list_page {
                return Err(KvError::Invalid("list limit outside 1 to the page size"));
            }
            if cursor.is_some_and(|c| !c.starts_with(prefix)) {
                return Err(KvError::Invalid("cursor of another list"));
            }
            Ok((fault, s.page(prefix, cursor, limit, now)))
        });
        match result {
            Ok((fault, page)) => {
                let (done, latency) = s.conclude(OpKind::List, Ok(fault), &admitted, latency);
                (done.map(|()| page), latency)
            }
            Err(e) => {
                s.refuse(OpKind::List, &e, &admitted, 1);
                (Err(e), latency)
            }
        }
    }
}

impl State {
    /// What every operation goes through first: expiry, meter, latency, quota, failure.
    fn admit(
        &mut self,
        kind: OpKind,
        place: usize,
        units: u64,
        now: Timestamp,
    ) -> (Result<Fault, KvError>, Duration) {
        self.settle_storage(now);
        self.meter.issue(kind, units);
        let (fault, factor) = self.failures.next(kind, place, now);
        let mut latency = self.latency.of(kind).sample_at(now, &mut self.latency_rng);
        self.slowness = factor;
        if factor != 1.0 {
            latency = latency.mul_f64(factor);
        }
        if now.utc_day() != self.day {
            self.day = now.utc_day();
            self.used_today = Default::default();
        }
        let used = &mut self.used_today[kind as usize];
        if self.quota.0[kind as usize].is_some_and(|limit| *used + units > limit) {
            return (Err(KvError::QuotaExceeded), latency);
        }
        match fault {
            Fault::Error => (Err(KvError::Unavailable), latency),
            Fault::RateLimited => (Err(KvError::RateLimited), latency),
            Fault::Timeout => (Err(KvError::Timeout), self.failures.timeout()),
            Fault::AnswerLost => {
                self.count_towards_quota(kind, units);
                (Ok(fault), self.failures.timeout())
            }
            Fault::None => {
                self.count_towards_quota(kind, units);
                (Ok(fault), latency)
            }
        }
    }

    /// What a caller in `place` gets to see, and after which latency.
    fn look_up(
        &mut self,
        (place, options): (usize, ReadOptions),
        keys: &[&str],
        latency: Duration,
        now: Timestamp,
        mut note: impl FnMut(&str, &Sight),
    ) -> (Vec<Option<Value>>, Duration) {
        let Some(pops) = &mut self.pops else {
            let value = |key: &&str| {
                let entry = self.entries.get(key);
                let sight = Sight {
                    value: entry.map(|e| Rc::clone(&e.value)),
                    hot: false,
                    version: entry.map_or(0, |e| e.version),
                    outdated: Duration::ZERO,
                };
                note(key, &sight);
                sight.value
            };
            return (keys.iter().map(value).collect(), latency);
        };
        let mut all_hot = true;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let sight = pops.read(place, key, options.cache_ttl, self.slowness, now);
            note(key, &sight);
            all_hot &= sight.hot;
            self.meter.hot_reads += u64::from(sight.hot);
            values.push(sight.value);
        }
        let latency = pops.latency(all_hot, &mut self.latency_rng);
        (values, latency.mul_f64(self.slowness))
    }

    fn count_towards_quota(&mut self, kind: OpKind, units: u64) {
        let used = &mut self.used_today[kind as usize];
        *used += units;
        let most = &mut self.busiest_day[kind as usize];
        *most = (*most).max(*used);
    }

    /// Meters an operation that was done (its answer perhaps lost) or refused.
    fn conclude(
        &mut self,
        kind: OpKind,
        result: Result<Fault, KvError>,
        admitted: &Result<Fault, KvError>,
        latency: Duration,
    ) -> (Result<(), KvError>, Duration) {
        let result = match result {
            Ok(Fault::AnswerLost) => {
                self.meter.settle(kind, OpOutcome::AnswerLost, 1);
                Err(KvError::Timeout)
            }
            Ok(_) => {
                self.meter.settle(kind, OpOutcome::Ok, 1);
                Ok(())
            }
            Err(e) => {
                self.refuse(kind, &e, admitted, 1);
                Err(e)
            }
        };
        (result, latency)
    }

    /// Meters an operation that gave an error.
    fn refuse(
        &mut self,
        kind: OpKind,
        error: &KvError,
        admitted: &Result<Fault, KvError>,
        units: u64,
    ) {
        let outcome = match (error, admitted) {
            (KvError::Timeout, Ok(Fault::AnswerLost)) => OpOutcome::AnswerLost,
            _ => OpOutcome::of_error(error),
        };
        self.meter.settle(kind, outcome, units);
    }

    /// Integrates storage up to `now`, letting keys expire at their exact times.
    fn settle_storage(&mut self, now: Timestamp) {
        while let Some((when, key, entry)) = self.entries.expire(now) {
            self.integrate(when);
            self.stored_bytes -= entry.bytes;
            self.remember(&key, entry.let_in, now);
            if let Some(pops) = &mut self.pops {
                pops.forget(&key);
            }
        }
        self.integrate(now);
    }

    fn integrate(&mut self, until: Timestamp) {
        let span = until.since(self.stored_since).as_nanos();
        self.meter.storage_byte_ns += u128::from(self.stored_bytes) * span;
        self.stored_since = self.stored_since.max(until);
    }

    /// Whether the key was left alone for long enough.
    fn may_write(&self, key: &str, now: Timestamp) -> bool {
        if self.refusal.is_zero() {
            return true;
        }
        let here = self.entries.get(key).and_then(|entry| entry.let_in);
        let last = here.or_else(|| self.let_in.get(key).copied());
        last.is_none_or(|last| now.since(last) >= self.refusal)
    }

    /// Remembers when a write was last let in of a key that is not there any more, as long as that matters.
    fn remember(&mut self, key: &str, let_in: Option<Timestamp>, now: Timestamp) {
        let matters = |last: &Timestamp| now.since(*last) < self.refusal;
        if let Some(last) = let_in.filter(matters) {
            if self.let_in.len() >= 4096 {
                self.let_in.retain(|_, last| matters(last));
            }
            self.let_in.insert(key.into(), last);
        }
    }

    /// Stores a value; `let_in` says when the limit on writes to one key let it in.
    fn store(
        &mut self,
        (place, let_in): (usize, Option<Timestamp>),
        key: &str,
        value: Vec<u8>,
        options: PutOptions,
        now: Timestamp,
    ) {
        let version = self.next_version();
        let metadata_bytes = options.metadata.as_ref().map_or(0, |m| m.len());
        let bytes = (key.len() + value.len() + metadata_bytes) as u64;
        let expires = options.expiration_ttl.map(|ttl| now + ttl);
        if let Some(ttl) = options.expiration_ttl {
            self.bespoken_byte_ns += u128::from(bytes) * ttl.as_nanos();
        }
        self.stored_bytes += bytes;
        self.meter.write_bytes += bytes;
        let value: Value = value.into();
        if let Some(pops) = &mut self.pops {
            let value = Some(Rc::clone(&value));
            pops.write(place, (key, version), value, expires, now);
        }
        let entry = Entry {
            value,
            metadata: options.metadata,
            expires,
            bytes,
            version,
            let_in,
            queued: None,
        };
        if let Some(before) = self.entries.put(key, entry) {
            self.release(&before, now);
        }
    }

    /// What an entry held that is not there any more, and has not expired.
    fn release(&mut self, entry: &Entry, now: Timestamp) {
        self.stored_bytes -= entry.bytes;
        if let Some(when) = entry.expires {
            let left = when.since(now).as_nanos();
            self.bespoken_byte_ns -= u128::from(entry.bytes) * left;
        }
    }

    fn next_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    /// Deletes a key, as the limit on writes to one key let in.
    fn remove(&mut self, key: &str, now: Timestamp) {
        if let Some(entry) = self.entries.remove(key) {
            self.release(&entry, now);
        }
        self.remember(key, Some(now), now);
    }

    fn page(&self, prefix: &str, cursor: Option<&str>, limit: usize, now: Timestamp) -> ListPage {
        let from = match cursor {
            Some(last) => Bound::Excluded(last),
            None => Bound::Included(prefix),
        };
        let seen = |k: &str| self.pops.as_ref().is_none_or(|p| p.is_listed(k, now));
        let listed = self.entries.under(prefix, from).filter(|k| seen(k));
        let listed = listed.take(limit + 1).map(|k| ListedKey {
            name: Rc::clone(k),
            metadata: self.entries.metadata(k),
        });
        let mut keys = Vec::with_capacity(self.entries.len().min(limit + 1).min(FIRST_KEYS));
        keys.extend(listed);
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = if more {
            keys.last().map(|k| k.name.to_string())
        } else {
            None
        };
        ListPage { keys, cursor }
    }
}
