//! The metrics system over a KV of which it hears but the first page of each list.

use kvplan::Defect;
use kvplan::app::telemetry::{Isolate, Telemetry};
use kvplan::app::{Application, Beyond, Cron, Gauges, Host, Ports, Response, View};
use kvplan::cloud::durable_object::DurableObject;
use kvplan::cloud::r2::R2Bucket;
use kvplan::cloud::store::Store;
use kvplan::run::{Cut, Point};
use kvplan::study::chaos::evidence::Evidence;
use kvplan::study::chaos::look::{Subject, evidence};
use kvplan::telemetry::counters::Counters;
use kvplan::telemetry::host::{Enter, Invocation, Query};
use kvplan::telemetry::policy::LayoutPolicy;
use kvplan::telemetry::ports::{Kv, KvError, ListPage, PutOptions, ReadOptions, Value, WaitUntil};
use kvplan::workload::ArrivalKind;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

/// The same in every case.
pub(super) struct FirstPage;

impl Subject for FirstPage {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        evidence(point, stop, |point, sim, streams| {
            Curt(super::plants::system(point, point.policy, sim, streams))
        })
    }
}

struct Curt(Telemetry);

/// The ports of an invocation, whose lists seem to have one page.
struct OnePage<I>(Rc<I>);

impl<I> Clone for OnePage<I> {
    fn clone(&self) -> Self {
        OnePage(Rc::clone(&self.0))
    }
}

impl<I: Invocation> WaitUntil for OnePage<I> {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.0.wait_until(work);
    }
}

impl<I: Invocation> Kv for OnePage<I> {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.0.kv().read(keys, options).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.0.kv().put(key, value, options).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.kv().delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let page = self.0.kv().list(prefix, cursor, limit).await?;
        Ok(ListPage {
            cursor: None,
            ..page
        })
    }
}

impl Invocation for OnePage<Ports<Isolate>> {
    type Kv = Self;
    type Shared = DurableObject;
    type Archive = R2Bucket;

    fn kv(&self) -> &Self {
        self
    }

    fn shared(&self) -> &DurableObject {
        self.0.shared()
    }

    fn archive(&self) -> &R2Bucket {
        self.0.archive()
    }
}

impl Application for Curt {
    type Isolate = Isolate;

    fn boot(&self, number: u64) -> Isolate {
        self.0.boot(number)
    }

    fn end(&self, isolate: &Isolate) {
        self.0.end(isolate);
    }

    fn handle(&self, arrival: ArrivalKind, host: &Host<Isolate>) {
        let query = match arrival {
            ArrivalKind::Record { .. } => return self.0.handle(arrival, host),
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => Query::Metrics,
            ArrivalKind::AnalyticsQuery => Query::Analytics,
            ArrivalKind::HealthCheck => Query::Health,
        };
        let ports = OnePage(Rc::new(host.enter(query.task())));
        let answer = host.memory().reader().query(query, &ports);
        let response = answer.map(|answer| Response {
            ok: answer.is_ok(),
            as_of: answer.ok().map(|metrics| metrics.as_of),
        });
        host.respond(query.into(), response);
    }

    fn crons(&self) -> Vec<Cron> {
        self.0.crons()
    }

    fn scheduled(&self, cron: Cron, host: &Host<Isolate>) {
        self.0.scheduled(cron, host);
    }

    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Isolate>) -> Counters {
        self.0.counters(alive)
    }

    fn gauges(&self, isolate: &Isolate) -> Gauges {
        self.0.gauges(isolate)
    }

    fn layout(&self) -> &LayoutPolicy {
        self.0.layout()
    }

    fn missing(&self, view: &View<Isolate>) -> Result<i64, Defect> {
        self.0.missing(view)
    }

    fn audit(&self, view: &View<Isolate>) -> Result<Option<f64>, Defect> {
        self.0.audit(view)
    }

    fn beyond(&self, store: &Store) -> Result<Beyond, Defect> {
        self.0.beyond(store)
    }
}
