//! The settings of the metrics system.

pub use super::health::HealthThresholds;
use crate::units::quantity::{self, Probability};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod check;

/// How long the Workers runtime carries on work after the response
/// (<https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil>).
pub const WAIT_UNTIL: Duration = Duration::from_secs(30);

/// How the metrics system batches, retries, stores and caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Short name used in tables and charts.
    pub name: String,
    /// When a batch is written.
    #[serde(default)]
    pub batch: BatchPolicy,
    /// What is done about a write that failed.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// Under which keys metrics are kept.
    #[serde(default)]
    pub layout: LayoutPolicy,
    /// The cache of query results.
    #[serde(default)]
    pub cache: CachePolicy,
    /// What queries cover and how they read.
    #[serde(default)]
    pub queries: QueryPolicy,
    /// From where on a provider is not healthy.
    #[serde(default)]
    pub health: HealthThresholds,
    /// Circuit breaker around all operations on the KV; none lets all through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerPolicy>,
    /// Stores beside the KV; none uses the KV alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TierPolicy>,
    /// A cron trigger that reads the metrics into the cache of the isolate it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<CronPolicy>,
}

/// Which other stores hold answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct TierPolicy {
    /// How long a Durable Object keeps the answer to a query for all isolates; none without.
    #[serde(
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub shared_ttl: Option<Duration>,
    /// Age at which a day moves to R2, in whole days; none without.
    #[serde(
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub archive_after: Option<Duration>,
}

/// When the cron trigger fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CronPolicy {
    /// A minute at least: cron triggers know no less.
    #[serde(with = "quantity::duration")]
    pub every: Duration,
}

/// When the circuit breaker opens and closes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// How long it lets nothing through.
    #[serde(with = "quantity::duration")]
    pub open_for: Duration,
    /// Operations it then lets through, all of which must succeed to close it.
    pub half_open_probes: u32,
}

/// When recorded requests are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BatchPolicy {
    /// Records that make a full batch.
    pub max_records: u32,
    /// Age at which a batch is written even if it is not full.
    #[serde(with = "quantity::duration")]
    pub max_age: Duration,
    /// Least time between two writes of a batch; the KV takes one write a second to a key.
    #[serde(with = "quantity::duration")]
    pub min_interval: Duration,
    /// Records held in memory at most.
    pub buffer_capacity: u32,
    /// What gives way when the buffer is full.
    pub overflow: Overflow,
    /// How long a request waits for room at most, where `overflow` is `wait`.
    #[serde(with = "quantity::duration")]
    pub max_wait: Duration,
    /// Lets the size of a batch follow the load; none keeps it at `max_records`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptivePolicy>,
    /// Whether a request waits until its batch is written.
    pub write: WriteMode,
}

impl BatchPolicy {
    /// Age at which a batch is written, whatever is in it.
    pub fn age(&self) -> Duration {
        let target = self.adaptive.as_ref().map(|a| a.target_age);
        target.map_or(self.max_age, |t| t.min(self.max_age))
    }
}

impl Default for BatchPolicy {
    fn default() -> Self {
        BatchPolicy {
            max_records: 100,
            max_age: Duration::from_secs(10),
            min_interval: Duration::from_secs(1),
            buffer_capacity: 10_000,
            overflow: Overflow::DropNewest,
            max_wait: Duration::from_secs(5),
            adaptive: None,
            write: WriteMode::Background,
        }
    }
}

/// Batches of as many records as are expected to come in `target_age`, `min_records` to
/// `max_records` of them: small at low load, so that records are stored sooner, large at high load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AdaptivePolicy {
    /// Fewest records of a full batch.
    pub min_records: u32,
    /// How long a record should wait at most for its batch to fill.
    #[serde(with = "quantity::duration")]
    pub target_age: Duration,
}

/// Which record is given up when the buffer is full; each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The new record.
    DropNewest,
    /// The oldest record.
    DropOldest,
    /// None: the request waits for room (backpressure), `max_wait` at most. Totals (layout
    /// `rollup`) never fill the buffer.
    Wait,
}

/// Who waits for a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// The request that fills a batch waits; writes may overlap.
    Await,
    /// Nobody: `waitUntil` carries the write on, one at a time.
    Background,
}

/// What is done about a write that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// How pauses grow.
    pub backoff: Backoff,
    /// Attempts in all, the first included. After the last the records stay in
    /// memory and go with the next write.
    pub max_attempts: u32,
    /// Pause before the first retry.
    #[serde(with = "quantity::duration")]
    pub base: Duration,
    /// Longest pause.
    #[serde(with = "quantity::duration")]
    pub cap: Duration,
    /// Bound on retries as a share of first attempts; none is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<RetryBudget>,
}

