//! The store under comparison, as the isolates reach it.

use super::StorePoint;
use crate::cloud::kv::{
    BillingRules, Consistency, DailyQuota, KvConfig, KvHandle, KvLatency, KvLimits, KvStore,
};
use crate::cloud::stores::{
    AnalyticsEngine, Database, DatabaseHandle, ObjectHandle, ObjectStore, Queue, QueueHandle,
    Service,
};
use crate::pricing::{MeterItem, Usage};
use crate::run::result::CallStats;
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::collector::Collector;
use crate::telemetry::policy::{Aggregation, Discover, KeyLayout, Policy, WriteMode};
use crate::telemetry::ports::{
    Clock, Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value,
};
use crate::units::Timestamp;
use rand::Rng;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Who writes the keys that a queue's consumer writes.
const CONSUMER: &str = "consumer";

/// How long the consumer waits before it tries again to store a batch.
const CONSUMER_PAUSE: Duration = Duration::from_secs(1);

/// The store with everything that runs beside it.
pub enum Backend {
    Kv(Rc<KvStore>),
    Objects(Rc<ObjectStore>),
    D1(Rc<Database>),
    Object(Rc<Database>),
    Queue {
        queue: Rc<Queue>,
        kv: Rc<KvStore>,
        consumer: Rc<Collector<SimHandle>>,
    },
    Points(Rc<AnalyticsEngine>),
}

impl Backend {
    /// An empty store; the measurement starts at `origin`.
    pub fn new(point: &StorePoint, origin: Timestamp, sim: &SimHandle, streams: &Streams) -> Self {
        let plan = &point.scenario.plan;
        let elsewhere = |limits: &KvLimits, latency: KvLatency| {
            let config = KvConfig {
                limits: limits.of_plan(plan),
                latency,
                failures: point.scenario.failures.clone(),
                origin,
                quota: DailyQuota::default(),
                consistency: None,
            };
            KvStore::new(config, sim.clone(), streams)
        };
        let database = |spec: &crate::cloud::stores::DatabaseSpec| {
            let rows = elsewhere(&spec.limits, spec.latency.samplers());
            Database::new(rows, spec.rows.clone(), spec.server.clone())
        };
        match &point.store.service {
            Service::Kv => Backend::Kv(workers_kv(point, origin, sim, streams)),
            Service::R2(spec) => {
                let objects = elsewhere(&spec.limits, spec.latency.samplers());
                Backend::Objects(ObjectStore::new(objects))
            }
            Service::D1(spec) => Backend::D1(database(spec)),
            Service::DurableObject(spec) => Backend::Object(database(spec)),
            Service::Queues(spec) => {
                let kv = workers_kv(point, origin, sim, streams);
                let seed = streams.stream("retry.jitter.consumer").next_u64();
                let policy = Rc::new(consumer_policy(point.policy));
                let consumer = Rc::new(Collector::new(policy, sim.clone(), CONSUMER, seed));
                let consume = {
                    let (kv, consumer, sim) = (Rc::clone(&kv), Rc::clone(&consumer), sim.clone());
                    move |queue: &Rc<Queue>, batch: Vec<_>| {
                        consume(queue, batch, &kv, &consumer, &sim);
                    }
                };
                let rng = streams.stream("queue.send");
                let queue = Queue::new(spec.of_plan(plan), sim.clone(), rng, consume);
                Backend::Queue {
                    queue,
                    kv,
                    consumer,
                }
            }
            Service::AnalyticsEngine(spec) => {
                let bucket = point.policy.layout.bucket;
                let rng = streams.stream("points.query");
                Backend::Points(AnalyticsEngine::new(spec, bucket, sim.clone(), rng))
            }
        }
    }

    /// How an invocation that writes reaches the store; none where records go one by one.
    pub fn writer(&self, place: usize) -> Option<Handle> {
        match self {
            Backend::Queue { queue, .. } => Some(Handle::Queue(queue.producer())),
            other => other.reader(place),
        }
    }

