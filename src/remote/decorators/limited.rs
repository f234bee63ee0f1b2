//! A KV with the limits that a local runtime does not hold.

use kvplan_telemetry::ports::{Clock, Kv, KvError, ListPage, PutOptions, ReadOptions, Value};
use kvplan_telemetry::semaphore::{Permit, Semaphore};
use kvplan_telemetry::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// Limits of the platform: <https://developers.cloudflare.com/kv/platform/limits/> and
/// <https://developers.cloudflare.com/workers/platform/limits/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Least time between two writes or deletes of the same key.
    pub same_key_interval: Duration,
    /// Operations that an invocation may begin; a bulk read is one.
    pub operations: u32,
    /// Operations of an invocation that go on at once; others wait.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            same_key_interval: Duration::from_secs(1),
            operations: 1_000,
            connections: 6,
        }
    }
}

/// When each key of a namespace was last written; all invocations share it.
#[derive(Debug, Default)]
pub struct KeyPace(RefCell<HashMap<String, Timestamp>>);

/// Keys after which those that were written long ago are let go.
const MANY_KEYS: usize = 4_096;

impl KeyPace {
    /// Whether the key was left alone for long enough; if so, notes that it is written now.
    fn may_write(&self, key: &str, now: Timestamp, interval: Duration) -> bool {
        let mut last = self.0.borrow_mut();
        if last.get(key).is_some_and(|l| now.since(*l) < interval) {
            return false;
        }
        if last.len() >= MANY_KEYS {
            last.retain(|_, l| now.since(*l) < interval);
        }
        last.insert(key.to_owned(), now);
        true
    }
}

/// The access of one invocation, held to [`Limits`].
#[derive(Debug)]
pub struct Limited<K, C> {
    kv: K,
    clock: C,
    limits: Limits,
    pace: Rc<KeyPace>,
    used: Cell<u32>,
    connections: Semaphore,
}

impl<K, C: Clock> Limited<K, C> {
    /// For a new invocation; those of a namespace share `pace`.
    pub fn new(kv: K, clock: C, limits: Limits, pace: Rc<KeyPace>) -> Self {
        Limited {
            kv,
            clock,
            limits,
            pace,
            used: Cell::new(0),
            connections: Semaphore::new(limits.connections),
        }
    }

    /// Counts the operation and waits for a connection.
    async fn begin(&self) -> Result<Permit<'_>, KvError> {
        if self.used.get() >= self.limits.operations {
            return Err(KvError::InvocationLimit);
        }
        self.used.set(self.used.get() + 1);
        Ok(self.connections.acquire().await)
    }

    /// A write that comes too soon is answered with 429; the KV is not asked.
    fn check_pace(&self, key: &str) -> Result<(), KvError> {
        let interval = self.limits.same_key_interval;
        match self.pace.may_write(key, self.clock.now(), interval) {
            true => Ok(()),
            false => Err(KvError::RateLimited),
        }
    }
}

impl<K: Kv, C: Clock> Kv for Limited<K, C> {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let _connection = self.begin().await?;
        self.kv.read(keys, options).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        self.check_pace(key)?;
        self.kv.put(key, value, options).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        self.check_pace(key)?;
        self.kv.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let _connection = self.begin().await?;
        self.kv.list(prefix, cursor, limit).await
    }
}
