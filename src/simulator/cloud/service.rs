//! Stores as their files have them: data in `models/stores`.

use crate::cloud::kv::{KvLatency, KvLimits};
use crate::models::dist::Dist;
use crate::models::quantity::{self, Bytes};
use crate::models::{FieldError, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A store that metrics may be kept in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreSpec {
    /// Short name for tables and charts.
    pub name: String,
    /// What is kept where, in one line.
    pub title: String,
    /// What a reader sees of a write, in words.
    pub consistency: String,
    /// What a reader of the comparison must know; none if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What kind of service it is, with its settings.
    pub service: Service,
    /// What the service can do at most.
    #[serde(default, rename = "bound", skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
}

/// Which service, and how it behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Service {
    /// Workers KV as the scenario has it: its latency profile, limits, failures and consistency.
    Kv,
    /// Objects in an R2 bucket, one for each key.
    R2(ObjectsSpec),
    /// Rows in one D1 database.
    D1(DatabaseSpec),
    /// Rows in one Durable Object with SQLite storage.
    DurableObject(DatabaseSpec),
    /// Batches sent through a queue; its consumer adds them up in Workers KV.
    Queues(QueueSpec),
    /// A data point for each record.
    AnalyticsEngine(PointsSpec),
}

/// How long operations take, as their caller sees it, without waiting for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpLatency {
    /// Of reads of values.
    pub read: Dist,
    /// Of writes and deletes.
    pub write: Dist,
    /// Of lists of keys.
    pub list: Dist,
}

/// A bucket of objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsSpec {
    /// How long operations take.
    pub latency: OpLatency,
    /// What is refused beyond.
    pub limits: KvLimits,
}

/// A table with a row for each key, in one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    /// How long operations take, without waiting for the server.
    pub latency: OpLatency,
    /// What is refused beyond.
    pub limits: KvLimits,
    /// The one server that all operations go through.
    pub server: ServerSpec,
    /// How many rows operations read and write.
    pub rows: RowsSpec,
}

/// One request at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Time that a request has the database to itself.
    #[serde(with = "quantity::duration")]
    pub service_time: Duration,
    /// Time after that until a write is safe: other requests go on, but the object stays active.
    #[serde(with = "quantity::duration")]
    pub commit_time: Duration,
    /// A request that would have to wait longer for others is refused.
    #[serde(with = "quantity::duration")]
    pub max_wait: Duration,
}

/// Rows that statements count for. A key that expires is deleted by a daily job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsSpec {
    /// Written by the first write of a key: its row, and its entries in indexes.
    pub insert: u64,
    /// Written by a later write of the key, which changes no indexed column.
    pub update: u64,
    /// Written by its deletion.
    pub delete: u64,
    /// Read to find one key, there or not.
    pub lookup: u64,
}

/// A queue and its consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSpec {
    /// Time until a message is accepted.
    pub send: Dist,
    /// Largest message.
    pub max_message: Bytes,
    /// Bytes that the service adds to each message.
    pub overhead: Bytes,
    /// Bytes that count as one operation.
    pub operation: Bytes,
    /// Messages a second that the queue accepts.
    pub max_messages_per_second: u64,
    /// Messages delivered at once, and the longest wait for so many.
    pub max_batch_size: usize,
    /// Longest time that a batch may wait for more messages.
    #[serde(with = "quantity::duration")]
    pub max_batch_timeout: Duration,
    /// Invocations of the consumer at the same time, all in one isolate.
    pub max_concurrency: usize,
    /// A message that has waited for so long is deleted.
    #[serde(with = "quantity::duration", default = "four_days")]
    pub retention: Duration,
    /// CPU time of an invocation of the consumer, and of each message in it, in microseconds.
    pub batch_cpu_us: u64,
    /// CPU time of each message in an invocation of the consumer, in microseconds.
    pub message_cpu_us: u64,
    /// What single plans allow, by the plan's name; of two limits, the lower one counts.
    #[serde(default, rename = "plan", skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, QueuePlan>,
}

/// What a plan allows, where that is less than [`QueueSpec`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePlan {
    /// How long messages are kept that nobody has consumed.
    #[serde(with = "quantity::duration")]
    pub retention: Duration,
}