    /// How an invocation that queries reaches the store; none where it is asked in SQL.
    pub fn reader(&self, place: usize) -> Option<Handle> {
        Some(match self {
            Backend::Kv(kv) | Backend::Queue { kv, .. } => Handle::Kv(kv.invocation_at(place)),
            Backend::Objects(bucket) => Handle::Objects(bucket.invocation()),
            Backend::D1(db) | Backend::Object(db) => Handle::Database(db.invocation()),
            Backend::Points(_) => return None,
        })
    }

    /// The settings of the collector that writes in an isolate.
    pub fn writer_policy(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if let Backend::Queue { .. } = self {
            // Each batch is a message of its own; nothing is added up before the consumer does.
            policy.layout.keys = KeyLayout::BatchKeys;
            policy.layout.per_provider = false;
            policy.queries.aggregate = Aggregation::OnQuery;
        }
        policy
    }

    /// Under which keys the store's values end up.
    pub fn stored_keys(&self, policy: &Policy) -> KeyLayout {
        match self {
            Backend::Queue { .. } => consumer_policy(policy).layout.keys,
            _ => policy.layout.keys,
        }
    }

    /// The settings and the writer's name of the collector that queries, where another writes.
    pub fn reader_policy(&self, policy: &Policy) -> Option<(Policy, &'static str)> {
        match self {
            Backend::Queue { .. } => Some((consumer_policy(policy), CONSUMER)),
            _ => None,
        }
    }

    /// The keys and values, where there are any.
    pub fn values(&self) -> Option<&Rc<KvStore>> {
        match self {
            Backend::Kv(kv) | Backend::Queue { kv, .. } => Some(kv),
            Backend::Objects(bucket) => Some(bucket.objects()),
            Backend::D1(db) | Backend::Object(db) => Some(db.rows()),
            Backend::Points(_) => None,
        }
    }

    /// The item that storage is billed as.
    pub fn storage_item(&self) -> MeterItem {
        match self {
            Backend::Objects(_) => MeterItem::R2Storage,
            Backend::D1(_) => MeterItem::D1Storage,
            Backend::Object(_) => MeterItem::DoStorage,
            Backend::Kv(_) | Backend::Queue { .. } | Backend::Points(_) => MeterItem::KvStorage,
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
            Backend::Kv(kv) => of_kv(kv),
            Backend::Objects(bucket) => bucket.usage(rules),
            Backend::D1(db) => db.usage_as_d1(),
            Backend::Object(db) => db.usage_as_object(),
            Backend::Queue { queue, kv, .. } => {
                let mut usage = of_kv(kv);
                usage.merge(&queue.usage());
                let [_, _, _, batches] = queue.counts();
                usage.add(MeterItem::WorkersRequests, u128::from(batches));
                usage
            }
            Backend::Points(dataset) => dataset.usage(),
        }
    }

    /// CPU time so far of Workers that only this store needs, in microseconds.
    pub fn cpu_us(&self) -> u64 {
        match self {
            Backend::Queue { queue, .. } => {
                let [_, delivered, _, batches] = queue.counts();
                batches * queue.spec().batch_cpu_us + delivered * queue.spec().message_cpu_us
            }
            _ => 0,
        }
    }

    /// Most requests or messages in a second, where the store has such a bound.
    pub fn peak_per_second(&self) -> Option<u64> {
        match self {
            Backend::D1(db) | Backend::Object(db) => Some(db.server().borrow_mut().peak().most()),
            Backend::Queue { queue, .. } => Some(queue.peak()),
            _ => None,
        }
    }

    /// Forgets the busiest second so far.
    pub fn reset_peak(&self) {
        match self {
            Backend::D1(db) | Backend::Object(db) => db.server().borrow_mut().peak().reset(),
            Backend::Queue { queue, .. } => queue.reset_peak(),
            _ => {}
        }
    }

