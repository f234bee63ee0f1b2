//! What the world does with an arrival, and with what the collector asks for after it.

use super::result::CallStats;
use super::world::{Calls, LastRecord, Server, World};
use crate::telemetry::collector::Recorded;
use crate::telemetry::load::race;
use crate::telemetry::policy::WriteMode;
use crate::telemetry::ports::Clock;
use crate::workload::{Arrival, ArrivalKind};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

impl World {
    /// The isolate that serves an arrival and how long it takes to start; `None` if the plan's
    /// requests of the day are used up, or it would take more CPU time than the plan allows. A metrics
    /// read that comes with a request is part of the same invocation; any other call is a request of
    /// its own.
    #[inline]
    fn serve(&mut self, arrival: &Arrival) -> Option<(Rc<Server>, Duration)> {
        // Without a record before it, it is a request like any other.
        if arrival.kind == ArrivalKind::MetricsWithRecord
            && let Some(last) = &self.last_record
        {
            return Some((last.isolate.clone()?, Duration::ZERO));
        }
        let admitted = self.worker_quota.is_none_or(|limit| {
            let today = arrival.at.utc_day();
            if self.worker_day.0 != today {
                self.worker_day = (today, 0);
            }
            self.worker_day.1 += 1;
            self.worker_day.1 <= limit
        });
        let [request, query] = self.too_much_cpu;
        let ended = match arrival.kind {
            ArrivalKind::Record { .. } => request,
            ArrivalKind::AnalyticsQuery | ArrivalKind::HealthCheck => query,
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => false,
        };
        let admitted = admitted && !ended;
        let busy = match arrival.kind {
            ArrivalKind::Record { latency, .. } => latency,
            _ => Duration::ZERO,
        };
        let served = admitted.then(|| self.fleet.serve(arrival.place, busy));
        if matches!(arrival.kind, ArrivalKind::Record { .. }) {
            self.last_record = Some(LastRecord {
                isolate: served.as_ref().map(|(isolate, _)| Rc::clone(isolate)),
            });
            self.arrived.records_refused += u64::from(served.is_none());
        }
        let own_read = matches!(
            arrival.kind,
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord
        );
        if own_read && served.is_some() {
            self.arrived.own_metrics_reads += 1;
        }
        match &served {
            None => self.arrived.refused += 1,
            Some((_, wait)) if !wait.is_zero() => {
                self.calls.borrow_mut().cold_start.add(*wait, true);
            }
            Some(_) => {}
        }
        served
    }

