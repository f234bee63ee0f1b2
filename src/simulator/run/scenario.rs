//! Scenarios: one TOML file that names a workload, policies, a world and a plan.

pub use super::cpu::CpuCost;
use super::extent::Extent;
pub use super::extent::{HistoryAs, MOST_TRAFFIC, Period};
use super::precision::Precision;
use crate::cloud::consistency::ConsistencySpec;
use crate::cloud::failure::FailureSpec;
use crate::cloud::fleet::FleetSpec;
use crate::cloud::kv::KvLimits;
use crate::cloud::latency::LatencyProfile;
use crate::models::quantity::{self, Count, Rate};
use crate::models::{self, ConfigError, FieldError, Model, Override};
use crate::pricing::{Catalog, Date, MONTH, MeterItem, Plan};
use crate::telemetry::alerts::AlertRules;
use crate::telemetry::policy::{Discover, KeyLayout, Policy};
use crate::telemetry::ports::OpKind;
use crate::workload::WorkloadSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// A scenario as its file has it: other model files are named, not included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The plan, and its prices where they differ.
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
    /// How long is simulated.
    #[serde(default)]
    pub period: Period,
    /// How often operations fail, and when.
    #[serde(default)]
    pub failures: FailureSpec,
    /// Isolates and places: a name in `models/fleets` or a path.
    #[serde(default = "default_fleet")]
    pub fleet: String,
    /// Late visibility of writes: a name in `models/consistency` or a path. If not given, all
    /// see every write at once, and a read takes the profile's `read` time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<String>,
    /// CPU time of requests and queries.
    #[serde(default)]
    pub cpu: CpuCost,
    /// Add replications until the estimates are so precise; if not given, `replications` are all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

fn default_fleet() -> String {
    "single".into()
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
        10_000u64,
        30_000,
        100_000,
        300_000,
        1_000_000,
        3_000_000,
        10_000_000,
        30_000_000,
        100_000_000,
    ]
    .map(Count)
    .to_vec()
}

/// Which prices and which plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// A name in `models/prices` or a path.
    pub catalog: String,
    /// One of the catalog's plans.
    pub plan: String,
    /// Day whose prices are taken; if not given, the day on which the catalog was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
}

/// A scenario with everything it names read in; enough to repeat a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name: that of the file, without extension.
    pub name: String,
    /// The options of the command line that gave it; for readers, nothing depends on them.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What it is, in one line.
    pub title: String,
    /// What arrives, and how.
    pub workload: WorkloadSpec,
    /// The policies side by side.
    pub policies: Vec<Policy>,
    /// How long operations take.
    pub latency: LatencyProfile,
    /// What the KV refuses beyond.
    pub limits: KvLimits,
    /// When an alert fires.
    pub alerts: AlertRules,
    /// With the prices in force on the day of `prices_on`.
    pub catalog: Catalog,
    /// Day whose prices are taken.
    pub prices_on: Date,
    /// Name of the plan that is billed.
    pub plan: String,
    /// Recorded requests a month, for commands that look at one level.
    pub traffic_per_month: Count,
    /// Recorded requests a month, for those that sweep over levels.
    pub sweep_per_month: Vec<Count>,
    /// Replications of each point.
    pub replications: u32,
    /// Seed of all random streams.
    pub seed: u64,
    /// How long is simulated.
    pub period: Period,
    /// How often operations fail, and when.
    pub failures: FailureSpec,
    /// Where requests are served, and by how many isolates.
    pub fleet: FleetSpec,
    /// Read caches of the KV; none for a store that all see at once.
    pub consistency: Option<ConsistencySpec>,
    /// CPU time of requests and queries.
    pub cpu: CpuCost,
    /// When to stop replicating; none for a fixed number.
    pub precision: Option<Precision>,
}

/// How many times the wanted requests are simulated at most, so that rare calls come.
const MOST_FOR_CALLS: f64 = 4.0;

impl Model for ScenarioFile {
    const FOLDER: &'static str = "scenarios";

    fn validate(&self) -> Result<(), FieldError> {
        if self.policies.is_empty() {
            return Err(FieldError::new(
                "policies",
                "found none, expected at least one",
            ));
        }
        Extent {
            replications: self.replications,
            traffic: self.traffic_per_month,
            levels: &self.sweep_per_month,
            period: &self.period,
            precision: self.precision.as_ref(),
            failures: &self.failures,
        }
        .validate()
    }
}

