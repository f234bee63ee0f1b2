//! Read caches at the points of presence, and the age of what they answer.

use super::entries::ByKey;
use crate::cloud::consistency::ConsistencySpec;
use crate::models::dist::Sampler;
use crate::sim::latencies::Latencies;
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::ports::Value;
use crate::units::Timestamp;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// What the caches are made from.
#[derive(Debug, Clone)]
pub struct Consistency {
    /// The settings.
    pub spec: ConsistencySpec,
    /// Points of presence.
    pub places: usize,
    /// Latency of a read that its place answers, and of one that it cannot.
    pub hot: Sampler,
    /// Latency of a read that goes to the central store.
    pub cold: Sampler,
}

/// How old the answers of reads were: the time for which a newer value had existed.
#[derive(Clone, Default)]
pub struct ReadAges {
    ages: Latencies,
    /// Keys read; those answered by the place's cache; those answered with an outdated value.
    pub reads: u64,
    /// Keys answered by the place's cache.
    pub hot: u64,
    /// Keys answered with an outdated value.
    pub stale: u64,
    /// Entries that places fetched anew in the background before they expired.
    pub refreshes: u64,
    /// Sum of the ages in seconds, fresh answers counting 0.
    pub age_sum_s: f64,
}

impl ReadAges {
    /// A percentile of the age over all reads, in seconds within 0.05%; NaN without reads.
    pub fn quantile_s(&self, q: f64) -> f64 {
        self.ages.quantile_ms(q) / 1e3
    }

    /// The ages of all reads.
    pub fn ages(&self) -> &Latencies {
        &self.ages
    }

    fn add(&mut self, age: Duration, hot: bool) {
        self.reads += 1;
        self.hot += u64::from(hot);
        self.stale += u64::from(!age.is_zero());
        self.age_sum_s += age.as_secs_f64();
        self.ages.add(age);
    }
}

/// What a reader sees of a key.
pub(super) struct Sight {
    pub(super) value: Option<Value>,
    /// Whether the cache of the reader's place answered.
    pub(super) hot: bool,
    /// The number of the write or delete that is seen; 0 if none is.
    pub(super) version: u64,
    /// For how long a newer one had existed.
    pub(super) outdated: Duration,
}

/// A value that a key has had; `None` while it was absent.
struct Version {
    number: u64,
    value: Option<Value>,
    visible: Timestamp,
    /// When the key's expiration ends it, which no cache outlives.
    /// Source: <https://developers.cloudflare.com/kv/api/write-key-value-pairs/#expiring-keys>
    dies: Option<Timestamp>,
    superseded: Cell<Option<Timestamp>>,
}

impl Version {
    fn is_dead(&self, now: Timestamp) -> bool {
        self.dies.is_some_and(|d| d <= now)
    }
}

struct Cached {
    version: Rc<Version>,
    filled: Timestamp,
    expires: Timestamp,
    refresh: Option<Refresh>,
}

/// A newer answer on its way to the cache.
struct Refresh {
    version: Rc<Version>,
    asked: Timestamp,
    arrives: Timestamp,
    expires: Timestamp,
}

impl Cached {
    /// Takes over a refresh that has arrived.
    fn catch_up(&mut self, now: Timestamp) {
        if let Some(new) = self.refresh.take_if(|r| r.arrives <= now) {
            self.version = new.version;
            self.filled = new.asked;
            self.expires = new.expires;
        }
    }

    /// Until when a reader with this TTL is answered: his own counts, not that of whoever filled
    /// the cache.
    fn answers_until(&self, ttl: Duration) -> Timestamp {
        self.expires.min(self.filled + ttl)
    }

    /// Whether some reader may still be answered.
    fn is_of_use(&self, now: Timestamp) -> bool {
        now < self.expires || self.refresh.as_ref().is_some_and(|r| now < r.expires)
    }
}

/// The versions of every key that someone may still see, and what each place has cached.
pub(super) struct PopCaches {
    spec: ConsistencySpec,
    propagation: Sampler,
    propagation_rng: StreamRng,
    refresh_rng: StreamRng,
    hot: Sampler,
    cold: Sampler,
    /// By key, oldest first: the newest that all can see, and those after it.
    versions: Versions,
    places: Vec<ByKey<Cached>>,
    /// Entries of a place's cache at which dead ones are thrown out.
    prune_at: Vec<usize>,
    ages: ReadAges,
}

const LEAST_PRUNE: usize = 1_024;

