//! What is stored on average once as much expires as is written.

use super::Phases;
use crate::telemetry::policy::{KeyLayout, LayoutPolicy};
use crate::units::Timestamp;
use std::time::Duration;

/// Estimates the level that storage comes to from what writes bespeak of it
/// ([`crate::cloud::kv::KvStore::bespoken_byte_ns`]): by Little's law, byte-time bespoken in a span
/// over that span, however much shorter than the retention it is.
///
/// The span must be of whole time buckets, for a bucket's keys are rewritten under the same names
/// until it ends and grow less and less: counted by parts they would seem to be more. So the
/// bespoken byte-time is noted at each end of a bucket. (A layout with a key for each batch
/// needs none of that.)
pub(crate) struct SteadyStorage {
    whole_buckets: bool,
    bucket: Duration,
    start: Timestamp,
    origin: Note,
    next: Timestamp,
    /// At the first end of a bucket, at the last, and at the last before the measurement.
    first: Option<Note>,
    last: Option<Note>,
    before_origin: Option<Note>,
}

/// The byte-time that was bespoken by then.
#[derive(Debug, Clone, Copy)]
struct Note {
    at: Timestamp,
    bespoken: u128,
}

impl Note {
    /// Byte-time bespoken from here to there, for each nanosecond of `span`.
    fn level_to(&self, there: &Note, span: Duration) -> u128 {
        there.bespoken.saturating_sub(self.bespoken) / span.as_nanos().max(1)
    }
}

impl SteadyStorage {
    /// Nothing noted yet.
    pub(crate) fn new(layout: &LayoutPolicy, phases: Phases) -> Self {
        let floor = phases.start.floor_to(layout.bucket);
        SteadyStorage {
            whole_buckets: layout.keys != KeyLayout::BatchKeys,
            bucket: layout.bucket,
            start: phases.start,
            origin: Note {
                at: phases.origin,
                bespoken: 0,
            },
            next: if floor == phases.start {
                floor
            } else {
                floor + layout.bucket
            },
            first: None,
            last: None,
            before_origin: None,
        }
    }

    /// The next end of a bucket.
    #[inline]
    pub(crate) fn next_due(&self) -> Timestamp {
        self.next
    }

    /// Notes what is bespoken when that time has come.
    pub(crate) fn note(&mut self, bespoken: u128) {
        let note = Note {
            at: self.next,
            bespoken,
        };
        self.first.get_or_insert(note);
        self.last = Some(note);
        if note.at <= self.origin.at {
            self.before_origin = Some(note);
        }
        self.next = self.next + self.bucket;
    }

    /// The measurement starts.
    pub(crate) fn start_measuring(&mut self, bespoken: u128) {
        self.origin.bespoken = bespoken;
    }

    /// The level that storage comes to, in bytes, seen from `end`: from the whole buckets that the
    /// measurement touches; if it is shorter than a bucket, from all whole buckets, if there are
    /// sure to be any wherever it starts. Failing that, the longest part of a bucket is counted as
    /// all of it: no less is stored, but perhaps more.
    pub(crate) fn level(&self, end: Timestamp, bespoken: u128) -> u128 {
        let now = Note { at: end, bespoken };
        let period = end.since(self.origin.at);
        if !self.whole_buckets {
            return self.origin.level_to(&now, period);
        }
        let between = |from: &Note, to: &Note| from.level_to(to, to.at.since(from.at));
        match (self.before_origin, self.first, self.last) {
            (Some(from), _, Some(to)) if period >= self.bucket => between(&from, &to),
            (_, Some(from), Some(to)) if end.since(self.start) >= 2 * self.bucket => {
                between(&from, &to)
            }
            (_, first, last) => {
                let start = Note {
                    at: self.start,
                    bespoken: 0,
                };
                let mut ends = vec![start];
                ends.extend(first);
                ends.extend(last);
                ends.push(now);
                let parts = ends.windows(2);
                let longest = parts.max_by_key(|w| w[1].at.since(w[0].at));
                longest.map_or(0, |w| w[0].level_to(&w[1], self.bucket))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::scenario::Scenario;

    /// The level seen of a run from `start` to `end` that measures from `origin` on, in minutes. An
    /// hour bespeaks a level of 600, five sixths of it in its first half.
    fn level(keys: KeyLayout, [start, origin, end]: [u64; 3]) -> u128 {
        let scenario = Scenario::load("default", &["optimised".into()], None, &[]).unwrap();
        let layout = LayoutPolicy {
            keys,
            bucket: Duration::from_secs(3_600),
            ..scenario.policies[0].layout.clone()
        };
        let at = |minutes: u64| Timestamp::from_secs(60 * minutes);
        let upto = |t: Timestamp| {
            let minutes = u128::from(t.as_nanos() / 60_000_000_000);
            let (hours, minute) = (minutes / 60, minutes % 60);
            let of_hour = 500 * minute.min(30) + 100 * minute.saturating_sub(30);
            120_000_000_000 * (30 * 600 * hours + of_hour)
        };
        let bespoken = |t: Timestamp| upto(t) - upto(at(start));
        let phases = Phases {
            start: at(start),
            queries_from: at(start),
            origin: at(origin),
        };
        let mut storage = SteadyStorage::new(&layout, phases);
        let note_to = |storage: &mut SteadyStorage, end: Timestamp| {
            while storage.next_due() <= end {
                let due = storage.next_due();
                storage.note(bespoken(due));
            }
        };
        note_to(&mut storage, at(origin));
        storage.start_measuring(bespoken(at(origin)));
        note_to(&mut storage, at(end));
        storage.level(at(end), bespoken(at(end)))
    }

    #[test]
    fn the_level_is_that_of_whole_buckets_or_of_the_longest_part_of_one() {
        let rollup = |minutes| level(KeyLayout::Rollup, minutes);
        // The hours from 60 to 180, and from 0 to 120.
        assert_eq!(rollup([60, 80, 210]), 600);
        assert_eq!(rollup([0, 130, 150]), 600);
        // No whole hour: the 25 minutes to 60 count as all of it, not the 10 after.
        assert_eq!(rollup([35, 40, 70]), 83);
        assert_eq!(rollup([50, 55, 75]), 250);
        // Where each batch has a key of its own, the period itself.
        assert_eq!(level(KeyLayout::BatchKeys, [0, 130, 150]), 1_000);
    }
}