impl Scenario {
    /// Loads a scenario by name or path, with everything it names.
    ///
    /// `policies` and `plan`, if given, replace the scenario's. An override whose path begins
    /// with `policy`, `workload`, `latency`, `limits`, `alerts`, `prices`, `fleet` or `consistency` changes that model,
    /// any other the scenario itself.
    pub fn load(
        name: &str,
        policies: &[String],
        plan: Option<&str>,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        let (label, _, dir) = models::source_text(ScenarioFile::FOLDER, name, None)?;
        let dir: Option<&Path> = dir.as_deref();
        let of = |model: &str| -> Vec<Override> {
            let mine = overrides
                .iter()
                .filter(|o| o.path[0] == model && o.path.len() > 1);
            mine.map(|o| Override {
                path: o.path[1..].to_vec(),
                ..o.clone()
            })
            .collect()
        };
        const MODELS: [&str; 8] = [
            "policy",
            "workload",
            "latency",
            "limits",
            "alerts",
            "prices",
            "fleet",
            "consistency",
        ];
        let own: Vec<Override> = overrides
            .iter()
            .filter(|o| !(MODELS.contains(&o.path[0].as_str()) && o.path.len() > 1))
            .cloned()
            .collect();
        let file: ScenarioFile = models::load(name, None, &own)?;
        let (policy_names, policy_dir) = if policies.is_empty() {
            (&file.policies[..], dir)
        } else {
            (policies, None)
        };
        let policies: Vec<Policy> = policy_names
            .iter()
            .map(|p| models::load(p, policy_dir, &of("policy")))
            .collect::<Result<_, _>>()?;
        for (i, p) in policies.iter().enumerate() {
            if policies[..i].iter().any(|q| q.name == p.name) {
                return Err(ConfigError::new(
                    &label,
                    format!(
                        "found two policies called \"{}\", expected different names",
                        p.name
                    ),
                ));
            }
        }
        let fleet: FleetSpec = models::load(&file.fleet, dir, &of("fleet"))?;
        let consistency: Option<ConsistencySpec> = match &file.consistency {
            Some(name) => Some(models::load(name, dir, &of("consistency"))?),
            None => None,
        };
        for p in policies.iter().filter(|_| fleet.has_many_writers()) {
            if p.layout.keys == KeyLayout::Rollup && p.layout.discover == Discover::Own {
                return Err(ConfigError {
                    field: Some("fleet".into()),
                    ..ConfigError::new(
                        &label,
                        format!(
                            "found \"{}\" ({}) with policy \"{}\", whose queries see their own isolate's keys only; expected a policy with layout.discover = \"list\", such as optimised-fleet",
                            file.fleet, fleet.title, p.name
                        ),
                    )
                });
            }
        }
        let catalog: Catalog = models::load(&file.billing.catalog, dir, &of("prices"))?;
        let prices_on = file.billing.on.unwrap_or_else(|| catalog.checked_on());
        catalog.check_known(prices_on).map_err(|e| ConfigError {
            field: Some("billing.on".into()),
            ..ConfigError::new(&label, e)
        })?;
        let catalog = catalog.on(prices_on);
        let plan = plan.unwrap_or(&file.billing.plan).to_owned();
        catalog.plan(&plan).map_err(|e| ConfigError {
            field: Some("billing.plan".into()),
            ..ConfigError::new(&label, e.message)
        })?;
        let scenario = Scenario {
            name: name.to_owned(),
            arguments: vec!["--scenario".into(), name.to_owned()],
            title: file.title,
            workload: models::load(&file.workload, dir, &of("workload"))?,
            policies,
            latency: models::load(&file.latency, dir, &of("latency"))?,
            limits: models::load(&file.limits, dir, &of("limits"))?,
            alerts: models::load(&file.alerts, dir, &of("alerts"))?,
            catalog,
            prices_on,
            plan,
            traffic_per_month: file.traffic_per_month,
            sweep_per_month: file.sweep_per_month,
            replications: file.replications,
            seed: file.seed,
            period: file.period,
            failures: file.failures,
            fleet,
            consistency,
            cpu: file.cpu,
            precision: file.precision,
        };
        scenario.check_cpu().map_err(|e| ConfigError {
            field: Some(e.field),
            ..ConfigError::new(&label, e.message)
        })?;
        Ok(scenario)
    }

    /// Checks a scenario that comes from elsewhere than from its files.
    ///
    /// # Errors
    /// The first field that cannot be used, and why.
    pub fn validate(&self) -> Result<(), FieldError> {
        let within = |parent: &'static str| move |e: FieldError| e.within(parent);
        if self.policies.is_empty() {
            let message = "found none, expected at least one";
            return Err(FieldError::new("policies", message));
        }
        for (i, policy) in self.policies.iter().enumerate() {
            let at = format!("policies[{i}]");
            policy.validate().map_err(|e| e.within(&at))?;
            if self.policies[..i].iter().any(|p| p.name == policy.name) {
                let message = format!("found \"{}\" again", policy.name);
                return Err(FieldError::new("name", message).within(&at));
            }
        }
        self.workload.validate().map_err(within("workload"))?;
        self.latency.validate().map_err(within("latency"))?;
        self.limits.validate().map_err(within("limits"))?;
        self.alerts.validate().map_err(within("alerts"))?;
        self.catalog.validate().map_err(within("catalog"))?;
        self.catalog.plan(&self.plan)?;
        self.fleet.validate().map_err(within("fleet"))?;
        if let Some(consistency) = &self.consistency {
            consistency.validate().map_err(within("consistency"))?;
        }
        Extent {
            replications: self.replications,
            traffic: self.traffic_per_month,
            levels: &self.sweep_per_month,
            period: &self.period,
            precision: self.precision.as_ref(),
            failures: &self.failures,
        }
        .validate()
    }

