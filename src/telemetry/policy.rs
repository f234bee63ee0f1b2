//! The settings of the metrics system.

use crate::config::quantity::{self, Probability};
use crate::config::{FieldError, Model};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the metrics system batches, retries, stores and caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Short name used in tables and charts.
    pub name: String,
    #[serde(default)]
    pub batch: BatchPolicy,
    #[serde(default)]
    pub retry: RetryPolicy,
    #[serde(default)]
    pub layout: LayoutPolicy,
    #[serde(default)]
    pub cache: CachePolicy,
    #[serde(default)]
    pub queries: QueryPolicy,
    #[serde(default)]
    pub health: HealthThresholds,
}

/// When recorded requests are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Whether a request waits until its batch is written.
    pub write: WriteMode,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        BatchPolicy {
            max_records: 100,
            max_age: Duration::from_secs(10),
            min_interval: Duration::from_secs(1),
            buffer_capacity: 10_000,
            overflow: Overflow::DropNewest,
            write: WriteMode::Background,
        }
    }
}

/// Which record is given up when the buffer is full; each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    DropNewest,
    DropOldest,
}

/// Who waits for a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// The request that fills a batch waits; writes may overlap.
    Await,
    /// Nobody: `waitUntil` carries the write on, one at a time.
    Background,
}

/// What is done about a write that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
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
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            backoff: Backoff::ExponentialFullJitter,
            max_attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
        }
    }
}

/// How the pauses between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(deny_unknown_fields, default)]
pub struct LayoutPolicy {
    pub keys: KeyLayout,
    /// Length of the time buckets.
    #[serde(with = "quantity::duration")]
    pub bucket: Duration,
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
            retention: Duration::from_secs(8 * 86_400),
            discover: Discover::Own,
        }
    }
}

/// Which keys a flush writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLayout {
    /// A new key for each batch, `b/<bucket>/<writer>-<number>`: a write never meets another,
    /// but a query lists and reads every batch of its window.
    BatchKeys,
    /// A key for each writer and bucket, `r/<bucket>/<writer>`, rewritten with the running
    /// total at each flush: a query reads one key per writer and bucket, and a repeated
    /// write changes nothing.
    Rollup,
}

/// How a query finds the keys of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discover {
    /// It computes its own keys: right for a single isolate, blind to other writers.
    Own,
    /// It lists each bucket: finds every writer, at the price of the lists.
    List,
}

/// The TTL cache of query results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CachePolicy {
    pub enabled: bool,
    /// Life of an entry from the time it was filled; a hit does not renew it.
    #[serde(with = "quantity::duration")]
    pub ttl: Duration,
    pub max_entries: u32,
    /// Whether metrics of one provider have entries of their own.
    pub per_provider: bool,
}

impl Default for CachePolicy {
    fn default() -> Self {
        CachePolicy {
            enabled: true,
            ttl: Duration::from_secs(5),
            max_entries: 1_000,
            per_provider: false,
        }
    }
}

/// Windows of the queries; rounded up to whole buckets, the current one included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

impl Default for QueryPolicy {
    fn default() -> Self {
        QueryPolicy {
            metrics_window: Duration::from_secs(3_600),
            analytics_window: Duration::from_secs(86_400),
            cache_ttl: None,
        }
    }
}

/// From where on a provider, or the whole, counts as degraded or down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthThresholds {
    pub degraded_error_rate: Probability,
    pub down_error_rate: Probability,
    #[serde(with = "quantity::duration")]
    pub degraded_p95: Duration,
    #[serde(with = "quantity::duration")]
    pub down_p95: Duration,
    /// With fewer requests in the window the status is unknown.
    pub min_requests: u64,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        let share = |p| Probability::new(p).expect("a literal between 0 and 1");
        HealthThresholds {
            degraded_error_rate: share(0.01),
            down_error_rate: share(0.05),
            degraded_p95: Duration::from_secs(5),
            down_p95: Duration::from_secs(30),
            min_requests: 1,
        }
    }
}

impl Model for Policy {
    const FOLDER: &'static str = "policies";

    fn validate(&self) -> Result<(), FieldError> {
        let b = &self.batch;
        let positive = [
            ("batch.max_records", u64::from(b.max_records)),
            ("batch.max_age", b.max_age.as_nanos() as u64),
            ("retry.max_attempts", u64::from(self.retry.max_attempts)),
            ("cache.max_entries", u64::from(self.cache.max_entries)),
            ("layout.bucket", self.layout.bucket.as_nanos() as u64),
            (
                "queries.metrics_window",
                self.queries.metrics_window.as_nanos() as u64,
            ),
            (
                "queries.analytics_window",
                self.queries.analytics_window.as_nanos() as u64,
            ),
        ];
        for (field, value) in positive {
            if value == 0 {
                return Err(FieldError::new(field, "found 0, expected a value above 0"));
            }
        }
        if b.buffer_capacity < b.max_records {
            return Err(FieldError::new(
                "batch.buffer_capacity",
                format!(
                    "found {}, expected at least batch.max_records = {}",
                    b.buffer_capacity, b.max_records
                ),
            ));
        }
        if self.layout.retention < self.queries.analytics_window {
            return Err(FieldError::new(
                "layout.retention",
                "found less than queries.analytics_window, expected at least as much",
            ));
        }
        if !self.layout.bucket.as_nanos().is_multiple_of(1_000_000_000) {
            return Err(FieldError::new(
                "layout.bucket",
                "found a fraction of a second, expected whole seconds",
            ));
        }
        Ok(())
    }
}
