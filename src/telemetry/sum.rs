//! What was read of the KV, added up when somebody looks.
//!
//! An answer holds the stored values that it is made of. They are read and added up when a figure of it is asked for
//! first, and never for an answer that nobody looks at: a Worker looks at each, a simulation at few. The values
//! of past buckets come again with every query, and all of them where nothing was written since; what
//! comes again is not added up again.

use super::aggregate::{Aggregate, ProviderNames};
use super::ports::Value;
use super::record::ProviderId;
use super::value::Room;
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// What a cached result answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueryKey {
    pub window: Duration,
    /// One provider's metrics have an entry of their own if the policy says so.
    pub provider: Option<ProviderId>,
}

/// What was read of the KV: values in the order of their buckets.
#[derive(Default)]
pub(super) struct Stored {
    pub values: Vec<Value>,
    /// How many of them are of buckets before the last.
    pub past: usize,
}

/// Values, and what they add up to.
#[derive(Default)]
pub(super) struct Sum {
    /// What they are added to.
    before: Option<Rc<Sum>>,
    values: Vec<Value>,
    /// Bytes of the values, and of the largest.
    bytes: usize,
    largest: usize,
    added: OnceCell<Added>,
    /// Where values are counted that cannot be read.
    unreadable: Rc<Cell<u64>>,
}

/// A total by providers that it numbers itself.
#[derive(Clone, Default)]
pub(super) struct Added {
    pub total: Aggregate,
    pub names: ProviderNames,
}

impl Sum {
    fn of(before: Option<&Rc<Sum>>, values: &[Value], unreadable: &Rc<Cell<u64>>) -> Rc<Self> {
        Rc::new(Sum {
            before: before.cloned(),
            values: values.to_vec(),
            bytes: values.iter().map(|v| v.len()).sum(),
            largest: values.iter().map(|v| v.len()).max().unwrap_or(0),
            added: OnceCell::new(),
            unreadable: Rc::clone(unreadable),
        })
    }

    /// A total that is there already.
    pub(super) fn known(total: Aggregate, names: &ProviderNames) -> Self {
        let names = names.clone();
        Sum {
            added: OnceCell::from(Added { total, names }),
            ..Sum::default()
        }
    }

    /// The total: from the values when it is asked for first. Those that cannot be read are counted then, and passed
    /// over.
    pub(super) fn added(&self) -> &Added {
        self.added.get_or_init(|| {
            let before = self.before.as_ref();
            let mut sum = before.map_or_else(Added::default, |b| b.added().clone());
            let corrupt = add_all(&mut sum.total, &self.values, &mut sum.names);
            self.unreadable.set(self.unreadable.get() + corrupt);
            sum
        })
    }

    /// Bytes of the total, roughly: whether it has been looked at or not, about those of its largest value with
    /// each letter a bin.
    pub(super) fn total_bytes(&self) -> usize {
        let before = self.before.as_ref().map_or(0, |b| b.largest);
        match before.max(self.largest) {
            0 => self.added().total.memory_bytes(),
            largest => size_of::<u64>() * largest,
        }
    }
}

/// What was read for the windows that were asked for lately, the latest last.
#[derive(Default)]
pub(super) struct Sums {
    windows: VecDeque<Window>,
    unreadable: Rc<Cell<u64>>,
}

struct Window {
    key: QueryKey,
    /// Of the buckets before the last.
    past: Rc<Sum>,
    whole: Rc<Sum>,
}

/// Windows of which something is kept.
pub(super) const WINDOWS: usize = 4;

impl Sums {
    /// The sum of what was read: the one that was made before where nothing has changed.
    pub(super) fn of(&mut self, key: QueryKey, stored: &Stored) -> Rc<Sum> {
        let unreadable = Rc::clone(&self.unreadable);
        let Window { past, whole, .. } = self.window(key);
        let (before, current) = stored.values.split_at(stored.past);
        if past.values != before {
            *past = Sum::of(None, before, &unreadable);
            *whole = Sum::of(Some(past), current, &unreadable);
        } else if whole.values != current {
            *whole = Sum::of(Some(past), current, &unreadable);
        }
        Rc::clone(whole)
    }

    /// What is kept of a window, which is the last to be given up from now on.
    fn window(&mut self, key: QueryKey) -> &mut Window {
        let found = self.windows.iter().position(|w| w.key == key);
        let kept = found.and_then(|i| self.windows.remove(i));
        if kept.is_none() && self.windows.len() >= WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(kept.unwrap_or_else(|| Window {
            key,
            past: Rc::default(),
            whole: Rc::default(),
        }));
        self.windows.back_mut().expect("just pushed")
    }

    /// Values found so far that could not be read.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.get()
    }

    /// Bytes of the values that are kept.
    pub(super) fn memory_bytes(&self) -> usize {
        let sums = self.windows.iter().flat_map(|w| [&w.past, &w.whole]);
        sums.map(|s| s.bytes).sum()
    }
}

