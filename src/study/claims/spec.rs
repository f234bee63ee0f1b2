//! A claims file as it is written.

use super::accepts::{Accepts, Comparator, Tolerance};
use super::expression::Expression;
use super::parsed::Parsed;
use crate::models::ValueError;
use crate::models::quantity::{self, Bytes, Count};
use crate::pricing::{Date, MeterItem};
use crate::run::metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// What a document claims, and how each claim is checked; data in `models/claims`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimFile {
    /// One line for tables and charts.
    pub title: String,
    /// Name of the document; its text is not part of the file.
    pub document: String,
    /// How usage becomes money.
    #[serde(default, rename = "tariff")]
    pub tariffs: Vec<Tariff>,
    /// What is simulated.
    #[serde(default, rename = "grid")]
    pub grids: Vec<Grid>,
    /// The statements.
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
}

/// How usage becomes money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// The name that checks use.
    pub name: String,
    /// For charts: "the document's price per GB".
    pub title: String,
    /// A name in `models/prices` or a path.
    pub catalog: String,
    /// A plan of the catalog.
    pub plan: String,
    /// What each read and write is taken to transfer, where a document bills by size; what is
    /// measured if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_bytes: Option<Bytes>,
    /// Whether these are the seller's prices, against which all price checks are made.
    #[serde(default)]
    pub published: bool,
    /// Day whose prices are taken; if not given, the day on which the catalog was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
    /// Items that are rounded up to their billing unit, beside those that the catalog says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub round_up: Vec<MeterItem>,
}

/// Simulated points that claims are held against: isolates x traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The name that checks use.
    pub name: String,
    /// A name in `models/scenarios` or a path.
    pub scenario: String,
    /// Numbers of isolates to simulate.
    pub isolates: Vec<u32>,
    /// Which of `isolates` is the realistic fleet.
    pub fleet: u32,
    /// Requests in a month of 30 days.
    pub traffic: Vec<Count>,
    /// The level that is reported for claims that name none.
    pub reference: Count,
    /// Settings for all points, as for `--set`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Settings for one isolate.
    #[serde(default)]
    pub set_single: Vec<String>,
    /// Settings for more than one.
    #[serde(default)]
    pub set_fleet: Vec<String>,
    /// How long a point is simulated.
    pub period: GridPeriod,
    /// Independent replications of a point.
    pub replications: u32,
}

/// How long a point of a grid is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GridPeriod {
    /// So many requests.
    pub requests: Count,
    /// At most so many requests times isolates: a query reads every isolate's keys.
    pub requests_x_isolates: Count,
    /// About so many calls of the rarest kind, in four times as many requests at most, on one
    /// isolate and on the fleet; 25 unless given.
    #[serde(default = "calls_of_a_replication")]
    pub calls: Count,
    /// The shortest period.
    #[serde(with = "quantity::duration")]
    pub at_least: Duration,
    /// The longest period.
    #[serde(with = "quantity::duration")]
    pub at_most: Duration,
    /// Time before the measurement, in full operation.
    #[serde(with = "quantity::duration")]
    pub warm_up: Duration,
    /// Recordings before the measurement: so long, or until so many have come.
    #[serde(with = "quantity::duration")]
    pub history: Duration,
    /// The history ends when so many requests have come.
    pub history_requests: Count,
}

fn calls_of_a_replication() -> Count {
    Count(25)
}

/// One statement of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The name that other claims and `--claim` use.
    pub id: String,
    /// Heading in the document.
    pub section: String,
    /// Word for word, but for white space and markup.
    pub quote: String,
    /// The figure; none only for what cannot be tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<f64>,
    /// Upper end, if a range is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// What the figure is in; `%` for shares.
    #[serde(default)]
    pub unit: String,
    /// How a value must compare with what is stated.
    #[serde(default)]
    pub comparator: Comparator,
    /// How far off a value may be.
    #[serde(default)]
    pub tolerance: Tolerance,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The ways to check it, all of which count.
    #[serde(rename = "check")]
    pub checks: Vec<Check>,
}

/// A field of a model file, as a number in base units: seconds, bytes, US dollars, counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactRef {
    /// Folder and name in `models/`: `prices/cloudflare`.
    pub file: String,
    /// Path of the field; in a list of tables, the `name`, `meter` or `metric` of one.
    pub field: Vec<String>,
}

/// An input of an expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Input {
    /// A figure as it stands.
    Number(f64),
    /// A field of a model file.
    Fact(FactRef),
}

