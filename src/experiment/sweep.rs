//! Traffic levels x policies x replications, in parallel, with the same result on any
//! number of threads.

use super::metric;
use super::scenario::{MONTH, Scenario};
use super::simulate::{Point, simulate};
use super::stats::Estimate;
use crate::config::quantity::Count;
use rayon::prelude::*;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A policy at a traffic level: the measures of every replication, and their estimates.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    pub policy: String,
    /// The stretch of the month that was simulated.
    pub period: Duration,
    /// Values in the order of [`metric::METRICS`], by replication.
    pub replications: Vec<Vec<f64>>,
    /// In the order of [`metric::METRICS`].
    pub estimates: Vec<Estimate>,
}

impl Cell {
    /// The estimate of a measure.
    ///
    /// # Panics
    /// If there is no measure of that name.
    pub fn estimate(&self, name: &str) -> Estimate {
        let index = metric::index_of(name);
        self.estimates[index.unwrap_or_else(|| panic!("no measure is called {name}"))]
    }

    /// Months in the simulated period: flows are multiplied by this to give those of a month.
    pub fn scale(&self) -> f64 {
        MONTH.as_secs_f64() / self.period.as_secs_f64()
    }
}

/// Why a sweep gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepError {
    /// It was told to stop.
    Interrupted,
    /// An invariant does not hold: a defect of kvplan.
    Broken(String),
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SweepError::Interrupted => f.write_str("interrupted"),
            SweepError::Broken(what) => write!(
                f,
                "an invariant does not hold, the results would be wrong: {what}"
            ),
        }
    }
}

/// Simulates every level with every policy of the scenario. The cells come in the order of
/// levels, then policies. `finished` is called after each replication; `stop` ends the sweep
/// before the next one.
pub fn sweep(
    scenario: &Scenario,
    levels: &[Count],
    finished: &(dyn Fn() + Sync),
    stop: &AtomicBool,
) -> Result<Vec<Cell>, SweepError> {
    let replications = u64::from(scenario.replications);
    let points: Vec<Point> = levels
        .iter()
        .flat_map(|traffic| {
            scenario.policies.iter().flat_map(move |policy| {
                (0..replications).map(move |replication| Point {
                    scenario,
                    policy,
                    traffic: *traffic,
                    replication,
                })
            })
        })
        .collect();
    let values: Vec<Vec<f64>> = points
        .par_iter()
        .with_max_len(1)
        .map(|point| {
            if stop.load(Ordering::Relaxed) {
                return Err(SweepError::Interrupted);
            }
            let result = simulate(point).map_err(SweepError::Broken)?;
            finished();
            Ok(metric::values(&result))
        })
        .collect::<Result<_, _>>()?;
    let cells = points
        .chunks(replications as usize)
        .zip(values.chunks(replications as usize));
    Ok(cells
        .map(|(points, values)| cell(&points[0], values.to_vec()))
        .collect())
}

fn cell(point: &Point, replications: Vec<Vec<f64>>) -> Cell {
    let of = |i: usize| Estimate::of(replications.iter().map(|values| values[i]));
    Cell {
        traffic: point.traffic,
        policy: point.policy.name.clone(),
        period: point.scenario.horizon(point.traffic),
        estimates: (0..metric::METRICS.len()).map(of).collect(),
        replications,
    }
}

/// What measure number `metric` is more in `b` than in `a`, over the replications that gave it in
/// both. Replications with the same number met the same arrivals and failures, so their
/// differences vary less than the measures themselves.
pub fn paired_difference(a: &Cell, b: &Cell, metric: usize) -> Estimate {
    let pairs = a.replications.iter().zip(&b.replications);
    Estimate::of(pairs.map(|(a, b)| b[metric] - a[metric]))
}

/// Where a measure first reaches `threshold` as traffic grows, by interpolation between the
/// levels (straight on logarithmic scales); `None` if it stays below.
pub fn crossing(cells: &[&Cell], name: &str, threshold: f64) -> Option<f64> {
    let point = |c: &Cell| (c.traffic.0 as f64, c.estimate(name).mean);
    for pair in cells.windows(2) {
        let ((x0, y0), (x1, y1)) = (point(pair[0]), point(pair[1]));
        if y0 < threshold && y1 >= threshold && y0 > 0.0 {
            let f = (threshold / y0).ln() / (y1 / y0).ln();
            return Some(x0 * (x1 / x0).powf(f));
        }
    }
    None
}
