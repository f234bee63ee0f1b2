//! Writing what the buffer holds, with retries that never count a record twice.

use super::aggregate::Aggregate;
use super::collector::Collector;
use super::keys::{Bucket, Slot};
use super::lease::{SILENCE, Turn};
use super::policy::{Aggregation, KeyLayout, Policy};
use super::ports::{Clock, Kv, KvError, PutOptions, ReadOptions};
use super::state::{BatchNumber, Covered, PendingBatch, State};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

impl<C: Clock> Collector<C> {
    /// Writes everything that waits, and returns when that is done or given up. After an
    /// error the records stay in memory and go with the next write.
    pub async fn flush<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        self.flush_if(kv, |_| true).await
    }

    /// The same beside any other write and without the pause after the last: for when nobody else writes, as before the
    /// first request.
    ///
    /// # Errors
    /// If the write fails; the records stay in memory.
    pub async fn flush_at_once<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        self.write(kv, None).await
    }

    /// The same, if there is still a reason to when its turn has come.
    async fn flush_if<K: Kv>(
        &self,
        kv: &K,
        wanted: impl Fn(&State) -> bool,
    ) -> Result<(), KvError> {
        if self.waits_for_writes() {
            return Box::pin(self.write(kv, None)).await;
        }
        let turn = self.writing.take(&self.clock).await;
        let has_reason = || wanted(&self.state.borrow()) && !self.is_clean();
        if !has_reason() {
            return Ok(());
        }
        self.keep_interval().await;
        if self.is_clean() {
            return Ok(());
        }
        // Apart, as a future is moved whole by each that awaits it, and this one is large.
        Box::pin(self.write(kv, Some(&turn))).await
    }

    /// Writes a batch, unless that has been done. In the background one write is under way and at most one
    /// waits: that one takes along whatever comes until it starts, and what was asked for meanwhile.
    ///
    /// # Errors
    /// If the write fails; the records stay in memory.
    pub async fn flush_batch<K: Kv>(&self, kv: &K, batch: BatchNumber) -> Result<(), KvError> {
        if self.is_left_to_others(batch) {
            return Ok(());
        }
        self.flush_if(kv, |s| s.asked >= Some(s.batch)).await
    }

    /// The same where requests wait for their writes: at once, beside others.
    pub(super) async fn flush_waited_for<K: Kv>(
        &self,
        kv: &K,
        batch: BatchNumber,
    ) -> Result<(), KvError> {
        self.is_left_to_others(batch);
        self.write(kv, None).await
    }

    /// Asks for the write of a batch; whether that needs nothing more, as another write waits and will take it along.
    pub(super) fn is_left_to_others(&self, batch: BatchNumber) -> bool {
        let asked = &mut self.state.borrow_mut().asked;
        *asked = (*asked).max(Some(batch));
        !self.waits_for_writes() && self.writing.is_awaited(self.clock.now())
    }

    /// Waits until the batch is of age, and writes it unless that has been done.
    pub async fn flush_when_due<K: Kv>(&self, kv: &K, batch: BatchNumber) -> Result<(), KvError> {
        let _due = Due {
            state: &self.state,
            batch,
        };
        self.clock.sleep(self.policy.batch.age()).await;
        {
            let s = &mut *self.state.borrow_mut();
            if s.batch != batch {
                return Ok(());
            }
            s.due = Some((batch, self.clock.now() + SILENCE));
        }
        self.flush_batch(kv, batch).await
    }

    pub(super) async fn keep_interval(&self) {
        let last = self.state.borrow().last_write;
        if let Some(last) = last {
            let next = last + self.policy.batch.min_interval;
            let now = self.clock.now();
            if next > now {
                self.clock.sleep(next.since(now)).await;
            }
        }
    }

    /// Writes what there is, in a turn where writes take turns.
    pub(super) async fn write<K: Kv>(
        &self,
        kv: &K,
        turn: Option<&Turn<'_>>,
    ) -> Result<(), KvError> {
        let result = match self.policy.layout.keys {
            KeyLayout::Rollup => self.write_rollups(kv, turn).await,
            KeyLayout::BatchKeys => Box::pin(self.write_batches(kv, turn)).await,
            KeyLayout::Shared => Box::pin(self.write_shared(kv, turn)).await,
        };
        {
            let s = &mut *self.state.borrow_mut();
            s.last_write = Some(self.clock.now());
            s.counters.failed_flushes += u64::from(result.is_err());
        }
        if result.is_ok() && self.policy.queries.aggregate == Aggregation::OnWrite {
            Box::pin(self.refresh(kv)).await;
        }
        result
    }

    async fn write_rollups<K: Kv>(&self, kv: &K, turn: Option<&Turn<'_>>) -> Result<(), KvError> {
        let dirty = self.fold_and_find_dirty();
        let mut result = Ok(());
        for slot in dirty {
            let key = self.key_to_write(slot);
            let written = self.put_with_retry(kv, turn, &key, |s| {
                let r = s.rollups.get_mut(&slot)?;
                Some((r.encode(&s.names), r.covered))
            });
            match written.await {
                Ok(covered) => self
                    .state
                    .borrow_mut()
                    .settle(slot, covered, self.clock.now()),
                Err(e) => result = Err(e),
            }
        }
        let now = Bucket::of(self.clock.now(), self.policy.layout.bucket);
        self.state.borrow_mut().forget_finished(now, &self.policy);
        result
    }

    /// Adds what is not stored to the one key that all writers share: read, merge, write. Whoever
    /// writes between the read and the write, or is not visible to the read yet, loses.
    async fn write_shared<K: Kv>(&self, kv: &K, turn: Option<&Turn<'_>>) -> Result<(), KvError> {
        let dirty = self.fold_and_find_dirty();
        let mut result = Ok(());
        for slot in dirty {
            let key = slot.bucket.shared_key();
            let base = self.with_retries(&self.policy.retry, async |_| {
                let values = kv.read(&[&key], ReadOptions::default()).await?;
                Ok(values.into_iter().next().flatten())
            });
            let base = match base.await {
                Ok(base) => base,
                Err(e) => {
                    result = Err(e);
                    continue;
                }
            };
            let written = self.put_with_retry(kv, turn, &key, |s| {
                let State { names, rollups, .. } = s;
                let r = rollups.get(&slot)?;
                let mut total = match &base {
                    Some(value) => Aggregate::decode(value, names).ok()?,
                    None => Aggregate::default(),
                };
                total.merge(r.total());
                Some((total.encode(names), r.covered))
            });
            match written.await {
                Ok(covered) => {
                    let s = &mut *self.state.borrow_mut();
                    s.settle(slot, covered, self.clock.now());
                    s.rollups.remove(&slot);
                }
                Err(e) => result = Err(e),
            }
        }
        result
    }

    fn fold_and_find_dirty(&self) -> impl Iterator<Item = Slot> + use<C> {
        let s = &mut *self.state.borrow_mut();
        let records = s.fold(&self.policy);
        s.begin_flush(records, &self.policy, self.clock.now());
        let dirty = s.rollups.iter().filter(|(_, r)| r.is_dirty());
        let mut slots = dirty.map(|(slot, _)| *slot);
        // Nearly always one: a list of the others takes no memory.
        let first = slots.next();
        let others: Vec<Slot> = slots.collect();
        first.into_iter().chain(others)
    }

    /// The key of this writer's total.
    pub(super) fn rollup_key(&self, slot: Slot) -> String {
        let key = slot.bucket.rollup_key(&self.writer);
        match slot.provider {
            None => key,
            Some(p) => {
                let s = self.state.borrow();
                format!("{key}/{}", s.names.get(p).unwrap_or_default())
            }
        }
    }

    /// The same, made once.
    fn key_to_write(&self, slot: Slot) -> Rc<str> {
        if let Some(r) = self.state.borrow().rollups.get(&slot)
            && let Some(key) = &r.key
        {
            return Rc::clone(key);
        }
        let key: Rc<str> = self.rollup_key(slot).into();
        if let Some(r) = self.state.borrow_mut().rollups.get_mut(&slot) {
            r.key = Some(Rc::clone(&key));
        }
        key
    }

    /// Writes the batches that no other flush is writing: where requests wait for their writes,
    /// these overlap, and each batch is written once.
    async fn write_batches<K: Kv>(&self, kv: &K, turn: Option<&Turn<'_>>) -> Result<(), KvError> {
        self.state
            .borrow_mut()
            .seal_batches(&self.policy, &self.writer, self.clock.now());
        let keys: Vec<String> = {
            let s = self.state.borrow();
            s.pending.iter().map(|b| b.key.clone()).collect()
        };
        for key in keys {
            let now = || self.clock.now();
            let Some(_being_written) = BeingWritten::begin(&self.state, &key, now()) else {
                continue;
            };
            let written = self.put_with_retry(kv, turn, &key, |s| {
                let batch = s.pending.iter_mut().find(|b| b.key == key)?;
                batch.being_written = now() + SILENCE;
                Some((batch.value.clone(), batch.covered))
            });
            written.await?;
            let s = &mut *self.state.borrow_mut();
            // It may have been given up meanwhile, to make room.
            let found = s.pending.iter().position(|b| b.key == key);
            let batch = found.and_then(|i| s.pending.remove(i));
            let covered = batch.map_or(Covered::default(), |b| b.covered);
            s.count_stored(covered, now());
        }
        Ok(())
    }

    /// Puts what `content` gives at each attempt (a value, and the records in it) until that
    /// succeeds or the policy gives up; returns the records that the last value covers.
    async fn put_with_retry<K: Kv>(
        &self,
        kv: &K,
        turn: Option<&Turn<'_>>,
        key: &str,
        content: impl Fn(&mut State) -> Option<(Vec<u8>, Covered)>,
    ) -> Result<Covered, KvError> {
        self.with_retries(&self.policy.retry, async |attempt| {
            if turn.is_some_and(|t| !t.renew(self.clock.now())) {
                return Err(KvError::Invalid(
                    "the turn has passed to another invocation",
                ));
            }
            let Some((value, covered)) = content(&mut self.state.borrow_mut()) else {
                return Ok(Covered::default());
            };
            let options = PutOptions {
                expiration_ttl: Some(self.policy.layout.retention),
                metadata: None,
            };
            {
                let c = &mut self.state.borrow_mut().counters;
                c.put_attempts += 1;
                c.retries += u64::from(attempt > 1);
            }
            match Box::pin(kv.put(key, value, options)).await {
                Ok(()) => Ok(covered),
                Err(e) => {
                    self.state.borrow_mut().counters.put_error(&e);
                    Err(e)
                }
            }
        })
        .await
    }
}

