//! Tiers around the KV: a cache that all isolates share, and an archive for old days.

use super::aggregate::Aggregate;
use super::collector::Collector;
use super::keys::Bucket;
use super::metrics::Metrics;
use super::ports::{Archive, Clock, Kv, KvError, SharedCache};
use super::sum::{QueryKey, Sum, add_all};
use crate::units::{DAY, Timestamp};
use std::rc::Rc;
use std::time::Duration;

fn day_key(day: Timestamp) -> String {
    format!("a/{:06}", day.utc_day())
}

impl<C: Clock> Collector<C> {
    /// As [`Collector::fetch_metrics`], through the tiers of the policy: the shared cache first;
    /// then the KV, and the archive for days that are past `archive_after` (whole UTC days, so
    /// that the window may begin earlier than asked). A tier that fails is passed over.
    pub async fn fetch_tiered<K: Kv, S: SharedCache, A: Archive>(
        &self,
        kv: &K,
        (shared, archive): (&S, &A),
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        let Some(policy) = &self.policy.tiers else {
            return self.fetch_metrics(kv, window).await;
        };
        let query = QueryKey {
            window,
            provider: None,
        };
        let key = format!("q/{}", window.as_secs());
        if policy.shared_ttl.is_some()
            && let Ok(Some(value)) = shared.get(&key).await
            && let Some((as_of, total)) = self.decode_answer(&value)
        {
            self.state.borrow_mut().counters.shared_hits += 1;
            let sum = Sum::known(total, &self.state.borrow().names);
            return Ok(self.remember_sum(query, Rc::new(sum), as_of));
        }
        let now = self.clock.now();
        self.state.borrow_mut().counters.fetches += 1;
        let mut archived = Vec::new();
        let mut from = now - window;
        if let Some(after) = policy.archive_after {
            let moved = (now - after).floor_to(DAY);
            while from < moved {
                let day = from.floor_to(DAY);
                archived.extend(archive.get(&day_key(day)).await?);
                from = day + DAY;
            }
        }
        let recent = QueryKey {
            window: now.since(from),
            provider: None,
        };
        let mut stored = self.stored_values(kv, recent).await.inspect_err(|e| {
            self.state.borrow_mut().counters.query_error(e);
        })?;
        stored.past += archived.len();
        stored.values.splice(0..0, archived);
        let sum = self.sum_of(query, &stored);
        if let Some(ttl) = policy.shared_ttl {
            let answer = {
                let mut bytes = now.as_nanos().to_le_bytes().to_vec();
                let added = sum.added();
                bytes.extend(added.total.encode(&added.names));
                bytes
            };
            // Whether or not that succeeds, this query has its answer.
            let _ = shared.put(&key, answer, ttl).await;
        }
        Ok(self.remember_sum(query, sum, now))
    }

    /// Moves the day that has just become old enough into the archive: one object instead of all
    /// its keys, which the KV then lets expire. Run it once a day.
    pub async fn archive_day<K: Kv, A: Archive>(&self, kv: &K, archive: &A) -> Result<(), KvError> {
        let Some(after) = self.policy.tiers.as_ref().and_then(|t| t.archive_after) else {
            return Ok(());
        };
        let end = (self.clock.now() - after).floor_to(DAY);
        let buckets = Bucket::between(end - DAY, end, self.policy.layout.bucket);
        let mut total = Aggregate::default();
        let stored = self.values_of(kv, &buckets, None).await?;
        let bytes = {
            let s = &mut *self.state.borrow_mut();
            s.counters.corrupt_values += add_all(&mut total, &stored.values, &mut s.names);
            total.encode(&s.names)
        };
        archive.put(&day_key(end - DAY), bytes).await
    }

    fn decode_answer(&self, value: &[u8]) -> Option<(Timestamp, Aggregate)> {
        let (as_of, rest) = value.split_first_chunk::<8>()?;
        let names = &mut self.state.borrow_mut().names;
        let total = Aggregate::decode(rest, names).ok()?;
        Some((Timestamp::from_nanos(u64::from_le_bytes(*as_of)), total))
    }
}
