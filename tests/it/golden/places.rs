//! What a place's cache answers, told from the times of reads and writes.

use super::world::{Compared, at, drawn, every, is_record, play, request, scenario, together};
use kvplan::cloud::kv::Operation;
use kvplan::sim::random::Streams;
use kvplan::telemetry::ports::OpKind;
use kvplan::units::Timestamp;
use kvplan::workload::{Arrival, ArrivalKind};
use std::collections::BTreeMap;
use std::time::Duration;

const S: Duration = Duration::from_secs(1);
/// How long a write takes to be seen elsewhere.
const PROPAGATION: &str = "consistency.propagation={kind=\"uniform\",low=\"1 s\",high=\"20 s\"}";

/// What a place keeps of the one key: a version, and one that is on its way, with when it was asked for and will die.
struct Kept {
    version: usize,
    filled: Timestamp,
    dies: Timestamp,
    on_its_way: Option<(usize, Timestamp, Timestamp)>,
}

/// The one key: when each version was written, and when it is seen by all. Version 0 is that there is none.
#[derive(Default)]
struct Key {
    written: Vec<Timestamp>,
    seen: Vec<Timestamp>,
    places: [Option<Kept>; 2],
    ages: Vec<f64>,
    hot: f64,
    stale: f64,
    refreshed: f64,
}

impl Key {
    fn newest_seen(&self, now: Timestamp) -> usize {
        self.seen.iter().filter(|s| **s <= now).count()
    }

    fn keep(&mut self, place: usize, version: usize, now: Timestamp, ttl: Duration) {
        self.places[place] = Some(Kept {
            version,
            filled: now,
            dies: now + ttl,
            on_its_way: None,
        });
    }

    /// No version is seen before the one that it replaces.
    fn write(&mut self, place: usize, now: Timestamp, delay: Duration) {
        let before = self.seen.last().copied().unwrap_or(now);
        self.written.push(now);
        self.seen.push((now + delay).max(before));
        self.keep(place, self.written.len(), now, 60 * S);
    }

    fn answer(&mut self, version: usize, now: Timestamp) {
        let since = self.written.get(version);
        self.ages
            .push(since.map_or(0.0, |s| now.since(*s).as_secs_f64()));
        self.stale += f64::from(u8::from(since.is_some()));
    }

    /// Fetching anew takes 100 ms, and begins with a read in the last 10 s of an entry.
    fn read(&mut self, place: usize, now: Timestamp, ttl: Duration) {
        let newest = self.newest_seen(now);
        if let Some(kept) = &mut self.places[place] {
            if let Some((version, asked, dies)) = kept.on_its_way
                && asked + S / 10 <= now
            {
                (kept.version, kept.filled, kept.dies) = (version, asked, dies);
                kept.on_its_way = None;
            }
            let until = kept.dies.min(kept.filled + ttl);
            if now < until {
                if until.since(now) <= 10 * S && kept.on_its_way.is_none() {
                    kept.on_its_way = Some((newest, now, now + ttl));
                    self.refreshed += 1.0;
                }
                let version = kept.version;
                self.hot += 1.0;
                return self.answer(version, now);
            }
        }
        self.answer(newest, now);
        self.keep(place, newest, now, ttl);
    }
}