/// A batch that a flush is writing; if dropped before it is stored, another flush may write it.
struct BeingWritten<'a> {
    state: &'a RefCell<State>,
    key: &'a str,
}

impl<'a> BeingWritten<'a> {
    /// None if the batch is gone, or another flush is writing it.
    fn begin(state: &'a RefCell<State>, key: &'a str, now: Timestamp) -> Option<Self> {
        let s = &mut *state.borrow_mut();
        let batch = s.pending.iter_mut().find(|b| b.key == key)?;
        if now < batch.being_written {
            return None;
        }
        batch.being_written = now + SILENCE;
        Some(BeingWritten { state, key })
    }
}

impl Drop for BeingWritten<'_> {
    fn drop(&mut self) {
        let s = &mut *self.state.borrow_mut();
        if let Some(batch) = s.pending.iter_mut().find(|b| b.key == self.key) {
            batch.being_written = Timestamp::EPOCH;
        }
    }
}

/// A flush of a batch's age that is under way; if dropped, the next record starts another.
struct Due<'a> {
    state: &'a RefCell<State>,
    batch: BatchNumber,
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        let s = &mut *self.state.borrow_mut();
        if s.due.is_some_and(|(batch, _)| batch == self.batch) {
            s.due = None;
        }
    }
}

impl State {
    fn begin_flush(&mut self, records: u64, policy: &Policy, now: Timestamp) {
        self.batch = self.batch.next();
        self.counters.flushes += u64::from(records > 0);
        self.counters.flushed_records += records;
        if let Some(adaptive) = &policy.batch.adaptive
            && records > 0
        {
            self.record_rate.note(records, now);
            let wanted = self.record_rate.expected(adaptive.target_age, now);
            self.full_at = (wanted as u32).clamp(adaptive.min_records, policy.batch.max_records);
        }
    }

