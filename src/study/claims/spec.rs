//! A claims file as it is written, and with everything that it names.

use super::derive;
use super::expression::Expression;
use crate::models::ValueError;
use crate::models::quantity::{self, Bytes, Count};
use crate::models::{self, ConfigError, FieldError, Model};
use crate::pricing::{Catalog, Date, MeterItem, Plan, Usage};
use crate::run::metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// What a document claims, and how each claim is checked; data in `models/claims`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimFile {
    /// One line for tables and charts.
    pub title: String,
    /// Name of the document; its text is not part of the file.
    pub document: String,
    #[serde(default, rename = "tariff")]
    pub tariffs: Vec<Tariff>,
    #[serde(default, rename = "grid")]
    pub grids: Vec<Grid>,
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
}

/// How usage becomes money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    pub name: String,
    /// For charts: "the document's price per GB".
    pub title: String,
    /// A name in `models/prices` or a path.
    pub catalog: String,
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
    pub name: String,
    /// A name in `models/scenarios` or a path.
    pub scenario: String,
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
    pub period: GridPeriod,
    pub replications: u32,
}

/// How long a point of a grid is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GridPeriod {
    pub requests: Count,
    /// At most so many requests times isolates: a query reads every isolate's keys.
    pub requests_x_isolates: Count,
    /// About so many calls of the rarest kind, in four times as many requests at most, on one
    /// isolate and on the fleet; 25 unless given.
    #[serde(default = "calls_of_a_replication")]
    pub calls: Count,
    #[serde(with = "quantity::duration")]
    pub at_least: Duration,
    #[serde(with = "quantity::duration")]
    pub at_most: Duration,
    #[serde(with = "quantity::duration")]
    pub warm_up: Duration,
    /// Recordings before the measurement: so long, or until so many have come.
    #[serde(with = "quantity::duration")]
    pub history: Duration,
    pub history_requests: Count,
}

fn calls_of_a_replication() -> Count {
    Count(25)
}

/// One statement of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
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
    #[serde(default)]
    pub unit: String,
    /// How a value must compare with what is stated.
    #[serde(default)]
    pub comparator: Comparator,
    #[serde(default)]
    pub tolerance: Tolerance,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(rename = "check")]
    pub checks: Vec<Check>,
}

/// `value <comparator> stated` is what makes a claim hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Comparator {
    #[default]
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

/// How far off a value may be: in the claim's unit, or a share of what is stated (`"5%"`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tolerance {
    Absolute(f64),
    Relative(String),
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance::Absolute(0.0)
    }
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
    Number(f64),
    Fact(FactRef),
}

/// A way to check a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// An expression over the document's own figures; with a fact among them, over published ones.
    Arithmetic {
        expression: String,
        #[serde(default)]
        inputs: BTreeMap<String, Input>,
        #[serde(default)]
        comparator: Option<Comparator>,
    },
    /// An expression over other claims, named by their ids in braces.
    Contradiction {
        expression: String,
        #[serde(default)]
        inputs: BTreeMap<String, Input>,
        #[serde(default)]
        comparator: Option<Comparator>,
    },
    /// What usage costs under the document's tariff and under the published one: every meter that
    /// is named, and nothing else.
    Price {
        tariff: String,
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
        file: String,
        field: Vec<String>,
        /// The claim's unit in base units is 1 / scale: 1000 for ms.
        #[serde(default = "one")]
        scale: f64,
    },
    /// What the real components do in the simulator.
    Simulation(Simulation),
    /// A threshold: it must stay quiet in ordinary operation, as simulated.
    Alert(Simulation),
    NotTestable {
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
    pub grid: String,
    pub policy: String,
    /// A measure of `sweep.csv`, or a meter item such as `kv.write_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Divided by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Instead of a metric: what is used costs under this tariff, in dollars a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<String>,
    /// What of that is counted, of any service; all KV items if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<MeterItem>,
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

impl Tolerance {
    /// In the claim's unit.
    pub fn of(&self, stated: f64) -> f64 {
        match self {
            Tolerance::Absolute(t) => *t,
            Tolerance::Relative(text) => relative(text).unwrap_or(0.0) * stated.abs(),
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Tolerance::Absolute(t) if !(t.is_finite() && *t >= 0.0) => Err(format!(
                "found {t}, expected 0 or more in the claim's unit, or a share such as \"5%\""
            )),
            Tolerance::Relative(text) if relative(text).is_none() => Err(format!(
                "found \"{text}\", expected a share from 0% to below 100%, such as \"5%\""
            )),
            _ => Ok(()),
        }
    }
}

fn relative(text: &str) -> Option<f64> {
    let percent: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0.0..100.0).contains(&percent).then_some(percent / 100.0)
}

