//! What queries read.

use super::*;
use crate::policy::Policy;
use crate::ports::{ListPage, PutOptions, Value};
use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A clock that is set.
#[derive(Clone)]
struct Set(Rc<Cell<Timestamp>>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// A KV in which each key holds itself, but for one that is not there.
struct Itself(&'static str);

impl Kv for Itself {
    async fn read(&self, keys: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        let value = |key: &&str| -> Option<Value> {
            (*key != self.0).then(|| key.as_bytes().to_vec().into())
        };
        Ok(keys.iter().map(value).collect())
    }

    async fn put(&self, _: &str, _: Vec<u8>, _: PutOptions) -> Result<(), KvError> {
        Err(KvError::Unavailable)
    }

    async fn delete(&self, _: &str) -> Result<(), KvError> {
        Err(KvError::Unavailable)
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<ListPage, KvError> {
        Err(KvError::Unavailable)
    }
}

/// Four hours: the last is current, the others are past.
#[test]
fn what_is_read_of_buckets_before_the_last_is_past() {
    let policy: Policy =
        toml::from_str("name = \"plain\"\n[layout]\nkeys = \"shared\"").expect("a policy");
    let now = Timestamp::from_secs(100 * 3_600);
    let collector = Collector::new(Rc::new(policy), Set(Rc::new(Cell::new(now))), "writer", 1);
    let hour = Duration::from_secs(3_600);
    let buckets = Bucket::of_window(now, 4 * hour, hour);
    let read = |absent: &'static str| {
        let kv = Itself(absent);
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(collector.values_of(&kv, &buckets, None)).poll(&mut cx) {
            Poll::Ready(stored) => stored.map(|s| (s.values.len(), s.past)),
            Poll::Pending => unreachable!("nothing of it waits"),
        }
    };
    assert_eq!(read("none"), Ok((4, 3)));
    assert_eq!(read("s/000000352800"), Ok((3, 2)));
    assert_eq!(read("s/000000360000"), Ok((3, 3)));
}

/// A KV without a key, and what was read of it.
#[derive(Default)]
struct Empty(RefCell<Vec<Vec<String>>>);

impl Kv for Empty {
    async fn read(&self, keys: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        let names = keys.iter().map(|k| (*k).to_owned()).collect();
        self.0.borrow_mut().push(names);
        Ok(vec![None; keys.len()])
    }

    async fn put(&self, _: &str, _: Vec<u8>, _: PutOptions) -> Result<(), KvError> {
        Err(KvError::Unavailable)
    }

    async fn delete(&self, _: &str) -> Result<(), KvError> {
        Err(KvError::Unavailable)
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<ListPage, KvError> {
        Ok(ListPage::default())
    }
}

/// What is read when two windows are asked for at each of these minutes.
fn read_at(layout: &str, minutes: &[u64]) -> Vec<Vec<String>> {
    let policy = format!("name = \"plain\"\n[layout]\n{layout}");
    let policy: Policy = toml::from_str(&policy).expect("a policy");
    let clock = Set(Rc::new(Cell::new(Timestamp::EPOCH)));
    let collector = Collector::new(Rc::new(policy), clock.clone(), "w", 1);
    let kv = Empty::default();
    for minute in minutes {
        clock.0.set(Timestamp::from_secs(60 * minute));
        for hours in [2, 3] {
            let window = Duration::from_secs(3_600 * hours);
            let mut query = pin!(collector.fetch_metrics(&kv, window));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(query.as_mut().poll(&mut cx).is_ready());
        }
    }
    kv.0.into_inner()
}

/// Keys are named once in a bucket, and anew in the next.
#[test]
fn the_keys_of_a_window_are_those_of_the_bucket_that_is_current() {
    let keys = |hours: &[u64]| -> Vec<String> {
        let name = |hour: &u64| format!("s/{:012}", 3_600 * hour);
        hours.iter().map(name).collect()
    };
    let found = read_at("keys = \"shared\"", &[600, 659, 660]);
    let [two, three] = [keys(&[9, 10]), keys(&[8, 9, 10])];
    let [later_two, later_three] = [keys(&[10, 11]), keys(&[9, 10, 11])];
    let expected = [&two, &three, &two, &three, &later_two, &later_three];
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    let own = read_at("keys = \"rollup\"\ndiscover = \"own\"", &[600, 660]);
    let starts: Vec<&str> = own.iter().map(|keys| keys[0].as_str()).collect();
    let expected = [
        "r/000000032400/w",
        "r/000000028800/w",
        "r/000000036000/w",
        "r/000000032400/w",
    ];
    assert_eq!(starts, expected);
}

/// An operation on no key would be billed for nothing.
#[test]
fn where_no_key_is_found_nothing_is_read() {
    let found = read_at("keys = \"rollup\"\ndiscover = \"list\"", &[600]);
    assert_eq!(found, Vec::<Vec<String>>::new());
}
