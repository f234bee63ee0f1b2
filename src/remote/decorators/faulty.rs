//! A KV that fails and is slow at random.

use kvplan_telemetry::ports::{
    Clock, Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// How operations of a kind fail.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fault {
    /// Share of operations, 0 to 1, that the KV is not asked for: [`KvError::Unavailable`].
    pub unavailable: f64,
    /// Share of operations, 0 to 1, that are done, but whose answer is lost: [`KvError::Timeout`].
    pub answer_lost: f64,
}

/// What becomes of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// The KV is not asked for it.
    Fails(KvError),
    /// It is done, and nobody hears of it: [`KvError::Timeout`].
    AnswerLost,
}

/// What becomes of the next operation, and how long that takes.
type Next = dyn FnMut(OpKind) -> (Fate, Duration);

/// Where failures and latencies come from; all invocations share it. The same seed and the same order
/// of operations give the same ones.
pub struct Faults {
    next: RefCell<Box<Next>>,
}

impl Faults {
    /// `next` says what becomes of the next operation, and how long it takes beside the KV's own time.
    pub fn drawn(next: impl FnMut(OpKind) -> (Fate, Duration) + 'static) -> Rc<Self> {
        Rc::new(Faults {
            next: RefCell::new(Box::new(next)),
        })
    }

    /// `fault` says how each kind fails, `latency` how long an operation takes beside the KV's own time.
    pub fn new(
        seed: u64,
        fault: impl Fn(OpKind) -> Fault,
        mut latency: impl FnMut(OpKind, &mut Xoshiro256PlusPlus) -> Duration + 'static,
    ) -> Rc<Self> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let faults = OpKind::ALL.map(fault);
        Faults::drawn(move |kind| {
            // Both are drawn always, so that other shares do not change the latencies.
            let share: f64 = random.random();
            let took = latency(kind, &mut random);
            let fault = faults[kind as usize];
            let fate = if share < fault.unavailable {
                Fate::Fails(KvError::Unavailable)
            } else if share < fault.unavailable + fault.answer_lost {
                Fate::AnswerLost
            } else {
                Fate::Done
            };
            (fate, took)
        })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults(..)")
    }
}

/// A KV with failures and latency added.
#[derive(Debug, Clone)]
pub struct Faulty<K, C> {
    kv: K,
    clock: C,
    faults: Rc<Faults>,
}

impl<K, C: Clock> Faulty<K, C> {
    /// Takes its failures from `faults`, and waits on `clock`.
    pub fn new(kv: K, clock: C, faults: Rc<Faults>) -> Self {
        Faulty { kv, clock, faults }
    }

    /// The latency lies before the operation: what is dropped while it waits was not done.
    async fn ask<T>(
        &self,
        kind: OpKind,
        operation: impl Future<Output = Result<T, KvError>>,
    ) -> Result<T, KvError> {
        let (fate, took) = (self.faults.next.borrow_mut())(kind);
        self.clock.sleep(took).await;
        match fate {
            Fate::Fails(why) => Err(why),
            Fate::Done => operation.await,
            Fate::AnswerLost => {
                operation.await?;
                Err(KvError::Timeout)
            }
        }
    }
}

impl<K: Kv, C: Clock> Kv for Faulty<K, C> {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.ask(OpKind::Read, self.kv.read(keys, options)).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.ask(OpKind::Write, self.kv.put(key, value, options))
            .await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.ask(OpKind::Delete, self.kv.delete(key)).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let page = self.kv.list(prefix, cursor, limit);
        self.ask(OpKind::List, page).await
    }
}