    fn count_stored(&mut self, newly: Covered, now: Timestamp) {
        self.unsaved -= newly.records;
        self.counters.stored += newly.records;
        let until_now = u128::from(newly.records) * u128::from(now.as_nanos());
        self.counters.store_delay_us += (until_now.saturating_sub(newly.at_sum_ns) / 1_000) as u64;
    }

    fn settle(&mut self, slot: Slot, covered: Covered, now: Timestamp) {
        if let Some(r) = self.rollups.get_mut(&slot)
            && covered.records > r.stored.records
        {
            let newly = Covered {
                records: covered.records - r.stored.records,
                at_sum_ns: covered.at_sum_ns - r.stored.at_sum_ns,
            };
            r.stored = covered;
            self.count_stored(newly, now);
        }
    }

    /// Drops totals that are stored in full, of buckets for which nothing can come any more: they
    /// are past, and what came while the write was under way is of a later one.
    fn forget_finished(&mut self, now: Bucket, policy: &Policy) {
        let oldest = self.buffer.front();
        let oldest = oldest.map(|r| Bucket::of(r.at, policy.layout.bucket));
        let current = oldest.map_or(now, |o| o.min(now));
        self.rollups
            .retain(|slot, r| slot.bucket >= current || r.is_dirty());
    }

    /// Turns the buffer into batches, one for each bucket that it touches.
    fn seal_batches(&mut self, policy: &Policy, writer: &str, now: Timestamp) {
        let mut by_bucket: BTreeMap<Bucket, (Aggregate, Covered)> = BTreeMap::new();
        let records = self.buffer.len() as u64;
        for record in self.buffer.drain(..) {
            let bucket = Bucket::of(record.at, policy.layout.bucket);
            let (aggregate, covered) = by_bucket.entry(bucket).or_default();
            aggregate.add(&record);
            covered.add(&record);
        }
        for (bucket, (aggregate, covered)) in by_bucket {
            self.batches_written += 1;
            self.pending.push_back(PendingBatch {
                key: bucket.batch_key(writer, self.batches_written),
                value: aggregate.encode(&self.names),
                covered,
                being_written: Timestamp::EPOCH,
            });
        }
        self.unsaved += records;
        self.begin_flush(records, policy, now);
    }
}