impl PopCaches {
    pub(crate) fn new(c: Consistency, streams: &Streams) -> Self {
        PopCaches {
            propagation: c.spec.propagation.sampler(),
            propagation_rng: streams.stream("kv.propagation"),
            refresh_rng: streams.stream("kv.refresh"),
            spec: c.spec,
            hot: c.hot,
            cold: c.cold,
            versions: Versions::default(),
            places: (0..c.places).map(|_| ByKey::default()).collect(),
            prune_at: vec![LEAST_PRUNE; c.places],
            ages: ReadAges::default(),
        }
    }

    pub(crate) fn ages(&self) -> &ReadAges {
        &self.ages
    }

    pub(crate) fn reset_ages(&mut self) {
        self.ages = ReadAges::default();
    }

    pub(crate) fn latency(&self, hot: bool, rng: &mut StreamRng) -> Duration {
        if hot { &self.hot } else { &self.cold }.sample(rng)
    }

    /// Notes a write (or, without a value, a deletion) of that number made in `place`, of what lives until `dies`.
    pub(crate) fn write(
        &mut self,
        place: usize,
        (key, number): (&str, u64),
        value: Option<Value>,
        dies: Option<Timestamp>,
        now: Timestamp,
    ) {
        let delay = self.propagation.sample(&mut self.propagation_rng);
        let versions = self.versions.entry(key.into()).or_default();
        let mut visible = now + delay;
        if let Some(last) = versions.back() {
            last.superseded.set(Some(now));
            visible = visible.max(last.visible);
        } else {
            // Until now the key was absent, and so it is seen until the write gets there.
            versions.push_back(absent(Some(now)));
        }
        let version = Rc::new(Version {
            number,
            value,
            visible,
            dies,
            superseded: Cell::new(None),
        });
        versions.push_back(Rc::clone(&version));
        // What lies between the oldest, which is kept for the ages of answers, and the newest that all can see, nobody
        // will see again.
        let seen = versions.partition_point(|v| v.visible <= now);
        if seen > 2 {
            versions.drain(1..seen - 1);
        }
        let ttl = self.spec.default_cache_ttl;
        self.cache(place, key, version, now, ttl);
    }

    /// Forgets a key that has expired.
    pub(crate) fn forget(&mut self, key: &str) {
        self.versions.remove(key);
    }

    /// Whether a list shows the key: lists are answered centrally.
    pub(crate) fn is_listed(&self, key: &str, now: Timestamp) -> bool {
        let visible = |v: &VecDeque<Rc<Version>>| {
            let seen = v.iter().rev().find(|v| v.visible <= now);
            seen.is_some_and(|v| v.value.is_some() && !v.is_dead(now))
        };
        self.versions.get(key).is_some_and(visible)
    }

    /// What a reader in `place` sees. A read that leaves the place is now slower than usual by the factor
    /// `slowness`.
    pub(super) fn read(
        &mut self,
        place: usize,
        key: &str,
        cache_ttl: Option<Duration>,
        slowness: f64,
        now: Timestamp,
    ) -> Sight {
        let ttl = cache_ttl.unwrap_or(self.spec.default_cache_ttl);
        if let Some(c) = self.places[place].get_mut(key) {
            c.catch_up(now);
            let until = c.answers_until(ttl);
            if now < until && !c.version.is_dead(now) {
                let (number, value) = (c.version.number, c.version.value.clone());
                let since = match (&c.version.value, c.version.superseded.get()) {
                    // Absent when cached: outdated since the key's first write.
                    (None, None) => first_write(&self.versions, key, c.filled),
                    (_, superseded) => superseded,
                };
                let outdated = since.map_or(Duration::ZERO, |s| now.since(s));
                self.ages.add(outdated, true);
                if until.since(now) <= self.spec.refresh_window && c.refresh.is_none() {
                    self.refresh(place, key, ttl, slowness, now);
                }
                return Sight {
                    value,
                    hot: true,
                    version: number,
                    outdated,
                };
            }
        }
        let version = seen_centrally(&mut self.versions, key, now);
        let since = version.superseded.get();
        let outdated = since.map_or(Duration::ZERO, |s| now.since(s));
        self.ages.add(outdated, false);
        let number = version.number;
        let value = version.value.clone().filter(|_| !version.is_dead(now));
        if value.is_some() || self.spec.negative_caching {
            self.cache(place, key, version, now, ttl);
        }
        Sight {
            value,
            hot: false,
            version: number,
            outdated,
        }
    }

    /// Fetches an entry of a place's cache anew.
    #[cold]
    fn refresh(&mut self, place: usize, key: &str, ttl: Duration, slowness: f64, now: Timestamp) {
        let version = seen_centrally(&mut self.versions, key, now);
        let took = self.cold.sample(&mut self.refresh_rng).mul_f64(slowness);
        // What may not be cached takes the entry's place all the same, and is dead at once.
        let cached = version.value.is_some() || self.spec.negative_caching;
        let refresh = Refresh {
            version,
            asked: now,
            arrives: now + took,
            expires: if cached { now + ttl } else { now },
        };
        if let Some(entry) = self.places[place].get_mut(key) {
            entry.refresh = Some(refresh);
            self.ages.refreshes += 1;
        }
    }

