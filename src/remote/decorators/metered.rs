//! A KV whose operations are counted.

use kvplan_telemetry::ports::{
    Clock, Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value,
};
use kvplan_telemetry::units::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Operations of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindMeter {
    /// Operations begun; a bulk read is one.
    pub operations: u64,
    /// Keys that they named, which is what is billed. A list names one.
    pub keys: u64,
    /// Bytes of values that were read, or that were sent to be written.
    pub bytes: u64,
    /// Operations by how they ended: `ok`, an error's [`KvError::cause`], or `dropped` if the caller
    /// did not wait for the end. Those that go on are in none.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Each that was waited for, in the order in which they ended.
    pub ended: Vec<Ended>,
}

/// An operation that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When it began.
    pub start: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Keys that it named.
    pub keys: u64,
    /// `ok`, or the error's [`KvError::cause`].
    pub outcome: &'static str,
}

/// Operations of all kinds, in the order of [`OpKind::ALL`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meter([KindMeter; OpKind::ALL.len()]);

impl Meter {
    /// Operations of one kind.
    pub fn of(&self, kind: OpKind) -> &KindMeter {
        &self.0[kind as usize]
    }
}

/// Counts what is done on a KV; clones count into the same meter.
#[derive(Debug, Clone)]
pub struct Metered<K, C> {
    kv: K,
    clock: C,
    meter: Rc<RefCell<Meter>>,
}

impl<K, C: Clock> Metered<K, C> {
    /// Counts from zero; `clock` tells how long operations take.
    pub fn new(kv: K, clock: C) -> Self {
        Metered {
            kv,
            clock,
            meter: Rc::default(),
        }
    }

    /// What has been counted so far.
    pub fn meter(&self) -> Meter {
        self.meter.borrow().clone()
    }

    fn begin(&self, kind: OpKind, keys: usize, bytes: usize) -> Running<'_, C> {
        let mut meter = self.meter.borrow_mut();
        let of = &mut meter.0[kind as usize];
        of.operations += 1;
        of.keys += keys as u64;
        of.bytes += bytes as u64;
        Running {
            meter: &self.meter,
            clock: &self.clock,
            kind,
            keys: keys as u64,
            start: self.clock.now(),
            outcome: "dropped",
        }
    }
}

/// An operation that goes on; it is settled when it is dropped, as its caller may drop it before its end.
struct Running<'a, C: Clock> {
    meter: &'a RefCell<Meter>,
    clock: &'a C,
    kind: OpKind,
    keys: u64,
    start: Timestamp,
    outcome: &'static str,
}

impl<C: Clock> Running<'_, C> {
    fn end<T>(mut self, result: Result<T, KvError>, read: fn(&T) -> usize) -> Result<T, KvError> {
        self.outcome = match &result {
            Ok(_) => "ok",
            Err(e) => e.cause(),
        };
        let mut meter = self.meter.borrow_mut();
        let of = &mut meter.0[self.kind as usize];
        of.bytes += result.as_ref().map_or(0, read) as u64;
        of.ended.push(Ended {
            start: self.start,
            took: self.clock.now().since(self.start),
            keys: self.keys,
            outcome: self.outcome,
        });
        drop(meter);
        result
    }
}

impl<C: Clock> Drop for Running<'_, C> {
    fn drop(&mut self) {
        let mut meter = self.meter.borrow_mut();
        let outcomes = &mut meter.0[self.kind as usize].outcomes;
        *outcomes.entry(self.outcome).or_default() += 1;
    }
}

impl<K: Kv, C: Clock> Kv for Metered<K, C> {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let running = self.begin(OpKind::Read, keys.len(), 0);
        let result = self.kv.read(keys, options).await;
        running.end(result, |values| {
            values.iter().flatten().map(|v| v.len()).sum()
        })
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let running = self.begin(OpKind::Write, 1, value.len());
        let result = self.kv.put(key, value, options).await;
        running.end(result, |()| 0)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let running = self.begin(OpKind::Delete, 1, 0);
        let result = self.kv.delete(key).await;
        running.end(result, |()| 0)
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let running = self.begin(OpKind::List, 1, 0);
        let result = self.kv.list(prefix, cursor, limit).await;
        running.end(result, |_| 0)
    }
}
