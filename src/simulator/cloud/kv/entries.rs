//! Keys and what is stored under them: found by hash, listed in order.

use crate::telemetry::ports::Value;
use crate::units::Timestamp;
use foldhash::fast::FixedState;
use std::collections::{BTreeSet, HashMap};
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
}

/// All entries of a namespace.
#[derive(Default)]
pub(super) struct Entries {
    by_key: ByKey<Entry>,
    /// For lists; all that there are, as nobody looks while an entry is replaced.
    in_order: BTreeSet<Rc<str>>,
    /// Entries that have metadata: a list looks for those only where there are any.
    with_metadata: usize,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key)
    }

    /// Lists a new key, under which something is to be put.
    pub(super) fn list(&mut self, key: &str) -> Rc<str> {
        let key: Rc<str> = key.into();
        self.in_order.insert(Rc::clone(&key));
        key
    }

    /// Puts an entry under a key that is listed.
    pub(super) fn put(&mut self, key: Rc<str>, entry: Entry) {
        self.with_metadata += usize::from(entry.metadata.is_some());
        self.by_key.insert(key, entry);
    }

    /// Takes an entry out; its key stays listed, for what is put in its place or until it is unlisted.
    pub(super) fn take(&mut self, key: &str) -> Option<(Rc<str>, Entry)> {
        let (key, entry) = self.by_key.remove_entry(key)?;
        self.with_metadata -= usize::from(entry.metadata.is_some());
        Some((key, entry))
    }

    /// Lists a key no more.
    pub(super) fn unlist(&mut self, key: &str) {
        self.in_order.remove(key);
    }

    /// Takes an entry out with its key.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let (_, entry) = self.take(key)?;
        self.unlist(key);
        Some(entry)
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
            entries.list(key);
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