/// A way to check a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// An expression over the document's own figures; with a fact among them, over published ones.
    Arithmetic {
        /// What is calculated.
        expression: Parsed<Expression>,
        /// The figures in it, by name.
        #[serde(default)]
        inputs: BTreeMap<String, Input>,
        /// Instead of the claim's own.
        #[serde(default)]
        comparator: Option<Comparator>,
    },
    /// An expression over other claims, named by their ids in braces.
    Contradiction {
        /// What is calculated.
        expression: Parsed<Expression>,
        /// Figures in it that are no claims, by name.
        #[serde(default)]
        inputs: BTreeMap<String, Input>,
        /// Instead of the claim's own.
        #[serde(default)]
        comparator: Option<Comparator>,
    },
    /// What usage costs under the document's tariff and under the published one: every meter that
    /// is named, and nothing else.
    Price {
        /// A tariff's name.
        tariff: String,
        /// What is used in a month, by meter.
        usage: BTreeMap<MeterItem, Count>,
        /// For a saving: what is used instead.
        #[serde(default)]
        less: Option<BTreeMap<MeterItem, Count>>,
        /// Whether the plan's fee is part of what is stated.
        #[serde(default)]
        fee: bool,
    },
    /// A published limit or price.
    Fact {
        /// Folder and name in `models/`.
        file: String,
        /// Path of the field, see [`FactRef::field`].
        field: Vec<String>,
        /// The claim's unit in base units is 1 / scale: 1000 for ms.
        #[serde(default = "one")]
        scale: f64,
    },
    /// What the real components do in the simulator.
    Simulation(Simulation),
    /// A threshold: it must stay quiet in ordinary operation, as simulated.
    Alert(Simulation),
    /// Nothing here could tell.
    NotTestable {
        /// Why not.
        reason: String,
    },
}

fn one() -> f64 {
    1.0
}

/// A measure of simulated points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// A grid's name.
    pub grid: String,
    /// The policy that is measured.
    pub policy: String,
    /// A measure of `sweep.csv`, or a meter item such as `kv.write_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Parsed<Quantity>>,
    /// Divided by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Parsed<Quantity>>,
    /// Instead of a metric: what is used costs under this tariff, in dollars a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<String>,
    /// What of that is counted, of any service; all KV items if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<MeterItem>,
    /// What is made of policy and baseline.
    #[serde(default)]
    pub measure: Measure,
    /// What `policy` is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The claim's unit: 100 for percent of a share.
    #[serde(default = "one")]
    pub scale: f64,
    /// Where the document makes the claim; at every level of the grid if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Count>,
    /// Title of its heat map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
}

/// What a metric of a check names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Position in [`metric::METRICS`].
    Metric(usize),
    /// What a month uses of an item.
    Used(MeterItem),
}

/// What is made of a policy and its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The policy's value.
    #[default]
    Value,
    /// The share that the policy saves: 1 - policy / baseline.
    Saving,
    /// What it is less: baseline - policy.
    Difference,
}

impl Claim {
    /// What makes it hold; `comparator` instead of its own, if a check has one.
    pub fn accepts(&self, comparator: Option<Comparator>) -> Accepts {
        let comparator = comparator.unwrap_or(self.comparator);
        let stated = self.stated.unwrap_or(f64::NAN);
        Accepts::new(comparator, stated, self.to, &self.tolerance)
    }

    /// Its kinds of checks, each once.
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<&str> = Vec::new();
        for kind in self.checks.iter().map(Check::kind) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}

impl Check {
    /// As in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Check::Arithmetic { .. } => "arithmetic",
            Check::Contradiction { .. } => "contradiction",
            Check::Price { .. } => "price",
            Check::Fact { .. } => "fact",
            Check::Simulation(_) => "simulation",
            Check::Alert(_) => "alert",
            Check::NotTestable { .. } => "not_testable",
        }
    }

    /// What it simulates, if it does.
    pub fn simulation(&self) -> Option<&Simulation> {
        match self {
            Check::Simulation(s) | Check::Alert(s) => Some(s),
            _ => None,
        }
    }
}

impl Simulation {
    /// The policies that it needs.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.policy.as_str()).chain(self.baseline.as_deref())
    }
}

impl FromStr for Quantity {
    type Err = ValueError;

    /// The measure or meter item of that name.
    ///
    /// # Errors
    /// What was found and expected.
    fn from_str(name: &str) -> Result<Self, ValueError> {
        let item: Option<MeterItem> = name.parse().ok();
        metric::index_of(name)
            .map(Quantity::Metric)
            .or(item.map(Quantity::Used))
            .ok_or_else(|| {
                ValueError::new(format!("found \"{name}\", expected a measure of sweep.csv such as hit_ratio, or a meter item such as kv.write_bytes"))
            })
    }
}

impl ClaimFile {
    /// The grid of that name.
    pub fn grid(&self, name: &str) -> Option<&Grid> {
        self.grids.iter().find(|g| g.name == name)
    }

    /// The stated figures of all claims, by id.
    pub fn stated(&self) -> BTreeMap<&str, f64> {
        let claims = self.claims.iter();
        claims
            .filter_map(|c| Some((c.id.as_str(), c.stated?)))
            .collect()
    }
}
