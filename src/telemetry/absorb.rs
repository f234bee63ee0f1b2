//! Totals that others have made of their records, as the consumer of a queue gets them.

use super::aggregate::{Aggregate, Corrupt};
use super::collector::Collector;
use super::flush::Covered;
use super::keys::{Bucket, Slot};
use super::ports::{Clock, Kv, KvError};

impl<C: Clock> Collector<C> {
    /// Takes what another collector wrote as a batch into this one's running totals, as if its
    /// records had come now: they count in the bucket of this moment. Stored by the next flush.
    /// Returns how many records that were.
    ///
    /// # Errors
    /// If the value cannot be read; it is counted.
    pub fn absorb(&self, value: &[u8]) -> Result<u64, Corrupt> {
        let now = self.clock.now();
        let s = &mut *self.state.borrow_mut();
        let Ok(batch) = Aggregate::decode(value, &mut s.names) else {
            s.counters.corrupt_values += 1;
            return Err(Corrupt);
        };
        let records = batch.count();
        let slot = Slot {
            bucket: Bucket::of(now, self.policy.layout.bucket),
            provider: None,
        };
        let rollup = s.rollups.entry(slot).or_default();
        rollup.total.merge(&batch)?;
        let covered: &mut Covered = &mut rollup.covered;
        covered.records += records;
        covered.at_sum_ns += u128::from(records) * u128::from(now.as_nanos());
        s.counters.accepted += records;
        s.unsaved += records;
        s.counters.buffer_high_water = s.counters.buffer_high_water.max(s.unsaved);
        Ok(records)
    }

    /// Returns when all that was absorbed so far is stored: writes it, unless the write of another
    /// invocation has taken it along while this one waited for its turn.
    ///
    /// # Errors
    /// If the write fails; the records stay in memory.
    pub async fn store_absorbed<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        let wanted = self.state.borrow().counters.accepted;
        let _turn = self.writing.acquire().await;
        if self.state.borrow().counters.stored >= wanted {
            return Ok(());
        }
        self.keep_interval().await;
        self.write(kv).await
    }
}

#[cfg(test)]
mod tests {
    use crate::cloud::kv::KvStore;
    use crate::config::load;
    use crate::sim::executor::Executor;
    use crate::telemetry::collector::Collector;
    use crate::telemetry::policy::Policy;
    use crate::units::Timestamp;
    use std::rc::Rc;
    use std::time::Duration;

    #[test]
    fn totals_of_others_are_stored_with_ones_own() {
        let executor = Executor::new(Timestamp::from_secs(1_000_000));
        let kv = KvStore::counting(load("cloudflare", None, &[]).unwrap(), executor.handle());
        let mut policy: Policy = load("optimised", None, &[]).unwrap();
        policy.batch.min_interval = Duration::ZERO;
        let consumer = Rc::new(Collector::new(Rc::new(policy), executor.handle(), "c", 1));
        let record = |n| {
            let mut all = crate::telemetry::aggregate::Aggregate::default();
            let mut names = crate::telemetry::aggregate::ProviderNames::default();
            for i in 0..n {
                all.add(&crate::telemetry::record::Record {
                    at: Timestamp::from_secs(999_999),
                    provider: names.intern("gemini"),
                    latency: Duration::from_millis(i),
                    success: true,
                    tokens: 1,
                });
            }
            all.encode(&names)
        };
        assert_eq!(consumer.absorb(&record(3)), Ok(3));
        assert_eq!(consumer.absorb(&record(4)), Ok(4));
        assert!(consumer.absorb(b"nonsense").is_err());
        assert_eq!(consumer.records_in_memory(), 7);
        let (c, store) = (Rc::clone(&consumer), Rc::clone(&kv));
        let count = executor.block_on(async move {
            let kv = store.invocation();
            let both = [c.store_absorbed(&kv), c.store_absorbed(&kv)];
            for done in crate::telemetry::load::join_all(both).await {
                done.unwrap();
            }
            // The second found its records stored by the first.
            assert_eq!(
                store.meter().issued(crate::telemetry::ports::OpKind::Write),
                1
            );
            let hour = Duration::from_secs(3_600);
            let metrics = c.fetch_metrics(&store.invocation(), hour).await.unwrap();
            metrics.overall.count
        });
        assert_eq!(count, 7);
        assert!(consumer.is_clean());
        consumer.check_conservation().unwrap();
        assert_eq!(consumer.counters().stored, 7);
    }
}
