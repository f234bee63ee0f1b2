//! The same work on different stores: what each costs, how fast it is, and where it ends.

mod measure;
mod verdict;

pub use measure::{MEASURES, index_of, position};
pub use verdict::Verdict;

use super::error::StudyError;
use super::replicate::Work;
use super::stats::Estimate;
use crate::cloud::service::StoreSpec;
use crate::models::ConfigError;
use crate::models::quantity::Count;
use crate::pricing::MONTH;
use crate::run::measure::Outcome;
use crate::run::result::RunResult;
use crate::run::scenario::{HistoryAs, Scenario};
use crate::run::{Observation, Point};
use crate::study::stats::pool::{Column, Pooled, mean_usage, pool};
use std::time::Duration;

/// A store under a policy at a traffic level: all replications.
#[derive(Debug, Clone)]
pub struct StoreCell {
    /// Recorded requests a month.
    pub traffic: Count,
    /// The policy's name.
    pub policy: String,
    /// The store's name.
    pub store: String,
    /// The stretch of the month that was simulated.
    pub period: Duration,
    /// All replications together, in the order of [`MEASURES`].
    pub pooled: Pooled,
    /// Whether it can do the work.
    pub verdict: Verdict,
    /// No other store that is able costs less, as far as the replications can tell.
    pub cheapest: bool,
}

impl StoreCell {
    /// The estimate of a measure.
    ///
    /// # Panics
    /// If there is no measure of that name.
    pub fn estimate(&self, name: &str) -> Estimate {
        self.pooled.estimates[position(name)]
    }

    /// Whether too few calls came for a percentile.
    pub fn is_too_few(&self, name: &str) -> bool {
        index_of(name).is_some_and(|i| self.pooled.too_few[i])
    }

    /// Months in the simulated period.
    pub fn scale(&self) -> f64 {
        MONTH.as_secs_f64() / self.period.as_secs_f64()
    }

    fn costs(&self) -> Column {
        self.pooled.column(position("cost_usd"))
    }

    /// What this costs more than the other, over the replications.
    pub fn cost_above(&self, other: &StoreCell) -> Estimate {
        self.costs().less(&other.costs()).estimate()
    }
}

/// Whether a comparison can do what a scenario asks for: a fixed number of replications, and one way to store a history.
///
/// # Errors
/// What it cannot do.
pub fn check(scenario: &Scenario) -> Result<(), ConfigError> {
    if scenario.precision.is_some() {
        return Err(ConfigError::new(
            "precision",
            "found a wanted precision, expected a number of replications (-n)",
        ));
    }
    if scenario.period.history_as != HistoryAs::Batches {
        return Err(ConfigError::new(
            "period.history_as",
            "found \"totals\", expected \"batches\": other stores than Workers KV are written to in no other way",
        ));
    }
    Ok(())
}

/// Simulates every level with every policy on every store. The cells come in the order of levels,
/// policies, stores.
///
/// # Errors
/// If it was stopped, or an invariant does not hold.
pub fn compare_stores(
    scenario: &Scenario,
    stores: &[StoreSpec],
    levels: &[Count],
    work: &Work,
) -> Result<Vec<StoreCell>, StudyError> {
    let replications = u64::from(scenario.replications);
    let mut points = Vec::new();
    for traffic in levels {
        for policy in &scenario.policies {
            for store in stores {
                points.extend((0..replications).map(|replication| {
                    let point = Point {
                        scenario,
                        policy,
                        traffic: *traffic,
                        replication,
                    };
                    (point, store)
                }));
            }
        }
    }
    let runs = work.map(&points, |(point, store)| {
        let observed = work.observe(point, &store.service, &Observation::default());
        observed.map(|(result, _)| result)
    })?;
    let n = replications as usize;
    let mut cells: Vec<StoreCell> = points
        .chunks(n)
        .zip(runs.chunks(n))
        .map(|(points, runs)| cell(&points[0].0, points[0].1, runs))
        .collect();
    for group in cells.chunk_by_mut(|a, b| a.traffic == b.traffic && a.policy == b.policy) {
        mark_cheapest(group);
    }
    Ok(cells)
}

fn cell(point: &Point, store: &StoreSpec, runs: &[RunResult]) -> StoreCell {
    let outcomes: Vec<Outcome> = runs.iter().map(|r| Outcome::of(&MEASURES, r)).collect();
    let outcomes: Vec<&Outcome> = outcomes.iter().collect();
    let mut cell = StoreCell {
        traffic: point.traffic,
        policy: point.policy.name.clone(),
        store: store.name.clone(),
        period: point.scenario.horizon(point.traffic),
        pooled: pool(&MEASURES, point.scenario.plan(), &outcomes),
        verdict: Verdict::default(),
        cheapest: false,
    };
    let usage = mean_usage(&runs.iter().map(|r| &r.usage).collect::<Vec<_>>());
    cell.verdict = verdict::judge(point, store, &cell, &usage);
    cell
}

