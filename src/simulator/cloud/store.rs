//! The store of a run, whichever service it is.

use super::analytics::AnalyticsEngine;
use super::queue::{Deliver, Queue, QueueHandle};
use super::r2::{ObjectHandle, ObjectStore};
use super::service::{DatabaseSpec, Service};
use super::sql::{Database, DatabaseHandle};
use crate::Defect;
use crate::cloud::failure::FailureSpec;
use crate::cloud::kv::{
    BillingRules, DailyQuota, KvConfig, KvHandle, KvLatency, KvLimits, KvStore, OpLog,
};
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::ports::{Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value};
use std::rc::Rc;
use std::time::Duration;

/// The service that a run keeps its data in.
pub enum Store {
    /// Workers KV.
    Kv(Rc<KvStore>),
    /// A bucket of objects, such as R2.
    Objects(Rc<ObjectStore>),
    /// A D1 database.
    D1(Rc<Database>),
    /// A Durable Object with its own database.
    Object(Rc<Database>),
    /// Messages to a consumer that writes to Workers KV.
    Queue {
        /// Where messages wait.
        queue: Rc<Queue>,
        /// Where the consumer writes to, and queries read from.
        kv: Rc<KvStore>,
    },
    /// Analytics Engine: data points of requests, no aggregates.
    Points(Rc<AnalyticsEngine>),
}

/// What a store is made from, beside its own description.
pub struct Site<'a> {
    /// Workers KV, should it be that.
    pub kv: KvConfig,
    /// The plan's name.
    pub plan: &'a str,
    /// Failures of operations.
    pub failures: &'a FailureSpec,
    /// Length of the time buckets that queries cover.
    pub bucket: Duration,
    /// The virtual clock and executor.
    pub sim: &'a SimHandle,
    /// Random streams of the run.
    pub streams: &'a Streams,
}

/// What an invocation wants of a store that takes data at one end and gives it at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read aggregates, for a query.
    Read,
    /// To write a batch.
    Write,
}

impl Store {
    /// An empty store. `consumer` makes the consumer of a queue that writes to a KV.
    pub fn new(
        service: &Service,
        site: Site,
        consumer: impl FnOnce(&Rc<KvStore>) -> Deliver,
    ) -> Self {
        let (sim, streams) = (site.sim, site.streams);
        let origin = site.kv.origin;
        let elsewhere = |limits: &KvLimits, latency: KvLatency| {
            let config = KvConfig {
                limits: limits.of_plan(site.plan),
                latency,
                failures: site.failures.clone(),
                origin,
                quota: DailyQuota::default(),
                consistency: None,
            };
            KvStore::new(config, sim.clone(), streams)
        };
        let database = |spec: &DatabaseSpec| {
            let rows = elsewhere(&spec.limits, spec.latency.samplers());
            Database::new(rows, spec.rows.clone(), spec.server.clone())
        };
        match service {
            Service::Kv => Store::Kv(KvStore::new(site.kv, sim.clone(), streams)),
            Service::R2(spec) => {
                let objects = elsewhere(&spec.limits, spec.latency.samplers());
                Store::Objects(ObjectStore::new(objects))
            }
            Service::D1(spec) => Store::D1(database(spec)),
            Service::DurableObject(spec) => Store::Object(database(spec)),
            Service::Queues(spec) => {
                let kv = KvStore::new(site.kv, sim.clone(), streams);
                let deliver = consumer(&kv);
                let rng = streams.stream("queue.send");
                let queue = Queue::new(spec.of_plan(site.plan), sim.clone(), rng, deliver);
                Store::Queue { queue, kv }
            }
            Service::AnalyticsEngine(spec) => {
                let rng = streams.stream("points.query");
                Store::Points(AnalyticsEngine::new(spec, site.bucket, sim.clone(), rng))
            }
        }
    }

    /// Access for a Worker invocation at a place; what it does is written into `log`.
    ///
    /// # Panics
    /// If the store is no keys and values: Analytics Engine is written to and asked by name.
    pub fn invocation(&self, access: Access, place: usize, log: Option<OpLog>) -> Handle {
        let logged = |kv: &Rc<KvStore>, place| {
            let handle = kv.invocation_at(place);
            match log {
                Some(log) => handle.log_into(log),
                None => handle,
            }
        };
        match self {
            Store::Queue { queue, .. } if access == Access::Write => {
                Handle::Queue(queue.producer())
            }
            Store::Kv(kv) | Store::Queue { kv, .. } => Handle::Kv(logged(kv, place)),
            // One place for all.
            Store::Objects(bucket) => {
                Handle::Objects(bucket.invocation_by(logged(bucket.objects(), 0)))
            }
            Store::D1(db) | Store::Object(db) => {
                Handle::Database(db.invocation_by(logged(db.rows(), 0)))
            }
            Store::Points(_) => panic!("Analytics Engine has no keys"),
        }
    }