    #[inline]
    pub(super) fn handle(&mut self, arrival: &Arrival) {
        let Some((isolate, wait)) = self.serve(arrival) else {
            return;
        };
        match arrival.kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                self.arrived.records += 1;
                self.busy_ms += latency.as_secs_f64() * 1e3;
                let provider = self.providers[provider as usize];
                let recorded = isolate.memory.record(provider, latency, success, tokens);
                self.after_recording(&isolate, recorded);
            }
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => {
                self.arrived.metrics_reads += 1;
                self.query(&isolate, wait, self.metrics_window, "metrics read", |c| {
                    &mut c.metrics
                });
            }
            ArrivalKind::AnalyticsQuery => {
                self.arrived.analytics_queries += 1;
                self.query(
                    &isolate,
                    wait,
                    self.analytics_window,
                    "analytics query",
                    |c| &mut c.analytics,
                );
            }
            ArrivalKind::HealthCheck => {
                self.arrived.health_checks += 1;
                self.query(&isolate, wait, self.metrics_window, "health report", |c| {
                    &mut c.health
                });
            }
        }
    }

    /// The cron trigger for the caches: it runs in one isolate, somewhere.
    pub(super) fn scheduled(&mut self) {
        self.arrived.cron += 1;
        let (isolate, _) = self.fleet.serve(None, Duration::ZERO);
        let (server, kv) = (Rc::clone(&isolate), self.store.invocation_at(isolate.place));
        self.run_in(&isolate, false, async move {
            server.memory.scheduled(&kv).await
        });
    }

    /// The cron trigger for the archive.
    pub(super) fn archive(&mut self) {
        self.arrived.cron += 1;
        let (isolate, _) = self.fleet.serve(None, Duration::ZERO);
        let (server, kv) = (Rc::clone(&isolate), self.store.invocation_at(isolate.place));
        let tiers = Rc::clone(&self.tiers);
        self.run_in(&isolate, false, async move {
            // A day that could not be archived is missing from later answers; its keys expire.
            let _ = server.memory.archive_day(&kv, &tiers.archive).await;
        });
    }

    /// Starts work in an isolate: dropped when that ends, and, if it goes on after the response,
    /// when the time of `waitUntil` is over.
    fn run_in(
        &mut self,
        isolate: &Rc<Server>,
        after_response: bool,
        work: impl Future<Output = ()> + 'static,
    ) {
        let Some(limit) = self.wait_until else {
            self.sim.spawn(work);
            return;
        };
        let task = if after_response {
            let deadline = self.sim.sleep_until(self.sim.now() + limit);
            self.sim.spawn(async move {
                race(work, deadline).await;
            })
        } else {
            let busy = isolate.enter(&self.sim);
            self.sim.spawn(async move {
                work.await;
                drop(busy);
            })
        };
        isolate.adopt(task, &self.sim);
        let held = isolate.memory.memory_bytes() as u64;
        let under_way = u64::from(isolate.concurrency(self.sim.now()));
        let memory = self.memory.base.0 + held + under_way * self.memory.per_request.0;
        self.memory_peak = self.memory_peak.max(memory);
        if memory > self.memory.limit.0 {
            self.fleet.end_for_memory(isolate);
        }
    }

    /// Does what the collector asks for after a record.
    #[inline]
    fn after_recording(&mut self, isolate: &Rc<Server>, recorded: Recorded) {
        let waits = recorded == Recorded::Full && self.write == WriteMode::Await;
        if !waits && !matches!(recorded, Recorded::MustWait(_)) {
            let ok = !matches!(recorded, Recorded::Lost(_));
            self.calls.borrow_mut().record.add(Duration::ZERO, ok);
        }
        match recorded {
            Recorded::Buffered | Recorded::Lost(_) => {}
            Recorded::StartedBatch(batch) => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("flush when due", &self.store, isolate.place);
                self.run_in(isolate, true, async move {
                    // A failed write is counted by the collector, which keeps the records.
                    let _ = server.memory.flush_when_due(&kv, batch).await;
                });
            }
            Recorded::MustWait(record) => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("record when room", &self.store, isolate.place);
                let (sim, calls, write) = (self.sim.clone(), Rc::clone(&self.calls), self.write);
                self.run_in(isolate, false, async move {
                    let start = sim.now();
                    let taken = server.memory.record_when_room(record).await;
                    let mut ok = !matches!(taken, Recorded::Lost(_));
                    if taken == Recorded::Full && write == WriteMode::Await {
                        ok = server.memory.flush_batch(&kv).await.is_ok();
                    }
                    let latency = sim.now().since(start);
                    calls.borrow_mut().record.add(latency, ok);
                    let _ = match taken {
                        Recorded::StartedBatch(b) => server.memory.flush_when_due(&kv, b).await,
                        Recorded::Full if write != WriteMode::Await => {
                            server.memory.flush_batch(&kv).await
                        }
                        _ => Ok(()),
                    };
                });
            }
            Recorded::Full => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("flush full batch", &self.store, isolate.place);
                let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
                self.run_in(isolate, !waits, async move {
                    let start = sim.now();
                    let written = server.memory.flush_batch(&kv).await;
                    if waits {
                        let latency = sim.now().since(start);
                        calls.borrow_mut().record.add(latency, written.is_ok());
                    }
                });
            }
        }
    }

    /// A query over a window: from the cache at once, or from the KV in a task; in an isolate
    /// that starts for it, after that start.
    #[inline]
    fn query(
        &mut self,
        isolate: &Rc<Server>,
        wait: Duration,
        window: Duration,
        name: &'static str,
        stats: fn(&mut Calls) -> &mut CallStats,
    ) {
        if let Some(cached) = isolate.memory.cached_metrics(window) {
            self.tracer.note_cached(name, self.sim.now());
            let calls = &mut *self.calls.borrow_mut();
            stats(calls).add(wait, true);
            calls
                .answer_age
                .add(self.sim.now().since(cached.as_of), true);
            return;
        }
        let tiers = Rc::clone(&self.tiers);
        let server = Rc::clone(isolate);
        let kv = self.tracer.trace(name, &self.store, isolate.place);
        let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
        self.run_in(isolate, false, async move {
            let start = sim.now();
            if !wait.is_zero() {
                sim.sleep(wait).await;
            }
            let answer = server.memory.fetch_tiered(&kv, &tiers, window).await;
            let now = sim.now();
            {
                let calls = &mut *calls.borrow_mut();
                stats(calls).add(now.since(start), answer.is_ok());
                if let Ok(metrics) = answer {
                    calls.answer_age.add(now.since(metrics.as_of), true);
                }
            }
            server.memory.keep_fresh(&kv, window).await;
        });
    }
}
