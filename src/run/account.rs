//! The end of a run: its invariants, its use of everything that is billed, and its result.

use super::result::RunResult;
use super::world::World;
use super::{Billed, Point};
use crate::cloud::kv::KvMeter;
use crate::pricing::MONTH;
use crate::pricing::meter::scale;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::KeyLayout;
use crate::telemetry::ports::OpKind;
use std::time::Duration;

impl World {
    pub(super) fn finish(
        mut self,
        point: &Point,
        period: Duration,
        billed: Billed,
    ) -> Result<RunResult, String> {
        if let Some(broken) = self.retired.borrow_mut().broken.take() {
            return Err(broken);
        }
        for isolate in self.fleet.isolates() {
            isolate.memory.check_conservation()?;
        }
        let missing_share = self.audit(point, period)?;
        let lost_updates = self.lost_updates(point, period)?;
        let meter = self.store.meter();
        meter.check()?;
        let kv = meter.since(&self.kv_before);
        let usage = self.usage(point, &kv, period, billed);
        let scenario = point.scenario;
        let invoice = scenario.plan().invoice(&usage);
        invoice.check()?;
        let busiest_day = self.store.busiest_day();
        let wanted = self.wanted(point, &kv, &usage, period);
        let quota_use = |item| match scenario.plan().monthly_allowance(item) {
            None | Some(0) => f64::NAN,
            Some(allowed) => wanted.get(item) as f64 / allowed as f64,
        };
        let mut calls = std::mem::take(&mut *self.calls.borrow_mut());
        calls.merge(std::mem::take(&mut self.calls_before));
        let counters = self.counters().since(&self.counters_before);
        Ok(RunResult {
            period,
            arrived: self.arrived,
            record: calls.record,
            metrics: calls.metrics,
            analytics: calls.analytics,
            health: calls.health,
            lost_at_once: self.lost_at_once(point, &counters),
            requests_limited: self.requests_limited(point),
            operations_limited: OpKind::ALL.into_iter().any(|kind| {
                let item = MeterItem::of_operation(kind);
                scenario.plan().daily_limit(item).is_some()
            }),
            counters,
            cold_start: calls.cold_start,
            answer_age: calls.answer_age,
            fleet: self.fleet.counters().since(&self.fleet_before),
            missing_share,
            lost_updates,
            isolates: self.fleet.isolates().count() as u64,
            memory_peak_bytes: self.memory_peak(),
            read_ages: self.store.read_ages(),
            records_in_memory: self.records_in_memory(),
            in_memory_before: self.in_memory_before,
            kv,
            busiest_day,
            quota_use: OpKind::ALL.map(|kind| quota_use(MeterItem::of_operation(kind))),
            quota_use_requests: quota_use(MeterItem::WorkersRequests),
            usage,
            wanted,
            invoice,
        })
    }

    /// Whether the plan may turn requests away or end them: it counts them by the day, or they take
    /// more CPU time than it allows.
    fn requests_limited(&self, point: &Point) -> bool {
        let scenario = point.scenario;
        let limit = scenario.limits.of_plan(&scenario.plan).cpu_per_invocation;
        let cpu_us = scenario.cpu.request_us.max(scenario.cpu.query_us);
        self.worker_quota.is_some() || limit.is_some_and(|l| Duration::from_micros(cpu_us) > l)
    }

    /// See [`RunResult::lost_at_once`].
    fn lost_at_once(&self, point: &Point, counters: &Counters) -> u64 {
        let ends = point.scenario.fleet.life.is_some();
        if ends || point.policy.layout.keys == KeyLayout::Shared {
            counters.buffer_high_water.max(1)
        } else {
            1
        }
    }

    /// An independent count: the records found in the KV are those the collectors know to be
    /// stored, and perhaps some whose writes succeeded without an answer.
    ///
    /// Where writers share keys, updates get lost: then the difference is measured, as the share
    /// of the records thought to be stored that are not there; none if keys have expired.
    fn audit(&self, point: &Point, period: Duration) -> Result<Option<f64>, String> {
        if self.simulated(period) >= point.policy.layout.retention {
            return Ok(None); // the first keys have expired
        }
        let found = self.records_in_kv(point.policy.layout.keys)?;
        let counters = self.counters();
        let missing = 1.0 - found as f64 / counters.stored as f64;
        if point.policy.layout.keys == KeyLayout::Shared {
            return Ok(Some(missing));
        }
        let unsure = self.records_in_memory() + counters.lost_total();
        if found < counters.stored || found > counters.stored + unsure {
            return Err(format!(
                "{} records known to be stored and {unsure} unsure, but {found} found in the KV",
                counters.stored
            ));
        }
        Ok(Some(missing))
    }

    /// What was simulated, with a measured period of this length.
    pub(super) fn simulated(&self, period: Duration) -> Duration {
        self.timeline.origin.since(self.timeline.start) + period
    }

    /// The use of everything that may be billed.
    fn usage(&self, point: &Point, kv: &KvMeter, period: Duration, billed: Billed) -> Usage {
        let scenario = point.scenario;
        let cpu_us = scenario.cpu.of(&self.arrived);
        let mut used = Usage::default();
        for kind in OpKind::ALL {
            let billed = kv.billed(kind, (&scenario.catalog).into());
            used.add(MeterItem::of_operation(kind), u128::from(billed));
        }
        used.add(MeterItem::KvReadBytes, u128::from(kv.read_bytes));
        used.add(MeterItem::KvWriteBytes, u128::from(kv.write_bytes));
        used.merge(&self.tiers_usage().since(&self.tiers_before));
        // Every inbound request and every cron trigger is billed as an invocation. A request that
        // is refused because the day's are used up (error 1027) runs nothing and is not billed:
        // only the Free plan has such a limit, and it bills nothing.
        // https://developers.cloudflare.com/workers/platform/pricing/
        // https://developers.cloudflare.com/workers/platform/limits/#daily-requests
        let invocations = self.arrived.requests() + self.arrived.cron;
        used.add(MeterItem::WorkersRequests, u128::from(invocations));
        let billed_ns = match billed {
            Billed::Month => MONTH.as_nanos(),
            Billed::Period => period.as_nanos(),
        };
        let mut usage = used.scaled(billed_ns, period.as_nanos());
        let cpu_ms = scale(u128::from(cpu_us), billed_ns, 1_000 * period.as_nanos());
        usage.add(MeterItem::WorkersCpuMs, cpu_ms);
        // Storage is billed for the part of a month that it is held.
        let held = |bytes| scale(bytes, billed_ns, MONTH.as_nanos());
        usage.add(MeterItem::DoStorage, held(self.tiers.shared.bytes()));
        usage.add(MeterItem::R2Storage, held(self.tiers.archive.bytes()));
        let stored = match billed {
            Billed::Month => self
                .steady_storage
                .level(self.timeline.origin + period, self.store.bespoken_byte_ns()),
            Billed::Period => kv.storage_byte_ns / period.as_nanos(),
        };
        usage.add(MeterItem::KvStorage, held(stored));
        usage
    }
}
