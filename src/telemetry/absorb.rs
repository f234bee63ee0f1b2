//! Totals that others have made of their records, as the consumer of a queue gets them.

use super::aggregate::{Aggregate, Corrupt};
use super::collector::Collector;
use super::keys::{Bucket, Slot};
use super::ports::{Clock, Kv, KvError};
use super::state::Covered;

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
        rollup.merge(&batch);
        let covered: &mut Covered = &mut rollup.covered;
        covered.records += records;
        covered.at_sum_ns += u128::from(records) * u128::from(now.as_nanos());
        s.counters.accepted += records;
        s.unsaved += records;
        s.most_held = s.most_held.max(s.unsaved);
        Ok(records)
    }

    /// Returns when all that was absorbed so far is stored: writes it, unless the write of another
    /// invocation has taken it along while this one waited for its turn.
    ///
    /// # Errors
    /// If the write fails; the records stay in memory.
    pub async fn store_absorbed<K: Kv>(&self, kv: &K) -> Result<(), KvError> {
        let wanted = self.state.borrow().counters.accepted;
        let turn = self.writing.take(&self.clock).await;
        if self.state.borrow().counters.stored >= wanted {
            return Ok(());
        }
        self.keep_interval().await;
        self.write(kv, Some(&turn)).await
    }
}
