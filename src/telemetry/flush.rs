//! Writing what the buffer holds, with retries that never count a record twice.

use super::aggregate::Aggregate;
use super::collector::{BatchNumber, Collector, PendingBatch, State};
use super::keys::Bucket;
use super::policy::{KeyLayout, Policy};
use super::ports::{Clock, Kv, KvError, PutOptions};
use std::cell::RefCell;
use std::collections::BTreeMap;

impl<C: Clock> Collector<C> {
    /// Writes everything that waits, and returns when that is done or given up. After an
    /// error the records stay in memory and go with the next write.
    pub async fn flush<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        if self.waits_for_writes() {
            return self.write(kv).await;
        }
        let _turn = self.writing.acquire().await;
        self.keep_interval().await;
        if self.is_clean() {
            return Ok(());
        }
        self.write(kv).await
    }

    /// Writes a full batch. In the background one write is under way and at most one waits:
    /// that one takes along whatever comes until it starts.
    pub async fn flush_batch<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        if !self.waits_for_writes() && self.writing.waiting() > 0 {
            return Ok(());
        }
        self.flush(kv).await
    }

    /// Waits until the batch is of age, and writes it unless that has been done.
    pub async fn flush_when_due<K: Kv>(&self, kv: &K, batch: BatchNumber) -> Result<(), KvError> {
        let _due = Due {
            state: &self.state,
            batch,
        };
        self.clock.sleep(self.policy.batch.max_age).await;
        if self.state.borrow().batch != batch {
            return Ok(());
        }
        self.flush_batch(kv).await
    }

    async fn keep_interval(&self) {
        let last = self.state.borrow().last_write;
        if let Some(last) = last {
            let next = last + self.policy.batch.min_interval;
            let now = self.clock.now();
            if next > now {
                self.clock.sleep(next.since(now)).await;
            }
        }
    }

    async fn write<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        let result = match self.policy.layout.keys {
            KeyLayout::Rollup => self.write_rollups(kv).await,
            KeyLayout::BatchKeys => self.write_batches(kv).await,
        };
        let s = &mut *self.state.borrow_mut();
        s.last_write = Some(self.clock.now());
        if result.is_err() {
            s.counters.failed_flushes += 1;
        }
        result
    }

    async fn write_rollups<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        let dirty: Vec<Bucket> = {
            let s = &mut *self.state.borrow_mut();
            let records = s.fold(&self.policy);
            s.begin_flush(records);
            let dirty = s.rollups.iter().filter(|(_, r)| r.records > r.stored);
            dirty.map(|(b, _)| *b).collect()
        };
        let mut result = Ok(());
        for bucket in dirty {
            let key = bucket.rollup_key(&self.writer);
            let written = self.put_with_retry(kv, &key, |s| {
                let r = s.rollups.get(&bucket)?;
                Some((r.total.encode(&s.names), r.records))
            });
            match written.await {
                Ok(covered) => self.state.borrow_mut().settle_rollup(bucket, covered),
                Err(e) => result = Err(e),
            }
        }
        let now = Bucket::of(self.clock.now(), self.policy.layout.bucket);
        self.state.borrow_mut().forget_finished(now, &self.policy);
        result
    }

    async fn write_batches<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        self.state
            .borrow_mut()
            .seal_batches(&self.policy, &self.writer);
        let keys: Vec<String> = {
            let s = self.state.borrow();
            s.pending.iter().map(|b| b.key.clone()).collect()
        };
        for key in keys {
            let written = self.put_with_retry(kv, &key, |s| {
                let batch = s.pending.iter().find(|b| b.key == key)?;
                Some((batch.value.clone(), batch.records))
            });
            written.await?;
            let s = &mut *self.state.borrow_mut();
            // It may have been given up meanwhile, to make room.
            if let Some(i) = s.pending.iter().position(|b| b.key == key) {
                let records = s.pending.remove(i).map_or(0, |b| b.records);
                s.unsaved -= records;
                s.counters.stored += records;
            }
        }
        Ok(())
    }

    /// Puts what `content` gives at each attempt (a value, and the records in it) until that
    /// succeeds or the policy gives up; returns the records that the last value covers.
    async fn put_with_retry<K: Kv>(
        &self,
        kv: &K,
        key: &str,
        content: impl Fn(&State) -> Option<(Vec<u8>, u64)>,
    ) -> Result<u64, KvError> {
        let mut attempts = 0;
        loop {
            let Some((value, covered)) = content(&self.state.borrow()) else {
                return Ok(0);
            };
            let options = PutOptions {
                expiration_ttl: Some(self.policy.layout.retention),
                metadata: None,
            };
            attempts += 1;
            {
                let c = &mut self.state.borrow_mut().counters;
                c.put_attempts += 1;
                c.retries += u64::from(attempts > 1);
            }
            let Err(e) = kv.put(key, value, options).await else {
                return Ok(covered);
            };
            let pause = {
                let s = &mut *self.state.borrow_mut();
                s.counters.put_error(e);
                let pause = self.policy.retry.pause_after(attempts, &mut s.rng);
                pause.filter(|_| e.is_retryable())
            };
            match pause {
                Some(pause) => self.clock.sleep(pause).await,
                None => return Err(e),
            }
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
        if s.due == Some(self.batch) {
            s.due = None;
        }
    }
}

impl State {
    fn begin_flush(&mut self, records: u64) {
        self.batch = self.batch.next();
        self.counters.flushes += u64::from(records > 0);
        self.counters.flushed_records += records;
    }

    fn settle_rollup(&mut self, bucket: Bucket, covered: u64) {
        if let Some(r) = self.rollups.get_mut(&bucket) {
            let newly = covered.saturating_sub(r.stored);
            r.stored += newly;
            self.unsaved -= newly;
            self.counters.stored += newly;
        }
    }

    /// Drops totals that are stored in full, of buckets for which nothing can come any more: they
    /// are past, and what came while the write was under way is of a later one.
    fn forget_finished(&mut self, now: Bucket, policy: &Policy) {
        let oldest = self
            .buffer
            .front()
            .map(|r| Bucket::of(r.at, policy.layout.bucket));
        let current = oldest.map_or(now, |o| o.min(now));
        self.rollups
            .retain(|bucket, r| *bucket >= current || r.records > r.stored);
    }

    /// Turns the buffer into batches, one for each bucket that it touches.
    fn seal_batches(&mut self, policy: &Policy, writer: &str) {
        let mut by_bucket: BTreeMap<Bucket, Aggregate> = BTreeMap::new();
        let records = self.buffer.len() as u64;
        for record in self.buffer.drain(..) {
            let bucket = Bucket::of(record.at, policy.layout.bucket);
            by_bucket.entry(bucket).or_default().add(&record);
        }
        for (bucket, aggregate) in by_bucket {
            self.batches_written += 1;
            self.pending.push_back(PendingBatch {
                key: bucket.batch_key(writer, self.batches_written),
                value: aggregate.encode(&self.names),
                records: aggregate.count(),
            });
        }
        self.unsaved += records;
        self.begin_flush(records);
    }
}
