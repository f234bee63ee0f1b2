//! Replications as they unfold: their series averaged, their alerts, recoveries and warm-up.

use super::error::StudyError;
use super::grid::pooled;
use super::replicate::Work;
use super::stats::Estimate;
use super::sweep::Cell;
use crate::cloud::service::Service;
use crate::models::quantity::Count;
use crate::run::measure::Outcome;
use crate::run::metric;
use crate::run::result::RunResult;
use crate::run::scenario::Scenario;
use crate::run::series::{AlertSpan, COLUMNS, Recovery, Sample, alert_timeline, recoveries};
use crate::run::{Observation, Observed, Point};
use crate::study::stats::pool::{Pooled, pool};
use crate::study::stats::warm_up::mser5;
use std::time::Duration;

/// All replications of a policy at one traffic level, with what they showed over time.
pub struct Timeline {
    /// The policy's name.
    pub policy: String,
    /// Length of the intervals.
    pub interval: Duration,
    /// By replication.
    pub results: Vec<RunResult>,
    /// By replication: what was written down.
    pub observed: Vec<Observed>,
    /// All replications together, the warm-up included.
    pub steps: Vec<Step>,
}

/// What one interval showed in all replications together.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Start and end of the interval, in seconds from the start of the measurement.
    pub start_s: f64,
    /// End of the interval, in seconds from the start of the measurement.
    pub end_s: f64,
    /// In the order of [`COLUMNS`].
    pub estimates: Vec<Estimate>,
}

/// Where the warm-up of a column ends, by MSER-5 on the mean over replications.
#[derive(Debug, Clone, PartialEq)]
pub struct Settling {
    /// The column's name in the series.
    pub column: &'static str,
    /// From the start of the simulated queries; `None` if the run is too short to tell.
    pub settled_after: Option<Duration>,
}

/// Simulates every policy of the scenario and observes each replication. Traces are kept of the
/// first one only.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn observe_all(
    scenario: &Scenario,
    traffic: Count,
    interval: Duration,
    traces: usize,
    work: &Work,
) -> Result<Vec<Timeline>, StudyError> {
    let n = u64::from(scenario.replications);
    let policies = scenario.policies.iter();
    let points: Vec<Point> = policies
        .flat_map(|policy| {
            (0..n).map(move |replication| Point {
                scenario,
                policy,
                traffic,
                replication,
            })
        })
        .collect();
    let runs = work.map(&points, |point| {
        let observation = Observation {
            interval: Some(interval),
            traces: if point.replication == 0 { traces } else { 0 },
        };
        work.observe(point, &Service::Kv, &observation)
    })?;
    let mut runs = runs.into_iter();
    Ok(scenario
        .policies
        .iter()
        .map(|policy| {
            let (results, observed): (_, Vec<Observed>) = runs.by_ref().take(n as usize).unzip();
            let samples: Vec<&[Sample]> = observed.iter().map(|o| &o.samples[..]).collect();
            Timeline {
                policy: policy.name.clone(),
                interval,
                steps: steps(scenario, &samples),
                results,
                observed,
            }
        })
        .collect())
}

/// Takes the samples of replications together, interval by interval: ratios are sums over sums, and
/// percentiles those of all calls, or none where these are too few.
pub fn steps(scenario: &Scenario, replications: &[&[Sample]]) -> Vec<Step> {
    let intervals = replications.iter().map(|samples| samples.len()).min();
    let step = |i: usize| {
        let outcomes: Vec<&Outcome> = replications.iter().map(|s| &s[i].outcome).collect();
        Step {
            start_s: replications[0][i].start_s,
            end_s: replications[0][i].end_s,
            estimates: pool(COLUMNS, scenario.plan(), &outcomes).estimates,
        }
    };
    (0..intervals.unwrap_or(0)).map(step).collect()
}

/// An interval that gives a period some 200 samples: a round number of seconds, minutes or hours.
pub fn fitting_interval(period: Duration) -> Duration {
    const ROUND_S: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
    let wanted_s = period.as_secs_f64() / 240.0;
    let enough = ROUND_S.into_iter().find(|s| *s as f64 >= wanted_s);
    Duration::from_secs(enough.unwrap_or(3_600))
}

impl Timeline {
    /// The replications taken together.
    pub fn pooled(&self, scenario: &Scenario) -> Pooled {
        let outcomes: Vec<Outcome> = self.results.iter().map(metric::outcome_of).collect();
        pooled(scenario, &outcomes.iter().collect::<Vec<_>>())
    }