/// Tokens that retries spend: each first attempt earns `per_attempt`, `capacity` can be saved up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Tokens that a first attempt earns.
    pub per_attempt: Probability,
    /// Most tokens that can be saved up.
    pub capacity: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            backoff: Backoff::ExponentialFullJitter,
            max_attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
            budget: None,
        }
    }
}

/// How the pauses between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// No retry.
    None,
    /// Always the base pause.
    Fixed,
    /// Doubled each time.
    Exponential,
    /// Evenly between nothing and the doubled pause.
    ExponentialFullJitter,
}

/// Under which keys the metrics are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LayoutPolicy {
    /// Whose records share a key.
    pub keys: KeyLayout,
    /// Length of the time buckets.
    #[serde(with = "quantity::duration")]
    pub bucket: Duration,
    /// Whether each provider has a key of its own (layout `rollup`): a query for one provider
    /// reads less, a flush writes more.
    pub per_provider: bool,
    /// How long keys are kept (`expirationTtl`).
    #[serde(with = "quantity::duration")]
    pub retention: Duration,
    /// How a query finds the writers' keys.
    pub discover: Discover,
}

impl Default for LayoutPolicy {
    fn default() -> Self {
        LayoutPolicy {
            keys: KeyLayout::Rollup,
            bucket: Duration::from_secs(3_600),
            per_provider: false,
            retention: Duration::from_secs(8 * 86_400),
            discover: Discover::Own,
        }
    }
}

/// Which keys a flush writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyLayout {
    /// A new key for each batch, `b/<bucket>/<writer>-<number>`: a write never meets another,
    /// but a query lists and reads every batch of its window.
    BatchKeys,
    /// A key for each writer and bucket, `r/<bucket>/<writer>`, rewritten with the running
    /// total at each flush: a query reads one key per writer and bucket, and a repeated
    /// write changes nothing.
    Rollup,
    /// One key for each bucket, `s/<bucket>`, which every writer reads, adds to and writes back: a
    /// query reads one key per bucket, but of two writers at a time one loses its records.
    Shared,
}

/// How a query finds the keys of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Discover {
    /// It computes its own keys: right for a single isolate, blind to other writers.
    Own,
    /// It lists each bucket: finds every writer, at the price of the lists.
    List,
}

/// The TTL cache of query results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CachePolicy {
    /// Whether there is one.
    pub enabled: bool,
    /// Life of an entry from the time it was filled; a hit does not renew it.
    #[serde(with = "quantity::duration")]
    pub ttl: Duration,
    /// Most entries; the oldest gives way.
    pub max_entries: u32,
    /// Whether metrics of one provider have entries of their own.
    pub per_provider: bool,
    /// Whether queries that miss at the same time share one read of the KV.
    pub coalesce: bool,
    /// Refreshes entries before they die; none lets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prewarm: Option<PrewarmPolicy>,
}

/// While at least `min_expected` lookups of an entry are expected in the next TTL, from the rate
/// of those that came, it is read again `lead` before it dies, until `max_chain` after the
/// request that started it: `waitUntil` ends soon after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PrewarmPolicy {
    /// How long before its death an entry is read again.
    #[serde(with = "quantity::duration")]
    pub lead: Duration,
    /// Fewest lookups to be expected in the next TTL.
    pub min_expected: f64,
    /// Until when after the request that began it a read may begin: 25 s at most.
    #[serde(with = "quantity::duration")]
    pub max_chain: Duration,
}

impl Default for CachePolicy {
    fn default() -> Self {
        CachePolicy {
            enabled: true,
            ttl: Duration::from_secs(5),
            max_entries: 1_000,
            per_provider: false,
            coalesce: false,
            prewarm: None,
        }
    }
}

/// Windows of the queries; rounded up to whole buckets, the current one included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct QueryPolicy {
    /// Window of the metrics endpoint and of health reports.
    #[serde(with = "quantity::duration")]
    pub metrics_window: Duration,
    /// Window of analytics queries.
    #[serde(with = "quantity::duration")]
    pub analytics_window: Duration,
    /// How long a point of presence may answer reads from its cache (`cacheTtl`); the service's
    /// default (60 s) if not given, 30 s at least.
    #[serde(
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub cache_ttl: Option<Duration>,
    /// When the metrics of a window are computed.
    pub aggregate: Aggregation,
    /// What is done about a read that failed.
    pub retry: RetryPolicy,
}

/// When the metrics of a window are computed from what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// When a query misses the cache (lazy).
    OnQuery,
    /// After each write, for every window, into the cache (real-time).
    OnWrite,
}

impl Default for QueryPolicy {
    fn default() -> Self {
        QueryPolicy {
            metrics_window: Duration::from_secs(3_600),
            analytics_window: Duration::from_secs(86_400),
            cache_ttl: None,
            aggregate: Aggregation::OnQuery,
            retry: RetryPolicy {
                backoff: Backoff::None,
                max_attempts: 1,
                ..RetryPolicy::default()
            },
        }
    }
}
