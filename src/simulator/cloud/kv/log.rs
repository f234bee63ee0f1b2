//! What invocations did on the KV, written down for a trace.

use super::pops::Sight;
use crate::telemetry::ports::{KvError, OpKind};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// An operation as its caller saw it, with what its caller cannot know: where the answer came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What kind it was.
    pub kind: OpKind,
    /// Its key, the first of several, or the prefix of a list.
    pub key: String,
    /// Keys read, or 1.
    pub keys: usize,
    /// When it was called.
    pub start: Timestamp,
    /// When its answer came.
    pub end: Timestamp,
    /// Why it failed; none if it succeeded.
    pub error: Option<KvError>,
    /// What a read found, key by key.
    pub found: Vec<Found>,
    /// What a list showed.
    pub page: Option<Page>,
}

/// What a read found under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: Arc<str>,
    /// The number of the write or delete that it saw, rising over all of them; 0 if it saw none.
    pub version: u64,
    /// Whether there was a value.
    pub there: bool,
    /// Whether the cache of its place answered.
    pub cached: bool,
    /// For how long a newer version had existed.
    pub outdated: Duration,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The cursor that it goes on from; none for the first.
    pub from: Option<String>,
    /// Keys on it.
    pub keys: usize,
    /// The cursor of the next; none for the last.
    pub next: Option<String>,
}

/// Where an invocation writes down what it does; a clone is the same log.
#[derive(Clone, Default)]
pub struct OpLog {
    operations: Rc<RefCell<Vec<Operation>>>,
    /// Each name once, for all logs of a tracer.
    names: Rc<RefCell<BTreeSet<Arc<str>>>>,
}

impl OpLog {
    /// An empty log that shares the names of keys with this one.
    pub fn beside(&self) -> OpLog {
        OpLog {
            operations: Rc::default(),
            names: Rc::clone(&self.names),
        }
    }

    /// What was written down, in the order of answers.
    pub fn take(&self) -> Vec<Operation> {
        self.operations.take()
    }

    pub(super) fn push(&self, operation: Operation) {
        self.operations.borrow_mut().push(operation);
    }

    pub(super) fn found(&self, key: &str, sight: &Sight) -> Found {
        Found {
            key: self.name(key),
            version: sight.version,
            there: sight.value.is_some(),
            cached: sight.hot,
            outdated: sight.outdated,
        }
    }

    fn name(&self, key: &str) -> Arc<str> {
        let names = &mut *self.names.borrow_mut();
        if let Some(name) = names.get(key) {
            return Arc::clone(name);
        }
        let name: Arc<str> = key.into();
        names.insert(Arc::clone(&name));
        name
    }
}
