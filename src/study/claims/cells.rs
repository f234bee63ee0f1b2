//! The simulated points that the claims of a ledger need.

use super::ledger::Ledger;
use super::spec::{Claim, Grid, Quantity};
use super::tariffs::PricedTariff;
use crate::models::quantity::Count;
use crate::models::{ConfigError, Override, parse_overrides};
use crate::pricing::MONTH;
use crate::pricing::{LineItem, MeterItem, Usage};
use crate::run::measure::Outcome;
use crate::run::scenario::{HistoryAs, Scenario};
use crate::run::{self, Point};
use crate::study::grid::pooled;
use crate::study::stats::Resolution;
use crate::study::stats::pool::{Billing, Column, EACH_SIDE, Pooled};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// Replications of a point where no claim is judged, before it is looked at.
const FIRST: u32 = 4;

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

/// The simulated points: where, and what replications together gave, by how many: all there are, and
/// those that all policies of a place have.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    points: BTreeMap<Key, BTreeMap<usize, Replications>>,
}

/// What is read off the replications of a point.
#[derive(Debug, Clone, Copy)]
pub enum Reading<'a> {
    /// A quantity of the points.
    Of(Quantity),
    /// What these items cost, of any service; all KV items if none is named.
    Cost(&'a PricedTariff, &'a [MeterItem]),
}

/// Where something is simulated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub grid: String,
    pub isolates: u32,
    pub traffic: Count,
}

/// Where, and under which policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub place: Place,
    pub policy: String,
}

/// All replications of each point, in order, and its scenario.
pub(super) type Outcomes<'a> = BTreeMap<Key, (&'a Scenario, Vec<Outcome>)>;

/// What is kept of replications of a point.
#[derive(Debug, Clone)]
struct Replications {
    pooled: Pooled,
    usages: Vec<Usage>,
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
    /// Numbers of isolates.
    pub isolates: Vec<u32>,
    /// Levels of traffic, in requests a month.
    pub traffic: Vec<Count>,
    /// The level that is reported for claims that name none.
    pub reference: Count,
    /// Which number of isolates is the realistic fleet.
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

    /// The scenarios without their periods, for the record.
    pub fn scenarios(&self) -> impl Iterator<Item = (&str, u32, &Scenario)> {
        let setups = self.setups.iter();
        setups.filter_map(|s| Some((s.grid.as_str(), s.isolates, &s.scenarios.first()?.1)))
    }

    /// The points of the replications that `which` gives of so many.
    pub(super) fn points(&self, which: impl Fn(&Key, u32) -> Range<u32>) -> Vec<(Key, Point<'_>)> {
        let mut points = Vec::new();
        for setup in &self.setups {
            for (traffic, scenario) in &setup.scenarios {
                let place = Place::new(&setup.grid, setup.isolates, *traffic);
                for policy in &scenario.policies {
                    let key = Key {
                        place: place.clone(),
                        policy: policy.name.clone(),
                    };
                    let replications = which(&key, scenario.replications);
                    points.extend(replications.map(|replication| {
                        let point = Point {
                            scenario,
                            policy,
                            traffic: *traffic,
                            replication: u64::from(replication),
                        };
                        (key.clone(), point)
                    }));
                }
            }
        }
        points
    }

    /// Events that are going to be simulated, estimated; more where that leaves claims open.
    pub fn events(&self) -> f64 {
        let events = |setup: &Setup, traffic: Count, scenario: &Scenario| {
            let place = Place::new(&setup.grid, setup.isolates, traffic);
            let n = self.at_first(&place, scenario.replications);
            run::effort::Effort::of(scenario, &[traffic], u64::from(n), 1).events
        };
        let of_setup = |setup: &Setup| -> f64 {
            let levels = setup.scenarios.iter();
            levels.map(|(traffic, s)| events(setup, *traffic, s)).sum()
        };
        self.setups.iter().map(of_setup).sum()
    }