    fn cache(
        &mut self,
        place: usize,
        key: &str,
        version: Rc<Version>,
        now: Timestamp,
        ttl: Duration,
    ) {
        let entries = &mut self.places[place];
        if entries.len() >= self.prune_at[place] {
            entries.retain(|_, c| c.is_of_use(now));
            self.prune_at[place] = (2 * entries.len()).max(LEAST_PRUNE);
        }
        let entry = Cached {
            version,
            filled: now,
            expires: now + ttl,
            refresh: None,
        };
        match entries.get_mut(key) {
            Some(old) => *old = entry,
            None => _ = entries.insert(key.into(), entry),
        }
    }
}

type Versions = ByKey<VecDeque<Rc<Version>>>;

/// What a read that leaves its place gets to see.
fn seen_centrally(versions: &mut Versions, key: &str, now: Timestamp) -> Rc<Version> {
    let Some(versions) = versions.get_mut(key) else {
        return absent(None);
    };
    while versions.len() > 1 && versions[1].visible <= now {
        versions.pop_front();
    }
    Rc::clone(&versions[0])
}

/// When a key that was absent at `then` was first written.
fn first_write(versions: &Versions, key: &str, then: Timestamp) -> Option<Timestamp> {
    let before = versions.get(key)?.front()?;
    if before.value.is_none() {
        before.superseded.get()
    } else {
        // The oldest version left may not be the first, but it is the best known bound.
        Some(before.visible.max(then))
    }
}

fn absent(superseded: Option<Timestamp>) -> Rc<Version> {
    Rc::new(Version {
        number: 0,
        value: None,
        visible: Timestamp::EPOCH,
        dies: None,
        superseded: Cell::new(superseded),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;

    /// One place; whether its cache answers a read of a key at a second.
    fn place() -> (PopCaches, impl Fn(&mut PopCaches, usize, u64) -> bool) {
        let consistency = Consistency {
            spec: load("eventual", None, &[]).unwrap(),
            places: 1,
            hot: Sampler::constant(Duration::ZERO),
            cold: Sampler::constant(Duration::ZERO),
        };
        let pops = PopCaches::new(consistency, &Streams::new(1, 0));
        let read = |pops: &mut PopCaches, key: usize, s: u64| {
            let now = Timestamp::from_secs(s);
            pops.read(0, &key.to_string(), None, 1.0, now).hot
        };
        (pops, read)
    }

    /// Written once a second, seen 5 s later, and read by nobody: the absence before the first, the last that is seen, and
    /// five on their way.
    #[test]
    fn versions_that_nobody_will_see_are_not_kept() {
        let spec = load("eventual", None, &[]).unwrap();
        let (mut pops, _) = place();
        let way = Sampler::constant(Duration::from_secs(5));
        (pops.spec, pops.propagation) = (spec, way);
        for s in 1..=1_000 {
            let value: Option<Value> = Some(s.to_string().into_bytes().into());
            pops.write(0, ("key", s), value, None, Timestamp::from_secs(100 + s));
        }
        let kept = &pops.versions["key"];
        let numbers: Vec<u64> = kept.iter().map(|v| v.number).collect();
        assert_eq!(numbers, [0, 995, 996, 997, 998, 999, 1_000]);
        let now = Timestamp::from_secs(1_100);
        assert_eq!(seen_centrally(&mut pops.versions, "key", now).number, 995);
        assert_eq!(pops.versions["key"].len(), 6);
    }

    /// Entries are answered for 60 s. The entry after 1,024 makes the cache look for dead ones.
    #[test]
    fn a_full_cache_throws_out_what_is_dead_and_nothing_else() {
        let (mut pops, read) = place();
        for key in 0..=1_024 {
            assert!(!read(&mut pops, key, 100));
        }
        assert_eq!(pops.places[0].len(), 1_025);
        assert!(read(&mut pops, 0, 101) && read(&mut pops, 1_024, 101));
        let (mut pops, read) = place();
        for key in 0..1_024 {
            assert!(!read(&mut pops, key, if key < 24 { 159 } else { 100 }));
        }
        assert!(!read(&mut pops, 1_024, 160));
        assert_eq!(pops.places[0].len(), 24 + 1);
        assert!(read(&mut pops, 23, 161) && !read(&mut pops, 24, 161));
    }
}