/// One place writes a key, which makes its cache keep it for 60 s. A third of the queries come to that place and the rest
/// to another; each asks for 30 s of the cache.
pub(super) fn reads_are_answered_by_their_place(c: &mut Compared) {
    let settings = [
        "consistency=\"eventual\"",
        PROPAGATION,
        "latency.cold_read={kind=\"constant\",value=\"100 ms\"}",
        "fleet.isolates=2",
        "fleet.place=[{name=\"A\",share=\"50%\"},{name=\"B\",share=\"50%\"}]",
        "workload.metrics_reads={rate=\"0.4/s\"}",
        "policy.cache.enabled=false",
        "policy.queries.cache_ttl=\"30 s\"",
        "policy.batch.max_age=\"5 s\"",
    ];
    let s = scenario("shared-key", "paid", &settings);
    let mut all = drawn(&s, 0.03, 7_100);
    // Nobody asks before there is something to be seen, and in some minutes nobody does, so that entries die.
    let minute = |a: &Arrival| a.at.as_nanos() / 60_000_000_000;
    all.retain(|a| is_record(&a.kind) || a.at > at(200_000) && minute(a) % 4 != 0);
    for (i, a) in all.iter_mut().enumerate() {
        let elsewhere = !is_record(&a.kind) && i % 3 != 0;
        a.place = Some(u16::from(elsewhere));
    }
    let seen = play(&s, all, 7_200);
    let mut done: Vec<(&Operation, usize, bool)> = Vec::new();
    for span in &seen.spans {
        let query = span.name == "metrics read";
        let all = span.operations.iter();
        done.extend(all.map(|o| (o, span.place.unwrap(), query)));
    }
    done.sort_by_key(|(o, ..)| o.start);
    // As many as there are writes, in their order.
    let mut delays = Streams::new(s.seed, 0).stream("kv.propagation");
    let propagation = s.consistency.as_ref().unwrap().propagation.sampler();
    let mut key = Key::default();
    for (o, place, query) in done {
        match o.kind {
            OpKind::Write => key.write(place, o.start, propagation.sample(&mut delays)),
            _ => key.read(place, o.start, if query { 30 * S } else { 60 * S }),
        }
    }
    let n = key.ages.len() as f64;
    assert_eq!(n, seen.keys(OpKind::Read));
    c.is(&seen, "hot_read_share", key.hot / n);
    c.is(&seen, "stale_read_share", key.stale / n);
    c.is(&seen, "refreshed_share", key.refreshed / n);
    let sum: f64 = key.ages.iter().sum();
    // Sums of rounded numbers in another order.
    c.is_about(&seen, "read_age_mean_s", sum / n, 1e-9);
    c.is_quantile(&seen, "read_age_p99_s", &key.ages, 0.99);
}

/// A key for each minute, written each 2 s and asked for each second: it is in the list from when its first version is
/// seen, and is read from then on. A later version that would get there sooner does not.
pub(super) fn versions_are_seen_in_their_order(c: &mut Compared) {
    let settings = [
        "consistency=\"eventual\"",
        PROPAGATION,
        "policy.layout={bucket=\"1 min\",discover=\"list\"}",
        "policy.queries.metrics_window=\"1 min\"",
        "policy.queries.analytics_window=\"1 min\"",
    ];
    let s = scenario("naive", "paid", &settings);
    let requests = (0..300).map(|i| request(2_000 * i, 0)).collect();
    let mut queries = every(1_000, 600, ArrivalKind::MetricsRead);
    for query in &mut queries {
        query.at = query.at + S / 2;
    }
    let seen = play(&s, together(&[requests, queries]), 660);
    let minute = |t: Timestamp| t.as_nanos() / 60_000_000_000;
    let mut delays = Streams::new(s.seed, 0).stream("kv.propagation");
    let propagation = s.consistency.as_ref().unwrap().propagation.sampler();
    let mut first_seen = BTreeMap::new();
    let mut any_seen: BTreeMap<u64, Timestamp> = BTreeMap::new();
    for write in seen.operations(OpKind::Write) {
        let there = write.start + propagation.sample(&mut delays);
        first_seen.entry(minute(write.start)).or_insert(there);
        let any = any_seen.entry(minute(write.start)).or_insert(there);
        *any = (*any).min(there);
    }
    let read = |by: &BTreeMap<u64, Timestamp>| {
        let found = |o: &&Operation| {
            let there = by.get(&minute(o.start));
            there.is_some_and(|t| *t <= o.start)
        };
        seen.operations(OpKind::List).filter(found).count() as f64
    };
    let expected = read(&first_seen);
    assert!(read(&any_seen) > expected + 10.0);
    c.is(&seen, "kv_reads_per_month", seen.monthly(expected));
}