impl Comparator {
    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::Below => "<",
            Comparator::AtMost => "<=",
            Comparator::Above => ">",
            Comparator::AtLeast => ">=",
        }
    }
}

/// What a value may be: the stated figure or range, with its comparator and tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accepts {
    low: f64,
    high: f64,
    /// Whether the ends themselves are accepted.
    closed: bool,
}

impl Accepts {
    /// Whether a value makes the claim hold; rounding errors of calculation do not count.
    pub fn holds(&self, value: f64) -> bool {
        let slack = |end: f64| 1e-9 * end.abs();
        if self.closed {
            value >= self.low - slack(self.low) && value <= self.high + slack(self.high)
        } else {
            value > self.low && value < self.high
        }
    }

    /// Whether all of an interval is on one side of the boundary.
    pub fn is_sure(&self, low: f64, high: f64) -> bool {
        self.holds(low) == self.holds(high)
            && (self.holds(low) || high < self.low || low > self.high)
    }

    /// The boundary between holding and not that lies between two values.
    pub fn boundary(&self, a: f64, b: f64) -> Option<f64> {
        let (low, high) = (a.min(b), a.max(b));
        let ends = [self.low, self.high].into_iter();
        ends.filter(|e| e.is_finite())
            .find(|e| (low..=high).contains(e))
    }
}

