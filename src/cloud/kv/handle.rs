//! A KV namespace as one Worker invocation sees it.

use super::store::KvStore;
use crate::telemetry::ports::{Clock, Kv, KvError, ListPage, PutOptions, ReadOptions, Value};
use crate::telemetry::semaphore::{Permit, Semaphore};
use std::cell::Cell;
use std::rc::Rc;

/// The access of one invocation: counts its operations against the limit of
/// 1,000 and holds at most 6 connections open; further operations wait their turn.
pub struct KvHandle {
    store: Rc<KvStore>,
    /// The point of presence of the caller.
    place: usize,
    used: Cell<u32>,
    connections: Semaphore,
}

impl KvHandle {
    pub(super) fn new(store: Rc<KvStore>, place: usize) -> Self {
        let limit = store.limits().connections_per_invocation;
        KvHandle {
            store,
            place,
            used: Cell::new(0),
            connections: Semaphore::new(limit),
        }
    }

    /// Operations made so far; a bulk read counts once.
    pub fn operations(&self) -> u32 {
        self.used.get()
    }

    /// Counts the operation against the invocation's limit and waits for a connection.
    async fn begin(&self) -> Result<Permit<'_>, KvError> {
        if self.used.get() >= self.store.limits().operations_per_invocation {
            return Err(KvError::InvocationLimit);
        }
        self.used.set(self.used.get() + 1);
        Ok(self.connections.acquire().await)
    }
}

impl Kv for KvHandle {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.read(self.place, keys, options);
        self.store.clock().sleep(latency).await;
        result
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.write(self.place, key, value, options);
        self.store.clock().sleep(latency).await;
        result
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.delete(self.place, key);
        self.store.clock().sleep(latency).await;
        result
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.list(self.place, prefix, cursor, limit);
        self.store.clock().sleep(latency).await;
        result
    }
}
