//! What the world does with an arrival: lets it in, finds its isolate, and hands it to the application.

use super::world::World;
use crate::app::{Application, Cron, Host};
use crate::cloud::runtime::Context;
use crate::workload::{Arrival, ArrivalKind};
use std::time::Duration;

impl<A: Application> World<A> {
    /// The invocation of an arrival and how long its isolate takes to start; `None` if the plan's
    /// requests of the day are used up, or it would take more CPU time than the plan allows.
    #[inline]
    fn invoke(&mut self, arrival: &Arrival) -> Option<(Context<A::Isolate>, Duration)> {
        let [request, query] = self.too_much_cpu;
        let (is_record, busy) = match arrival.kind {
            ArrivalKind::Record { latency, .. } => (true, latency),
            _ => (false, Duration::ZERO),
        };
        let too_much = if is_record { request } else { query };
        let admitted = self.runtime.admits(arrival.at) && !too_much;
        let invoked = admitted.then(|| self.runtime.invoke(arrival.place, busy));
        self.arrived.records_refused += u64::from(is_record && invoked.is_none());
        match &invoked {
            None => self.arrived.refused += 1,
            Some((_, wait)) => {
                self.arrived.own_metrics_reads += u64::from(arrival.kind.is_metrics_read());
                if !wait.is_zero() {
                    let calls = &mut *self.services.calls.borrow_mut();
                    calls.cold_start.add(*wait, true);
                }
            }
        }
        invoked
    }

    /// The invocation that an arrival belongs to, and whether it is that of the last record: a metrics read that
    /// comes with a request is part of the same invocation; any other call is a request of its own. `None` if it
    /// is not let in.
    #[inline]
    fn join(&mut self, arrival: &Arrival) -> Option<(Context<A::Isolate>, Duration, bool)> {
        // Without a record before it, it is a request like any other.
        if arrival.kind == ArrivalKind::MetricsWithRecord
            && let Some(last) = &mut self.last_record
        {
            return Some((last.take()?, Duration::ZERO, true));
        }
        let invoked = self.invoke(arrival);
        let is_record = matches!(arrival.kind, ArrivalKind::Record { .. });
        if is_record {
            self.last_record = Some(None);
        }
        invoked.map(|(context, wait)| (context, wait, is_record))
    }

    #[inline]
    pub(super) fn handle(&mut self, arrival: &Arrival) {
        let Some((context, mut wait, is_last)) = self.join(arrival) else {
            return;
        };
        match arrival.kind {
            ArrivalKind::Record { latency, .. } => {
                self.arrived.records += 1;
                self.all_records += 1;
                self.busy_ms += latency.as_secs_f64() * 1e3;
                // What waits for the isolate is the request, not its recording.
                wait = Duration::ZERO;
            }
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => {
                self.arrived.metrics_reads += 1;
            }
            ArrivalKind::AnalyticsQuery => self.arrived.analytics_queries += 1,
            ArrivalKind::HealthCheck => self.arrived.health_checks += 1,
        }
        let host = Host::new(context, &self.services, wait);
        self.app.handle(arrival.kind, &host);
        if is_last {
            self.last_record = Some(Some(host.into_context()));
        }
    }

    /// A cron trigger: it runs in one isolate, somewhere.
    pub(super) fn scheduled(&mut self, cron: Cron) {
        self.arrived.cron += 1;
        let (context, _) = self.runtime.invoke(None, Duration::ZERO);
        let host = Host::new(context, &self.services, Duration::ZERO);
        self.app.scheduled(cron, &host);
    }
}