/// Adds up stored values; returns how many cannot be read.
pub(super) fn add_all(total: &mut Aggregate, values: &[Value], names: &mut ProviderNames) -> u64 {
    let mut room = Room::default();
    let mut cannot = |value: &&Value| total.add_stored_in(&mut room, value, names).is_err();
    values.iter().filter(|v| cannot(v)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::units::Timestamp;
    use std::slice;

    fn window(seconds: u64) -> QueryKey {
        QueryKey {
            window: Duration::from_secs(seconds),
            provider: None,
        }
    }

    /// A value that holds so many records.
    fn value(records: u64) -> Value {
        let mut names = ProviderNames::default();
        let provider = names.intern("acme");
        let mut total = Aggregate::default();
        for _ in 0..records {
            total.add(&Record {
                at: Timestamp::EPOCH,
                provider,
                latency: Duration::from_millis(5),
                success: true,
                tokens: 1,
            });
        }
        total.encode(&names).into()
    }

    fn stored(past: &[Value], current: &[Value]) -> Stored {
        Stored {
            values: [past, current].concat(),
            past: past.len(),
        }
    }

    /// The past is added up once, and anew when any value of it is another: one more, one less, or one that was
    /// written late.
    #[test]
    fn the_total_is_that_of_what_was_read_now() {
        let mut sums = Sums::default();
        let mut total = |seconds: u64, past: &[Value], current: &[Value]| {
            let before = sums.unreadable();
            let sum = sums.of(window(seconds), &stored(past, current));
            let count = sum.added().total.count();
            (count, sums.unreadable() - before)
        };
        let damaged: Value = b"damaged".to_vec().into();
        let (a, b) = (value(1), value(20));
        for _ in 0..2 {
            assert_eq!(total(60, &[a.clone(), b.clone()], &[value(300)]), (321, 0));
            assert_eq!(total(60, &[a.clone(), b.clone()], &[value(301)]), (322, 0));
            assert_eq!(total(60, &[a.clone(), value(21)], &[value(301)]), (323, 0));
            assert_eq!(total(60, slice::from_ref(&b), &[value(301)]), (321, 0));
            assert_eq!(total(60, &[], &[value(301)]), (301, 0));
        }
        // What cannot be read is counted when it is found, and not again for the same values.
        let past = [damaged.clone(), b.clone()];
        assert_eq!(total(90, &past, slice::from_ref(&damaged)), (20, 2));
        assert_eq!(total(90, &past, slice::from_ref(&damaged)), (20, 0));
        assert_eq!(total(90, &past, slice::from_ref(&a)), (21, 0));
        for seconds in 100..200 {
            assert_eq!(total(seconds, slice::from_ref(&a), &[]), (1, 0));
        }
        assert_eq!(sums.windows.len(), WINDOWS);
        assert_eq!(sums.memory_bytes(), WINDOWS * a.len());
    }

    /// Nothing is read before somebody looks, and then the past of two answers once.
    #[test]
    fn what_nobody_looks_at_is_not_added_up() {
        let mut sums = Sums::default();
        let past = [value(1), value(20)];
        let answers = [300, 301].map(|n| sums.of(window(60), &stored(&past, &[value(n)])));
        let again = sums.of(window(60), &stored(&past, &[value(301)]));
        assert!(Rc::ptr_eq(&answers[1], &again));
        let before = answers.each_ref().map(|a| a.before.clone().unwrap());
        assert!(Rc::ptr_eq(&before[0], &before[1]));
        let looked = |sum: &Sum| sum.added.get().is_some();
        assert_eq!(answers.each_ref().map(|a| looked(a)), [false, false]);
        let rough = answers[1].total_bytes();
        assert_eq!(answers[1].added().total.count(), 322);
        assert_eq!(answers.each_ref().map(|a| looked(a)), [false, true]);
        assert!(looked(&before[0]));
        // As much as was thought before, and that is no less than it takes.
        assert_eq!(answers[1].total_bytes(), rough);
        assert!(rough >= answers[1].added().total.memory_bytes());
    }

    #[test]
    fn a_window_is_kept_once_until_others_are_asked_for_later() {
        let mut sums = Sums::default();
        let mut ask = |seconds: u64| {
            let _ = sums.of(window(seconds), &Stored::default());
            let kept = sums.windows.iter().map(|w| w.key.window.as_secs());
            kept.collect::<Vec<_>>()
        };
        assert_eq!([ask(60), ask(60)], [[60], [60]]);
        assert_eq!(ask(90), [60, 90]);
        assert_eq!(ask(60), [90, 60]);
        assert_eq!((ask(1), ask(2)).1, [90, 60, 1, 2]);
        assert_eq!(ask(3), [60, 1, 2, 3]);
    }
}
