//! What a month costs at any traffic, from simulations at a few levels.

use super::cheapest::BOUNDED;
use super::error::StudyError;
use super::grid::pooled;
use super::replicate::Work;
use crate::models::quantity::Count;
use crate::pricing::{Invoice, MeterItem, Plan, Usage};
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric::{self, outcome_of};
use crate::run::scenario::Scenario;
use crate::telemetry::alerts::AlertInputs;
use std::array;

/// Levels per factor of ten. Between two of them a use that follows a power law is exact, and a
/// use u with curvature c = d2 ln u / d(ln x)2 is wrong by c (ln 10 / 6)^2 / 8 = 1.8% of c at most.
const LEVELS_PER_DECADE: f64 = 6.0;

/// What is interpolated of a month.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Use of each item, in the order of [`MeterItem::ALL`].
    usage: [f64; MeterItem::ALL.len()],
    /// What is wanted of each.
    wanted: [f64; MeterItem::ALL.len()],
    /// What alerts watch.
    alert_inputs: AlertInputs,
    /// The measures [`BOUNDED`]: what keeps a bill from being for the whole work.
    not_done: [f64; BOUNDED.len()],
}

impl Figures {
    /// Figures each of which is what `value` makes of it, given how to read it.
    fn each(value: impl Fn(&dyn Fn(&Figures) -> f64) -> f64) -> Figures {
        Figures {
            usage: array::from_fn(|i| value(&|f| f.usage[i])),
            wanted: array::from_fn(|i| value(&|f| f.wanted[i])),
            alert_inputs: AlertInputs {
                metrics_p95_ms: value(&|f| f.alert_inputs.metrics_p95_ms),
                analytics_p95_ms: value(&|f| f.alert_inputs.analytics_p95_ms),
                error_rate: value(&|f| f.alert_inputs.error_rate),
                kv_operations_per_day: value(&|f| f.alert_inputs.kv_operations_per_day),
                cache_hit_ratio: value(&|f| f.alert_inputs.cache_hit_ratio),
            },
            not_done: array::from_fn(|i| value(&|f| f.not_done[i])),
        }
    }
}

/// Figures of every replication at every level.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Natural logarithms of the levels, rising.
    log_levels: Vec<f64>,
    /// By level, then replication.
    values: Vec<Vec<Figures>>,
}

/// Means over some choice of replications, by level.
#[derive(Debug, Clone)]
pub struct MeanCurve {
    log_levels: Vec<f64>,
    means: Vec<Figures>,
}

/// Levels that cover a range, evenly on the logarithm.
pub fn levels(low: f64, high: f64) -> Vec<Count> {
    let (low, high) = (low.max(1.0), high.max(low).max(1.0));
    let steps = ((high / low).log10() * LEVELS_PER_DECADE).ceil().max(1.0);
    let mut levels: Vec<Count> = (0..=steps as u32)
        .map(|i| Count((low * (high / low).powf(f64::from(i) / steps)).round() as u64))
        .collect();
    levels.dedup();
    levels
}

/// Simulates a curve for each policy of the scenario.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn curves(
    scenario: &Scenario,
    levels: &[Count],
    work: &Work,
) -> Result<Vec<Curve>, StudyError> {
    let n = scenario.replications as usize;
    let points: Vec<Point> = scenario
        .policies
        .iter()
        .flat_map(|policy| {
            levels.iter().flat_map(move |traffic| {
                (0..n as u64).map(move |replication| Point {
                    scenario,
                    policy,
                    traffic: *traffic,
                    replication,
                })
            })
        })
        .collect();
    let outcomes = work.map(&points, |point| {
        let result = work.simulate(point)?;
        Ok::<_, StudyError>((outcome_of(&result), result.wanted))
    })?;
    let of_policy = outcomes.chunks(n * levels.len());
    Ok(of_policy
        .map(|of_levels| Curve {
            log_levels: levels.iter().map(|l| (l.0 as f64).ln()).collect(),
            values: of_levels.chunks(n).map(|o| figures(scenario, o)).collect(),
        })
        .collect())
}

/// The figures of a level by replication: their means are the estimates of all replications taken
/// together.
fn figures(scenario: &Scenario, outcomes: &[(Outcome, Usage)]) -> Vec<Figures> {
    let all: Vec<&Outcome> = outcomes.iter().map(|(o, _)| o).collect();
    let pooled = pooled(scenario, &all);
    let of_replication = |(r, (outcome, wanted)): (usize, &(Outcome, Usage))| {
        let contributed = |name: &str| pooled.contributions[r][metric::position(name)];
        Figures {
            usage: MeterItem::ALL.map(|item| outcome.usage.get(item) as f64),
            wanted: MeterItem::ALL.map(|item| wanted.get(item) as f64),
            alert_inputs: AlertInputs {
                metrics_p95_ms: contributed("metrics_p95_ms"),
                analytics_p95_ms: contributed("query_p95_ms"),
                error_rate: contributed("error_rate"),
                kv_operations_per_day: contributed("kv_operations_per_day"),
                cache_hit_ratio: contributed("hit_ratio"),
            },
            not_done: BOUNDED.map(contributed),
        }
    };
    outcomes.iter().enumerate().map(of_replication).collect()
}

