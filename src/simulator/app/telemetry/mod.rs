//! The metrics system as an application: the collector of the package `kvplan-telemetry`, on whatever
//! store offers keys and values, or behind a queue.

mod audit;
mod consumer;
mod points;
mod totals;

use crate::Defect;
pub use consumer::Consumer;
pub use points::Points;
pub(crate) use totals::depends_on_records_alone;

use super::{Application, Beyond, Call, Cron, Gauges, Host, Response, View, take_all};
use crate::cloud::kv::KvStore;
use crate::cloud::queue::Deliver;
use crate::cloud::runtime::Memory;
use crate::cloud::store::Store;
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::aggregate::ProviderNames;
use crate::telemetry::collector::Collector;
use crate::telemetry::counters::Counters;
use crate::telemetry::host::{self, Answer, Enter, Query, Task};
use crate::telemetry::policy::{Aggregation, KeyLayout, LayoutPolicy, Policy};
use crate::telemetry::record::ProviderId;
use crate::telemetry::resilience::BreakerState;
use crate::workload::ArrivalKind;
use rand::Rng;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The metrics system under a policy.
pub struct Telemetry {
    sim: SimHandle,
    streams: Streams,
    writer: Rc<Policy>,
    /// The settings and the name of the collector that queries, where another Worker writes what it
    /// reads.
    reader: Option<(Rc<Policy>, &'static str)>,
    consumer: Option<Consumer>,
    layout: LayoutPolicy,
    names: Vec<String>,
    /// The collectors' numbers of the workload's providers.
    providers: Vec<ProviderId>,
    retired: RefCell<Retired>,
}

/// The counts of isolates that have ended, and the first invariant that one of them broke.
#[derive(Default)]
struct Retired {
    counters: Counters,
    broken: Option<Defect>,
}

/// What an isolate has in its memory.
pub struct Isolate {
    writer: host::Host<SimHandle>,
    /// Another collector, if another Worker writes what this one reads.
    reader: Option<host::Host<SimHandle>>,
}

impl Isolate {
    /// Where queries are answered.
    pub fn reader(&self) -> &host::Host<SimHandle> {
        self.reader.as_ref().unwrap_or(&self.writer)
    }

    fn collectors(&self) -> impl Iterator<Item = &Collector<SimHandle>> {
        let all = std::iter::once(&self.writer).chain(&self.reader);
        all.map(host::Host::collector)
    }
}

impl Memory for Isolate {
    fn bytes(&self) -> u64 {
        self.collectors().map(|c| c.memory_bytes() as u64).sum()
    }
}

impl Telemetry {
    /// The metrics system of a policy for providers of these names. With a queue between isolates and
    /// KV, each batch is a message, and its consumer adds them up.
    pub fn new(
        policy: &Policy,
        names: Vec<String>,
        through_queue: bool,
        sim: &SimHandle,
        streams: &Streams,
    ) -> Self {
        let mut writer = policy.clone();
        let mut reader = None;
        let mut consumer = None;
        let mut layout = policy.layout.clone();
        if through_queue {
            // Nothing is added up before the consumer does.
            writer.layout.keys = KeyLayout::BatchKeys;
            writer.layout.per_provider = false;
            writer.queries.aggregate = Aggregation::OnQuery;
            let of_consumer = Rc::new(consumer::policy(policy));
            layout.keys = of_consumer.layout.keys;
            consumer = Some(Consumer::new(&of_consumer, sim, streams));
            reader = Some((of_consumer, consumer::NAME));
        }
        let mut interned = ProviderNames::default();
        Telemetry {
            sim: sim.clone(),
            streams: *streams,
            writer: Rc::new(writer),
            reader,
            consumer,
            layout,
            providers: names.iter().map(|n| interned.intern(n)).collect(),
            names,
            retired: RefCell::default(),
        }
    }

    fn collector(&self, policy: &Rc<Policy>, name: String, seed: u64) -> host::Host<SimHandle> {
        let collector = Collector::new(Rc::clone(policy), self.sim.clone(), name, seed);
        // Every isolate numbers the providers in the same order.
        for name in &self.names {
            collector.provider(name);
        }
        host::Host::new(collector)
    }

    #[inline]
    fn query(&self, query: Query, host: &Host<Isolate>) {
        let answer = host.memory().reader().query(query, host);
        if let Answer::Now(_) = answer {
            host.note_cached(query.task());
        }
        let response = answer.map(|answer| Response {
            ok: answer.is_ok(),
            as_of: answer.ok().map(|metrics| metrics.as_of),
        });
        host.respond(query.into(), response);
    }
}

/// What an arrival asks for; nothing if it is a request to be recorded.
#[inline]
pub fn query_of(arrival: ArrivalKind) -> Option<Query> {
    match arrival {
        ArrivalKind::Record { .. } => None,
        ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => Some(Query::Metrics),
        ArrivalKind::AnalyticsQuery => Some(Query::Analytics),
        // What a health report makes of the metrics takes no time here.
        ArrivalKind::HealthCheck => Some(Query::Health),
    }
}

impl From<Query> for Call {
    fn from(query: Query) -> Self {
        match query {
            Query::Metrics => Call::Metrics,
            Query::Analytics => Call::Analytics,
            Query::Health => Call::Health,
        }
    }
}

impl Application for Telemetry {
    type Isolate = Isolate;

