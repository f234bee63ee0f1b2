//! Month by month: traffic that grows at a rate nobody knows exactly, and what it costs.

use super::breakeven::free_plan;
use super::cheapest::{Reason, why};
use super::curve::{self, Curve, MeanCurve, curves, levels};
use super::error::StudyError;
use super::replicate::{self, Work};
use crate::models::ConfigError;
use crate::pricing::{MeterItem, Plan};
use crate::run::scenario::Scenario;
use crate::sim::random::Streams;
use crate::telemetry::alerts::{AlertMetric, AlertRules, Level};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// How traffic grows.
///
/// Month `m` has the traffic `start * (1 + growth)^m`, where each future has a growth of its own,
/// such that ln(1 + growth) is normal around the expected value, and, if wanted, ups and
/// downs from month to month.
#[derive(Debug, Clone)]
pub struct Growth {
    /// Requests in month 0.
    pub start: f64,
    /// Expected (median) growth per month, 0.08 for 8%.
    pub rate: f64,
    /// Standard deviation, over the futures, of the growth per month.
    pub rate_sd: f64,
    /// Standard deviation of a month's own growth around that of its future.
    pub month_sd: f64,
    /// Months after month 0.
    pub months: u32,
    /// Futures to draw.
    pub futures: u32,
}

/// The percentiles of a fan.
pub const PERCENTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Curves that stand for the sampling error: means over replications drawn with replacement.
const BOOTSTRAPS: usize = 200;

/// Traffic beyond which levels would take too long to simulate.
pub const MOST_TRAFFIC: f64 = 1e10;

/// A limit that growing traffic may meet.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// The free plan's quota of an average day, or its storage.
    Quota(MeterItem),
    /// What the plan includes in a month.
    Allowance(MeterItem),
    /// A threshold of the alert rules.
    Alert(AlertMetric, Level),
}

/// When a limit is met.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Position among the scenario's policies.
    pub policy: usize,
    /// The limit.
    pub limit: Limit,
    /// Share of the futures that meet it within the months.
    pub share: f64,
    /// First month in which it is met, of the percentiles 5, 50 and 95 of all futures; none
    /// beyond the last month.
    pub months: [Option<u32>; 3],
}

/// A month of the forecast.
#[derive(Debug, Clone)]
pub struct Month {
    /// Months from now, from 0.
    pub number: u32,
    /// At [`PERCENTILES`].
    pub traffic: [f64; 5],
    /// By policy: cost at [`PERCENTILES`].
    pub cost: Vec<[f64; 5]>,
    /// By policy: mean cost.
    pub mean_cost: Vec<f64>,
    /// By policy: mean share of the requests or, if more, of the KV operations that the plan refuses;
    /// the cost is for the rest.
    pub mean_refused: Vec<f64>,
    /// By policy: share of the records that is lost at [`PERCENTILES`]; NaN where it is unknown.
    pub lost: Vec<[f64; 5]>,
    /// By policy: mean share of the records that is lost; NaN where it is unknown.
    pub mean_lost: Vec<f64>,
    /// By policy: why its cost is not for the whole work, by these means.
    pub excluded: Vec<Option<Reason>>,
}

/// The forecast.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Name of the plan without a fee; none if the catalog has none.
    pub free: Option<String>,
    /// The months, from now on.
    pub months: Vec<Month>,
    /// When each policy meets each limit.
    pub hits: Vec<Hit>,
    /// Levels that were simulated.
    pub levels: Vec<crate::models::quantity::Count>,
}

/// The traffic of every future, by future, then month.
pub fn futures(growth: &Growth, seed: u64) -> Vec<Vec<f64>> {
    let streams = Streams::new(seed, 0);
    let mut rates = streams.stream("forecast.growth");
    let mut months = streams.stream("forecast.months");
    let relative = 1.0 + growth.rate;
    let normal = |sd: f64, rng: &mut _| {
        let z: f64 = StandardNormal.sample(rng);
        z * sd / relative
    };
    (0..growth.futures)
        .map(|_| {
            let rate = relative.ln() + normal(growth.rate_sd, &mut rates);
            let mut log = growth.start.ln();
            let mut path = vec![growth.start];
            for _ in 0..growth.months {
                log += rate + normal(growth.month_sd, &mut months);
                path.push(log.exp());
            }
            path
        })
        .collect()
}

/// The levels to simulate for these futures: from the least to the most traffic of any.
///
/// # Errors
/// Says so if 1% of the futures or more go beyond [`MOST_TRAFFIC`] in the last month.
pub fn levels_of(futures: &[Vec<f64>]) -> Result<Vec<crate::models::quantity::Count>, ConfigError> {
    let mut ends: Vec<f64> = futures.iter().filter_map(|f| f.last().copied()).collect();
    ends.sort_by(f64::total_cmp);
    let nearly_most = percentile(&ends, 0.99);
    if nearly_most > MOST_TRAFFIC {
        return Err(ConfigError::new(
            "--growth",
            format!(
                "found a growth that ends at {:.3e} requests a month in one future of 100, expected 10B at most; take fewer months or less growth",
                nearly_most
            ),
        ));
    }
    let all = || futures.iter().flatten().copied();
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(0.0, f64::max).min(MOST_TRAFFIC);
    Ok(levels(low, high))
}

