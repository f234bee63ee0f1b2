//! What came long before a measurement: taken by the collectors as ever, and stored at once when they hold some of it or are
//! told to.
//!
//! A key for each writer and bucket holds the same totals, however often it was written on the way.

use super::{Isolate, Telemetry};
use crate::cloud::store::Store;
use crate::telemetry::policy::{Aggregation, KeyLayout, Policy};
use crate::workload::ArrivalKind;
use std::pin::pin;
use std::task::{Context, Waker};

/// Records that an isolate holds before they are stored, as far as its buffer has room.
const MOST_HELD: u32 = 64;

impl Telemetry {
    /// Takes a record; what else it owes for that, a batch that is full or begun, is seen to here.
    pub(super) fn take_for_totals(&self, arrival: ArrivalKind, isolate: &Isolate, store: &Store) {
        let ArrivalKind::Record {
            provider,
            latency,
            success,
            tokens,
        } = arrival
        else {
            return;
        };
        let writer = isolate.writer.collector();
        let provider = self.providers[usize::from(provider)];
        let _ = writer.record(provider, latency, success, tokens);
        let most = MOST_HELD.min(self.writer.batch.buffer_capacity);
        if writer.records_in_memory() >= u64::from(most) {
            isolate.store_totals(store);
        }
    }
}

/// Whether what a policy stores, and what its collectors know, depends on the records alone, not on how they came together
/// in batches and how these fared: a key for each writer and bucket, which each flush writes, and nothing that is learnt.
pub(crate) fn depends_on_records_alone(policy: &Policy) -> bool {
    policy.layout.keys == KeyLayout::Rollup
        && !policy.layout.per_provider
        && policy.queries.aggregate == Aggregation::OnQuery
        && policy.batch.adaptive.is_none()
        && policy.breaker.is_none()
        && policy.retry.budget.is_none()
}

impl Isolate {
    /// Stores what it holds.
    pub(super) fn store_totals(&self, store: &Store) {
        let writer = self.writer.collector();
        let Some(kv) = store.values().filter(|_| !writer.is_clean()) else {
            return;
        };
        let kv = kv.at_once();
        // It is done when it is asked for the first time, as nothing of it waits. What cannot be stored stays in memory,
        // and goes with the next batch.
        let written = pin!(writer.flush_at_once(&kv)).poll(&mut Context::from_waker(Waker::noop()));
        debug_assert!(written.is_ready());
        // More than batches hold.
        writer.forget_peak();
    }
}
