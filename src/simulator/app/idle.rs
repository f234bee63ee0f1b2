//! An application that does nothing, for tests of what runs it.

use super::{Application, Beyond, Cron, Gauges, Host, View};
use crate::Defect;
use crate::cloud::runtime::Memory;
use crate::cloud::store::Store;
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::LayoutPolicy;
use crate::workload::ArrivalKind;
use std::cell::{Cell, RefCell};

/// It has counted and misses what it is told to.
#[derive(Default)]
pub(crate) struct Idle {
    pub(crate) counters: RefCell<Counters>,
    pub(crate) missing: Cell<i64>,
    layout: LayoutPolicy,
}

/// What its isolates hold.
pub(crate) struct Nothing;

impl Memory for Nothing {
    fn bytes(&self) -> u64 {
        0
    }
}

impl Application for Idle {
    type Isolate = Nothing;

    fn boot(&self, _: u64) -> Nothing {
        Nothing
    }

    fn end(&self, _: &Nothing) {}

    fn handle(&self, _: ArrivalKind, _: &Host<Nothing>) {}

    fn crons(&self) -> Vec<Cron> {
        Vec::new()
    }

    fn scheduled(&self, _: Cron, _: &Host<Nothing>) {}

    fn counters<'a>(&self, _: impl Iterator<Item = &'a Nothing>) -> Counters {
        self.counters.borrow().clone()
    }

    fn gauges(&self, _: &Nothing) -> Gauges {
        Gauges::default()
    }

    fn layout(&self) -> &LayoutPolicy {
        &self.layout
    }

    fn missing(&self, _: &View<Nothing>) -> Result<i64, Defect> {
        Ok(self.missing.get())
    }

    fn audit(&self, _: &View<Nothing>) -> Result<Option<f64>, Defect> {
        Ok(None)
    }

    fn beyond(&self, _: &Store) -> Result<Beyond, Defect> {
        Ok(Beyond::default())
    }
}