/// Simulates the levels and lets the futures run through them. Each future is paired with one of
/// 200 bootstrapped curves, so that the spread of its cost holds the uncertainty of growth
/// and the sampling error.
pub fn forecast(scenario: &Scenario, growth: &Growth, work: &Work) -> Result<Forecast, StudyError> {
    let futures = futures(growth, scenario.seed);
    let levels = levels_of(&futures)?;
    let curves = curves(scenario, &levels, work)?;
    let free = free_plan(&scenario.catalog);
    let policies: Vec<Paths> = curves
        .iter()
        .map(|c| Paths::new(scenario, free, c, &futures))
        .collect();
    let months = (0..=growth.months)
        .map(|m| month(m, &futures, &policies))
        .collect();
    let limits = limits(scenario, free);
    let mut hits = Vec::new();
    for (policy, paths) in policies.iter().enumerate() {
        for (i, limit) in limits.iter().enumerate() {
            hits.push(hit(policy, limit.clone(), paths.first_hits(i)));
        }
    }
    Ok(Forecast {
        free: free.map(|p| p.name.clone()),
        months,
        hits,
        levels,
    })
}

/// What one policy's futures cost, and when they first meet each limit.
struct Paths {
    /// By future, then month.
    cost: Vec<Vec<f64>>,
    not_done: Vec<Vec<[f64; 3]>>,
    /// By future, then limit.
    first: Vec<Vec<Option<u32>>>,
}

impl Paths {
    fn new(scenario: &Scenario, free: Option<&Plan>, curve: &Curve, futures: &[Vec<f64>]) -> Self {
        let limits = limits(scenario, free);
        let curves = bootstrap(curve, scenario.seed);
        let plan = scenario.plan();
        let numbered: Vec<_> = futures.iter().enumerate().collect();
        let of_future = |(i, path): (usize, &Vec<f64>)| {
            let curve = &curves[i % curves.len()];
            let mut first = vec![None; limits.len()];
            let mut cost = Vec::with_capacity(path.len());
            let mut not_done = Vec::with_capacity(path.len());
            for (m, traffic) in path.iter().enumerate() {
                let month = curve.month(*traffic);
                cost.push(plan.invoice(&month.usage).total.to_usd());
                not_done.push(month.not_done);
                for (limit, first) in limits.iter().zip(&mut first) {
                    if first.is_none() && is_met(limit, plan, free, &scenario.alerts, &month) {
                        *first = Some(m as u32);
                    }
                }
            }
            (cost, (not_done, first))
        };
        type Parts = (Vec<Vec<f64>>, (Vec<Vec<[f64; 3]>>, Vec<Vec<Option<u32>>>));
        let of_each = replicate::map(numbered, of_future);
        let (cost, (not_done, first)): Parts = of_each.into_iter().unzip();
        Paths {
            cost,
            not_done,
            first,
        }
    }

    fn first_hits(&self, limit: usize) -> Vec<Option<u32>> {
        self.first.iter().map(|f| f[limit]).collect()
    }
}

/// Mean curves over replications drawn with replacement.
fn bootstrap(curve: &Curve, seed: u64) -> Vec<MeanCurve> {
    let n = curve.replications();
    let mut rng = Streams::new(seed, 0).stream("forecast.bootstrap");
    (0..BOOTSTRAPS)
        .map(|_| {
            let drawn: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
            curve.mean_of(&drawn)
        })
        .collect()
}

fn limits(scenario: &Scenario, free: Option<&Plan>) -> Vec<Limit> {
    let items = |plan: &Plan| -> Vec<MeterItem> {
        let all = plan.items.iter().map(|i| i.meter);
        all.filter(|i| i.is_simulated())
            .filter(|i| plan.monthly_allowance(*i).is_some_and(|a| a > 0))
            .collect()
    };
    let mut all = Vec::new();
    if let Some(free) = free {
        all.extend(items(free).into_iter().map(Limit::Quota));
    }
    if free.is_none_or(|f| f.name != scenario.plan) {
        all.extend(items(scenario.plan()).into_iter().map(Limit::Allowance));
    }
    for rule in &scenario.alerts.rules {
        for level in [Level::Warning, Level::Critical] {
            all.push(Limit::Alert(rule.metric, level));
        }
    }
    all
}

fn is_met(
    limit: &Limit,
    plan: &Plan,
    free: Option<&Plan>,
    alerts: &AlertRules,
    month: &curve::Month,
) -> bool {
    // What is wanted, not what is billed: a plan bills no more than its quota.
    let beyond = |plan: &Plan, item: MeterItem| {
        let allowed = plan.monthly_allowance(item);
        allowed.is_some_and(|a| month.wanted.get(item) > u128::from(a))
    };
    match limit {
        Limit::Quota(item) => free.is_some_and(|f| beyond(f, *item)),
        Limit::Allowance(item) => beyond(plan, *item),
        Limit::Alert(metric, level) => {
            let fired = alerts.evaluate(&month.alert_inputs);
            fired
                .iter()
                .any(|a| a.metric == *metric && a.level >= *level)
        }
    }
}