    fn boot(&self, number: u64) -> Isolate {
        let mut jitter = self.streams.stream(&format!("retry.jitter.{number}"));
        let seed = jitter.next_u64();
        let reader = self.reader.as_ref();
        Isolate {
            writer: self.collector(&self.writer, format!("w{number}"), seed),
            reader: reader.map(|(policy, name)| self.collector(policy, (*name).to_owned(), seed)),
        }
    }

    fn end(&self, isolate: &Isolate) {
        let retired = &mut *self.retired.borrow_mut();
        for collector in isolate.collectors() {
            collector.evict();
            retired.counters.merge(&collector.counters());
            if let Err(e) = collector.check_conservation() {
                retired.broken.get_or_insert(e);
            }
        }
    }

    // Compiled here, and once: not again where a run is driven from, which need not be optimised.
    #[inline(never)]
    fn handle(&self, arrival: ArrivalKind, host: &Host<Isolate>) {
        match arrival {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                let provider = self.providers[usize::from(provider)];
                let writer = &host.memory().writer;
                let recorded = writer.record(provider, latency, success, tokens, host);
                let response = recorded.map(|recorded| Response {
                    ok: recorded.is_ok(),
                    as_of: None,
                });
                host.respond(Call::Record, response);
            }
            other => {
                if let Some(query) = query_of(other) {
                    self.query(query, host);
                }
            }
        }
    }

    fn can_add_up(&self, store: &Store) -> bool {
        self.consumer.is_none()
            && matches!(store, Store::Kv(_))
            && depends_on_records_alone(&self.writer)
    }

    fn add_up(&self, arrival: ArrivalKind, isolate: &Isolate, store: &Store) {
        self.take_for_totals(arrival, isolate, store);
    }

    fn store_at_once(&self, isolate: &Isolate, store: &Store) {
        isolate.store_totals(store);
    }

    fn crons(&self) -> Vec<Cron> {
        let warm_up = self.writer.cron.as_ref().map(|c| Cron::Every(c.every));
        let tiers = self.writer.tiers.as_ref();
        // Shortly after midnight, when the last batches of the day are written.
        let archive = tiers.filter(|t| t.archive_after.is_some());
        let archive = archive.map(|_| Cron::Daily(Duration::from_secs(300)));
        warm_up.into_iter().chain(archive).collect()
    }

    fn scheduled(&self, cron: Cron, host: &Host<Isolate>) {
        let reader = host.memory().reader().clone();
        match cron {
            Cron::Every(_) => host.run(reader.warm_up(host.enter(Task::WarmUp))),
            Cron::Daily(_) => {
                let archived = reader.archive_day(host.enter(Task::ArchiveDay));
                // A day that could not be archived is missing from later answers.
                host.run(async move { _ = archived.await });
            }
        }
    }

    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Isolate>) -> Counters {
        let mut all = self.retired.borrow().counters.clone();
        for collector in alive.flat_map(Isolate::collectors) {
            all.merge(&collector.counters());
        }
        all
    }

    fn gauges(&self, isolate: &Isolate) -> Gauges {
        let all = || isolate.collectors();
        Gauges {
            records_held: all().map(Collector::records_in_memory).sum(),
            breaker_open: all().any(|c| c.breaker_state() != BreakerState::Closed),
        }
    }

    fn consumer(&self, kv: &Rc<KvStore>) -> Deliver {
        let mine = self.consumer.as_ref();
        mine.map_or_else(take_all, |consumer| consumer.deliver_to(kv))
    }

    fn layout(&self) -> &LayoutPolicy {
        &self.layout
    }

    fn missing(&self, view: &View<Isolate>) -> Result<i64, Defect> {
        self.count_missing(view)
    }

    fn audit(&self, view: &View<Isolate>) -> Result<Option<f64>, Defect> {
        self.check_all(view)
    }

    fn beyond(&self, store: &Store) -> Result<Beyond, Defect> {
        match (store, &self.consumer) {
            (Store::Queue { queue, .. }, Some(consumer)) => Ok(Beyond {
                lost: audit::expired_records(queue)?,
                // In the queue, and from there to the KV.
                delay_s: queue.mean_wait_s() + consumer.store_delay_s(),
            }),
            _ => Ok(Beyond::default()),
        }
    }
}
