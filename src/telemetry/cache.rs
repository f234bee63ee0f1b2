//! A bounded cache whose entries live for a fixed time.

use crate::units::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// What a cache has been asked, and what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct CacheCounters {
    /// Lookups answered from the cache.
    pub hits: u64,
    /// Lookups that were not, expired entries included.
    pub misses: u64,
    /// Misses that found an entry past its time.
    pub expired: u64,
    /// Entries given up, still alive, to make room.
    pub evicted: u64,
}

impl CacheCounters {
    /// Adds the counts of another cache.
    pub fn merge(&mut self, other: &CacheCounters) {
        *self = self.with(other, |a, b| a + b);
    }

    /// What has been added since `earlier`, a former state of the same counters.
    pub fn since(&self, earlier: &CacheCounters) -> CacheCounters {
        self.with(earlier, |a, b| a - b)
    }

    pub(super) fn with(
        &self,
        other: &CacheCounters,
        of: impl Fn(u64, u64) -> u64,
    ) -> CacheCounters {
        CacheCounters {
            hits: of(self.hits, other.hits),
            misses: of(self.misses, other.misses),
            expired: of(self.expired, other.expired),
            evicted: of(self.evicted, other.evicted),
        }
    }
}

/// Entries live for the TTL from the time they were put in; a hit does not renew
/// it. Under Poisson lookups of one key at rate `l` the hit ratio is therefore
/// `l T / (1 + l T)`. When the cache is full, the entry put in first gives way.
#[derive(Debug, Clone)]
pub struct TtlCache<K, V> {
    ttl: Duration,
    max_entries: usize,
    /// A handful, so that looking through all is the quickest way to one.
    entries: Vec<Entry<K, V>>,
    /// Keys in the order in which they were filled; a refilled key appears again.
    order: VecDeque<(K, u64)>,
    fills: u64,
    counters: CacheCounters,
}

#[derive(Debug, Clone)]
struct Entry<K, V> {
    key: K,
    value: V,
    expires: Timestamp,
    fill: u64,
}

impl<K: Eq + Clone, V: Clone> TtlCache<K, V> {
    /// An empty cache for at most `max_entries` entries.
    pub fn new(ttl: Duration, max_entries: usize) -> Self {
        TtlCache {
            ttl,
            max_entries,
            entries: Vec::new(),
            order: VecDeque::new(),
            fills: 0,
            counters: CacheCounters::default(),
        }
    }

    /// The value under `key` if it is alive; counts a hit or a miss.
    #[inline]
    pub fn get(&mut self, key: &K, now: Timestamp) -> Option<V> {
        let found = self.position(key);
        if let Some(entry) = found.map(|i| &self.entries[i])
            && now < entry.expires
        {
            self.counters.hits += 1;
            return Some(entry.value.clone());
        }
        if let Some(i) = found {
            self.entries.swap_remove(i);
            self.counters.expired += 1;
        }
        self.counters.misses += 1;
        None
    }

    #[inline]
    fn position(&self, key: &K) -> Option<usize> {
        self.entries.iter().position(|e| e.key == *key)
    }

    /// Where an entry is, unless it has been filled anew since.
    fn position_of_fill(&self, key: &K, fill: u64) -> Option<usize> {
        self.position(key).filter(|i| self.entries[*i].fill == fill)
    }

    /// Puts a value in, for the TTL from now.
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) {
        match self.position(&key) {
            Some(i) => _ = self.entries.swap_remove(i),
            None => {
                while self.entries.len() >= self.max_entries {
                    self.evict_oldest(now);
                }
            }
        }
        self.fills += 1;
        self.order.push_back((key.clone(), self.fills));
        self.entries.push(Entry {
            key,
            value,
            expires: now + self.ttl,
            fill: self.fills,
        });
        // Forget places in the order that later fills or expiry made void.
        while let Some((key, fill)) = self.order.front()
            && self.position_of_fill(key, *fill).is_none()
        {
            self.order.pop_front();
        }
    }

    fn evict_oldest(&mut self, now: Timestamp) {
        while let Some((key, fill)) = self.order.pop_front() {
            let Some(i) = self.position_of_fill(&key, fill) else {
                continue;
            };
            if now < self.entries.swap_remove(i).expires {
                self.counters.evicted += 1;
            }
            return;
        }
    }

    /// What has happened so far.
    pub fn counters(&self) -> CacheCounters {
        self.counters
    }

    /// The values held, dead ones included.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|e| &e.value)
    }

    /// Entries held, dead ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn an_entry_lives_for_the_ttl_and_a_hit_does_not_renew_it() {
        let mut cache = TtlCache::new(Duration::from_secs(5), 10);
        assert_eq!(cache.get(&"a", at(0)), None);
        cache.insert("a", 1, at(0));
        assert_eq!(cache.get(&"a", at(4)), Some(1));
        assert_eq!(cache.get(&"a", at(5)), None);
        let c = cache.counters();
        assert_eq!((c.hits, c.misses, c.expired, c.evicted), (1, 2, 1, 0));
    }

    #[test]
    fn the_entry_filled_first_gives_way() {
        let mut cache = TtlCache::new(Duration::from_secs(50), 2);
        cache.insert("a", 1, at(0));
        cache.insert("b", 2, at(1));
        cache.insert("a", 3, at(2)); // refilled: now b is the oldest
        cache.insert("c", 4, at(3));
        assert_eq!(cache.get(&"b", at(4)), None);
        assert_eq!(cache.get(&"a", at(4)), Some(3));
        assert_eq!(cache.get(&"c", at(4)), Some(4));
        assert_eq!((cache.counters().evicted, cache.len()), (1, 2));
    }

    #[test]
    fn the_order_does_not_grow_with_refills() {
        let mut cache = TtlCache::new(Duration::from_secs(1), 4);
        for s in 0..10_000 {
            cache.insert(s % 3, s, at(s));
        }
        assert!(cache.order.len() <= 8, "{}", cache.order.len());
    }
}