impl Claim {
    /// What makes it hold; `comparator` instead of its own, if a check has one.
    pub fn accepts(&self, comparator: Option<Comparator>) -> Accepts {
        let stated = self.stated.unwrap_or(f64::NAN);
        let slack = self.tolerance.of(stated);
        let (low, high) = (stated - slack, self.to.unwrap_or(stated) + slack);
        let (low, high, closed) = match comparator.unwrap_or(self.comparator) {
            Comparator::Equal => (low, high, true),
            Comparator::AtMost => (f64::NEG_INFINITY, high, true),
            Comparator::Below => (f64::NEG_INFINITY, high, slack > 0.0),
            Comparator::AtLeast => (low, f64::INFINITY, true),
            Comparator::Above => (low, f64::INFINITY, slack > 0.0),
        };
        Accepts { low, high, closed }
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

impl ClaimFile {
    /// The grid of that name.
    pub fn grid(&self, name: &str) -> Option<&Grid> {
        self.grids.iter().find(|g| g.name == name)
    }

    fn claim(&self, id: &str) -> Option<&Claim> {
        self.claims.iter().find(|c| c.id == id)
    }

    /// The stated figures of all claims, by id.
    pub fn stated(&self) -> BTreeMap<&str, f64> {
        let claims = self.claims.iter();
        claims
            .filter_map(|c| Some((c.id.as_str(), c.stated?)))
            .collect()
    }

    fn check_grid(&self, g: &Grid) -> Result<(), FieldError> {
        if g.isolates.is_empty() || g.isolates.contains(&0) {
            return Err(FieldError::new(
                "isolates",
                "found none or 0, expected at least one number above 0",
            ));
        }
        if !g.isolates.contains(&g.fleet) {
            return Err(FieldError::new(
                "fleet",
                format!("found {}, expected one of isolates", g.fleet),
            ));
        }
        if g.traffic.is_empty() || g.traffic.contains(&Count(0)) {
            return Err(FieldError::new(
                "traffic",
                "found no level or a level of 0, expected requests a month of 1 or more",
            ));
        }
        if !g.traffic.is_sorted() || !g.isolates.is_sorted() {
            return Err(FieldError::new(
                "traffic",
                "found traffic or isolates out of order, expected them to increase",
            ));
        }
        if !g.traffic.contains(&g.reference) {
            return Err(FieldError::new(
                "reference",
                format!("found {}, expected one of traffic", g.reference),
            ));
        }
        if g.replications == 0 {
            return Err(FieldError::new(
                "replications",
                "found 0, expected 1 or more",
            ));
        }
        let p = &g.period;
        if p.at_least.is_zero() || p.at_least > p.at_most {
            return Err(FieldError::new(
                "period.at_least",
                "found 0 s or more than at_most, expected between the two",
            ));
        }
        Ok(())
    }

    fn check_claim(&self, c: &Claim) -> Result<(), FieldError> {
        let testable = c
            .checks
            .iter()
            .any(|k| !matches!(k, Check::NotTestable { .. }));
        if c.checks.is_empty() {
            return Err(FieldError::new(
                "check",
                "found none, expected at least one",
            ));
        }
        if c.quote.trim().is_empty() {
            return Err(FieldError::new(
                "quote",
                "found nothing, expected the document's words",
            ));
        }
        match c.stated {
            None if testable => {
                return Err(FieldError::new(
                    "stated",
                    "found no figure, expected one for a claim that can be tested",
                ));
            }
            Some(x) if !x.is_finite() => {
                return Err(FieldError::new(
                    "stated",
                    "found no finite number, expected one",
                ));
            }
            _ => {}
        }
        if let (Some(low), Some(high)) = (c.stated, c.to)
            && (high <= low || c.comparator != Comparator::Equal)
        {
            return Err(FieldError::new(
                "to",
                format!("found {high}, expected more than stated = {low}, and comparator \"=\""),
            ));
        }
        c.tolerance
            .check()
            .map_err(|e| FieldError::new("tolerance", e))?;
        for (i, check) in c.checks.iter().enumerate() {
            self.check_check(check)
                .map_err(|e| e.within(&format!("check[{i}]")))?;
        }
        Ok(())
    }

    fn check_check(&self, check: &Check) -> Result<(), FieldError> {
        match check {
            Check::Arithmetic {
                expression, inputs, ..
            } => self.check_expression(expression, inputs).map(|_| ()),
            Check::Contradiction {
                expression, inputs, ..
            } => {
                let others = self.check_expression(expression, inputs)?;
                if others == 0 {
                    return Err(FieldError::new(
                        "expression",
                        format!("found \"{expression}\", expected another claim's id in braces"),
                    ));
                }
                Ok(())
            }
            Check::Price { tariff, .. } => self.check_tariff(tariff),
            Check::Fact { scale, .. } if !scale.is_finite() || *scale == 0.0 => Err(
                FieldError::new("scale", "found no finite number or 0, expected a factor"),
            ),
            Check::Fact { .. } | Check::NotTestable { .. } => Ok(()),
            Check::Simulation(s) | Check::Alert(s) => self.check_simulation(s),
        }
    }

    /// The number of other claims that it names.
    fn check_expression(
        &self,
        text: &str,
        inputs: &BTreeMap<String, Input>,
    ) -> Result<usize, FieldError> {
        let fail = |message: String| FieldError::new("expression", message);
        let expression = Expression::parse(text).map_err(|e| fail(e.into()))?;
        let mut others = 0;
        for name in expression.variables() {
            let stated = self.claim(name).map(|c| c.stated.is_some());
            match (inputs.contains_key(name), stated) {
                (true, _) => {}
                (false, Some(true)) => others += 1,
                _ => {
                    return Err(fail(format!(
                        "found \"{name}\" in \"{text}\", expected one of inputs, or the id of a claim with a figure"
                    )));
                }
            }
        }
        Ok(others)
    }

    fn check_tariff(&self, name: &str) -> Result<(), FieldError> {
        let names: Vec<&str> = self.tariffs.iter().map(|t| t.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        Err(FieldError::new(
            "tariff",
            format!("found \"{name}\", expected one of: {}", names.join(", ")),
        ))
    }

    fn check_simulation(&self, s: &Simulation) -> Result<(), FieldError> {
        let Some(grid) = self.grid(&s.grid) else {
            let names: Vec<&str> = self.grids.iter().map(|g| g.name.as_str()).collect();
            return Err(FieldError::new(
                "grid",
                format!(
                    "found \"{}\", expected one of: {}",
                    s.grid,
                    names.join(", ")
                ),
            ));
        };
        match (&s.metric, &s.tariff) {
            (Some(m), None) => Quantity::of_metric(m)
                .map(|_| ())
                .map_err(|e| FieldError::new("metric", e))?,
            (None, Some(t)) => self.check_tariff(t)?,
            _ => {
                return Err(FieldError::new(
                    "metric",
                    "found both or none of metric and tariff, expected one of them",
                ));
            }
        }
        if let Some(per) = &s.per {
            Quantity::of_metric(per).map_err(|e| FieldError::new("per", e))?;
        }
        if (s.measure == Measure::Value) == s.baseline.is_some() {
            return Err(FieldError::new(
                "baseline",
                "expected a baseline for a saving or a difference, and none for a value",
            ));
        }
        if let Some(t) = s.traffic
            && !grid.traffic.contains(&t)
        {
            return Err(FieldError::new(
                "traffic",
                format!(
                    "found {t}, expected one of the levels of grid \"{}\"",
                    grid.name
                ),
            ));
        }
        Ok(())
    }
}

impl Model for ClaimFile {
    const FOLDER: &'static str = "claims";

    fn validate(&self) -> Result<(), FieldError> {
        if self.tariffs.iter().filter(|t| t.published).count() > 1 {
            return Err(FieldError::new(
                "tariff",
                "found more than one that is published, expected one",
            ));
        }
        for (i, g) in self.grids.iter().enumerate() {
            let at = format!("grid[{i}]");
            self.check_grid(g).map_err(|e| e.within(&at))?;
        }
        let mut ids = BTreeSet::new();
        for (i, c) in self.claims.iter().enumerate() {
            let at = format!("claim[{i}]");
            if !ids.insert(&c.id) {
                return Err(FieldError::new(
                    "id",
                    format!("found \"{}\" twice, expected an id of its own", c.id),
                )
                .within(&at));
            }
            self.check_claim(c).map_err(|e| e.within(&at))?;
        }
        Ok(())
    }
}

/// What is read off a simulated replication.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantity {
    /// Position in [`metric::METRICS`].
    Metric(usize),
    /// What a month uses of an item.
    Used(MeterItem),
    /// Of items of a tariff, by its position, of any service; of all KV items if none is named.
    Cost(usize, Vec<MeterItem>),
}

impl Quantity {
    /// The measure or meter item of that name.
    ///
    /// # Errors
    /// What was found and expected.
    pub fn of_metric(name: &str) -> Result<Self, ValueError> {
        let item: Option<MeterItem> = name.parse().ok();
        metric::index_of(name)
            .map(Quantity::Metric)
            .or(item.map(Quantity::Used))
            .ok_or_else(|| {
                ValueError::new(format!("found \"{name}\", expected a measure of sweep.csv such as hit_ratio, or a meter item such as kv.write_bytes"))
            })
    }
}

/// A claims file with the catalogs that it names.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub name: String,
    pub file: ClaimFile,
    /// In the order of the tariffs, each with the prices in force on its day.
    pub catalogs: Vec<Catalog>,
    /// The folder that its references are relative to; none inside the binary.
    pub folder: Option<PathBuf>,
}

impl Ledger {
    /// Loads a claims file by name or path, with the catalogs that it names.
    ///
    /// # Errors
    /// A message with file, line and, where there is one, the claim.
    pub fn load(name: &str) -> Result<Self, ConfigError> {
        let (label, text, folder) = models::source_text(ClaimFile::FOLDER, name, None)?;
        let file: ClaimFile = models::load(name, None, &[]).map_err(|e| name_claim(e, &text))?;
        let catalogs = file
            .tariffs
            .iter()
            .map(|t| {
                let mut catalog: Catalog = models::load(&t.catalog, folder.as_deref(), &[])?;
                catalog.round_up.extend(&t.round_up);
                let plan = catalog.plan(&t.plan).map(|_| ());
                let plan = plan.map_err(|e| ValueError::new(e.message));
                plan.and_then(|()| t.on.map_or(Ok(()), |on| catalog.check_known(on)))
                    .map_err(|e| ConfigError::new(&label, format!("tariff \"{}\": {e}", t.name)))?;
                Ok(catalog)
            })
            .collect::<Result<_, ConfigError>>()?;
        let mut ledger = Ledger {
            name: name.to_owned(),
            file,
            catalogs,
            folder,
        };
        ledger.check_priced(&label, &text)?;
        for (catalog, tariff) in ledger.catalogs.iter_mut().zip(&ledger.file.tariffs) {
            let on = tariff.on.unwrap_or_else(|| catalog.checked_on());
            *catalog = catalog.clone().on(on);
        }
        ledger.check_sources(&label, &text)?;
        Ok(ledger)
    }

