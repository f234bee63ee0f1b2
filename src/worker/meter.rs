//! KV operations of an isolate, counted by kind and outcome.

use kvplan_telemetry::ports::{KvError, OpKind};
use serde::Serialize;
use std::collections::BTreeMap;

/// Operations of one kind.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct KindMeter {
    /// Operations begun; a bulk read is one.
    pub begun: u64,
    /// Keys that they named, which is what is billed. A list names one.
    pub keys: u64,
    /// Operations by how they ended: `ok`, or an error's [`KvError::cause`]. Those under way, and those whose
    /// invocation was cancelled, are in none.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How many took so many milliseconds.
    pub took_ms: BTreeMap<u64, u64>,
}

/// Operations of all kinds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Meter(BTreeMap<OpKind, KindMeter>);

impl Meter {
    /// Counts one that begins.
    pub(crate) fn begin(&mut self, kind: OpKind, keys: usize) {
        let of = self.0.entry(kind).or_default();
        of.begun += 1;
        of.keys += keys as u64;
    }

    /// Counts one that has ended.
    pub(crate) fn end<T>(&mut self, kind: OpKind, result: &Result<T, KvError>, ms: u64) {
        let of = self.0.entry(kind).or_default();
        let outcome = result.as_ref().map_or_else(|e| e.cause(), |_| "ok");
        *of.outcomes.entry(outcome).or_default() += 1;
        *of.took_ms.entry(ms).or_default() += 1;
    }
}
