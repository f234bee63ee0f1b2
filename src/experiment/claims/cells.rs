//! The simulated points that the claims of a ledger need.

use super::spec::{Claim, Grid, Ledger, Quantity};
use crate::config::quantity::Count;
use crate::config::{ConfigError, Override, parse_overrides};
use crate::experiment::metric;
use crate::experiment::scenario::{MONTH, Scenario};
use crate::experiment::simulate::{Point, simulate};
use crate::experiment::sweep::SweepError;
use crate::pricing::{Invoice, MeterItem, Money, Usage};
use crate::telemetry::policy::Policy;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Nothing: arithmetic, prices and published facts only.
    None,
    /// One isolate and the realistic fleet, the traffic that claims name, shorter periods.
    Quick,
    /// Every point of every grid.
    Full,
}

/// A simulated point: where, and what each replication gave.
#[derive(Debug, Clone)]
pub struct Cells {
    replications: BTreeMap<Key, Vec<Replication>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    grid: String,
    isolates: u32,
    traffic: Count,
    policy: String,
}

/// What is kept of one replication.
#[derive(Debug, Clone)]
struct Replication {
    metrics: Vec<f64>,
    usage: Usage,
}

/// What to simulate: scenarios by grid and number of isolates, and the policies of each.
#[derive(Debug)]
pub struct Plan {
    setups: Vec<Setup>,
    /// The points that are simulated, by grid.
    pub axes: BTreeMap<String, Axes>,
}

/// The isolates and traffic of a grid that are simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axes {
    pub isolates: Vec<u32>,
    pub traffic: Vec<Count>,
    pub reference: Count,
    pub fleet: u32,
}

#[derive(Debug)]
struct Setup {
    grid: String,
    isolates: u32,
    /// With the period for each level of traffic.
    scenarios: Vec<(Count, Scenario)>,
}

impl Plan {
    /// Loads the scenarios that the claims need.
    ///
    /// # Errors
    /// If a scenario, a policy or a setting of a grid cannot be used.
    pub fn prepare(
        ledger: &Ledger,
        claims: &[&Claim],
        effort: Effort,
        replications: Option<u32>,
        seed: Option<u64>,
    ) -> Result<Self, ConfigError> {
        let mut plan = Plan {
            setups: Vec::new(),
            axes: BTreeMap::new(),
        };
        for grid in &ledger.file.grids {
            let simulations = || {
                claims
                    .iter()
                    .flat_map(|c| &c.checks)
                    .filter_map(|k| k.simulation())
            };
            let mine = || simulations().filter(|s| s.grid == grid.name);
            let policies: BTreeSet<&str> = mine().flat_map(|s| s.policies()).collect();
            if policies.is_empty() || effort == Effort::None {
                continue;
            }
            let stated: BTreeSet<Count> = mine().filter_map(|s| s.traffic).collect();
            let axes = axes(grid, &stated, effort);
            for isolates in &axes.isolates {
                let mut scenario = load(ledger, grid, *isolates, &policies)?;
                scenario.replications = replications.unwrap_or(grid.replications);
                scenario.seed = seed.unwrap_or(scenario.seed);
                let levels = axes.traffic.iter();
                let scenarios =
                    levels.map(|t| (*t, with_period(&scenario, grid, *isolates, *t, effort)));
                plan.setups.push(Setup {
                    grid: grid.name.clone(),
                    isolates: *isolates,
                    scenarios: scenarios.collect(),
                });
            }
            plan.axes.insert(grid.name.clone(), axes);
        }
        Ok(plan)
    }

    /// The replications to simulate.
    pub fn steps(&self) -> usize {
        self.points().len()
    }

    /// The scenarios without their periods, for the record.
    pub fn scenarios(&self) -> impl Iterator<Item = (&str, u32, &Scenario)> {
        let setups = self.setups.iter();
        setups.filter_map(|s| Some((s.grid.as_str(), s.isolates, &s.scenarios.first()?.1)))
    }

    fn points(&self) -> Vec<(Key, Point<'_>)> {
        let mut points = Vec::new();
        for setup in &self.setups {
            for (traffic, scenario) in &setup.scenarios {
                for policy in &scenario.policies {
                    for replication in 0..u64::from(scenario.replications) {
                        let key = Key {
                            grid: setup.grid.clone(),
                            isolates: setup.isolates,
                            traffic: *traffic,
                            policy: policy.name.clone(),
                        };
                        points.push((
                            key,
                            Point {
                                scenario,
                                policy,
                                traffic: *traffic,
                                replication,
                            },
                        ));
                    }
                }
            }
        }
        points
    }
}

/// What is simulated of a grid. `stated` are the levels that claims name.
fn axes(grid: &Grid, stated: &BTreeSet<Count>, effort: Effort) -> Axes {
    let mut axes = Axes {
        isolates: grid.isolates.clone(),
        traffic: grid.traffic.clone(),
        reference: grid.reference,
        fleet: grid.fleet,
    };
    if effort == Effort::Quick {
        axes.isolates.retain(|n| *n == 1 || *n == grid.fleet);
        axes.traffic
            .retain(|t| *t == grid.reference || stated.contains(t));
    }
    axes
}