    /// The invariants of the store.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Backend::Kv(kv) => kv.meter().check(),
            Backend::Objects(bucket) => bucket.check(),
            Backend::D1(db) | Backend::Object(db) => db.check(),
            Backend::Queue {
                queue,
                kv,
                consumer,
            } => {
                queue.check()?;
                kv.meter().check()?;
                consumer.check_conservation()
            }
            Backend::Points(dataset) => dataset.check(),
        }
    }
}

/// Workers KV as the scenario has it.
fn workers_kv(
    point: &StorePoint,
    origin: Timestamp,
    sim: &SimHandle,
    streams: &Streams,
) -> Rc<KvStore> {
    let scenario = point.scenario;
    let limit = |kind| scenario.plan().daily_limit(MeterItem::of_operation(kind));
    let config = KvConfig {
        limits: scenario.limits.of_plan(&scenario.plan),
        latency: scenario.latency.samplers(),
        failures: scenario.failures.clone(),
        origin,
        quota: DailyQuota(OpKind::ALL.map(limit)),
        consistency: scenario.consistency.clone().map(|spec| Consistency {
            spec,
            places: scenario.fleet.place_count(),
            hot: scenario.latency.hot_read.sampler(),
            cold: scenario.latency.cold_read.sampler(),
        }),
    };
    KvStore::new(config, sim.clone(), streams)
}

/// The settings of a consumer that adds up in one key for each bucket, within the KV's limit of a
/// write a second.
fn consumer_policy(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.layout.keys = KeyLayout::Rollup;
    policy.layout.discover = Discover::Own;
    policy.layout.per_provider = false;
    policy.batch.write = WriteMode::Background;
    policy.batch.min_interval = policy.batch.min_interval.max(Duration::from_secs(1));
    policy.queries.aggregate = Aggregation::OnQuery;
    policy
}

/// An invocation of the consumer: takes the batch in, and acknowledges it when it is stored.
fn consume(
    queue: &Rc<Queue>,
    batch: Vec<crate::cloud::stores::Message>,
    kv: &Rc<KvStore>,
    consumer: &Rc<Collector<SimHandle>>,
    sim: &SimHandle,
) {
    for message in &batch {
        // What cannot be read is counted; it would be no better at another delivery.
        let _ = consumer.absorb(&message.body);
    }
    let (queue, kv, consumer, clock) = (
        Rc::clone(queue),
        Rc::clone(kv),
        Rc::clone(consumer),
        sim.clone(),
    );
    sim.spawn(async move {
        while consumer.store_absorbed(&kv.invocation()).await.is_err() {
            clock.sleep(CONSUMER_PAUSE).await;
        }
        queue.acknowledge(&batch);
    });
}

/// The store as one invocation sees it.
pub enum Handle {
    Kv(KvHandle),
    Objects(ObjectHandle),
    Database(DatabaseHandle),
    Queue(QueueHandle),
}

/// A handle that notes how long writes take.
pub struct Timed {
    pub handle: Handle,
    pub sim: SimHandle,
    pub writes: Rc<RefCell<CallStats>>,
}

/// The same call on whatever the handle is.
macro_rules! forward {
    ($handle:expr, $kv:ident => $call:expr) => {
        match $handle {
            Handle::Kv($kv) => $call,
            Handle::Objects($kv) => $call,
            Handle::Database($kv) => $call,
            Handle::Queue($kv) => $call,
        }
    };
}

impl Kv for Timed {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        forward!(&self.handle, kv => kv.read(keys, options).await)
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let start = self.sim.now();
        let done = forward!(&self.handle, kv => kv.put(key, value, options).await);
        let took = self.sim.now().since(start);
        self.writes.borrow_mut().add(took, done.is_ok());
        done
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        forward!(&self.handle, kv => kv.delete(key).await)
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        forward!(&self.handle, kv => kv.list(prefix, cursor, limit).await)
    }
}