    /// Replications of a place before it is looked at, of so many at most.
    pub(super) fn at_first(&self, place: &Place, most: u32) -> u32 {
        match self.is_judged(place) {
            true => most,
            false => most.min(FIRST),
        }
    }

    /// Whether claims are judged by what is simulated here: on one isolate, and on the realistic fleet.
    pub(super) fn is_judged(&self, place: &Place) -> bool {
        let axes = self.axes.get(&place.grid);
        place.isolates == 1 || axes.is_some_and(|axes| place.isolates == axes.fleet)
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
    // Where a verdict is told. Elsewhere a query of a large fleet costs more than what it tells.
    let is_lens = isolates == 1 || isolates == grid.fleet;
    scenario.period.calls = if is_lens { p.calls } else { Count(0) };
    scenario.period.history_as = HistoryAs::Totals;
    scenario.period.at_least = p.at_least;
    scenario.period.at_most = p.at_most;
    scenario.period.warm_up = p.warm_up;
    scenario.period.history = p.history.min(Duration::from_secs_f64(history_s.ceil()));
    scenario
}

impl Cells {
    /// What replications of each point give together.
    pub(super) fn of(plan: &Plan, outcomes: &Outcomes) -> Self {
        let points = outcomes.iter().map(|(key, (scenario, outcomes))| {
            let first = plan.at_first(&key.place, scenario.replications) as usize;
            let all = outcomes.len();
            let together = [first.min(all), all].map(|n| {
                let some: Vec<&Outcome> = outcomes[..n].iter().collect();
                (n, some)
            });
            let by_number = BTreeMap::from(together).into_iter().map(|(n, some)| {
                let pooled = pooled(scenario, &some);
                let usages = some.into_iter().map(|o| o.usage.clone()).collect();
                (n, Replications { pooled, usages })
            });
            (key.clone(), by_number.collect())
        });
        Cells {
            points: points.collect(),
        }
    }

    /// How many replications all of these policies have at a place; none if one was not simulated there.
    pub(super) fn replications<'a>(
        &self,
        place: &Place,
        mut policies: impl Iterator<Item = &'a str>,
    ) -> Option<usize> {
        policies.try_fold(usize::MAX, |least, policy| {
            let (n, _) = self.points.get(&place.under(policy))?.last_key_value()?;
            Some(least.min(*n))
        })
    }

    /// A reading of a point: what each of so many replications contributes to it; none if they were not simulated.
    pub(super) fn column(
        &self,
        key: &Key,
        replications: usize,
        reading: Reading,
    ) -> Option<Column> {
        let Replications { pooled, usages } = self.points.get(key)?.get(&replications)?;
        Some(match reading {
            Reading::Of(Quantity::Metric(i)) => pooled.column(i),
            Reading::Of(Quantity::Used(item)) => Column {
                contributions: usages.iter().map(|u| u.get(item) as f64).collect(),
                resolution: Resolution::default(),
                too_few: false,
            },
            Reading::Cost(tariff, items) => {
                let billed: Vec<Usage> = usages.iter().map(|u| tariff.as_billed(u)).collect();
                let billing = Billing::new(tariff.plan(), billed.iter().collect());
                billing.lines(|line| is_of(line, items), EACH_SIDE)
            }
        })
    }
}

impl Place {
    pub(super) fn new(grid: &str, isolates: u32, traffic: Count) -> Self {
        Place {
            grid: grid.to_owned(),
            isolates,
            traffic,
        }
    }

    /// It under a policy.
    pub(super) fn under(&self, policy: &str) -> Key {
        Key {
            place: self.clone(),
            policy: policy.to_owned(),
        }
    }
}

/// Whether a line of an invoice is for one of these items, of any service; of the KV, if none is
/// named. Never the plan's fee.
fn is_of(line: &LineItem, items: &[MeterItem]) -> bool {
    line.item.is_some_and(|item| match items {
        [] => item.name().starts_with("kv."),
        named => named.contains(&item),
    })
}
