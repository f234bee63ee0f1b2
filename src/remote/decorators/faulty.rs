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

/// The latency of an operation, drawn from a source of random bits.
pub type Latency = dyn FnMut(OpKind, &mut Xoshiro256PlusPlus) -> Duration;

/// Where failures and latencies come from; all invocations share it. The same seed and the same order
/// of operations give the same ones.
pub struct Faults {
    faults: [Fault; OpKind::ALL.len()],
    draw: RefCell<(Xoshiro256PlusPlus, Box<Latency>)>,
}

impl Faults {
    /// `fault` says how each kind fails, `latency` how long an operation takes beside the KV's own time.
    pub fn new(
        seed: u64,
        fault: impl Fn(OpKind) -> Fault,
        latency: impl FnMut(OpKind, &mut Xoshiro256PlusPlus) -> Duration + 'static,
    ) -> Rc<Self> {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Rc::new(Faults {
            faults: OpKind::ALL.map(fault),
            draw: RefCell::new((random, Box::new(latency))),
        })
    }

    /// What becomes of the next operation, and how long it takes.
    fn next(&self, kind: OpKind) -> (Fate, Duration) {
        let (random, latency) = &mut *self.draw.borrow_mut();
        // Both are drawn always, so that other shares do not change the latencies.
        let share: f64 = random.random();
        let took = latency(kind, random);
        let fault = self.faults[kind as usize];
        let fate = if share < fault.unavailable {
            Fate::Unavailable
        } else if share < fault.unavailable + fault.answer_lost {
            Fate::AnswerLost
        } else {
            Fate::Done
        };
        (fate, took)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faults").field(&self.faults).finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Unavailable,
    AnswerLost,
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
        let (fate, took) = self.faults.next(kind);
        self.clock.sleep(took).await;
        match fate {
            Fate::Unavailable => Err(KvError::Unavailable),
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
