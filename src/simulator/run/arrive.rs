//! What the world does with an arrival: lets it in, finds its isolate, and hands it to the application.

use super::Served;
use super::world::World;
use crate::app::{Application, Cron, Host};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use std::time::Duration;

impl<A: Application> World<A> {
    /// Whether an arrival is let in: not if the plan's requests of the day are used up, or it would take more
    /// CPU time than the plan allows.
    #[inline]
    fn admits(&mut self, arrival: &Arrival, too_much_cpu: bool) -> bool {
        let admitted = self.runtime.admits(arrival.at) && !too_much_cpu;
        self.arrived.refused += u64::from(!admitted);
        admitted
    }

    /// Counts the wait for an isolate to start, if a request had one, and writes the invocation down, if there is room.
    #[inline]
    fn note_served(&mut self, isolate: u64, wait: Duration, busy: Duration, is_request: bool) {
        if !wait.is_zero() || self.serves_left > 0 {
            self.write_down_served(isolate, wait, busy, is_request);
        }
    }

    #[cold]
    fn write_down_served(
        &mut self,
        isolate: u64,
        wait: Duration,
        busy: Duration,
        is_request: bool,
    ) {
        if is_request && !wait.is_zero() {
            let calls = &mut self.services.noted.borrow_mut().calls;
            calls.cold_start.add(wait, true);
        }
        if self.serves_left > 0 {
            self.serves_left -= 1;
            let at = self.services.sim.now();
            self.served.push(Served {
                at,
                isolate,
                ready: at + wait,
                until: at + wait + busy,
                is_request,
            });
        }
    }

    #[inline]
    pub(super) fn handle(&mut self, arrival: &Arrival) {
        match (arrival.kind, &mut self.last_record) {
            (ArrivalKind::Record { latency, .. }, _) => self.record(arrival, latency),
            // A metrics read that comes with a request is part of its invocation, or refused with it.
            (ArrivalKind::MetricsWithRecord, Some(Some(host))) => {
                self.arrived.metrics_reads += 1;
                host.part();
                self.app.handle(arrival.kind, host);
            }
            (ArrivalKind::MetricsWithRecord, Some(None)) => {}
            _ => self.call(arrival),
        }
    }

    #[inline]
    fn record(&mut self, arrival: &Arrival, latency: Duration) {
        if !self.admits(arrival, self.too_much_cpu[0]) {
            self.arrived.records_refused += 1;
            self.last_record = Some(None);
            return;
        }
        self.arrived.records += 1;
        self.all_records += 1;
        self.busy_ms += latency.as_secs_f64() * 1e3;
        // What waits for the isolate is the request, not its recording.
        let place = arrival.place;
        let (isolate, wait) = if let Some(Some(last)) = &mut self.last_record {
            let context = last.context();
            let wait = self.runtime.invoke_in(context, place, latency);
            (context.isolate(), wait)
        } else {
            let (context, wait) = self.runtime.invoke(place, latency);
            let isolate = context.isolate();
            let host = Host::new(context, &self.services, Duration::ZERO);
            self.last_record = Some(Some(host));
            (isolate, wait)
        };
        self.note_served(isolate, wait, latency, true);
        if let Some(Some(host)) = &self.last_record {
            match self.adds_up(isolate, arrival.at) {
                false => self.app.handle(arrival.kind, host),
                true => self.add_up(arrival, host.memory()),
            }
        }
    }

    /// Any other call, a request of its own: a metrics read too, if there was no record before it.
    fn call(&mut self, arrival: &Arrival) {
        if !self.admits(arrival, self.too_much_cpu[1]) {
            return;
        }
        let (context, wait) = self.runtime.invoke(arrival.place, Duration::ZERO);
        self.note_served(context.isolate(), wait, Duration::ZERO, true);
        match arrival.kind {
            ArrivalKind::Record { .. } => {}
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => {
                self.arrived.metrics_reads += 1;
                self.arrived.own_metrics_reads += 1;
            }
            ArrivalKind::AnalyticsQuery => self.arrived.analytics_queries += 1,
            ArrivalKind::HealthCheck => self.arrived.health_checks += 1,
        }
        let host = Host::new(context, &self.services, wait);
        self.app.handle(arrival.kind, &host);
    }

    /// A cron trigger: it runs in one isolate, somewhere.
    pub(super) fn scheduled(&mut self, cron: Cron) {
        self.arrived.cron += 1;
        let (context, wait) = self.runtime.invoke(None, Duration::ZERO);
        self.note_served(context.isolate(), wait, Duration::ZERO, false);
        let host = Host::new(context, &self.services, Duration::ZERO);
        self.app.scheduled(cron, &host);
    }
}

impl<A: Application> World<A> {
    /// Whether what comes to an isolate now is stored as totals.
    #[inline]
    pub(super) fn adds_up(&self, isolate: u64, now: Timestamp) -> bool {
        self.totals.is_some_and(|t| t.hold_for(isolate, now))
    }

    /// Adds up a request of the history.
    #[inline(never)]
    pub(super) fn add_up(&self, arrival: &Arrival, isolate: &A::Isolate) {
        self.app.add_up(arrival.kind, isolate, self.store());
        // Nothing is left for the batches that are about to begin.
        if self.totals.is_some_and(|t| arrival.at >= t.from) {
            self.app.store_at_once(isolate, self.store());
        }
    }

    /// Stores what has been added up by now, unless batches are written.
    pub(super) fn store_totals(&self, now: Timestamp) {
        if self.totals.is_none_or(|t| now > t.from) {
            return;
        }
        for isolate in self.runtime.memories() {
            self.app.store_at_once(isolate, self.store());
        }
    }
}
