//! Queries: stored aggregates of a window, merged, through the cache.

use super::collector::Collector;
use super::keys::{Bucket, Slot};
use super::lease::SILENCE;
use super::load::join_all;
use super::metrics::Metrics;
use super::policy::{Discover, KeyLayout};
use super::ports::{Clock, Kv, KvError, ReadOptions, Value};
use super::record::ProviderId;
use super::state::{Flight, Keys, State};
use super::sum::{QueryKey, Stored, Sum, WINDOWS};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Keys in one bulk read.
const BULK: usize = 100;
/// Keys on a page of a list.
const PAGE: usize = 1_000;
/// How often a query looks for the answer of another's read, and for how long before it reads itself.
const LOOK_FOR_ANSWER: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(2);

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

    #[inline]
    fn cached(&self, key: &QueryKey) -> Option<Rc<Metrics>> {
        let s = &mut *self.state.borrow_mut();
        if self.policy.cache.prewarm.is_some() {
            s.lookups.entry(*key).or_default().note(1, self.clock.now());
        }
        if !self.policy.cache.enabled {
            return None;
        }
        s.cache.get(key, self.clock.now())
    }

    fn remember(&self, key: QueryKey, metrics: &Rc<Metrics>) {
        if self.policy.cache.enabled {
            let now = self.clock.now();
            let cache = &mut self.state.borrow_mut().cache;
            cache.insert(key, Rc::clone(metrics), now);
        }
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
            return match self.cached_metrics(window) {
                Some(metrics) => Ok(metrics),
                None => self.fetch_metrics(kv, window).await,
            };
        }
        let provider = Some(self.provider(provider));
        let key = QueryKey { window, provider };
        match self.cached(&key) {
            Some(metrics) => Ok(metrics),
            None => self.fetch(kv, key).await,
        }
    }

    /// Reads the metrics of a window from the KV and puts them into the cache.
    pub async fn fetch_metrics<K: Kv>(
        &self,
        kv: &K,
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        let provider = None;
        self.fetch(kv, QueryKey { window, provider }).await
    }

    /// Computes the metrics of every window anew, into the cache.
    pub(super) async fn refresh<K: Kv>(&self, kv: &K) {
        let queries = &self.policy.queries;
        for window in [queries.metrics_window, queries.analytics_window] {
            // A failure is counted; the old entry lives on until its time.
            let _ = self.fetch_metrics(kv, window).await;
        }
    }

    /// Predictive caching: keeps the entry of a window fresh while enough lookups of it are to be
    /// expected; run it in the background after a query that read the KV. Returns at once if
    /// the policy has no such cache, or if the entry is being kept fresh already.
    pub async fn keep_fresh<K: Kv>(&self, kv: &K, window: Duration) {
        let Some(policy) = &self.policy.cache.prewarm else {
            return;
        };
        let provider = None;
        let key = QueryKey { window, provider };
        let ttl = self.policy.cache.ttl;
        let started = self.clock.now();
        {
            let warming = &mut self.state.borrow_mut().warming;
            if warming.get(&key).is_some_and(|until| started < *until) {
                return;
            }
            warming.insert(key, started + ttl + SILENCE);
        }
        let _warming = Warming {
            state: &self.state,
            key,
        };
        let next = ttl - policy.lead;
        // What waitUntil ends halfway would say for a while that it is at work.
        while self.clock.now().since(started) + next <= policy.max_chain {
            self.clock.sleep(next).await;
            let now = self.clock.now();
            let expected = {
                let s = self.state.borrow();
                s.lookups.get(&key).map_or(0.0, |r| r.expected(ttl, now))
            };
            if expected < policy.min_expected {
                return;
            }
            if self.fetch(kv, key).await.is_err() {
                return;
            }
            let s = &mut *self.state.borrow_mut();
            s.counters.prewarmed += 1;
            s.warming.insert(key, self.clock.now() + ttl + SILENCE);
        }
    }

    async fn fetch<K: Kv>(&self, kv: &K, key: QueryKey) -> Result<Rc<Metrics>, KvError> {
        if !self.policy.cache.coalesce {
            return self.read_and_remember(kv, key).await;
        }
        let under_way = self.state.borrow().flights.get(&key).cloned();
        if let Some(flight) = under_way
            && let Some(shared) = self.look_out_for(&flight).await
        {
            self.state.borrow_mut().counters.coalesced += 1;
            return shared;
        }
        let flight = Rc::new(Flight {
            begun: self.clock.now(),
            answer: RefCell::default(),
        });
        let mine = Rc::clone(&flight);
        self.state.borrow_mut().flights.insert(key, mine);
        let answer = self.read_and_remember(kv, key).await;
        *flight.answer.borrow_mut() = Some(answer.clone());
        let flights = &mut self.state.borrow_mut().flights;
        if flights.get(&key).is_some_and(|f| Rc::ptr_eq(f, &flight)) {
            flights.remove(&key);
        }
        answer
    }

    /// The answer of another query's read, looked for on timers of its own; `None` if that does not come in
    /// time, as when whoever reads has been cancelled.
    async fn look_out_for(&self, flight: &Flight) -> Option<Result<Rc<Metrics>, KvError>> {
        let give_up = flight.begun + PATIENCE;
        loop {
            let answer = flight.answer.borrow().clone();
            if answer.is_some() || self.clock.now() >= give_up {
                return answer;
            }
            self.clock.sleep(LOOK_FOR_ANSWER).await;
        }
    }

    async fn read_and_remember<K: Kv>(
        &self,
        kv: &K,
        key: QueryKey,
    ) -> Result<Rc<Metrics>, KvError> {
        self.state.borrow_mut().counters.fetches += 1;
        // Apart, as a future is moved whole by each that awaits it, and this one is large.
        let stored = match Box::pin(self.stored_values(kv, key)).await {
            Ok(stored) => stored,
            Err(e) => {
                self.state.borrow_mut().counters.query_error(&e);
                return Err(e);
            }
        };
        let as_of = self.clock.now();
        let sum = self.sum_of(key, &stored);
        Ok(self.remember_sum(key, sum, as_of))
    }

    /// What was read, to be added up when somebody looks.
    pub(super) fn sum_of(&self, key: QueryKey, stored: &Stored) -> Rc<Sum> {
        let State { sums, counters, .. } = &mut *self.state.borrow_mut();
        counters.aggregations += 1;
        sums.of(key, stored)
    }

    /// Makes metrics of a sum and puts them into the cache.
    pub(super) fn remember_sum(
        &self,
        key: QueryKey,
        sum: Rc<Sum>,
        as_of: Timestamp,
    ) -> Rc<Metrics> {
        let all = Metrics::of(sum, as_of);
        let names = &self.state.borrow().names.clone();
        let only = key.provider.and_then(|p| names.get(p));
        let metrics = Rc::new(match only {
            Some(name) => all.only(name),
            None => all,
        });
        self.remember(key, &metrics);
        metrics
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions {
            cache_ttl: self.policy.queries.cache_ttl,
        }
    }

    pub(super) async fn stored_values<K: Kv>(
        &self,
        kv: &K,
        query: QueryKey,
    ) -> Result<Stored, KvError> {
        let keys = self.keys_of_window(kv, query).await?;
        self.read_all(kv, &keys).await
    }

    /// The keys of a window that ends now. Where they follow from the time alone, they are named once in a bucket.
    async fn keys_of_window<K: Kv>(&self, kv: &K, query: QueryKey) -> Result<Keys, KvError> {
        let layout = &self.policy.layout;
        let (now, window) = (self.clock.now(), query.window);
        let current = Bucket::of(now, layout.bucket);
        let number = Bucket::number_in(window, layout.bucket);
        let follow_from_time = match (layout.keys, layout.discover) {
            (KeyLayout::Shared, _) => true,
            (KeyLayout::Rollup, Discover::Own) => !layout.per_provider,
            _ => false,
        };
        if follow_from_time {
            let named = &self.state.borrow().named;
            if let Some((.., keys)) = named.iter().find(|n| (n.0, n.1) == (number, current)) {
                return Ok(keys.clone());
            }
        }
        let buckets = Bucket::of_window(now, window, layout.bucket);
        let keys = self.keys_of(kv, &buckets, query.provider).await?;
        if follow_from_time {
            let named = &mut self.state.borrow_mut().named;
            named.truncate(WINDOWS - 1);
            named.push_front((number, current, keys.clone()));
        }
        Ok(keys)
    }

    /// What is stored of some buckets, of one provider or all.
    pub(super) async fn values_of<K: Kv>(
        &self,
        kv: &K,
        buckets: &[Bucket],
        provider: Option<ProviderId>,
    ) -> Result<Stored, KvError> {
        let keys = self.keys_of(kv, buckets, provider).await?;
        self.read_all(kv, &keys).await
    }

    async fn keys_of<K: Kv>(
        &self,
        kv: &K,
        buckets: &[Bucket],
        provider: Option<ProviderId>,
    ) -> Result<Keys, KvError> {
        let layout = &self.policy.layout;
        let names: Rc<[Rc<str>]> = match (layout.keys, layout.discover) {
            (KeyLayout::Rollup, Discover::Own) => self.own_keys(buckets, provider),
            (KeyLayout::Shared, _) => buckets.iter().map(|b| b.shared_key().into()).collect(),
            (KeyLayout::Rollup, Discover::List) => {
                let mut keys = self
                    .list_all(kv, buckets.iter().map(|b| b.rollup_prefix()))
                    .await?;
                if let (true, Some(p)) = (layout.per_provider, provider) {
                    let s = self.state.borrow();
                    let suffix = format!("/{}", s.names.get(p).unwrap_or_default());
                    keys.retain(|k| k.ends_with(&suffix));
                }
                keys.into()
            }
            (KeyLayout::BatchKeys, _) => {
                let prefixes = buckets.iter().map(|b| b.batch_prefix());
                self.list_all(kv, prefixes).await?.into()
            }
        };
        let is_past = |key: &Rc<str>| buckets.last().is_none_or(|last| !last.has(key));
        let past = names.partition_point(is_past);
        Ok(Keys { names, past })
    }

    async fn read_all<K: Kv>(&self, kv: &K, keys: &Keys) -> Result<Stored, KvError> {
        let names = &keys.names;
        let found = match names.len() {
            0 => Vec::new(),
            // Nearly always: nothing to wait for side by side.
            1..=BULK => self.read_bulk(kv, names).await?,
            _ => {
                let bulks = names.chunks(BULK).map(|bulk| self.read_bulk(kv, bulk));
                let mut found = Vec::with_capacity(names.len());
                for bulk in join_all(bulks).await {
                    found.extend(bulk?);
                }
                found
            }
        };
        let past = found.iter().take(keys.past).flatten().count();
        // What was listed is nearly always found.
        let mut values = Vec::with_capacity(found.len());
        values.extend(found.into_iter().flatten());
        Ok(Stored { past, values })
    }

    async fn read_bulk<K: Kv>(
        &self,
        kv: &K,
        names: &[Rc<str>],
    ) -> Result<Vec<Option<Value>>, KvError> {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        self.with_retries(&self.policy.queries.retry, async |_| {
            Box::pin(kv.read(&names, self.read_options())).await
        })
        .await
    }

    /// The keys of this writer's own totals.
    fn own_keys(&self, buckets: &[Bucket], provider: Option<ProviderId>) -> Rc<[Rc<str>]> {
        let providers: Vec<Option<ProviderId>> = match (self.policy.layout.per_provider, provider) {
            (false, _) => vec![None],
            (true, Some(p)) => vec![Some(p)],
            (true, None) => self.state.borrow().names.ids().map(Some).collect(),
        };
        let slots = buckets.iter().flat_map(|bucket| {
            let slot = |provider: &Option<ProviderId>| Slot {
                bucket: *bucket,
                provider: *provider,
            };
            providers.iter().map(slot)
        });
        slots.map(|slot| self.rollup_key(slot).into()).collect()
    }

    /// All keys under the prefixes, in order.
    async fn list_all<K: Kv>(
        &self,
        kv: &K,
        prefixes: impl Iterator<Item = String>,
    ) -> Result<Vec<Rc<str>>, KvError> {
        let retry = &self.policy.queries.retry;
        let lists = join_all(prefixes.map(|prefix| async move {
            let mut names = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let page = self.with_retries(retry, async |_| {
                    kv.list(&prefix, cursor.as_deref(), PAGE).await
                });
                let page = page.await?;
                names.extend(page.keys.into_iter().map(|k| k.name));
                cursor = page.cursor;
                if cursor.is_none() {
                    return Ok::<_, KvError>(names);
                }
            }
        }))
        .await;
        let lists: Vec<Vec<_>> = lists.into_iter().collect::<Result<_, _>>()?;
        let mut names = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        names.extend(lists.into_iter().flatten());
        Ok(names)
    }
}

/// An entry that is being kept fresh.
struct Warming<'a> {
    state: &'a RefCell<State>,
    key: QueryKey,
}

impl Drop for Warming<'_> {
    fn drop(&mut self) {
        self.state.borrow_mut().warming.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