fn month(number: u32, futures: &[Vec<f64>], policies: &[Paths]) -> Month {
    let number_of = number as usize;
    let at = |paths: &[Vec<f64>]| sorted(paths.iter().map(|p| p[number_of]));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let fan = |sorted: &[f64]| PERCENTILES.map(|p| percentile(sorted, p));
    let costs: Vec<Vec<f64>> = policies.iter().map(|p| at(&p.cost)).collect();
    // The measures that keep a bill from being for the whole work, each by future.
    let not_done: Vec<[Vec<f64>; 3]> = policies
        .iter()
        .map(|p| std::array::from_fn(|k| sorted(p.not_done.iter().map(|m| m[number_of][k]))))
        .collect();
    let means: Vec<[f64; 3]> = not_done
        .iter()
        .map(|all| std::array::from_fn(|k| mean(&all[k])))
        .collect();
    Month {
        number,
        traffic: fan(&at(futures)),
        cost: costs.iter().map(|c| fan(c)).collect(),
        mean_cost: costs.iter().map(|c| mean(c)).collect(),
        // NaN where there was no operation: nothing was refused.
        mean_refused: means.iter().map(|m| m[0].max(m[1]).max(0.0)).collect(),
        lost: not_done.iter().map(|all| fan(&all[2])).collect(),
        mean_lost: means.iter().map(|m| m[2]).collect(),
        excluded: means.iter().map(|m| why(*m, true)).collect(),
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn hit(policy: usize, limit: Limit, mut first: Vec<Option<u32>>) -> Hit {
    let n = first.len() as f64;
    let share = first.iter().flatten().count() as f64 / n;
    // Those that never meet it come last.
    first.sort_by_key(|m| m.map_or(u32::MAX, |m| m));
    let at = |p: f64| first[((first.len() - 1) as f64 * p).round() as usize];
    Hit {
        policy,
        limit,
        share,
        months: [at(0.05), at(0.5), at(0.95)],
    }
}

/// A percentile of sorted values, between its neighbours.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * p;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth {
        start: 1e6,
        rate: 0.08,
        rate_sd: 0.02,
        month_sd: 0.0,
        months: 24,
        futures: 10_000,
    };

    /// ln of the traffic of month m is normal with standard deviation m * sd / (1 + rate); the
    /// sampling error of a percentile p is sqrt(p (1 - p) / n) over its density.
    #[test]
    fn traffic_is_lognormal_around_compound_growth() {
        let futures = futures(&GROWTH, 1);
        let months: Vec<Month> = (0..=24).map(|m| month(m, &futures, &[])).collect();
        assert_eq!(months[0].traffic, [1e6; 5]);
        let z: [f64; 5] = [-1.644_854, -0.674_490, 0.0, 0.674_490, 1.644_854];
        for m in [1, 12, 24] {
            let sd = m as f64 * 0.02 / 1.08;
            for (i, z) in z.iter().enumerate() {
                let p = PERCENTILES[i];
                let density = (-z * z / 2.0_f64).exp() / (2.0 * std::f64::consts::PI).sqrt();
                let error = (p * (1.0 - p) / 1e4).sqrt() / density * sd;
                let expected = 1e6_f64.ln() + m as f64 * 1.08_f64.ln() + z * sd;
                let found = months[m].traffic[i].ln();
                assert!(
                    (found - expected).abs() < 4.0 * error,
                    "{m} {p}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn noise_of_months_adds_up_like_a_random_walk() {
        let growth = Growth {
            rate_sd: 0.0,
            month_sd: 0.1,
            ..GROWTH
        };
        let futures = futures(&growth, 1);
        let logs: Vec<f64> = futures.iter().map(|f| f[24].ln()).collect();
        let mean = logs.iter().sum::<f64>() / 1e4;
        let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 1e4;
        let expected = 24.0 * (0.1_f64 / 1.08).powi(2);
        // The relative error of a normal variance is sqrt(2 / n).
        assert!((variance / expected - 1.0).abs() < 4.0 * (2.0_f64 / 1e4).sqrt());
    }

    #[test]
    fn too_much_growth_is_refused() {
        let wild = Growth {
            rate: 1.0,
            ..GROWTH
        };
        assert!(
            levels_of(&futures(&wild, 1))
                .unwrap_err()
                .message
                .contains("10B")
        );
        assert!(levels_of(&futures(&GROWTH, 1)).is_ok());
    }

    #[test]
    fn a_limit_that_few_futures_meet_has_no_median_month() {
        let mut first = vec![None; 100];
        first[..40].fill(Some(7));
        let h = hit(0, Limit::Quota(MeterItem::KvReads), first);
        assert_eq!((h.share, h.months), (0.4, [Some(7), None, None]));
    }
}