/// Source: <https://developers.cloudflare.com/queues/platform/limits/>
fn four_days() -> Duration {
    Duration::from_secs(4 * 86_400)
}

impl QueueSpec {
    /// The queue under the plan of that name.
    pub fn of_plan(&self, plan: &str) -> QueueSpec {
        let own = self.plans.get(plan).map_or(Duration::MAX, |p| p.retention);
        QueueSpec {
            retention: self.retention.min(own),
            plans: BTreeMap::new(),
            ..self.clone()
        }
    }
}

/// A dataset of Analytics Engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsSpec {
    /// Time of a query through the SQL API.
    pub query: Dist,
    /// Time until a query sees a data point.
    #[serde(with = "quantity::duration")]
    pub visible_after: Duration,
}

/// What the service can do at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// What is bounded.
    pub measure: BoundMeasure,
    /// The most of it that the service can do.
    pub most: f64,
    /// The bound in words.
    pub text: String,
    /// Where the figure comes from.
    pub source: String,
    /// Whether the figure is assumed, not published.
    #[serde(default)]
    pub assumed: bool,
    /// The plan under which it holds; under all, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// What a bound is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoundMeasure {
    /// Writes of one key in a second. What comes beyond is refused and tried again: worth
    /// knowing, but it makes the store unfit only if calls fail of it.
    KeyWritesPerSecond,
    /// Requests or messages in the busiest second. More makes the store unfit.
    RequestsPerSecond,
    /// Bytes stored once old keys expire. More makes the store unfit.
    StoredBytes,
}

impl OpLatency {
    /// What draws the latencies; a delete takes as long as a write.
    pub fn samplers(&self) -> KvLatency {
        KvLatency {
            read: self.read.sampler(),
            write: self.write.sampler(),
            delete: self.write.sampler(),
            list: self.list.sampler(),
        }
    }

    fn dists(&mut self) -> Vec<&mut Dist> {
        vec![&mut self.read, &mut self.write, &mut self.list]
    }

    fn validate(&self) -> Result<(), FieldError> {
        for (name, dist) in [
            ("read", &self.read),
            ("write", &self.write),
            ("list", &self.list),
        ] {
            dist.validate()
                .map_err(|e| e.within(name).within("latency"))?;
        }
        Ok(())
    }
}

impl Service {
    fn validate(&self) -> Result<(), FieldError> {
        match self {
            Service::Kv => Ok(()),
            Service::R2(o) => {
                o.latency.validate()?;
                o.limits.validate().map_err(|e| e.within("limits"))
            }
            Service::D1(d) | Service::DurableObject(d) => {
                d.latency.validate()?;
                if d.server.service_time.is_zero() {
                    return Err(FieldError::new(
                        "server.service_time",
                        "found 0 s, expected more",
                    ));
                }
                d.limits.validate().map_err(|e| e.within("limits"))
            }
            Service::Queues(q) => {
                for (field, value) in [
                    ("operation", q.operation.0),
                    ("max_messages_per_second", q.max_messages_per_second),
                    ("max_batch_size", q.max_batch_size as u64),
                    ("max_concurrency", q.max_concurrency as u64),
                ] {
                    if value == 0 {
                        return Err(FieldError::new(field, "found 0, expected more"));
                    }
                }
                q.send.validate().map_err(|e| e.within("send"))
            }
            Service::AnalyticsEngine(p) => p.query.validate().map_err(|e| e.within("query")),
        }
    }
}

impl Model for StoreSpec {
    const FOLDER: &'static str = "stores";

    fn validate(&self) -> Result<(), FieldError> {
        for (i, bound) in self.bounds.iter().enumerate() {
            if !(bound.most.is_finite() && bound.most > 0.0) {
                return Err(FieldError::new(
                    format!("bound[{i}].most"),
                    format!("found {}, expected a number above 0", bound.most),
                ));
            }
        }
        self.service.validate().map_err(|e| e.within("service"))
    }

    fn distributions(&mut self) -> Vec<&mut Dist> {
        match &mut self.service {
            Service::Kv => Vec::new(),
            Service::R2(o) => o.latency.dists(),
            Service::D1(d) | Service::DurableObject(d) => d.latency.dists(),
            Service::Queues(q) => vec![&mut q.send],
            Service::AnalyticsEngine(p) => vec![&mut p.query],
        }
    }
}
