//! Traffic levels x policies x replications, in parallel, with the same result on any
//! number of threads.

use super::error::StudyError;
use super::grid::{Grid, Measured, Part, Unit, pooled, replications};
use super::partial::error::PartialError;
use super::replicate::Work;
use super::stats::Estimate;
use crate::models::quantity::Count;
use crate::pricing::MONTH;
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric;
use crate::run::scenario::Scenario;
use crate::study::stats::pool::Pooled;
use crate::study::stats::stopping::{Attained, Stopping};
use crate::telemetry::alerts::AlertInputs;
use std::time::Duration;

/// A policy at a traffic level: the measures of every replication, and their estimates.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    /// The policy's name.
    pub policy: String,
    /// The stretch of the month that was simulated.
    pub period: Duration,
    /// The values of each replication by itself, in the order of [`metric::METRICS`]; NaN where it gives none,
    /// and of a percentile with too few calls.
    pub replications: Vec<Vec<f64>>,
    /// All replications together.
    pub pooled: Pooled,
    /// How precise the estimates are; `None` if the scenario asks for no precision.
    pub attained: Option<Attained>,
}

impl Cell {
    /// A policy (a position among the scenario's) at a level, from the outcomes of its replications.
    pub fn of(scenario: &Scenario, policy: usize, traffic: Count, outcomes: &[&Outcome]) -> Self {
        let pooled = pooled(scenario, outcomes);
        let precision = scenario.precision.as_ref();
        Cell {
            traffic,
            policy: scenario.policies[policy].name.clone(),
            period: scenario.horizon(traffic),
            attained: precision.map(|p| Stopping(p).attained(&pooled)),
            replications: outcomes.iter().map(|o| o.values()).collect(),
            pooled,
        }
    }

    /// The estimate of a measure.
    ///
    /// # Panics
    /// If there is no measure of that name.
    pub fn estimate(&self, name: &str) -> Estimate {
        self.pooled.estimates[metric::position(name)]
    }

    /// Whether too few calls came for a percentile.
    pub fn is_too_few(&self, name: &str) -> bool {
        metric::index_of(name).is_some_and(|i| self.pooled.too_few[i])
    }

    /// The figures that the alert rules watch.
    pub fn alert_inputs(&self) -> AlertInputs {
        let mean = |name: &str| self.estimate(name).mean;
        AlertInputs {
            metrics_p95_ms: mean("metrics_p95_ms"),
            analytics_p95_ms: mean("query_p95_ms"),
            error_rate: mean("error_rate"),
            kv_operations_per_day: mean("kv_operations_per_day"),
            cache_hit_ratio: mean("hit_ratio"),
        }
    }

    /// Months in the simulated period: flows are multiplied by this to give those of a month.
    pub fn scale(&self) -> f64 {
        MONTH.as_secs_f64() / self.period.as_secs_f64()
    }
}

/// Puts down the outcome of a unit that has been simulated.
pub type Keep<'a> = dyn Fn(Unit, &Outcome) -> Result<(), PartialError> + Sync + 'a;

/// What goes on while a sweep is computed.
pub struct Watch<'a> {
    /// So many more replications are going to be simulated.
    pub planned: &'a (dyn Fn(u64) + Sync),
    /// A replication was simulated with this outcome; an error ends the sweep.
    pub keep: &'a Keep<'a>,
    /// How much runs at once, how it is told to stop, and who hears of progress.
    pub work: Work<'a>,
}

/// Simulates every level with every policy of the scenario. The cells come in the order of
/// levels, then policies.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn sweep(scenario: &Scenario, levels: &[Count], work: &Work) -> Result<Vec<Cell>, StudyError> {
    let grid = Grid { scenario, levels };
    let watch = Watch {
        planned: &|_| (),
        keep: &|_, _| Ok(()),
        work: *work,
    };
    measure(&grid, Part::WHOLE, Measured::new(), &watch).map(|measured| cells(&grid, &measured))
}

/// Simulates the units of a part that are not known yet; the outcomes of all its units.
pub fn measure(
    grid: &Grid,
    part: Part,
    known: Measured,
    watch: &Watch,
) -> Result<Measured, StudyError> {
    grid.complete(part, known, |units| {
        (watch.planned)(units.len() as u64);
        watch.work.map(units, |unit| {
            let point = Point {
                scenario: grid.scenario,
                policy: &grid.scenario.policies[unit.policy as usize],
                traffic: grid.levels[unit.level as usize],
                replication: u64::from(unit.replication),
            };
            let outcome = watch.work.outcome(&point)?;
            (watch.keep)(*unit, &outcome).map_err(StudyError::NotKept)?;
            Ok(outcome)
        })
    })
}

/// The cells of a sweep whose units have all been measured, by level, then policy.
pub fn cells(grid: &Grid, measured: &Measured) -> Vec<Cell> {
    let scenario = grid.scenario;
    let cell = |level: usize, policy: usize| {
        let outcomes = replications(measured, level as u32, policy as u32);
        Cell::of(scenario, policy, grid.levels[level], &outcomes)
    };
    let policies = scenario.policies.len();
    (0..grid.levels.len())
        .flat_map(|level| (0..policies).map(move |policy| cell(level, policy)))
        .collect()
}

/// What measure number `metric` is more in `b` than in `a`, over the replications that gave it in
/// both. Replications with the same number met the same arrivals and failures, so their
/// differences vary less than the measures themselves.
pub fn paired_difference(a: &Cell, b: &Cell, metric: usize) -> Estimate {
    let (a, b) = (a.pooled.column(metric), b.pooled.column(metric));
    b.less(&a).estimate()
}

/// Where a measure first reaches `threshold` as traffic grows, by interpolation between the
/// levels (straight on logarithmic scales); `None` if it stays below.
pub fn crossing(cells: &[&Cell], name: &str, threshold: f64) -> Option<f64> {
    let point = |c: &&Cell| (c.traffic.0 as f64, c.estimate(name).mean);
    crossing_of(&cells.iter().map(point).collect::<Vec<_>>(), threshold)
}

/// The same for points (traffic, value), the traffic rising.
pub fn crossing_of(points: &[(f64, f64)], threshold: f64) -> Option<f64> {
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if y0 < threshold && y1 >= threshold && y0 > 0.0 {
            let f = (threshold / y0).ln() / (y1 / y0).ln();
            return Some(x0 * (x1 / x0).powf(f));
        }
    }
    None
}