impl Curve {
    /// Replications at each level.
    pub fn replications(&self) -> usize {
        self.values[0].len()
    }

    /// The means over these replications (repetitions count repeatedly).
    pub fn mean_of(&self, replications: &[usize]) -> MeanCurve {
        let mean = |level: &Vec<Figures>, read: &dyn Fn(&Figures) -> f64| {
            let values = replications.iter().map(|r| read(&level[*r]));
            let (mut sum, mut n) = (0.0, 0.0);
            for v in values.filter(|v| !v.is_nan()) {
                (sum, n) = (sum + v, n + 1.0);
            }
            sum / n
        };
        let of_level = |level| Figures::each(|read| mean(level, read));
        MeanCurve {
            log_levels: self.log_levels.clone(),
            means: self.values.iter().map(of_level).collect(),
        }
    }

    /// The means over all replications.
    pub fn mean(&self) -> MeanCurve {
        self.mean_of(&(0..self.replications()).collect::<Vec<_>>())
    }
}

impl MeanCurve {
    /// All figures at a traffic; beyond the ends those of the ends.
    ///
    /// Straight between the logarithms of two levels and of their values, and so monotone where
    /// the levels are; where one of the values is 0, straight between the values themselves.
    fn at(&self, traffic: f64) -> Figures {
        let x = traffic.ln();
        let last = self.log_levels.len() - 1;
        let right = self.log_levels.partition_point(|l| *l < x).min(last);
        let left = right.saturating_sub(1);
        let (x0, x1) = (self.log_levels[left], self.log_levels[right]);
        let f = if x1 > x0 {
            ((x - x0) / (x1 - x0)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (a, b) = (&self.means[left], &self.means[right]);
        Figures::each(|read| match (read(a), read(b)) {
            (a, b) if a == b => a,
            (a, b) if a > 0.0 && b > 0.0 => a * (b / a).powf(f),
            (a, b) => a + (b - a) * f,
        })
    }

    /// A month's use of everything at a traffic.
    pub fn usage(&self, traffic: f64) -> Usage {
        usage(&self.at(traffic).usage)
    }

    /// A month's use, what is wanted of it, and the figures that alerts watch.
    pub fn month(&self, traffic: f64) -> Month {
        let figures = self.at(traffic);
        Month {
            usage: usage(&figures.usage),
            wanted: usage(&figures.wanted),
            alert_inputs: figures.alert_inputs,
            not_done: figures.not_done,
        }
    }

    /// The bill at a traffic: the use is interpolated, prices apply to it exactly, so that the
    /// kinks where allowances end stay where they are.
    pub fn invoice(&self, plan: &Plan, traffic: f64) -> Invoice {
        plan.invoice(&self.usage(traffic))
    }
}

/// A month at some traffic.
#[derive(Debug, Clone)]
pub struct Month {
    /// Use of each item.
    pub usage: Usage,
    /// What it would be, were nothing refused for a used-up quota.
    pub wanted: Usage,
    /// The figures that alerts watch.
    pub alert_inputs: AlertInputs,
    /// The measures [`BOUNDED`].
    pub not_done: [f64; BOUNDED.len()],
}

fn usage(figures: &[f64; MeterItem::ALL.len()]) -> Usage {
    let mut usage = Usage::default();
    for (item, figure) in MeterItem::ALL.into_iter().zip(figures) {
        usage.add(item, figure.max(0.0).round() as u128);
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> MeanCurve {
        MeanCurve {
            log_levels: points.iter().map(|p| p.0.ln()).collect(),
            means: points.iter().map(|p| Figures::each(|_| p.1)).collect(),
        }
    }

    #[test]
    fn a_power_law_is_met_exactly_and_ends_are_kept() {
        let c = curve(&[(1e4, 1e2), (1e6, 1e5)]);
        assert!((c.at(1e5).usage[0] - 10_f64.powf(3.5)).abs() < 1e-6);
        assert_eq!((c.at(1.0).usage[0], c.at(1e9).usage[0]), (1e2, 1e5));
        let from_nothing = curve(&[(1.0, 0.0), (100.0, 8.0)]);
        assert!((from_nothing.at(10.0).usage[0] - 4.0).abs() < 1e-12);
    }

    #[test]
    fn levels_cover_the_range() {
        let l = levels(1e6, 1e8);
        assert_eq!(
            (l[0], l[12], l.len()),
            (Count(1_000_000), Count(100_000_000), 13)
        );
        assert_eq!(levels(5.0, 5.0), [Count(5)]);
    }
}
