//! The same work on Analytics Engine: a data point for each request, and queries in SQL.

use super::query_of;
use crate::Defect;
use crate::app::{Application, Beyond, Cron, Gauges, Host, Response, View};
use crate::cloud::analytics::AnalyticsEngine;
use crate::cloud::runtime::Memory;
use crate::cloud::store::Store;
use crate::pricing::MeterItem;
use crate::telemetry::aggregate::ProviderNames;
use crate::telemetry::cache::TtlCache;
use crate::telemetry::counters::Counters;
use crate::telemetry::host::{Answer, Query};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::policy::{LayoutPolicy, Policy};
use crate::telemetry::ports::Clock;
use crate::telemetry::record::{ProviderId, Record};
use crate::workload::ArrivalKind;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A Worker that writes data points and asks for them in SQL; answers are cached as the policy says.
pub struct Points {
    policy: Policy,
    names: ProviderNames,
    providers: Vec<ProviderId>,
    retired: RefCell<Counters>,
    visible_after: Duration,
}

/// What an isolate has in its memory.
pub struct Answers {
    /// By window.
    cache: Rc<RefCell<TtlCache<Duration, Rc<Metrics>>>>,
    written: Cell<u64>,
}

impl Memory for Answers {
    fn bytes(&self) -> u64 {
        let answers = self.cache.borrow();
        answers.values().map(|m| m.memory_bytes() as u64).sum()
    }
}

impl Answers {
    fn counters(&self) -> Counters {
        // A point is stored when it is written.
        let written = self.written.get();
        Counters {
            accepted: written,
            stored: written,
            cache: self.cache.borrow().counters(),
            ..Counters::default()
        }
    }
}

impl Points {
    /// The work of a policy for providers of these names; a point can be seen after so long.
    pub fn new(policy: &Policy, providers: &[String], visible_after: Duration) -> Self {
        let mut names = ProviderNames::default();
        Points {
            policy: policy.clone(),
            providers: providers.iter().map(|n| names.intern(n)).collect(),
            names,
            retired: RefCell::default(),
            visible_after,
        }
    }

    fn query(&self, query: Query, host: &Host<Answers>) {
        let window = query.window(&self.policy);
        let (answers, clock) = (Rc::clone(&host.memory().cache), host.clock().clone());
        let cached = match self.policy.cache.enabled {
            true => answers.borrow_mut().get(&window, clock.now()),
            false => None,
        };
        let response = |metrics: &Metrics| Response {
            ok: true,
            as_of: Some(metrics.as_of),
        };
        if let Some(metrics) = cached {
            host.note_cached(query.task());
            let now: Answer<Response, std::future::Ready<Response>> =
                Answer::Now(response(&metrics));
            return host.respond(query.into(), now);
        }
        let (dataset, names) = (Rc::clone(dataset_of(host.store())), self.names.clone());
        let caches = self.policy.cache.enabled;
        let answer = async move {
            let metrics = Rc::new(dataset.query(window, &names).await);
            let response = response(&metrics);
            if caches {
                answers.borrow_mut().insert(window, metrics, clock.now());
            }
            response
        };
        host.respond(query.into(), Answer::Later(answer));
    }
}

/// The dataset of a run on Analytics Engine.
///
/// # Panics
/// If the run is on another store.
fn dataset_of(store: &Store) -> &Rc<AnalyticsEngine> {
    match store {
        Store::Points(dataset) => dataset,
        _ => panic!("data points go to Analytics Engine"),
    }
}

impl Application for Points {
    type Isolate = Answers;

    fn boot(&self, _: u64) -> Answers {
        let cache = &self.policy.cache;
        let answers = TtlCache::new(cache.ttl, cache.max_entries as usize);
        Answers {
            cache: Rc::new(RefCell::new(answers)),
            written: Cell::new(0),
        }
    }

    fn end(&self, isolate: &Answers) {
        self.retired.borrow_mut().merge(&isolate.counters());
    }

    fn handle(&self, arrival: ArrivalKind, host: &Host<Answers>) {
        match arrival {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                let record = Record {
                    at: host.clock().now(),
                    provider: self.providers[usize::from(provider)],
                    latency,
                    success,
                    tokens,
                };
                let written = &host.memory().written;
                written.set(written.get() + 1);
                host.write_point(dataset_of(host.store()), record);
            }
            other => {
                if let Some(query) = query_of(other) {
                    self.query(query, host);
                }
            }
        }
    }

    fn crons(&self) -> Vec<Cron> {
        Vec::new()
    }

    fn scheduled(&self, _: Cron, _: &Host<Answers>) {}

    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Answers>) -> Counters {
        let mut all = self.retired.borrow().clone();
        for isolate in alive {
            all.merge(&isolate.counters());
        }
        all
    }

    fn gauges(&self, _: &Answers) -> Gauges {
        Gauges::default()
    }

    fn layout(&self) -> &LayoutPolicy {
        &self.policy.layout
    }

    fn missing(&self, _: &View<Answers>) -> Result<i64, Defect> {
        Ok(0)
    }

    fn audit(&self, view: &View<Answers>) -> Result<Option<f64>, Defect> {
        let written = dataset_of(view.store).usage().get(MeterItem::AeDataPoints);
        if written != u128::from(view.records) {
            return Err(Defect::new(format!(
                "{} records, but {written} data points",
                view.records
            )));
        }
        Ok(None)
    }

    fn beyond(&self, _: &Store) -> Result<Beyond, Defect> {
        Ok(Beyond {
            lost: 0,
            delay_s: self.visible_after.as_secs_f64(),
        })
    }
}