    /// Whether a request and whether a query takes more CPU time than the plan allows an
    /// invocation: then none of them is answered.
    pub fn too_much_cpu(&self) -> [bool; 2] {
        let limit = self.limits.of_plan(&self.plan).cpu_per_invocation;
        let takes = [self.cpu.request_us, self.cpu.query_us].map(Duration::from_micros);
        takes.map(|cpu| limit.is_some_and(|limit| cpu > limit))
    }

    /// Whether the plan may turn requests away or end them: it counts them by the day, or they take
    /// more CPU time than it allows.
    pub fn requests_limited(&self) -> bool {
        let limit = self.plan().daily_limit(MeterItem::WorkersRequests);
        limit.is_some() || self.too_much_cpu().contains(&true)
    }

    /// Whether the plan counts KV operations of any kind by the day.
    pub fn operations_limited(&self) -> bool {
        let limit = |kind| self.plan().daily_limit(MeterItem::of_operation(kind));
        OpKind::ALL.into_iter().any(|kind| limit(kind).is_some())
    }

    /// Whether invocations stay within the CPU time that the plan allows.
    ///
    /// # Errors
    /// Says which does not, and what the plan allows.
    pub fn check_cpu(&self) -> Result<(), FieldError> {
        let [request, query] = self.too_much_cpu();
        let (field, found) = match (request, query) {
            (true, _) => ("cpu.request_us", self.cpu.request_us),
            (_, true) => ("cpu.query_us", self.cpu.query_us),
            _ => return Ok(()),
        };
        let limit = self.limits.of_plan(&self.plan).cpu_per_invocation;
        let limit = limit.unwrap_or_default();
        Err(FieldError::new(
            field,
            format!(
                "found {found}, expected at most {}: plan \"{}\" allows an invocation {} of CPU time and ends what takes longer",
                limit.as_micros(),
                self.plan,
                quantity::format_duration(limit)
            ),
        ))
    }

    /// The plan that is billed.
    ///
    /// # Panics
    /// If the catalog has no plan of that name; loading has checked that it does.
    pub fn plan(&self) -> &Plan {
        self.catalog.plan(&self.plan).expect("checked when loaded")
    }

    /// The stretch of time to simulate at a traffic level.
    ///
    /// As long as it takes for [`Period::requests`] and for [`Period::calls`] of the rarest kind to
    /// arrive, within the period's bounds; whole
    /// days if the rate has a daily shape or the plan daily limits, whole weeks if it has a
    /// weekly one (then also beyond the upper bound, if that is less).
    pub fn horizon(&self, traffic: Count) -> Duration {
        self.horizon_of(self.period.requests, traffic)
    }

    /// Whether it makes no difference at a traffic level that [`Period::requests`] is what it is: as long is simulated
    /// with `own`, another number, and if that is the same, with none.
    pub fn is_idle(&self, own: Count, traffic: Count) -> bool {
        let given = self.period.requests;
        let other = if own == given { Count(0) } else { own };
        self.horizon_of(given, traffic) == self.horizon_of(other, traffic)
    }

    /// The stretch of time with another number of requests.
    pub fn horizon_of(&self, requests: Count, traffic: Count) -> Duration {
        let wanted = MONTH.as_secs_f64() * requests.0 as f64 / traffic.0.max(1) as f64;
        let records_per_s = Rate::per_month(traffic.0 as f64).as_per_second();
        let w = &self.workload;
        let rarest = [w.metrics_reads, w.analytics_queries, w.health_checks]
            .map(|calls| calls.per_request * records_per_s + calls.rate.as_per_second())
            .into_iter()
            .filter(|per_s| *per_s > 0.0)
            .fold(f64::INFINITY, f64::min);
        let for_calls = self.period.calls.0 as f64 / rarest;
        let wanted = wanted.max(for_calls.min(MOST_FOR_CALLS * wanted));
        let bounded = Duration::from_secs_f64(wanted.clamp(1.0, MONTH.as_secs_f64()).ceil())
            .clamp(self.period.at_least, self.period.at_most);
        let day = Duration::from_secs(86_400);
        let unit = match &self.workload.shape {
            _ if !self.period.whole_days => return bounded,
            Some(shape) if shape.is_weekly() => day * 7,
            Some(_) => day,
            None if self.operations_limited() => day,
            None => return bounded,
        };
        let units = (bounded.as_secs_f64() / unit.as_secs_f64())
            .round()
            .max(1.0);
        unit.mul_f64(units)
    }
}
