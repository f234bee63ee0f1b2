//! A KV namespace as one Worker invocation sees it.

use super::log::{Found, OpLog, Operation, Page};
use super::pops::Sight;
use super::store::KvStore;
use crate::telemetry::ports::{
    Clock, Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value,
};
use crate::telemetry::semaphore::{Permit, Semaphore};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// The access of one invocation: counts its operations against the plan's limit and holds at most
/// 6 connections open; further operations wait their turn.
pub struct KvHandle {
    store: Rc<KvStore>,
    /// The point of presence of the caller.
    place: usize,
    used: Cell<u32>,
    connections: Semaphore,
    log: Option<OpLog>,
}

/// An operation under way, where it is written down: what it is for, and what it will be seen to have found.
struct Asked<'a> {
    kind: OpKind,
    key: &'a str,
    keys: usize,
    found: Vec<Found>,
    page: Option<Page>,
}

impl<'a> Asked<'a> {
    fn of(kind: OpKind, key: &'a str) -> Self {
        Asked {
            kind,
            key,
            keys: 1,
            found: Vec::new(),
            page: None,
        }
    }
}

impl KvStore {
    /// Access for a new Worker invocation at the first point of presence.
    pub fn invocation(self: &Rc<Self>) -> KvHandle {
        self.invocation_at(0)
    }

    /// Access for a new Worker invocation at a point of presence.
    pub fn invocation_at(self: &Rc<Self>, place: usize) -> KvHandle {
        KvHandle::new(Rc::clone(self), place)
    }
}

impl KvHandle {
    fn new(store: Rc<KvStore>, place: usize) -> Self {
        let limit = store.limits().connections_per_invocation;
        KvHandle {
            store,
            place,
            used: Cell::new(0),
            connections: Semaphore::new(limit),
            log: None,
        }
    }

    /// Writes down every operation from now on.
    pub fn log_into(mut self, log: OpLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Waits for the answer to an operation that started now.
    async fn answer<T>(
        &self,
        asked: Option<Box<Asked<'_>>>,
        (result, latency): (Result<T, KvError>, Duration),
    ) -> Result<T, KvError> {
        let start = self.store.clock().now();
        self.store.clock().sleep(latency).await;
        if let (Some(log), Some(asked)) = (&self.log, asked) {
            log.push(Operation {
                kind: asked.kind,
                key: asked.key.to_owned(),
                keys: asked.keys,
                start,
                end: self.store.clock().now(),
                error: result.as_ref().err().cloned(),
                found: asked.found,
                page: asked.page,
            });
        }
        result
    }

    /// What is to be written down of an operation, if anything is.
    fn asked<'a>(&self, kind: OpKind, key: &'a str) -> Option<Box<Asked<'a>>> {
        let logs = self.log.is_some();
        logs.then(|| Box::new(Asked::of(kind, key)))
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
        let first = keys.first().copied().unwrap_or_default();
        let mut asked = self.asked(OpKind::Read, first);
        let note = |key: &str, sight: &Sight| {
            if let (Some(log), Some(asked)) = (&self.log, &mut asked) {
                asked.found.push(log.found(key, sight));
            }
        };
        let done = self.store.read(self.place, keys, options, note);
        if let Some(asked) = &mut asked {
            asked.keys = keys.len();
        }
        self.answer(asked, done).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let done = self.store.write(self.place, key, value, options);
        let asked = self.asked(OpKind::Write, key);
        self.answer(asked, done).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let done = self.store.delete(self.place, key);
        let asked = self.asked(OpKind::Delete, key);
        self.answer(asked, done).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let _connection = self.begin().await?;
        let done = self.store.list(self.place, prefix, cursor, limit);
        let mut asked = self.asked(OpKind::List, prefix);
        if let (Some(asked), (Ok(page), _)) = (&mut asked, &done) {
            asked.page = Some(Page {
                from: cursor.map(str::to_owned),
                keys: page.keys.len(),
                next: page.cursor.clone(),
            });
        }
        self.answer(asked, done).await
    }
}