fn load(
    ledger: &Ledger,
    grid: &Grid,
    isolates: u32,
    policies: &BTreeSet<&str>,
) -> Result<Scenario, ConfigError> {
    let own = if isolates == 1 {
        &grid.set_single
    } else {
        &grid.set_fleet
    };
    let mut settings: Vec<String> = grid.set.iter().chain(own).cloned().collect();
    settings.push(format!("fleet.isolates={isolates}"));
    let overrides: Vec<Override> = parse_overrides(&settings)?;
    let path = |name: &str| match &ledger.folder {
        // A file beside the claims file goes before a model of that name.
        Some(folder) if folder.join(name).is_file() => folder.join(name).display().to_string(),
        _ => name.to_owned(),
    };
    let policies: Vec<String> = policies.iter().map(|p| path(p)).collect();
    Scenario::load(&path(&grid.scenario), &policies, None, &overrides).map_err(|e| ConfigError {
        message: format!(
            "{} (grid \"{}\" on {isolates} isolate(s))",
            e.message, grid.name
        ),
        ..e
    })
}

/// Periods are as short as precision allows: the cost of simulating a query grows with the isolates.
const QUICK_FRACTION: u64 = 4;

fn with_period(
    scenario: &Scenario,
    grid: &Grid,
    isolates: u32,
    traffic: Count,
    effort: Effort,
) -> Scenario {
    let p = &grid.period;
    let cut = |n: u64| {
        if effort == Effort::Quick {
            (n / QUICK_FRACTION).max(1)
        } else {
            n
        }
    };
    let requests = p
        .requests
        .0
        .min(p.requests_x_isolates.0 / u64::from(isolates));
    let history_s = MONTH.as_secs_f64() * cut(p.history_requests.0) as f64 / traffic.0 as f64;
    let mut scenario = scenario.clone();
    scenario.period.requests = Count(cut(requests).max(1));
    scenario.period.at_least = p.at_least;
    scenario.period.at_most = p.at_most;
    scenario.period.warm_up = p.warm_up;
    scenario.period.history = p.history.min(Duration::from_secs_f64(history_s.ceil()));
    scenario
}

/// The scenario for a policy. Without a cache there is nothing to warm up by queries: recordings
/// alone fill that time, and the arrivals stay the same.
fn without_needless_queries(scenario: &Scenario, policy: &Policy) -> Option<Scenario> {
    if policy.cache.enabled || scenario.period.warm_up <= Duration::from_secs(1) {
        return None;
    }
    let mut scenario = scenario.clone();
    let spared = scenario.period.warm_up - Duration::from_secs(1);
    scenario.period.warm_up -= spared;
    scenario.period.history += spared;
    Some(scenario)
}

/// Simulates all points of a plan. `finished` is called after each replication; `stop` ends it
/// before the next one.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn simulate_cells(
    plan: &Plan,
    finished: &(dyn Fn() + Sync),
    stop: &AtomicBool,
) -> Result<Cells, SweepError> {
    let mut points = plan.points();
    // Long ones first, so that no thread is left with one at the end.
    points.sort_by_key(|(k, p)| {
        let cached = p.policy.cache.enabled;
        std::cmp::Reverse((k.isolates, k.traffic, !cached))
    });
    let values: Vec<Replication> = points
        .par_iter()
        .with_max_len(1)
        .map(|(_, point)| {
            if stop.load(Ordering::Relaxed) {
                return Err(SweepError::Interrupted);
            }
            let shorter = without_needless_queries(point.scenario, point.policy);
            let point = Point {
                scenario: shorter.as_ref().unwrap_or(point.scenario),
                ..*point
            };
            let result = simulate(&point).map_err(SweepError::Broken)?;
            finished();
            Ok(Replication {
                metrics: metric::values(&result),
                usage: result.usage,
            })
        })
        .collect::<Result<_, _>>()?;
    // The sort is stable: the replications of a point are in order.
    let mut replications: BTreeMap<Key, Vec<Replication>> = BTreeMap::new();
    for ((key, _), value) in points.into_iter().zip(values) {
        replications.entry(key).or_default().push(value);
    }
    Ok(Cells { replications })
}

impl Cells {
    /// A quantity of a point, by replication; nothing if the point was not simulated.
    pub fn values(
        &self,
        ledger: &Ledger,
        grid: &str,
        isolates: u32,
        traffic: Count,
        policy: &str,
        quantity: &Quantity,
    ) -> Vec<f64> {
        let key = Key {
            grid: grid.to_owned(),
            isolates,
            traffic,
            policy: policy.to_owned(),
        };
        let replications = self.replications.get(&key).into_iter().flatten();
        replications
            .map(|r| match quantity {
                Quantity::Metric(i) => r.metrics[*i],
                Quantity::Used(item) => r.usage.get(*item) as f64,
                Quantity::Cost(tariff, items) => {
                    let usage = ledger.as_billed(*tariff, &r.usage);
                    kv_cost(&ledger.plan(*tariff).invoice(&usage), items).to_usd()
                }
            })
            .collect()
    }
}

/// What the KV costs: an invoice without the plan's fee and without Worker requests; of these
/// items only, if any is named.
pub fn kv_cost(invoice: &Invoice, items: &[MeterItem]) -> Money {
    let is_kv = |item: MeterItem| {
        item.name().starts_with("kv.") && (items.is_empty() || items.contains(&item))
    };
    let lines = invoice.lines.iter();
    lines
        .filter(|l| l.item.is_some_and(is_kv))
        .map(|l| l.amount)
        .sum()
}
