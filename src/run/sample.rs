//! What is written down of the world at intervals.

use super::series::Sample;
use super::world::World;
use crate::cloud::fleet::FleetCounters;
use crate::cloud::kv::{KvMeter, OpOutcome};
use crate::telemetry::counters::Counters;
use crate::telemetry::ports::{Clock, OpKind};
use crate::telemetry::resilience::BreakerState;
use crate::units::Timestamp;

/// The counters at the last sample.
pub(super) struct LastSample {
    pub(super) at: Timestamp,
    pub(super) counters: Counters,
    pub(super) kv: KvMeter,
    pub(super) fleet: FleetCounters,
    pub(super) records: u64,
    pub(super) busy_ms: f64,
}

impl World {
    /// Writes down what is left of the last interval at the end of the run, if anything.
    pub(super) fn sample_rest(&mut self) {
        let last = self.last_sample.as_ref().map(|l| l.at);
        if last.is_some_and(|at| at < self.sim.now()) {
            self.sample();
        }
    }

    /// Writes down what the interval since the last sample showed; at the first time, when queries
    /// begin, only the state then, so that what was recorded before is in no interval.
    pub(super) fn sample(&mut self) {
        let now = self.sim.now();
        let counters = self.counters();
        let kv = self.store.meter();
        let fleet = self.fleet.counters();
        let calls = std::mem::take(&mut *self.calls.borrow_mut());
        let next = LastSample {
            at: now,
            counters: counters.clone(),
            kv: kv.clone(),
            fleet,
            records: self.arrived.records + self.arrived.records_refused,
            busy_ms: self.busy_ms,
        };
        let Some(last) = self.last_sample.replace(next) else {
            self.calls_before.merge(calls);
            return;
        };
        let span_s = now.since(last.at).as_secs_f64();
        let c = counters.since(&last.counters);
        let ops = kv.since(&last.kv);
        let rate = |n: u64| n as f64 / span_s;
        let ended = |o: OpOutcome| OpKind::ALL.iter().map(|k| ops.count(*k, o)).sum::<u64>();
        let kinds = || {
            [
                &calls.record,
                &calls.metrics,
                &calls.analytics,
                &calls.health,
            ]
        };
        let count: u64 = kinds().iter().map(|k| k.count()).sum();
        let errors: u64 = kinds().iter().map(|k| k.errors).sum();
        let waited_ms: f64 = kinds().iter().map(|k| k.sum_ms()).sum();
        let open = self.fleet.isolates();
        let open = open.filter(|i| i.memory.breaker_state() != BreakerState::Closed);
        let lookups = (c.cache.hits + c.cache.misses) as f64;
        let values = [
            rate(self.arrived.records + self.arrived.records_refused - last.records),
            rate(count - errors),
            rate(c.stored),
            // Little's law: what was spent in the interval, over its length.
            (self.busy_ms - last.busy_ms + waited_ms) / 1e3 / span_s,
            self.records_in_memory() as f64,
            c.cache.hits as f64 / lookups,
            calls.record.quantile_ms(0.95),
            calls.metrics.quantile_ms(0.5),
            calls.metrics.quantile_ms(0.95),
            calls.metrics.quantile_ms(0.99),
            calls.analytics.quantile_ms(0.5),
            calls.analytics.quantile_ms(0.95),
            calls.analytics.quantile_ms(0.99),
            calls.health.quantile_ms(0.95),
            rate(ops.issued(OpKind::Read)),
            rate(ops.issued(OpKind::Write)),
            rate(ops.issued(OpKind::Delete)),
            rate(ops.issued(OpKind::List)),
            errors as f64 / count as f64,
            rate(ended(OpOutcome::Unavailable)),
            rate(ended(OpOutcome::Timeout) + ended(OpOutcome::AnswerLost)),
            rate(ended(OpOutcome::RateLimited)),
            rate(ended(OpOutcome::QuotaExceeded)),
            rate(c.retries),
            rate(c.lost_total()),
            open.count() as f64,
            rate(c.breaker_changes),
            rate(fleet.since(&last.fleet).started),
            self.fleet.isolates().count() as f64,
            self.memory_peak() as f64 / 1e6,
        ];
        let origin = self.timeline.origin;
        let from_origin = |t: Timestamp| {
            if t >= origin {
                t.since(origin).as_secs_f64()
            } else {
                -origin.since(t).as_secs_f64()
            }
        };
        self.samples.push(Sample {
            start_s: from_origin(last.at),
            end_s: from_origin(now),
            values,
        });
        self.calls_before.merge(calls);
    }
}
