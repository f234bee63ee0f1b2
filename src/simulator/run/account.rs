//! The end of a run: its invariants, its use of everything that is billed, and its result.

use super::result::RunResult;
use super::world::World;
use super::{Billed, Point};
use crate::Defect;
use crate::app::{Application, View};
use crate::cloud::kv::KvMeter;
use crate::pricing::MONTH;
use crate::pricing::meter::scale;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::KeyLayout;
use crate::telemetry::ports::OpKind;
use std::time::Duration;

impl<A: Application> World<A> {
    pub(super) fn finish(
        mut self,
        point: &Point,
        period: Duration,
        billed: Billed,
    ) -> Result<RunResult, Defect> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let (missing_share, lost_updates, simulated) = {
            let view = self.view(period);
            let lost_updates = self.lost_updates(&view)?;
            (self.app.audit(&view)?, lost_updates, view.simulated)
        };
        let mut beyond = self.app.beyond(self.store())?;
        beyond.lost = beyond.lost.saturating_sub(self.before.lost_beyond);
        self.store().check()?;
        let kv = self.kv_meter().since(&self.before.kv);
        let usage = self.usage(point, &kv, period, billed);
        let scenario = point.scenario;
        let invoice = scenario.plan().invoice(&usage);
        invoice.check()?;
        // Quotas are those of Workers KV; another store has none.
        let wanted = match self.store().is_kv() {
            true => self.wanted(point, &kv, &usage, period),
            false => self.wanted(point, &KvMeter::default(), &usage, period),
        };
        let quota_use = |item| match scenario.plan().monthly_allowance(item) {
            None | Some(0) => f64::NAN,
            Some(allowed) => wanted.get(item) as f64 / allowed as f64,
        };
        let mut calls = std::mem::take(&mut self.services.noted.borrow_mut().calls);
        calls.merge(&self.calls_before);
        let counters = self.counters().since(&self.before.counters);
        let values = self.store().values();
        Ok(RunResult {
            period,
            events: 0,
            arrived: self.arrived,
            lost_at_once: self.lost_at_once(point, &counters),
            requests_limited: scenario.requests_limited(),
            operations_limited: scenario.operations_limited(),
            counters,
            calls,
            fleet: self.runtime.counters().since(&self.before.fleet),
            missing_share,
            lost_updates,
            beyond,
            peak_per_second: self.store().peak_per_second(),
            isolates: self.runtime.memories().count() as u64,
            memory_peak_bytes: self.runtime.memory_peak(),
            cut_short: self.runtime.cut_short(),
            read_ages: values.and_then(|kv| kv.read_ages()),
            short_history: point.policy.listed_window().is_some_and(|w| simulated < w),
            records_in_memory: self.records_in_memory(),
            in_memory_before: self.before.in_memory,
            kv,
            busiest_day: values.map_or_else(Default::default, |kv| kv.busiest_day()),
            quota_use: OpKind::ALL.map(|kind| quota_use(MeterItem::of_operation(kind))),
            quota_use_requests: quota_use(MeterItem::WorkersRequests),
            stored_bytes: usage.get(self.store().storage_item()),
            usage,
            wanted,
            invoice,
        })
    }

    /// See [`RunResult::lost_at_once`].
    fn lost_at_once(&self, point: &Point, counters: &Counters) -> u64 {
        let life = point.scenario.fleet.life.as_ref();
        let held = counters.buffer_high_water.max(1);
        match life {
            // A deployment ends them all.
            Some(life) if life.deploy_every.is_some() => held * self.runtime.counters().peak.max(1),
            Some(_) => held,
            None if self.app.layout().keys == KeyLayout::Shared => held,
            None => 1,
        }
    }

    /// Records that lost updates took since the start of the measurement; none if it cannot be known,
    /// because keys that writers share have expired.
    fn lost_updates(&self, view: &View<A::Isolate>) -> Result<Option<u64>, Defect> {
        let layout = self.app.layout();
        if layout.keys == KeyLayout::Shared && view.simulated >= layout.retention {
            return Ok(None);
        }
        let lost = self.app.missing(view)? - self.before.missing;
        // Below 0: more were counted twice than lost. Above what was stored in the period: some of
        // those lost were stored before it, and are no part of its records.
        let stored = self.counters().stored - self.before.counters.stored;
        Ok(Some(lost.clamp(0, stored as i64) as u64))
    }

    /// The use of everything that may be billed.
    fn usage(&self, point: &Point, kv: &KvMeter, period: Duration, billed: Billed) -> Usage {
        let scenario = point.scenario;
        let cpu_us = scenario.cpu.of(&self.arrived) + (self.store().cpu_us() - self.before.cpu_us);
        let mut used = self.services_usage().since(&self.before.usage);
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
        let services = &self.services;
        usage.add(MeterItem::DoStorage, held(services.shared.bytes()));
        usage.add(MeterItem::R2Storage, held(services.archive.bytes()));
        let stored = match billed {
            Billed::Month => {
                let end = self.timeline.origin + period;
                let bespoken = self.store().bespoken_byte_ns();
                self.steady_storage.level(end, bespoken)
            }
            Billed::Period => kv.storage_byte_ns / period.as_nanos(),
        };
        usage.add(self.store().storage_item(), held(stored));
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::scenario::Scenario;
    use crate::run::tests::idle;
    use crate::telemetry::ports::Archive;
    use std::rc::Rc;

    fn scenario() -> Scenario {
        Scenario::load("default", &["naive".to_owned()], None, &[]).unwrap()
    }

    /// Ten were stored before the measurement and five in it: of a thousand that are gone, five are of those.
    #[test]
    fn no_more_updates_are_lost_than_were_stored_in_the_period() {
        let scenario = scenario();
        for (missing, lost) in [(1_000, 5), (3, 3), (-4, 0)] {
            let mut run = idle(&scenario);
            let app = Rc::clone(&run.world.app);
            app.counters.borrow_mut().stored = 10;
            run.start_measuring();
            app.counters.borrow_mut().stored = 15;
            app.missing.set(missing);
            let end = run.world.timeline.origin + Duration::from_secs(3_600);
            let (result, _) = run.finish(end, Billed::Period).unwrap();
            assert_eq!(result.lost_updates, Some(lost), "{missing}");
        }
    }

    /// An hour is one of 720 in a month.
    #[test]
    fn an_archive_is_billed_for_as_long_as_it_is_held() {
        let scenario = scenario();
        let stored = |billed| {
            let run = idle(&scenario);
            let archive = run.world.services.archive.clone();
            run.executor.block_on(async move {
                archive.put("day", vec![0; 720_000 - 3]).await.unwrap();
            });
            let end = run.world.timeline.origin + Duration::from_secs(3_600);
            let (result, _) = run.finish(end, billed).unwrap();
            result.usage.get(MeterItem::R2Storage)
        };
        assert_eq!(stored(Billed::Month), 720_000);
        assert_eq!(stored(Billed::Period), 1_000);
    }
}
