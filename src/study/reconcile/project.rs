//! What a day is projected to use: whole simulated days, one a replication.

use crate::models::quantity::Count;
use crate::pricing::{MONTH, MeterItem, Unit, Usage};
use crate::run::Point;
use crate::run::scenario::Scenario;
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::study::stats::{Estimate, t_quantile};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A band in which a day is to lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The mean over replications.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Simulated days.
#[derive(Debug, Clone)]
pub struct Projected {
    days: Vec<Usage>,
    /// Whether each is the mean day of a week, as the workload has a weekly shape.
    pub of_weeks: bool,
}

/// Simulates a day for each replication, under the scenario's first policy.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn project(scenario: &Scenario, traffic: Count, work: &Work) -> Result<Projected, StudyError> {
    let mut scenario = scenario.clone();
    let shape = scenario.workload.shape.as_ref();
    let of_weeks = shape.is_some_and(|s| s.is_weekly());
    scenario.period.at_least = DAY;
    scenario.period.at_most = DAY;
    let days = usages(&scenario, traffic, u64::from(scenario.replications), work)?;
    Ok(Projected { days, of_weeks })
}

/// A month's usage in each of so many replications.
pub(super) fn usages(
    scenario: &Scenario,
    traffic: Count,
    replications: u64,
    work: &Work,
) -> Result<Vec<Usage>, StudyError> {
    let replications: Vec<u64> = (0..replications).collect();
    work.map(replications, |replication| {
        let point = Point {
            scenario,
            policy: &scenario.policies[0],
            traffic,
            replication,
        };
        Ok::<_, StudyError>(work.simulate(&point)?.usage)
    })
}

/// With one added to each, so that nothing used of what is seldom used is no infinite difference.
pub(super) fn log_ratio(projected: f64, actual: f64) -> f64 {
    ((actual + 1.0) / (projected + 1.0)).ln()
}

/// What a day uses, of a month's usage: of what is stored the level.
pub(super) fn of_day(usage: &Usage, meter: MeterItem) -> f64 {
    let month = usage.get(meter) as f64;
    match meter.unit() {
        Unit::Bytes => month,
        _ => month * DAY.as_secs_f64() / MONTH.as_secs_f64(),
    }
}

impl Projected {
    /// The 95% interval for the mean of so many days that are still to come: it holds the spread of the
    /// days and the error of their mean.
    pub fn band(&self, meter: MeterItem, days: usize) -> Band {
        let values = || self.days.iter().map(|u| of_day(u, meter));
        let estimate = Estimate::of(values());
        let n = self.days.len();
        let squares: f64 = values().map(|v| (v - estimate.mean).powi(2)).sum();
        let sd = (squares / (n as f64 - 1.0)).sqrt();
        let half = t_quantile(n - 1) * sd * (1.0 / days as f64 + 1.0 / n as f64).sqrt();
        Band {
            mean: estimate.mean,
            low: (estimate.mean - half).max(0.0),
            high: estimate.mean + half,
        }
    }

    /// The meters that are used at all.
    pub fn meters(&self) -> Vec<MeterItem> {
        let used = |m: &MeterItem| self.days.iter().any(|u| u.get(*m) > 0);
        MeterItem::ALL.into_iter().filter(used).collect()
    }
}