/// Marks, of the stores that are able, the one whose mean cost is least, and those whose cost
/// does not differ from it significantly.
fn mark_cheapest(cells: &mut [StoreCell]) {
    let cost = |c: &StoreCell| c.estimate("cost_usd").mean;
    let able = cells.iter().filter(|c| c.verdict.able);
    let Some(least) = able.min_by(|a, b| cost(a).total_cmp(&cost(b))).cloned() else {
        return;
    };
    for c in cells.iter_mut().filter(|c| c.verdict.able) {
        let more = c.cost_above(&least);
        c.cheapest = c.store == least.store || more.mean == 0.0 || more.low() <= 0.0;
    }
}

/// Where one store takes over from another as the cheapest.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeOver {
    /// The policy's name.
    pub policy: String,
    /// The cheapest store below that traffic.
    pub from: String,
    /// The cheapest store above it.
    pub to: String,
    /// Requests a month, interpolated between two levels on logarithmic scales.
    pub at: Estimate,
}

/// The take-overs between neighbouring levels: `from` is cheapest at one and not at the next,
/// `to` the other way round.
pub fn take_overs(cells: &[StoreCell]) -> Vec<TakeOver> {
    let mut found = Vec::new();
    let cheapest = |c: &&StoreCell| c.cheapest;
    for from in cells.iter().filter(cheapest) {
        let next = cells.iter().filter(|c| c.policy == from.policy);
        let Some(level) = next.map(|c| c.traffic).filter(|t| *t > from.traffic).min() else {
            continue;
        };
        let at = |store: &str, traffic: Count| {
            let mut of_policy = cells.iter().filter(|c| c.policy == from.policy);
            of_policy.find(|c| c.store == store && c.traffic == traffic)
        };
        let (Some(from_then), next) = (at(&from.store, level), cells.iter()) else {
            continue;
        };
        if from_then.cheapest {
            continue;
        }
        for to_then in next.filter(|c| c.policy == from.policy && c.traffic == level && c.cheapest)
        {
            let Some(to) = at(&to_then.store, from.traffic).filter(|t| !t.cheapest) else {
                continue;
            };
            if !(from_then.verdict.able && to.verdict.able) {
                continue;
            }
            let ratios = |a: &StoreCell, b: &StoreCell| -> Vec<f64> {
                let (a, b) = (a.costs().contributions, b.costs().contributions);
                a.into_iter().zip(b).map(|(a, b)| (a / b).ln()).collect()
            };
            let (x0, x1) = (from.traffic.0 as f64, level.0 as f64);
            let pairs = ratios(from, to).into_iter().zip(ratios(from_then, to_then));
            let points = pairs.map(|(before, after)| {
                let f = before / (before - after);
                if (0.0..=1.0).contains(&f) {
                    x0 * (x1 / x0).powf(f)
                } else {
                    f64::NAN
                }
            });
            found.push(TakeOver {
                policy: from.policy.clone(),
                from: from.store.clone(),
                to: to.store.clone(),
                at: Estimate::of(points),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{Catalog, Usage};
    use crate::study::stats::Resolution;

    /// A store that costs so much in each replication, to so many dollars.
    fn cell(store: &str, costs: &[f64], resolution: f64) -> StoreCell {
        let catalog: Catalog = crate::models::load("cloudflare", None, &[]).unwrap();
        let contributions: Vec<Vec<f64>> = costs.iter().map(|c| vec![*c; MEASURES.len()]).collect();
        let resolution = Resolution {
            whole: resolution,
            bin: 0.0,
        };
        let estimate = Estimate::within(costs.iter().copied(), resolution);
        StoreCell {
            traffic: Count(1_000_000),
            policy: "p".into(),
            store: store.into(),
            period: Duration::from_secs(3_600),
            pooled: Pooled {
                resolution: vec![resolution; MEASURES.len()],
                estimates: vec![estimate; MEASURES.len()],
                too_few: vec![false; MEASURES.len()],
                invoice: catalog.plan("paid").unwrap().invoice(&Usage::default()),
                contributions,
                short_history: false,
            },
            verdict: Verdict {
                able: true,
                ..Verdict::default()
            },
            cheapest: false,
        }
    }

    #[test]
    fn costs_are_no_further_apart_than_whole_units_tell() {
        let cheapest = |resolution: f64| {
            let mut cells = [
                cell("kv", &[5.0, 5.1, 5.2], resolution),
                cell("d1", &[5.3, 5.4, 5.5], 0.0),
            ];
            assert!(cells[1].cost_above(&cells[0]).mean > 0.29);
            mark_cheapest(&mut cells);
            cells.map(|c| c.cheapest)
        };
        assert_eq!(cheapest(0.2), [true, false]);
        // A unit of a bill is as large as what they differ by.
        assert_eq!(cheapest(0.5), [true, true]);
    }
}