    /// The keys and values, where there are any.
    pub fn values(&self) -> Option<&Rc<KvStore>> {
        match self {
            Store::Kv(kv) | Store::Queue { kv, .. } => Some(kv),
            Store::Objects(bucket) => Some(bucket.objects()),
            Store::D1(db) | Store::Object(db) => Some(db.rows()),
            Store::Points(_) => None,
        }
    }

    /// Whether the keys and values are in Workers KV, whose quotas then hold.
    pub fn is_kv(&self) -> bool {
        matches!(self, Store::Kv(_) | Store::Queue { .. })
    }

    /// Byte-time that writes have bespoken so far, see [`KvStore::bespoken_byte_ns`].
    #[inline]
    pub fn bespoken_byte_ns(&self) -> u128 {
        self.values().map_or(0, |kv| kv.bespoken_byte_ns())
    }

    /// The item that storage is billed as.
    pub fn storage_item(&self) -> MeterItem {
        match self {
            Store::Objects(_) => MeterItem::R2Storage,
            Store::D1(_) => MeterItem::D1Storage,
            Store::Object(_) => MeterItem::DoStorage,
            Store::Kv(_) | Store::Queue { .. } | Store::Points(_) => MeterItem::KvStorage,
        }
    }

    /// What was used so far, without storage.
    pub fn usage(&self, rules: BillingRules) -> Usage {
        let of_kv = |kv: &KvStore| {
            let meter = kv.meter();
            let mut usage = Usage::default();
            for kind in OpKind::ALL {
                let billed = meter.billed(kind, rules);
                usage.add(MeterItem::of_operation(kind), u128::from(billed));
            }
            usage.add(MeterItem::KvReadBytes, u128::from(meter.read_bytes));
            usage.add(MeterItem::KvWriteBytes, u128::from(meter.write_bytes));
            usage
        };
        match self {
            Store::Kv(kv) => of_kv(kv),
            Store::Objects(bucket) => bucket.usage(rules),
            Store::D1(db) => db.usage_as_d1(),
            Store::Object(db) => db.usage_as_object(),
            Store::Queue { queue, kv } => {
                let mut usage = of_kv(kv);
                usage.merge(&queue.usage());
                let [_, _, _, batches] = queue.counts();
                usage.add(MeterItem::WorkersRequests, u128::from(batches));
                usage
            }
            Store::Points(dataset) => dataset.usage(),
        }
    }

    /// CPU time so far of Workers that only this store needs, in microseconds.
    pub fn cpu_us(&self) -> u64 {
        match self {
            Store::Queue { queue, .. } => {
                let [_, delivered, _, batches] = queue.counts();
                batches * queue.spec().batch_cpu_us + delivered * queue.spec().message_cpu_us
            }
            _ => 0,
        }
    }

    /// Most requests or messages in a second, where the store has such a bound.
    pub fn peak_per_second(&self) -> Option<u64> {
        match self {
            Store::D1(db) | Store::Object(db) => Some(db.server().borrow_mut().peak().most()),
            Store::Queue { queue, .. } => Some(queue.peak()),
            _ => None,
        }
    }

    /// Forgets the peaks so far; the meters go on.
    pub fn forget_peaks(&self) {
        match self {
            Store::D1(db) | Store::Object(db) => db.server().borrow_mut().peak().reset(),
            Store::Queue { queue, .. } => queue.reset_peak(),
            _ => {}
        }
        if let Some(kv) = self.values() {
            kv.forget_peaks();
        }
    }

    /// The invariants of the store.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        match self {
            Store::Kv(kv) => kv.meter().check(),
            Store::Objects(bucket) => bucket.check(),
            Store::D1(db) | Store::Object(db) => db.check(),
            Store::Queue { queue, kv } => {
                queue.check()?;
                kv.meter().check()
            }
            Store::Points(dataset) => dataset.check(),
        }
    }
}

/// The store as one invocation sees it.
pub enum Handle {
    /// A namespace of Workers KV.
    Kv(KvHandle),
    /// A bucket.
    Objects(ObjectHandle),
    /// A database, whether D1 or a Durable Object's.
    Database(DatabaseHandle),
    /// A queue to send to.
    Queue(QueueHandle),
}

/// The same call on whatever the handle is. A future is as large as the largest that it may await: those of other stores
/// than Workers KV are kept elsewhere, so that its own, which most runs make, are small.
macro_rules! forward {
    ($handle:expr, $kv:ident => $call:expr) => {
        match $handle {
            Handle::Kv($kv) => $call.await,
            Handle::Objects($kv) => Box::pin($call).await,
            Handle::Database($kv) => Box::pin($call).await,
            Handle::Queue($kv) => Box::pin($call).await,
        }
    };
}

impl Kv for Handle {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        forward!(self, kv => kv.read(keys, options))
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        forward!(self, kv => kv.put(key, value, options))
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        forward!(self, kv => kv.delete(key))
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        forward!(self, kv => kv.list(prefix, cursor, limit))
    }
}
