//! Versions of a key are seen in their order.

use super::freshness::longest_way;
use crate::cloud::kv::{Found, Operation};
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::policy::{Discover, KeyLayout};
use crate::units::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ORDER: Invariant = Invariant {
    name: "order",
    promise: "no place goes back to an older version of a key, and what a list has shown is there",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let rest = &case.evidence.rest;
    // What has expired is not there any more.
    if case.point.policy.layout.retention <= rest.end.since(rest.start) {
        return Ok(());
    }
    if is_in_order(case) {
        back(case)?;
    }
    listed(case)
}

/// Whether a write gets everywhere before the place that it was made in forgets it.
fn is_in_order(case: &Case) -> bool {
    let Some(consistency) = &case.point.scenario.consistency else {
        return true;
    };
    let asked = case.point.policy.queries.cache_ttl;
    let asked = asked.unwrap_or(Duration::MAX);
    let shortest = asked.min(consistency.default_cache_ttl);
    longest_way(consistency).is_some_and(|way| way < shortest)
}

/// What reads found, each with its place and its operation.
fn found<'a>(case: &'a Case) -> impl Iterator<Item = (usize, &'a Operation, &'a Found)> {
    let spans = case.spans().iter();
    let operations = spans.flat_map(|s| s.operations.iter().map(|o| (s.place.unwrap_or(0), o)));
    operations.flat_map(|(place, o)| o.found.iter().map(move |f| (place, o, f)))
}

/// What a place has seen of a key: when, and which version.
type Seen = Vec<(Timestamp, u64)>;

fn back(case: &Case) -> Result<(), String> {
    let mut all: BTreeMap<(usize, &str), Seen> = BTreeMap::new();
    for (place, o, f) in found(case) {
        let seen = all.entry((place, &f.key)).or_default();
        seen.push((o.start, f.version));
    }
    for ((place, key), mut seen) in all {
        seen.sort();
        let mut newest = 0;
        // Of what is read in the same moment one may come before a write, and the other after it.
        for moment in seen.chunk_by(|a, b| a.0 == b.0) {
            let (at, oldest) = moment[0];
            if oldest < newest {
                return Err(format!(
                    "place {place} saw version {oldest} of {key} after {:.3} s, having seen version {newest} before",
                    at.since(case.evidence.rest.start).as_secs_f64()
                ));
            }
            newest = moment.last().map_or(newest, |last| newest.max(last.1));
        }
    }
    Ok(())
}

/// Queries read the keys that lists have shown them. Only a place's cache may not know them yet.
fn listed(case: &Case) -> Result<(), String> {
    let layout = &case.point.policy.layout;
    let lists = match (layout.keys, layout.discover) {
        (KeyLayout::BatchKeys, _) | (KeyLayout::Rollup, Discover::List) => true,
        (KeyLayout::Rollup, Discover::Own) | (KeyLayout::Shared, _) => false,
    };
    let missing = |(_, _, f): &(usize, &Operation, &Found)| !f.there && !f.cached;
    match found(case).find(missing).filter(|_| lists) {
        None => Ok(()),
        Some((place, o, f)) => Err(format!(
            "a list showed {}, but a read of it from place {place} found nothing after {:.3} s",
            f.key,
            o.start.since(case.evidence.rest.start).as_secs_f64()
        )),
    }
}
