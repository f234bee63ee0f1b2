//! The units of work of a sweep, which of them belong to which part, and when they suffice.

use crate::models::ValueError;
use crate::models::quantity::Count;
use crate::run::measure::Outcome;
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::study::stats::pool::{Pooled, pool};
use crate::study::stats::stopping::Stopping;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One replication of one policy at one level, each by its number from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Number of the level.
    pub level: u32,
    /// Number of the policy.
    pub policy: u32,
    /// Number of the replication.
    pub replication: u32,
}

/// What is kept of the units that were simulated.
pub type Measured = BTreeMap<Unit, Outcome>;

/// One of several parts into which the units are dealt out; written `2/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Part {
    /// All units.
    pub const WHOLE: Part = Part { index: 1, of: 1 };

    /// Part `index` of `of`; `None` unless 1 <= `index` <= `of` <= 100,000.
    pub fn new(index: u32, of: u32) -> Option<Part> {
        ((1..=of).contains(&index) && of <= 100_000).then_some(Part { index, of })
    }

    fn has(self, number: u64) -> bool {
        number % u64::from(self.of) == u64::from(self.index - 1)
    }
}

impl FromStr for Part {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let numbers = text.split_once('/').and_then(|(index, of)| {
            let number = |t: &str| t.trim().parse::<u32>().ok();
            Some((number(index)?, number(of)?))
        });
        let part = numbers.and_then(|(index, of)| Part::new(index, of));
        part.ok_or_else(|| {
            ValueError::new(format!(
                "found \"{text}\", expected a part and their number, such as 1/4 to 4/4"
            ))
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// Levels x policies x replications.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a> {
    /// What is simulated; its policies and replications are the grid's.
    pub scenario: &'a Scenario,
    /// Recorded requests in a month of 30 days.
    pub levels: &'a [Count],
}

impl Grid<'_> {
    /// Replications of every point that are simulated in any case.
    fn start(&self) -> u32 {
        let n = self.scenario.replications;
        let precision = self.scenario.precision.as_ref();
        precision.map_or(n, |p| Stopping(p).start(n))
    }

    /// Units that are simulated in any case.
    pub fn least_units(&self) -> u64 {
        let points = (self.levels.len() as u64).saturating_mul(self.scenario.policies.len() as u64);
        points.saturating_mul(u64::from(self.start()))
    }

    /// Whether a unit belongs to a part. Units are dealt out in turn, so that parts take about
    /// the same time; where the measures of a level decide on its replications, whole levels are.
    pub fn belongs(&self, unit: Unit, part: Part) -> bool {
        let level = u64::from(unit.level);
        if self.scenario.precision.is_some() {
            return part.has(level);
        }
        let point = level * self.scenario.policies.len() as u64 + u64::from(unit.policy);
        part.has(point * u64::from(self.scenario.replications) + u64::from(unit.replication))
    }

    /// A unit as messages name it.
    pub fn name(&self, unit: Unit) -> String {
        let level = self.levels.get(unit.level as usize);
        let policy = self.scenario.policies.get(unit.policy as usize);
        format!(
            "level {}, policy {}, replication {}",
            level.map_or("?".into(), Count::to_string),
            policy.map_or("?", |p| &p.name),
            unit.replication
        )
    }

    /// The units of a level with the replications in `range`.
    fn units(&self, level: u32, range: std::ops::Range<u32>) -> impl Iterator<Item = Unit> + use<> {
        let policies = self.scenario.policies.len() as u32;
        (0..policies).flat_map(move |policy| {
            range.clone().map(move |replication| Unit {
                level,
                policy,
                replication,
            })
        })
    }

    /// Replications that a level should have after `n` of them; `None` if they suffice.
    ///
    /// Policies of a level have the same number, so that their differences stay paired.
    fn next_round(&self, level: u32, n: u32, measured: &Measured) -> Option<u32> {
        let rule = Stopping(self.scenario.precision.as_ref()?);
        let policies = self.scenario.policies.len() as u32;
        let worst = |policy| {
            let pooled = pooled(self.scenario, &replications(measured, level, policy));
            rule.worst(&pooled).map_or(0.0, |w| w.1)
        };
        let worst = (0..policies).map(worst).fold(0.0, f64::max);
        rule.next_round(n, worst)
    }

    /// All units of a part with their outcomes: those in `known`, and for the others what `compute`
    /// makes of them, round by round. Units that the part does not need are left out.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn complete<E>(
        &self,
        part: Part,
        mut known: Measured,
        compute: impl Fn(&[Unit]) -> Result<Vec<Outcome>, E>,
    ) -> Result<Measured, E> {
        let mut measured = Measured::new();
        // Levels that need more replications: from how many to how many.
        let mut open: Vec<(u32, std::ops::Range<u32>)> = (0..self.levels.len() as u32)
            .map(|level| (level, 0..self.start()))
            .collect();
        while !open.is_empty() {
            let units = open
                .iter()
                .flat_map(|(level, range)| self.units(*level, range.clone()))
                .filter(|unit| self.belongs(*unit, part));
            let mut missing = Vec::new();
            for unit in units {
                match known.remove(&unit) {
                    Some(outcome) => _ = measured.insert(unit, outcome),
                    None => missing.push(unit),
                }
            }
            let outcomes = compute(&missing)?;
            measured.extend(missing.into_iter().zip(outcomes));
            open = open
                .into_iter()
                .filter_map(|(level, range)| {
                    let next = self.next_round(level, range.end, &measured)?;
                    Some((level, range.end..next))
                })
                .collect();
        }
        Ok(measured)
    }
}

/// The outcomes of a point by replication.
pub fn replications(measured: &Measured, level: u32, policy: u32) -> Vec<&Outcome> {
    let unit = |replication| Unit {
        level,
        policy,
        replication,
    };
    let outcomes = measured.range(unit(0)..=unit(u32::MAX));
    outcomes.map(|(_, outcome)| outcome).collect()
}

/// Replications of a point taken together, in the order of [`METRICS`].
pub fn pooled(scenario: &Scenario, outcomes: &[&Outcome]) -> Pooled {
    pool(METRICS, scenario.plan(), outcomes)
}
