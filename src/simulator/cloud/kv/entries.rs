//! Keys and what is stored under them: found by hash, listed in order, gone when they expire.

use crate::sim::executor::NEVER;
use crate::telemetry::ports::Value;
use crate::units::Timestamp;
use foldhash::fast::FixedState;
use std::collections::{BTreeSet, HashMap};
use std::mem::replace;
use std::ops::Bound;
use std::rc::Rc;

/// Whatever is known of keys, found without comparing them; never gone through in an order that shows.
pub(super) type ByKey<T> = HashMap<Rc<str>, T, FixedState>;

/// What is stored under a key.
pub(super) struct Entry {
    pub value: Value,
    pub metadata: Option<Value>,
    pub expires: Option<Timestamp>,
    pub bytes: u64,
    /// The number of the write.
    pub version: u64,
    /// When the limit on writes to one key last let one in.
    pub let_in: Option<Timestamp>,
    /// The time under which it is queued to expire.
    pub queued: Option<Timestamp>,
}

impl Entry {
    /// Whether it is looked at when it expires, or before.
    fn is_looked_at_in_time(&self) -> bool {
        match (self.queued, self.expires) {
            (Some(queued), Some(expires)) => queued <= expires,
            (queued, expires) => queued == expires,
        }
    }
}

/// All entries of a namespace.
pub(super) struct Entries {
    by_key: ByKey<Entry>,
    /// For lists.
    in_order: BTreeSet<Rc<str>>,
    /// Entries that have metadata: a list looks for those only where there are any.
    with_metadata: usize,
    /// When to look whether a key expires: for each that does a time at which it does or, as a write mostly puts that
    /// off, before.
    queue: BTreeSet<(Timestamp, Rc<str>)>,
    /// Not after the first of them.
    look_at: Timestamp,
}

impl Default for Entries {
    fn default() -> Self {
        Entries {
            by_key: ByKey::default(),
            in_order: BTreeSet::new(),
            with_metadata: 0,
            queue: BTreeSet::new(),
            look_at: NEVER,
        }
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key)
    }

    /// Puts an entry under a key; gives the one that was there. Where none was let in, the last stays the last.
    pub(super) fn put(&mut self, key: &str, mut entry: Entry) -> Option<Entry> {
        self.with_metadata += usize::from(entry.metadata.is_some());
        let Some(there) = self.by_key.get_mut(key) else {
            let key: Rc<str> = key.into();
            self.in_order.insert(Rc::clone(&key));
            entry.queued = entry.expires;
            self.enqueue(entry.queued, &key);
            self.by_key.insert(key, entry);
            return None;
        };
        entry.let_in = entry.let_in.or(there.let_in);
        entry.queued = there.queued;
        let in_time = entry.is_looked_at_in_time();
        let before = replace(there, entry);
        self.with_metadata -= usize::from(before.metadata.is_some());
        if !in_time {
            self.queue_anew(key.into());
        }
        Some(before)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.by_key.remove_entry(key)?;
        self.with_metadata -= usize::from(entry.metadata.is_some());
        self.in_order.remove(&key);
        if let Some(queued) = entry.queued {
            self.queue.remove(&(queued, key));
        }
        Some(entry)
    }

    /// Takes out the entry that expires first, if one has until now; gives its key and when it did.
    #[inline]
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<(Timestamp, Rc<str>, Entry)> {
        if now < self.look_at {
            return None;
        }
        self.look_for_expired(now)
    }

    #[inline(never)]
    fn look_for_expired(&mut self, now: Timestamp) -> Option<(Timestamp, Rc<str>, Entry)> {
        while let Some((when, _)) = self.queue.first() {
            self.look_at = *when;
            if *when > now {
                return None;
            }
            let (when, key) = self.queue.pop_first()?;
            let entry = self.by_key.get_mut(&key)?;
            entry.queued = None;
            if entry.expires == Some(when) {
                let entry = self.remove(&key)?;
                return Some((when, key, entry));
            }
            self.queue_anew(key);
        }
        self.look_at = NEVER;
        None
    }

    fn enqueue(&mut self, when: Option<Timestamp>, key: &Rc<str>) {
        if let Some(when) = when {
            self.queue.insert((when, Rc::clone(key)));
            self.look_at = self.look_at.min(when);
        }
    }

    /// Queues a key under the time at which it expires, if it does, and under no other.
    #[cold]
    fn queue_anew(&mut self, key: Rc<str>) {
        let Some(entry) = self.by_key.get_mut(&key) else {
            return;
        };
        let before = replace(&mut entry.queued, entry.expires);
        let queued = entry.queued;
        self.enqueue(queued, &key);
        if let Some(before) = before {
            self.queue.remove(&(before, key));
        }
    }

    /// The keys under a prefix from a key on, in order.
    pub(super) fn under<'a>(
        &'a self,
        prefix: &'a str,
        from: Bound<&str>,
    ) -> impl Iterator<Item = &'a Rc<str>> {
        let after = after(prefix);
        let upto = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let these = self.in_order.range::<str, _>((from, upto));
        let all = after.is_some();
        these.take_while(move |key| all || key.starts_with(prefix))
    }

    /// The metadata of a key.
    pub(super) fn metadata(&self, key: &str) -> Option<Value> {
        match self.with_metadata {
            0 => None,
            _ => self.get(key)?.metadata.clone(),
        }
    }
}

