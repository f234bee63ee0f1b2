//! Scenarios: one TOML file that names a workload, policies, a world and a plan.

use crate::cloud::failure::FailureSpec;
use crate::cloud::kv::KvLimits;
use crate::cloud::latency::LatencyProfile;
use crate::config::quantity::{self, Count};
use crate::config::{self, ConfigError, FieldError, Overrides};
use crate::pricing::catalog::{Catalog, Plan};
use crate::telemetry::alerts::AlertRules;
use crate::telemetry::policy::Policy;
use crate::workload::WorkloadSpec;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A scenario as its file has it: other model files are named, not included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// One line for lists and chart subtitles.
    pub title: String,
    /// Workload: a name in `models/workloads` or a path.
    pub workload: String,
    /// Policies to set side by side: names in `models/policies` or paths.
    pub policies: Vec<String>,
    /// Latency profile of the KV: a name in `models/latency` or a path.
    pub latency: String,
    /// Limits of the KV: a name in `models/limits` or a path.
    #[serde(default = "default_limits")]
    pub limits: String,
    /// Alert thresholds: a name in `models/alerts` or a path.
    #[serde(default = "default_alerts")]
    pub alerts: String,
    pub billing: Billing,
    /// Traffic of `kvplan run`: requests in a month of 30 days.
    pub traffic_per_month: Count,
    /// Levels of `kvplan sweep`: requests in a month of 30 days.
    #[serde(default = "default_levels")]
    pub sweep_per_month: Vec<Count>,
    /// Independent replications of each point.
    #[serde(default = "default_replications")]
    pub replications: u32,
    /// Seed of all random streams.
    #[serde(default = "default_seed")]
    pub seed: u64,
    #[serde(default)]
    pub period: Period,
    #[serde(default)]
    pub failures: FailureSpec,
    #[serde(default)]
    pub cpu: CpuCost,
}

fn default_limits() -> String {
    "cloudflare".into()
}
fn default_alerts() -> String {
    "seed".into()
}
fn default_replications() -> u32 {
    10
}
fn default_seed() -> u64 {
    20_260_113
}
fn default_levels() -> Vec<Count> {
    [
        10_000u64, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000,
        100_000_000,
    ]
    .map(Count)
    .to_vec()
}

/// Which prices and which plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// A name in `models/prices` or a path.
    pub catalog: String,
    /// One of the catalog's plans.
    pub plan: String,
}

/// How long a stretch of the month is simulated before it is scaled to 30 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Period {
    /// Simulate until about so many requests have come ...
    pub requests: Count,
    /// ... but no less than this ...
    #[serde(with = "quantity::duration")]
    pub at_least: Duration,
    /// ... and no more than this. Workloads with a daily shape are simulated
    /// for whole days, those with a weekly shape for whole weeks.
    #[serde(with = "quantity::duration")]
    pub at_most: Duration,
    /// Simulated before the measurement starts, and not counted.
    #[serde(with = "quantity::duration")]
    pub warm_up: Duration,
}

impl Default for Period {
    fn default() -> Self {
        Period {
            requests: Count(100_000),
            at_least: Duration::from_secs(3_600),
            at_most: Duration::from_secs(30 * 86_400),
            warm_up: Duration::from_secs(60),
        }
    }
}

/// CPU time that the metrics system takes from a Worker invocation, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CpuCost {
    /// A recorded request, with the gateway's own work.
    pub request_us: u64,
    /// An analytics query or health check.
    pub query_us: u64,
}

impl Default for CpuCost {
    fn default() -> Self {
        CpuCost {
            request_us: 1_000,
            query_us: 5_000,
        }
    }
}

/// A scenario with everything it names read in; enough to repeat a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    pub title: String,
    pub workload: WorkloadSpec,
    pub policies: Vec<Policy>,
    pub latency: LatencyProfile,
    pub limits: KvLimits,
    pub alerts: AlertRules,
    pub catalog: Catalog,
    pub plan: String,
    pub traffic_per_month: Count,
    pub sweep_per_month: Vec<Count>,
    pub replications: u32,
    pub seed: u64,
    pub period: Period,
    pub failures: FailureSpec,
    pub cpu: CpuCost,
}