    /// The same as a cell of a sweep, with the number of replications that was observed.
    pub fn cell(&self, scenario: &Scenario, traffic: Count) -> Cell {
        let values = |r: &RunResult| metric::METRICS.iter().map(|m| m.value(r)).collect();
        Cell {
            traffic,
            policy: self.policy.clone(),
            period: scenario.horizon(traffic),
            replications: self.results.iter().map(values).collect(),
            pooled: self.pooled(scenario),
            attained: None,
        }
    }

    /// The alerts of each replication, with its number.
    pub fn alerts(&self, scenario: &Scenario) -> Vec<(usize, AlertSpan)> {
        let of = |samples: &[Sample]| alert_timeline(samples, &scenario.alerts);
        let runs = self.observed.iter().enumerate();
        runs.flat_map(|(i, o)| of(&o.samples).into_iter().map(move |a| (i, a)))
            .collect()
    }

    /// How each replication came through the failure windows, with its number.
    pub fn recoveries(&self, scenario: &Scenario) -> Vec<(usize, Recovery)> {
        let of = |samples: &[Sample]| recoveries(samples, &scenario.failures.windows);
        let runs = self.observed.iter().enumerate();
        runs.flat_map(|(i, o)| of(&o.samples).into_iter().map(move |r| (i, r)))
            .collect()
    }

    /// Where the warm-up ends for every column that changes at all. Failure windows are no
    /// warm-up, so only what comes before the first of them is looked at.
    pub fn settling(&self, scenario: &Scenario) -> Vec<Settling> {
        let windows = scenario.failures.windows.iter();
        let quiet_s = windows
            .map(|w| w.start.as_secs_f64())
            .fold(f64::INFINITY, f64::min);
        let quiet: Vec<&Step> = self.steps.iter().filter(|s| s.end_s <= quiet_s).collect();
        let columns = COLUMNS.iter().enumerate();
        columns
            .filter_map(|(c, column)| {
                let series: Vec<f64> = quiet.iter().map(|s| s.estimates[c].mean).collect();
                let seen = series.iter().find(|v| !v.is_nan())?;
                let changes = series.iter().any(|v| !v.is_nan() && v != seen);
                // The first interval may be cut short.
                let cut = |n: usize| match n {
                    0 => Duration::ZERO,
                    n => Duration::from_secs_f64(quiet[n - 1].end_s - quiet[0].start_s),
                };
                changes.then(|| Settling {
                    column: column.name,
                    settled_after: mser5(&series).map(cut),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_round_and_give_about_two_hundred_samples() {
        let of = |s: u64| fitting_interval(Duration::from_secs(s)).as_secs();
        assert_eq!([of(13), of(600), of(3_600)], [1, 5, 15]);
        assert_eq!(of(48 * 3_600), 900);
        assert_eq!(of(7 * 86_400), 3_600);
        assert_eq!(of(90 * 86_400), 3_600);
    }

    #[test]
    fn the_mean_series_is_that_of_the_replications() {
        let mut scenario = Scenario::load("default", &["optimised".into()], None, &[]).unwrap();
        scenario.replications = 3;
        scenario.period.at_least = Duration::from_secs(600);
        scenario.period.at_most = Duration::from_secs(600);
        let interval = Duration::from_secs(30);
        let timelines =
            observe_all(&scenario, Count(3_000_000), interval, 5, &Work::unwatched()).unwrap();
        let t = &timelines[0];
        let steps = &t.steps;
        // Two intervals of warm-up, twenty of measurement.
        assert_eq!(steps.len(), 22);
        assert_eq!((steps[0].end_s, steps[21].end_s), (-30.0, 600.0));
        let requests = crate::run::series::column("requests_per_s");
        for (i, result) in t.results.iter().enumerate() {
            let measured = t.observed[i].samples.iter().filter(|s| s.end_s > 0.0);
            let seen: f64 = measured.map(|s| 30.0 * s.get("requests_per_s")).sum();
            assert!(
                (seen - result.arrived.records as f64).abs() < 1e-6,
                "{seen}"
            );
        }
        let mean = t
            .observed
            .iter()
            .map(|o| o.samples[5].get("requests_per_s"));
        assert!((steps[5].estimates[requests].mean - mean.sum::<f64>() / 3.0).abs() < 1e-9);
        let traced: Vec<usize> = t.observed.iter().map(|o| o.traces.len()).collect();
        assert_eq!(traced, [5, 0, 0]);
    }
}