/// What comes after all keys under a prefix, if its last letter has one after it.
fn after(prefix: &str) -> Option<String> {
    let mut letters = prefix.chars();
    let next = char::from_u32(u32::from(letters.next_back()?) + 1)?;
    Some(format!("{}{next}", letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::collections::BTreeMap;

    fn entry(expires: Option<u64>) -> Entry {
        Entry {
            value: Value::default(),
            metadata: None,
            expires: expires.map(Timestamp::from_secs),
            bytes: 0,
            version: 0,
            let_in: None,
            queued: None,
        }
    }

    /// Against a list of all keys with the times at which they expire.
    #[test]
    fn each_key_expires_once_and_when_its_last_write_said() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut entries = Entries::default();
        let mut all: BTreeMap<String, Option<u64>> = BTreeMap::new();
        let mut gone = [0; 3];
        for now in 0..4_000 {
            let upto = Timestamp::from_secs(now);
            let mut due: Vec<_> = all
                .iter()
                .filter_map(|(key, at)| Some((at.filter(|at| *at <= now)?, key.clone())))
                .collect();
            due.sort();
            let expired = std::iter::from_fn(|| entries.expire(upto));
            let expired: Vec<_> = expired
                .map(|(at, key, entry)| {
                    assert_eq!(entry.expires, Some(at));
                    (at, key.to_string())
                })
                .collect();
            let expected = due
                .iter()
                .map(|(at, key)| (Timestamp::from_secs(*at), key.clone()));
            assert_eq!(expired, expected.collect::<Vec<_>>());
            due.iter().for_each(|(_, key)| _ = all.remove(key));
            gone[0] += due.len();
            // Puts that come later, earlier or never, deletes, and times at which nothing is looked at.
            for _ in 0..rng.random_range(0..4) {
                let key = rng.random_range(0..40).to_string();
                if rng.random_ratio(1, 8) {
                    assert_eq!(entries.remove(&key).is_some(), all.remove(&key).is_some());
                    gone[1] += 1;
                    continue;
                }
                let later = [None, Some(0), Some(3), Some(30), Some(90)];
                let expires = later[rng.random_range(0..5)].map(|s| now + s);
                let before = entries.put(&key, entry(expires));
                let known = all.insert(key, expires);
                let before = before.map(|e| e.expires);
                assert_eq!(before, known.map(|at| at.map(Timestamp::from_secs)));
                gone[2] += usize::from(known.is_some());
            }
            assert_eq!(entries.len(), all.len());
            // One time for each that expires, and none for what has gone.
            let expiring = all.values().flatten().count();
            assert_eq!(entries.queue.len(), expiring);
        }
        assert!(gone.iter().all(|n| *n > 300), "{gone:?}");
    }

    /// Against the prefix of each, with a last letter that has none after it and with none at all.
    #[test]
    fn under_a_prefix_are_the_keys_that_begin_with_it() {
        let letters = [
            "",
            "a",
            "b",
            "/",
            "\u{7f}",
            "\u{80}",
            "\u{d7ff}",
            "\u{10ffff}",
        ];
        let mut entries = Entries::default();
        let mut all = Vec::new();
        for (one, two) in letters.iter().flat_map(|x| letters.map(|y| (x, y))) {
            all.push(format!("{one}{two}"));
        }
        all.sort();
        all.dedup();
        for key in &all {
            entries.put(key, entry(None));
        }
        for prefix in &all {
            let begin: Vec<&str> = all
                .iter()
                .map(String::as_str)
                .filter(|k| k.starts_with(prefix))
                .collect();
            for (i, from) in begin.iter().enumerate() {
                let rest: Vec<&str> = entries
                    .under(prefix, Bound::Excluded(from))
                    .map(|k| &**k)
                    .collect();
                assert_eq!(rest, begin[i + 1..], "{prefix:?} after {from:?}");
            }
            let found: Vec<&str> = entries
                .under(prefix, Bound::Included(prefix))
                .map(|k| &**k)
                .collect();
            assert_eq!(found, begin, "{prefix:?}");
        }
    }
}
