//! D1, or a Durable Object with SQLite storage: a table with a row for each key.

use super::server::SingleServer;
use crate::Defect;
use crate::cloud::kv::{BillingRules, KvHandle, KvStore};
use crate::cloud::service::{RowsSpec, ServerSpec};
use crate::cloud::tally::Tally;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::ports::{
    Clock, Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A database in one place that serves one statement at a time. Everybody sees a finished write.
pub struct Database {
    rows: Rc<KvStore>,
    costs: RowsSpec,
    server: RefCell<SingleServer>,
    tally: Tally,
    /// Keys that have been written, so that the next write of one is an update.
    known: RefCell<BTreeSet<String>>,
    inserted: Cell<u64>,
    /// Rows that lists looked at.
    listed: Cell<u64>,
}

impl Database {
    /// A table whose rows behave as the entries of `rows`.
    pub fn new(rows: Rc<KvStore>, costs: RowsSpec, server: ServerSpec) -> Rc<Self> {
        Rc::new(Database {
            rows,
            costs,
            server: RefCell::new(SingleServer::new(server)),
            tally: Tally::default(),
            known: RefCell::default(),
            inserted: Cell::new(0),
            listed: Cell::new(0),
        })
    }

    /// Access for a Worker invocation whose operations on the rows go through `rows`.
    pub fn invocation_by(self: &Rc<Self>, rows: KvHandle) -> DatabaseHandle {
        DatabaseHandle {
            database: Rc::clone(self),
            rows,
        }
    }

    /// The rows themselves.
    pub fn rows(&self) -> &Rc<KvStore> {
        &self.rows
    }

    /// The one thread that serves all.
    pub fn server(&self) -> &RefCell<SingleServer> {
        &self.server
    }

    /// Rows written and read so far. Every key that is inserted will be found and deleted once.
    pub fn rows_written_and_read(&self) -> (u64, u64) {
        let meter = self.rows.meter();
        let done = |kind| meter.billed(kind, BillingRules::DONE);
        let (writes, deletes) = (done(OpKind::Write), done(OpKind::Delete));
        let inserted = self.inserted.get();
        let c = &self.costs;
        let written = writes.saturating_sub(inserted) * c.update
            + inserted * (c.insert + c.delete)
            + deletes * c.delete;
        let read = (done(OpKind::Read) + inserted) * c.lookup + self.listed.get();
        (written, read)
    }

    /// What was used so far as a D1 database, without storage.
    pub fn usage_as_d1(&self) -> Usage {
        let (written, read) = self.rows_written_and_read();
        let mut usage = Usage::default();
        usage.add(MeterItem::D1RowsWritten, u128::from(written));
        usage.add(MeterItem::D1RowsRead, u128::from(read));
        usage
    }

    /// What was used so far as a Durable Object, without storage.
    pub fn usage_as_object(&self) -> Usage {
        let (written, read) = self.rows_written_and_read();
        let server = self.server.borrow();
        let mut usage = Usage::default();
        usage.add(MeterItem::DoRowsWritten, u128::from(written));
        usage.add(MeterItem::DoRowsRead, u128::from(read));
        let (served, refused) = server.requests();
        usage.add(MeterItem::DoRequests, u128::from(served + refused));
        let now = self.rows.clock().now();
        usage.add(MeterItem::DoDurationMbMs, server.active().mb_ms(now));
        usage
    }

    /// The invariant: every operation is metered once, and has gone through the server.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        let checked = self.tally.check(&self.rows.meter());
        checked.map_err(|e| e.within("database"))
    }
}

/// A database as one Worker invocation sees it.
pub struct DatabaseHandle {
    database: Rc<Database>,
    rows: KvHandle,
}

impl DatabaseHandle {
    /// Waits for the server.
    async fn enter(&self, writes: bool) -> Result<(), KvError> {
        let clock = self.database.rows.clock();
        let entered = self.database.server.borrow_mut().enter(clock.now(), writes);
        clock.sleep(entered.ok_or(KvError::Unavailable)?).await;
        Ok(())
    }
}

impl Kv for DatabaseHandle {
    /// One statement for all keys.
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.enter(false).await?;
        let select = self.rows.read(keys, options);
        self.database
            .tally
            .count(OpKind::Read, keys.len(), select)
            .await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.enter(true).await?;
        let upsert = self.rows.put(key, value, options);
        let done = self.database.tally.count(OpKind::Write, 1, upsert).await;
        if done.is_ok() && self.database.known.borrow_mut().insert(key.to_owned()) {
            let inserted = &self.database.inserted;
            inserted.set(inserted.get() + 1);
        }
        done
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.enter(true).await?;
        let delete = self.rows.delete(key);
        let done = self.database.tally.count(OpKind::Delete, 1, delete).await;
        if done.is_ok() {
            self.database.known.borrow_mut().remove(key);
        }
        done
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        self.enter(false).await?;
        let select = self.rows.list(prefix, cursor, limit);
        let page = self.database.tally.count(OpKind::List, 1, select).await;
        if let Ok(page) = &page {
            // A range without rows is looked up all the same.
            let rows = page.keys.len().max(1) as u64;
            self.database.listed.set(self.database.listed.get() + rows);
        }
        page
    }
}
