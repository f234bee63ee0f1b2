//! A KV namespace as one Worker invocation sees it.

use super::store::KvStore;
use crate::telemetry::ports::{Clock, Kv, KvError, ListPage, PutOptions, Value};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The access of one invocation: counts its operations against the limit of
/// 1,000 and holds at most 6 connections open; further operations wait their turn.
pub struct KvHandle {
    store: Rc<KvStore>,
    used: Cell<u32>,
    connections: Connections,
}

impl KvHandle {
    pub(super) fn new(store: Rc<KvStore>) -> Self {
        let limit = store.limits().connections_per_invocation;
        KvHandle {
            store,
            used: Cell::new(0),
            connections: Connections {
                free: Cell::new(limit),
                waiting: RefCell::default(),
            },
        }
    }

    /// Operations made so far; a bulk read counts once.
    pub fn operations(&self) -> u32 {
        self.used.get()
    }

    /// Counts the operation against the invocation's limit and waits for a connection.
    async fn begin(&self) -> Result<Connection<'_>, KvError> {
        if self.used.get() >= self.store.limits().operations_per_invocation {
            return Err(KvError::InvocationLimit);
        }
        self.used.set(self.used.get() + 1);
        Ok(self.connections.open().await)
    }
}

impl Kv for KvHandle {
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.read(&[key]);
        self.store.clock().sleep(latency).await;
        result.map(|mut values| values.pop().flatten())
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        let _connection = self.begin().await?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (result, latency) = self.store.read(&keys);
        self.store.clock().sleep(latency).await;
        result
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.write(key, value, options);
        self.store.clock().sleep(latency).await;
        result
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let _connection = self.begin().await?;
        let (result, latency) = self.store.delete(key);
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
        let (result, latency) = self.store.list(prefix, cursor, limit);
        self.store.clock().sleep(latency).await;
        result
    }
}

/// A counting semaphore; those who wait are served in order.
struct Connections {
    free: Cell<u32>,
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
}

#[derive(Default)]
struct Ticket {
    granted: Cell<bool>,
    gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// An open connection; closed when dropped.
struct Connection<'a>(&'a Connections);

impl Connections {
    async fn open(&self) -> Connection<'_> {
        if self.free.get() > 0 {
            self.free.set(self.free.get() - 1);
            return Connection(self);
        }
        let waiter = Waiter {
            connections: self,
            ticket: Rc::default(),
        };
        self.waiting
            .borrow_mut()
            .push_back(Rc::clone(&waiter.ticket));
        poll_fn(|cx| {
            if waiter.ticket.granted.get() {
                Poll::Ready(())
            } else {
                *waiter.ticket.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await;
        // The grant passes from the ticket to the connection.
        waiter.ticket.granted.set(false);
        Connection(self)
    }

    /// Hands a free connection to the next who waits.
    fn close(&self) {
        while let Some(ticket) = self.waiting.borrow_mut().pop_front() {
            if ticket.gone.get() {
                continue;
            }
            ticket.granted.set(true);
            if let Some(waker) = ticket.waker.borrow_mut().take() {
                waker.wake();
            }
            return;
        }
        self.free.set(self.free.get() + 1);
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Someone in the queue; if dropped there, the place (or the grant) goes to the next.
struct Waiter<'a> {
    connections: &'a Connections,
    ticket: Rc<Ticket>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.ticket.gone.set(true);
        if self.ticket.granted.take() {
            self.connections.close();
        }
    }
}
