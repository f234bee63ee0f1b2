//! Applications that the simulator runs: the code under test, behind one trait.
//!
//! An application gets arrivals and a [`Host`] (KV, shared cache, archive, clock, `waitUntil`), and
//! says how they are answered. It knows neither the fleet nor the meter, and it could as well be
//! requests described as data or a script.

mod calls;
mod host;
#[cfg(test)]
pub(crate) mod idle;
pub mod telemetry;

use crate::Defect;
pub use calls::{Answered, Call, CallLog, CallStats, Calls, Noted};
pub use host::{Host, Ports, Response, Services};

use crate::cloud::kv::KvStore;
use crate::cloud::queue::Deliver;
use crate::cloud::runtime::Memory;
use crate::cloud::store::Store;
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::LayoutPolicy;
use crate::units::{DAY, Timestamp};
use crate::workload::ArrivalKind;
use std::rc::Rc;
use std::time::Duration;

/// The code under test.
pub trait Application: 'static {
    /// What it keeps in the memory of an isolate.
    type Isolate: Memory;

    /// A new isolate; no other has had this number.
    fn boot(&self, number: u64) -> Self::Isolate;

    /// An isolate ends, and what it holds is lost.
    fn end(&self, isolate: &Self::Isolate);

    /// One arrival in its invocation.
    fn handle(&self, arrival: ArrivalKind, host: &Host<Self::Isolate>);

    /// Whether it can add requests up and store them at once, on such a store. By default not.
    fn can_add_up(&self, _store: &Store) -> bool {
        false
    }

    /// A request to be recorded so long before a measurement that nothing but what is stored of it then counts.
    fn add_up(&self, _arrival: ArrivalKind, _isolate: &Self::Isolate, _store: &Store) {}

    /// Stores now what an isolate holds, without an operation.
    fn store_at_once(&self, _isolate: &Self::Isolate, _store: &Store) {}

    /// When cron triggers fire.
    fn crons(&self) -> Vec<Cron>;

    /// One of its cron triggers has fired.
    fn scheduled(&self, cron: Cron, host: &Host<Self::Isolate>);

    /// What it has counted since the beginning, in these isolates and in those that have ended.
    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Self::Isolate>) -> Counters;

    /// What an isolate shows at this moment.
    fn gauges(&self, isolate: &Self::Isolate) -> Gauges;

    /// What starts the consumer of a queue in front of `kv`, if its store is one. By default that takes
    /// every message and does nothing with it.
    fn consumer(&self, _kv: &Rc<KvStore>) -> Deliver {
        take_all()
    }

    /// How what it stores is laid out.
    fn layout(&self) -> &LayoutPolicy;

    /// Records counted as stored that are not in the store, so far: negative where more were counted
    /// twice (stored again because an answer was lost) or are written but not answered yet.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    fn missing(&self, view: &View<Self::Isolate>) -> Result<i64, Defect>;

    /// Checks its invariants against an independent count of what is stored. Where writers share keys
    /// and updates get lost, the share of the records counted as stored that are not there; none if that
    /// cannot be known.
    ///
    /// # Errors
    /// What does not agree: a defect of kvplan or of the application, not of the input.
    fn audit(&self, view: &View<Self::Isolate>) -> Result<Option<f64>, Defect>;

    /// What became of records after they left the isolates.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    fn beyond(&self, store: &Store) -> Result<Beyond, Defect>;
}

/// A consumer that takes every message and does nothing with it.
pub fn take_all() -> Deliver {
    Box::new(|queue, batch| queue.acknowledge(&batch))
}

/// When a cron trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cron {
    /// For the first time after so long.
    Every(Duration),
    /// Each day, so long after midnight UTC.
    Daily(Duration),
}

impl Cron {
    /// When it fires first in a run that begins at `start`.
    pub fn first(self, start: Timestamp) -> Timestamp {
        match self {
            Cron::Every(period) => start + period,
            Cron::Daily(after) => start.floor_to(DAY) + DAY + after,
        }
    }

    /// How long after that again.
    pub fn period(self) -> Duration {
        match self {
            Cron::Every(period) => period,
            Cron::Daily(_) => DAY,
        }
    }
}

/// What an isolate shows at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Records in its memory that are not stored.
    pub records_held: u64,
    /// Whether it keeps operations back because they have failed.
    pub breaker_open: bool,
}

/// What became of records on their way through what lies between isolates and store.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Beyond {
    /// Records that were deleted there.
    pub lost: u64,
    /// How long it took them, mean in seconds.
    pub delay_s: f64,
}

/// What is looked at when a run is checked.
pub struct View<'a, M> {
    /// The isolates alive.
    pub alive: Vec<&'a M>,
    /// The store that they write to.
    pub store: &'a Store,
    /// Requests that came to be recorded and were served, since the beginning.
    pub records: u64,
    /// How long the run has lasted, all its phases together.
    pub simulated: Duration,
}