    /// Tries something with every check; an error names the check and its line.
    fn each_check<E: std::fmt::Display>(
        &self,
        label: &str,
        text: &str,
        holds: impl Fn(&Claim, &Check) -> Result<(), E>,
    ) -> Result<(), ConfigError> {
        for (i, claim) in self.file.claims.iter().enumerate() {
            for (k, check) in claim.checks.iter().enumerate() {
                holds(claim, check).map_err(|e| {
                    let field = format!("claim[{i}].check[{k}]");
                    ConfigError {
                        line: models::line_of_field(text, &field),
                        field: Some(field),
                        ..ConfigError::new(label, format!("claim \"{}\": {e}", claim.id))
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Whether every meter that a claim prices has a price: what has none is not free.
    fn check_priced(&self, label: &str, text: &str) -> Result<(), ConfigError> {
        self.each_check(label, text, |_, check| self.check_prices_of(check))
    }

    fn check_prices_of(&self, check: &Check) -> Result<(), String> {
        match check {
            Check::Price {
                tariff,
                usage,
                less,
                ..
            } => {
                let own = self.tariff(tariff).0;
                let published = self.published().map(|t| t.0).filter(|p| *p != own);
                for meter in usage.keys().chain(less.iter().flat_map(BTreeMap::keys)) {
                    for t in std::iter::once(own).chain(published) {
                        // A tariff by size may have no price for the operations themselves.
                        self.check_meter(t, *meter).or_else(|e| {
                            let instead = self.by_size(t, *meter).ok_or(e)?;
                            self.check_meter(t, instead)
                        })?;
                    }
                }
                Ok(())
            }
            Check::Simulation(s) | Check::Alert(s) => {
                let Some(tariff) = &s.tariff else {
                    return Ok(());
                };
                let own = self.tariff(tariff).0;
                s.items.iter().try_for_each(|m| self.check_meter(own, *m))
            }
            _ => Ok(()),
        }
    }

    /// Whether tariff number `i` prices a meter.
    fn check_meter(&self, i: usize, meter: MeterItem) -> Result<(), String> {
        let (tariff, catalog) = (&self.file.tariffs[i], &self.catalogs[i]);
        let on = tariff.on.unwrap_or_else(|| catalog.checked_on());
        let checked = catalog.check_priced(self.plan(i), meter, on);
        checked.map_err(|e| format!("tariff \"{}\": {e}", tariff.name))
    }

    /// The bytes that stand for an operation in tariff number `i`, if it assumes how many.
    fn by_size(&self, i: usize, meter: MeterItem) -> Option<MeterItem> {
        self.file.tariffs[i].operation_bytes?;
        match meter {
            MeterItem::KvReads => Some(MeterItem::KvReadBytes),
            MeterItem::KvWrites => Some(MeterItem::KvWriteBytes),
            _ => None,
        }
    }

    /// Whether all facts can be found and all expressions have values.
    fn check_sources(&self, label: &str, text: &str) -> Result<(), ConfigError> {
        self.each_check(label, text, |claim, check| {
            derive::findings(self, claim, check).map(|_| ())
        })
    }

    /// The tariff of that name, with its number.
    ///
    /// # Panics
    /// If there is none; loading has checked that there is.
    pub fn tariff(&self, name: &str) -> (usize, &Tariff) {
        let mut tariffs = self.file.tariffs.iter().enumerate();
        tariffs
            .find(|t| t.1.name == name)
            .expect("checked when loaded")
    }

    /// The published tariff with its number, if there is one.
    pub fn published(&self) -> Option<(usize, &Tariff)> {
        self.file.tariffs.iter().enumerate().find(|t| t.1.published)
    }

    /// The plan of tariff number `i`.
    ///
    /// # Panics
    /// If the catalog has no such plan; loading has checked that it does.
    pub fn plan(&self, i: usize) -> &Plan {
        let plan = self.catalogs[i].plan(&self.file.tariffs[i].plan);
        plan.expect("checked when loaded")
    }

    /// The usage as tariff number `i` sees it: bytes by its own assumption, if it has one.
    pub fn as_billed(&self, i: usize, usage: &Usage) -> Usage {
        let Some(bytes) = self.file.tariffs[i].operation_bytes else {
            return usage.clone();
        };
        let mut billed = Usage::default();
        for item in MeterItem::ALL {
            let quantity = match item {
                MeterItem::KvReadBytes => usage.get(MeterItem::KvReads) * u128::from(bytes.0),
                MeterItem::KvWriteBytes => usage.get(MeterItem::KvWrites) * u128::from(bytes.0),
                _ => usage.get(item),
            };
            billed.add(item, quantity);
        }
        billed
    }
}

/// Puts the claim's id into an error about one.
fn name_claim(mut e: ConfigError, text: &str) -> ConfigError {
    let index = e.field.as_deref().and_then(|f| {
        let (index, _) = f.strip_prefix("claim[")?.split_once(']')?;
        index.parse::<usize>().ok()
    });
    let table: Option<toml::Table> = text.parse().ok();
    let id = index.zip(table).and_then(|(i, table)| {
        let id = table.get("claim")?.get(i)?.get("id")?.as_str()?;
        Some(id.to_owned())
    });
    if let Some(id) = id {
        e.message = format!("claim \"{id}\": {}", e.message);
    }
    e
}
