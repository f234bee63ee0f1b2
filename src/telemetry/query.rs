//! Queries: stored aggregates of a window, merged, through the cache.

use super::aggregate::{Aggregate, Corrupt, Metrics};
use super::collector::{Collector, State};
use super::keys::Bucket;
use super::load::join_all;
use super::policy::{Discover, KeyLayout};
use super::ports::{Clock, Kv, KvError, ReadOptions, Value};
use super::record::ProviderId;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// What a cached result answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueryKey {
    window: Duration,
    /// One provider's metrics have an entry of their own if the policy says so.
    provider: Option<ProviderId>,
}

/// Keys in one bulk read.
const BULK: usize = 100;
/// Keys on a page of a list.
const PAGE: usize = 1_000;

impl<C: Clock> Collector<C> {
    /// The metrics of a window if the cache has them; a plain function call. Counts a hit
    /// or a miss; after a miss go on with [`Collector::fetch_metrics`].
    #[inline]
    pub fn cached_metrics(&self, window: Duration) -> Option<Rc<Metrics>> {
        let key = QueryKey {
            window,
            provider: None,
        };
        self.cached(&key)
    }

    fn cached(&self, key: &QueryKey) -> Option<Rc<Metrics>> {
        if !self.policy.cache.enabled {
            return None;
        }
        self.state.borrow_mut().cache.get(key, self.clock.now())
    }

    fn remember(&self, key: QueryKey, metrics: &Rc<Metrics>) {
        if self.policy.cache.enabled {
            let now = self.clock.now();
            let cache = &mut self.state.borrow_mut().cache;
            cache.insert(key, Rc::clone(metrics), now);
        }
    }

    /// Metrics of the window that ends now, per provider and overall, as far as they are
    /// stored; from the cache if it has them.
    pub async fn get_aggregated_metrics<K: Kv>(
        &self,
        kv: &K,
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        match self.cached_metrics(window) {
            Some(metrics) => Ok(metrics),
            None => self.fetch_metrics(kv, window).await,
        }
    }

    /// An analytics query over the policy's window (24 h unless it says otherwise).
    pub async fn analytics<K: Kv>(&self, kv: &K) -> Result<Rc<Metrics>, KvError> {
        self.get_aggregated_metrics(kv, self.policy.queries.analytics_window)
            .await
    }

    /// Metrics of one provider. With per-provider entries the result is cached apart, so that
    /// queries for one provider do not depend on the age of another's.
    pub async fn get_provider_metrics<K: Kv>(
        &self,
        kv: &K,
        provider: &str,
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        if !self.policy.cache.per_provider {
            return self.get_aggregated_metrics(kv, window).await;
        }
        let key = QueryKey {
            window,
            provider: Some(self.provider(provider)),
        };
        if let Some(metrics) = self.cached(&key) {
            return Ok(metrics);
        }
        let all = self.read_window(kv, window).await?;
        let one = Rc::new(all.only(self.provider(provider)));
        self.remember(key, &one);
        Ok(one)
    }

    /// Reads the metrics of a window from the KV and puts them into the cache.
    pub async fn fetch_metrics<K: Kv>(
        &self,
        kv: &K,
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        let metrics = self.read_window(kv, window).await?;
        let key = QueryKey {
            window,
            provider: None,
        };
        self.remember(key, &metrics);
        Ok(metrics)
    }

    async fn read_window<K: Kv>(&self, kv: &K, window: Duration) -> Result<Rc<Metrics>, KvError> {
        self.state.borrow_mut().counters.fetches += 1;
        let values = match self.stored_values(kv, window).await {
            Ok(values) => values,
            Err(e) => {
                self.state.borrow_mut().counters.query_error(e);
                return Err(e);
            }
        };
        let s = &mut *self.state.borrow_mut();
        let mut total = Aggregate::default();
        for value in values {
            let State { names, decoded, .. } = s;
            let merged = decoded
                .get(&value, |bytes| Aggregate::decode(bytes, names))
                .and_then(|aggregate| total.merge(aggregate));
            if merged.is_err() {
                s.counters.corrupt_values += 1;
            }
        }
        Ok(Rc::new(total.metrics(&s.names)))
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions {
            cache_ttl: self.policy.queries.cache_ttl,
        }
    }

    async fn stored_values<K: Kv>(&self, kv: &K, window: Duration) -> Result<Vec<Value>, KvError> {
        let layout = &self.policy.layout;
        let buckets = Bucket::of_window(self.clock.now(), window, layout.bucket);
        let keys = match (layout.keys, layout.discover) {
            (KeyLayout::Rollup, Discover::Own) => {
                buckets.iter().map(|b| b.rollup_key(&self.writer)).collect()
            }
            (KeyLayout::Rollup, Discover::List) => {
                list_all(kv, buckets.iter().map(|b| b.rollup_prefix())).await?
            }
            (KeyLayout::BatchKeys, _) => {
                list_all(kv, buckets.iter().map(|b| b.batch_prefix())).await?
            }
        };
        let bulks = keys.chunks(BULK).map(|bulk| async move {
            let bulk: Vec<&str> = bulk.iter().map(String::as_str).collect();
            kv.read(&bulk, self.read_options()).await
        });
        let bulks = join_all(bulks).await;
        let mut values = Vec::with_capacity(keys.len());
        for bulk in bulks {
            values.extend(bulk?.into_iter().flatten());
        }
        Ok(values)
    }
}

/// All keys under the prefixes, in order.
async fn list_all<K: Kv>(
    kv: &K,
    prefixes: impl Iterator<Item = String>,
) -> Result<Vec<String>, KvError> {
    let lists = join_all(prefixes.map(|prefix| async move {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = kv.list(&prefix, cursor.as_deref(), PAGE).await?;
            names.extend(page.keys.into_iter().map(|k| k.name));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok::<_, KvError>(names);
            }
        }
    }))
    .await;
    let mut names = Vec::new();
    for list in lists {
        names.extend(list?);
    }
    Ok(names)
}

/// Values that were decoded lately: those of past buckets come again with every query.
#[derive(Default)]
pub(super) struct Decoded {
    recent: VecDeque<(Value, Aggregate)>,
}

/// Decoded values kept: a day of hours, and some.
const DECODED: usize = 32;

impl Decoded {
    /// The aggregate that `value` encodes.
    fn get(
        &mut self,
        value: &Value,
        decode: impl FnOnce(&[u8]) -> Result<Aggregate, Corrupt>,
    ) -> Result<&Aggregate, Corrupt> {
        // Different values differ early: in length, or in the counts that come first.
        let found = self.recent.iter().position(|(v, _)| v == value);
        let index = match found {
            Some(index) => index,
            None => {
                let aggregate = decode(value)?;
                if self.recent.len() >= DECODED {
                    self.recent.pop_front();
                }
                self.recent.push_back((Rc::clone(value), aggregate));
                self.recent.len() - 1
            }
        };
        Ok(&self.recent[index].1)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let each = self.recent.iter().map(|(v, a)| v.len() + a.memory_bytes());
        each.sum()
    }
}
