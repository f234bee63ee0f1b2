//! Replications taken together.
//!
//! The mean of the replications' quantiles, or of their bills, is not what is wanted: a quantile of
//! few values is biased, and so is the bill of a short period beside an allowance. So what is
//! pooled is the data: latencies into one histogram, counts into one ratio, usage into one mean
//! that is priced once. Replications remain what the interval rests on: each estimate is
//! linearised into a contribution of every replication, whose mean is the estimate and whose spread
//! is its error. Paired differences of contributions are then those of the estimates, too.
//!
//! - Ratios: the ratio estimator (Law, "Simulation Modeling and Analysis", 5th ed., 9.5.3).
//! - Quantiles: Woodruff, "Confidence intervals for medians and other position measures", JASA 47
//!   (1952): the interval of the share of values below the estimate, over replications, is read back
//!   through the pooled distribution. The width of a bin is added.
//! - Bills: the invoice for the mean usage. It is the bill of a month with the expected use of
//!   every item; a month's own chance (a count of a million varies by a thousand) is not in
//!   it. A line whose use may exceed what is included varies at its price; one whose use is rounded
//!   up varies by whole units.

use crate::pricing::{Invoice, LineItem, MeterItem, Plan, Usage};
use crate::run::measure::{Calls, Get, Measure, Outcome, are_enough, bill, calls_of};
use crate::run::metric::OF_KEYS_FOUND;
use crate::sim::latencies::{Bin, Bins, Pool};
pub use crate::study::stats::column::{Bounds, Column, EACH_SIDE};
use crate::study::stats::column::{reach, t_of};
use crate::study::stats::silence::is_silent;
use crate::study::stats::skewness::further;
use crate::study::stats::{Estimate, Resolution, t_quantile};
use statrs::distribution::{ContinuousCDF, Gamma};

/// Replications taken together, by measure.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// What each replication contributes, by replication, then measure; NaN where it has none.
    pub contributions: Vec<Vec<f64>>,
    /// What the replications cannot tell apart, by measure.
    pub resolution: Vec<Resolution>,
    /// By measure.
    pub estimates: Vec<Estimate>,
    /// Whether there are values, but too few for this quantile.
    pub too_few: Vec<bool>,
    /// For the mean usage.
    pub invoice: Invoice,
    /// Whether less time was simulated than queries look back.
    pub short_history: bool,
}

impl Pooled {
    /// A measure by its number.
    pub fn column(&self, measure: usize) -> Column {
        Column {
            contributions: self.contributions.iter().map(|r| r[measure]).collect(),
            resolution: self.resolution[measure],
            too_few: self.too_few[measure],
        }
    }
}

/// Takes replications together; their usage is billed by `plan`.
pub fn pool<R>(measures: &[Measure<R>], plan: &Plan, outcomes: &[&Outcome]) -> Pooled {
    let calls = calls_of(measures);
    let pools = Pools::new(&calls, outcomes);
    let billing = Billing::new(plan, outcomes.iter().map(|o| &o.usage).collect());
    let silent = is_silent(measures, outcomes);
    let short_history = outcomes.iter().any(|o| o.short_history);
    let mut all: Vec<Column> = measures
        .iter()
        .enumerate()
        .map(|(i, m)| match m.get {
            Get::Each(_) | Get::Skewed(_) | Get::Bill(_) if silent => Column {
                resolution: Resolution::UNKNOWN,
                ..each(outcomes, i)
            },
            Get::Each(_) => each(outcomes, i),
            Get::Skewed(_) => skewed(outcomes, i),
            Get::Ratio(_) => ratio(outcomes, i),
            Get::Rate(_) | Get::Events(..) => rate(outcomes, i),
            Get::Level(_) => Column {
                resolution: Resolution::UNKNOWN,
                ..each(outcomes, i)
            },
            Get::Quantile { of, q, unit_ms } => pools.quantile(of, q, unit_ms),
            Get::Bill(of) => billing.lines(of, EACH_SIDE),
        })
        .collect();
    if short_history {
        let found = measures.iter().zip(&mut all);
        for (_, column) in found.filter(|(m, _)| OF_KEYS_FOUND.contains(&m.name)) {
            column.resolution = Resolution::UNKNOWN;
        }
    }
    let of_replication = |r: usize| all.iter().map(|column| column.contributions[r]).collect();
    Pooled {
        contributions: (0..outcomes.len()).map(of_replication).collect(),
        resolution: all.iter().map(|column| column.resolution).collect(),
        estimates: all.iter().map(Column::estimate).collect(),
        too_few: all.iter().map(|column| column.too_few).collect(),
        invoice: billing.invoice,
        short_history,
    }
}

fn each(outcomes: &[&Outcome], i: usize) -> Column {
    Column {
        contributions: outcomes.iter().map(|o| o.terms[i].value).collect(),
        resolution: Resolution::default(),
        too_few: false,
    }
}

fn skewed(outcomes: &[&Outcome], i: usize) -> Column {
    let mut column = each(outcomes, i);
    column.resolution.whole = further(column.contributions.iter().copied());
    column
}

/// The sums of both parts of a ratio, over the replications that have them.
fn sums(outcomes: &[&Outcome], i: usize) -> (f64, f64, usize) {
    let terms = outcomes.iter().map(|o| o.terms[i]);
    terms
        .filter(|t| !t.numerator.is_nan() && !t.denominator.is_nan())
        .fold((0.0, 0.0, 0), |(a, b, n), t| {
            (a + t.numerator, b + t.denominator, n + 1)
        })
}

fn ratio(outcomes: &[&Outcome], i: usize) -> Column {
    let (a, b, n) = sums(outcomes, i);
    if b == 0.0 {
        return Column::none(outcomes.len(), false);
    }
    let r = a / b;
    let contribution = |o: &&Outcome| {
        let t = o.terms[i];
        r + (t.numerator - r * t.denominator) * n as f64 / b
    };
    Column {
        contributions: outcomes.iter().map(contribution).collect(),
        resolution: Resolution::default(),
        too_few: false,
    }
}

/// Events below which the spread between replications says little of a rate.
const FEW_EVENTS: f64 = 10.0;

fn rate(outcomes: &[&Outcome], i: usize) -> Column {
    let mut one = ratio(outcomes, i);
    if let Some(upper) = rate_upper(outcomes, i, EACH_SIDE) {
        let e = Estimate::of(one.contributions.iter().copied());
        // It reaches below 0: what was seen so seldom is told by how often it is at most.
        let reach = (upper - e.mean).max(e.mean * (1.0 + 1e-9));
        one.resolution.whole = (reach - e.half_width.max(0.0)).max(0.0);
    }
    one
}

/// The upper bound of a rate of which few events were seen: as many at once as ever, their number a
/// Poisson count. `None` if there were many, or if there can be none.
fn rate_upper(outcomes: &[&Outcome], i: usize, error: f64) -> Option<f64> {
    let (a, b, _) = sums(outcomes, i);
    let clusters = outcomes.iter().map(|o| o.terms[i].cluster);
    let cluster = clusters.filter(|c| !c.is_nan()).fold(0.0, f64::max);
    let events = a / cluster;
    let few = b > 0.0 && cluster > 0.0 && (0.0..FEW_EVENTS).contains(&events);
    few.then(|| cluster * poisson_upper(events, error) / b)
}

/// The largest mean of a Poisson count of which so few are seen with the probability `error`
/// (Garwood 1936).
fn poisson_upper(seen: f64, error: f64) -> f64 {
    let gamma = Gamma::new(seen + 1.0, 1.0);
    gamma.map_or(f64::INFINITY, |g| g.inverse_cdf(1.0 - error))
}

/// One-sided bounds of a measure, each wrong with the probability `error`, where the symmetric ones
/// of its contributions will not do: of quantiles, whose errors are skewed, of few events, and of bills
/// (by `plan`), which bend where an allowance ends.
pub fn one_sided<R>(
    measures: &[Measure<R>],
    i: usize,
    plan: &Plan,
    outcomes: &[&Outcome],
    error: f64,
) -> Option<Bounds> {
    if outcomes.len() < 2 {
        return None;
    }
    match measures[i].get {
        Get::Quantile { of, q, unit_ms } => {
            let calls = [of];
            let at = calls_of(measures).iter().position(|c| *c == of)?;
            let parts: Vec<&Bins> = outcomes.iter().map(|o| &o.latencies[at]).collect();
            let pools = Pools {
                calls: &calls,
                pooled: vec![Pool::new(&parts)],
                parts: vec![parts],
            };
            pools.bounds(of, q, unit_ms, t_of(outcomes.len(), error))
        }
        Get::Rate(_) | Get::Events(..) => {
            let upper = rate_upper(outcomes, i, error)?;
            let e = Estimate::of(ratio(outcomes, i).contributions);
            let reach = reach(&e, error);
            Some(Bounds {
                low: e.mean - reach,
                high: upper.max(e.mean + reach),
            })
        }
        Get::Bill(of) => {
            let usages = outcomes.iter().map(|o| &o.usage).collect();
            Some(Billing::new(plan, usages).bounds(of, error))
        }
        _ => None,
    }
}

/// How many times half its width an interval of a quantile reaches to one side before it is taken
/// for lopsided.
const LOPSIDED: f64 = 1.5;

/// The latencies of all replications.
struct Pools<'a> {
    calls: &'a [Calls],
    parts: Vec<Vec<&'a Bins>>,
    pooled: Vec<Pool>,
}

impl<'a> Pools<'a> {
    fn new(calls: &'a [Calls], outcomes: &[&'a Outcome]) -> Self {
        let parts: Vec<Vec<&Bins>> = (0..calls.len())
            .map(|c| outcomes.iter().map(|o| &o.latencies[c]).collect())
            .collect();
        Pools {
            calls,
            pooled: parts.iter().map(|p| Pool::new(p)).collect(),
            parts,
        }
    }

    fn of(&self, of: Calls) -> (&[&'a Bins], &Pool) {
        let at = self.calls.iter().position(|c| *c == of);
        let at = at.expect("every measure's calls are among them");
        (&self.parts[at], &self.pooled[at])
    }

    /// The bin of a quantile, how much more of each replication's values than of all lie below it,
    /// and the standard error of the share that does; `None` if there are too few values.
    fn position(&self, of: Calls, q: f64) -> Option<(Bin, Vec<f64>, f64)> {
        let (parts, pool) = self.of(of);
        let (n, r) = (pool.count() as f64, parts.len() as f64);
        let bin = pool.quantile(q).filter(|_| are_enough(pool.count(), q))?;
        let below: Vec<f64> = parts.iter().map(|p| p.up_to(bin) as f64).collect();
        let share = below.iter().sum::<f64>() / n;
        let excess: Vec<f64> = parts
            .iter()
            .zip(&below)
            .map(|(p, below)| below - share * p.count() as f64)
            .collect();
        let squares: f64 = excess.iter().map(|e| e * e).sum();
        let error = (squares * r / (r - 1.0)).sqrt() / n;
        Some((bin, excess, error))
    }

    fn quantile(&self, of: Calls, q: f64, unit_ms: f64) -> Column {
        let (parts, pool) = self.of(of);
        let (n, r) = (pool.count() as f64, parts.len() as f64);
        let Some((bin, excess, error)) = self.position(of, q) else {
            return Column::none(parts.len(), n > 0.0);
        };
        let unit_ns = 1e6 * unit_ms;
        let value = bin.middle_ns() / unit_ns;
        let mut resolution = Resolution {
            whole: 0.0,
            bin: bin.half_width_ns() / unit_ns,
        };
        let slope = if parts.len() > 1 {
            let reach = t_quantile(parts.len() - 1) * error;
            let (low, high) = ((q - reach).max(0.0), (q + reach).min(1.0));
            let ends = pool.quantile(low).zip(pool.quantile(high));
            let (l, h) = ends.map_or((value, value), |(l, h)| {
                (l.middle_ns() / unit_ns, h.middle_ns() / unit_ns)
            });
            let width = h - l;
            // Beside a gap between two kinds of calls one side reaches much further than the other:
            // then both are given that reach.
            let longer = (h - value).max(value - l);
            if longer > LOPSIDED * width / 2.0 {
                resolution.whole += longer - width / 2.0;
            }
            if high > low {
                width / (high - low)
            } else {
                0.0
            }
        } else {
            0.0
        };
        Column {
            contributions: excess.iter().map(|e| value - e * slope * r / n).collect(),
            resolution,
            too_few: false,
        }
    }

    /// Woodruff's bounds, `t` standard errors of the share away; without end where the data end.
    fn bounds(&self, of: Calls, q: f64, unit_ms: f64, t: f64) -> Option<Bounds> {
        let (_, pool) = self.of(of);
        let (_, _, error) = self.position(of, q)?;
        let unit_ns = 1e6 * unit_ms;
        let (low, high) = (q - t * error, q + t * error);
        let at = |q: f64, side: f64| {
            let bin = pool.quantile(q);
            bin.map(|b| (b.middle_ns() + side * b.half_width_ns()) / unit_ns)
        };
        let low = if low > 0.0 { at(low, -1.0)? } else { 0.0 };
        let high = if high < 1.0 {
            at(high, 1.0)?
        } else {
            f64::INFINITY
        };
        Some(Bounds { low, high })
    }
}

/// The invoice for the mean of several usages, and how its lines vary with the usage.
#[derive(Debug)]
pub struct Billing<'a> {
    /// The invoice for the mean usage.
    pub invoice: Invoice,
    plan: &'a Plan,
    usages: Vec<&'a Usage>,
    mean: Usage,
}

impl<'a> Billing<'a> {
    /// The bill of the usages of all replications.
    pub fn new(plan: &'a Plan, usages: Vec<&'a Usage>) -> Self {
        let mean = mean_usage(&usages);
        Billing {
            invoice: plan.invoice(&mean),
            plan,
            usages,
            mean,
        }
    }

    /// What some of the lines come to, in dollars, for bounds that are wrong with the probability `error`
    /// on either side: a line varies if its use may exceed what is included, at this error.
    pub fn lines(&self, of: impl Fn(&LineItem) -> bool, error: f64) -> Column {
        let amount = bill(&self.invoice, &of).to_usd();
        let mut contributions = vec![amount; self.usages.len()];
        let mut resolution = Resolution::default();
        for line in self.invoice.lines.iter().filter(|l| of(l)) {
            let Some(item) = line.item else { continue };
            let used = |usage: &Usage| usage.get(item) as f64;
            let mean = used(&self.mean);
            let uses = self.uses(item);
            let reach = reach(&uses, error);
            if mean + reach <= line.included as f64 {
                continue;
            }
            let price = line.unit_price.to_usd() / line.per as f64;
            for (c, usage) in contributions.iter_mut().zip(&self.usages) {
                *c += price * (used(usage) - uses.mean);
            }
            // Whole units: how much further the amount goes than the price along the slope.
            let step = |usage: f64| self.amount(item, usage) - line.amount.to_usd();
            let further = step(mean + reach).max(-step((mean - reach).max(0.0)));
            resolution.whole += (further - price * reach).max(0.0);
        }
        Column {
            contributions,
            resolution,
            too_few: false,
        }
    }

    /// One-sided bounds of what some of the lines come to, each wrong with the probability `error`:
    /// every line at the bound of its use. That is exact where all use grows with the traffic; else
    /// it is on the safe side, as uses that vary apart make up for each other.
    pub fn bounds(&self, of: impl Fn(&LineItem) -> bool, error: f64) -> Bounds {
        let none = Bounds {
            low: 0.0,
            high: 0.0,
        };
        let lines = self.invoice.lines.iter().filter(|l| of(l));
        lines.fold(none, |sum, line| {
            let fixed = line.amount.to_usd();
            let (low, high) = line.item.map_or((fixed, fixed), |item| {
                let uses = self.uses(item);
                let reach = reach(&uses, error);
                let amount = |used: f64| self.amount(item, used.max(0.0));
                (amount(uses.mean - reach), amount(uses.mean + reach))
            });
            Bounds {
                low: sum.low + low,
                high: sum.high + high,
            }
        })
    }

    /// How much of an item is used.
    fn uses(&self, item: MeterItem) -> Estimate {
        Estimate::of(self.usages.iter().map(|u| u.get(item) as f64))
    }

    /// What an item costs when so much of it is used.
    fn amount(&self, item: MeterItem, used: f64) -> f64 {
        let mut usage = Usage::default();
        usage.add(item, used.round() as u128);
        self.plan.invoice(&usage).amount(item).to_usd()
    }
}

/// The mean of usages, each item rounded to a whole number.
pub fn mean_usage(usages: &[&Usage]) -> Usage {
    let mut sum = Usage::default();
    for usage in usages {
        sum.merge(usage);
    }
    sum.scaled(1, usages.len().max(1) as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;
    use crate::pricing::Catalog;
    use crate::sim::latencies::Latencies;
    use crate::sim::random::{StreamRng, Streams};
    use rand::RngExt;
    use rand_distr::{Distribution, Exp1, Poisson};
    use std::time::Duration;

    /// A run that shows what it is given.
    struct Fake {
        latencies: Latencies,
        usage: Usage,
        invoice: Invoice,
        events: f64,
        chances: f64,
    }

    impl crate::run::measure::Measurable for Fake {
        fn latencies(&self, _: Calls) -> Option<std::borrow::Cow<'_, Latencies>> {
            Some(std::borrow::Cow::Borrowed(&self.latencies))
        }
        fn bill(&self) -> Option<(&Usage, &Invoice)> {
            Some((&self.usage, &self.invoice))
        }
    }

    const fn quantile(q: f64) -> Get<Fake> {
        Get::Quantile {
            of: Calls::Query,
            q,
            unit_ms: 1.0,
        }
    }

    const fn named(name: &'static str, get: Get<Fake>) -> Measure<Fake> {
        Measure {
            name,
            meaning: "",
            get,
        }
    }

    const MEASURES: [Measure<Fake>; 6] = [
        named("p50", quantile(0.5)),
        named("p95", quantile(0.95)),
        named("p99", quantile(0.99)),
        named("cost", Get::Bill(|_| true)),
        named("ratio", Get::Ratio(|f| (f.events, f.chances))),
        named("rate", Get::Rate(|f| (f.events, f.chances))),
    ];

    fn paid() -> Plan {
        let catalog: Catalog = load("cloudflare", None, &[]).unwrap();
        catalog.plan("paid").unwrap().clone()
    }

    /// A run with `n` exponential latencies of mean 20 ms, a Poisson number of KV writes (of the
    /// thousandth of a month, scaled), and events at one in a hundred.
    fn run(plan: &Plan, rng: &mut StreamRng, n: u64, writes: f64, chances: u32) -> Fake {
        let mut latencies = Latencies::default();
        for _ in 0..n {
            let x: f64 = Exp1.sample(rng);
            latencies.add(Duration::from_secs_f64(0.02 * x));
        }
        let mut usage = Usage::default();
        let counted: f64 = Poisson::new(writes / 1_000.0).unwrap().sample(rng);
        usage.add(MeterItem::KvWrites, 1_000 * counted as u128);
        Fake {
            latencies,
            invoice: plan.invoice(&usage),
            usage,
            events: (0..chances).filter(|_| rng.random_bool(0.01)).count() as f64,
            chances: f64::from(chances),
        }
    }

    const EXPERIMENTS: u64 = 1_000;

    /// The share of experiments of ten replications whose interval holds the truth, by measure, of
    /// those that state one; and the mean of their estimates.
    fn covered(n: u64, writes: f64, chances: u32, truth: [f64; 6]) -> Vec<(f64, f64, f64)> {
        let plan = paid();
        let mut stated = vec![(0.0, 0.0, 0.0); MEASURES.len()];
        for experiment in 0..EXPERIMENTS {
            let mut rng = Streams::new(experiment, 0).stream("pool");
            let outcomes: Vec<Outcome> = (0..10)
                .map(|_| run(&plan, &mut rng, n, writes, chances))
                .map(|r| Outcome::of(&MEASURES, &r))
                .collect();
            let pooled = pool(&MEASURES, &plan, &outcomes.iter().collect::<Vec<_>>());
            for ((s, e), truth) in stated.iter_mut().zip(&pooled.estimates).zip(truth) {
                if !e.mean.is_nan() {
                    s.0 += 1.0;
                    s.1 += f64::from(u8::from(e.low() <= truth && truth <= e.high()));
                    s.2 += e.mean;
                }
            }
        }
        stated
            .into_iter()
            .map(|(n, covered, sum)| (n / EXPERIMENTS as f64, covered / n, sum / n))
            .collect()
    }

    /// Four binomial standard deviations of a coverage of 95%.
    fn bound() -> f64 {
        4.0 * (0.95 * 0.05 / EXPERIMENTS as f64).sqrt()
    }

    /// Against the closed form: quantiles of the exponential distribution, the bill of a usage well
    /// beyond and exactly at its allowance, a share of one in a hundred.
    #[test]
    fn intervals_hold_the_closed_form_as_often_as_they_say() {
        let exponential = |q: f64| -20.0 * (1.0 - q).ln();
        let truth = |cost: f64| {
            let q = [0.5, 0.95, 0.99].map(exponential);
            [q[0], q[1], q[2], cost, 0.01, 0.01]
        };
        // 400 latencies: 20 beyond the 95th percentile, 4 beyond the 99th.
        let few = covered(40, 3_000_000.0, 1_000, truth(15.0));
        for (i, what) in [
            (0, "p50"),
            (1, "p95"),
            (3, "cost"),
            (4, "ratio"),
            (5, "rate"),
        ] {
            assert_eq!(few[i].0, 1.0, "{what}");
            assert!((few[i].1 - 0.95).abs() < bound(), "{what}: {:?}", few[i]);
        }
        assert_eq!(
            few[2].0, 0.0,
            "a 99th percentile with four values beyond it"
        );
        let more = covered(120, 1_000_000.0, 5, truth(5.0));
        assert_eq!(more[2].0, 1.0);
        assert!((more[2].1 - 0.95).abs() < bound(), "p99: {:?}", more[2]);
        assert!(
            (more[2].2 / truth(5.0)[2] - 1.0).abs() < 0.02,
            "{:?}",
            more[2]
        );
        // At the allowance an estimate below is exact, so that only one side can miss.
        assert!((more[3].1 - 0.975).abs() < bound(), "cost: {:?}", more[3]);
        // Half a standard error above it, an estimate below is not sure to be exact.
        let above = covered(40, 1_005_000.0, 5, truth(5.025));
        assert!(above[3].1 > 0.95 - bound(), "cost: {:?}", above[3]);
        // Half an event in all: the spread between replications says nothing, the count does.
        assert!(more[5].1 > 0.95 - bound(), "rate: {:?}", more[5]);
        assert!(more[4].1 < 0.9, "without that: {:?}", more[4]);
    }

    /// Mean bills of replications are too high beside an allowance, by far; so are intervals of the means of
    /// quantiles too low.
    #[test]
    fn means_of_replications_are_biased_where_pooling_is_not() {
        let plan = paid();
        let mut rng = Streams::new(1, 0).stream("bias");
        let runs: Vec<Fake> = (0..2_000)
            .map(|_| run(&plan, &mut rng, 20, 1_000_000.0, 1))
            .collect();
        let of_means = Estimate::of(runs.iter().map(|r| r.invoice.total.to_usd()));
        // Poisson of mean 1,000, each standing for 1,000: 5 USD for each million beyond the mean.
        let expected = 5.0 + 5.0 * 1_000_f64.sqrt() * 0.398_942 / 1_000.0;
        assert!((of_means.mean - expected).abs() < 2.0 * of_means.half_width);
        let outcomes: Vec<Outcome> = runs.iter().map(|r| Outcome::of(&MEASURES, r)).collect();
        let pooled = pool(&MEASURES, &plan, &outcomes.iter().collect::<Vec<_>>());
        let cost = pooled.estimates[3];
        assert!(
            (cost.mean - 5.0).abs() < cost.half_width && cost.mean < 5.01,
            "{cost:?}"
        );
        let quantiles = runs.iter().map(|r| r.latencies.quantile_ms(0.99));
        let truth = -20.0 * 0.01_f64.ln();
        let of_quantiles = Estimate::of(quantiles);
        assert!(of_quantiles.high() < truth, "{of_quantiles:?}");
        let p99 = pooled.estimates[2];
        assert!(p99.low() < truth && truth < p99.high(), "{p99:?}");
    }

    #[test]
    fn one_sided_bounds_are_students() {
        let column = |values: &[f64], whole| Column {
            contributions: values.to_vec(),
            resolution: Resolution { whole, bin: 0.0 },
            too_few: false,
        };
        let b = column(&[1.0, 2.0, 3.0, 4.0], 0.0).bounds(0.05);
        // t(3, 0.95) = 2.353363; s / 2 = 0.645497.
        let reach = 2.353_363 * 0.645_497;
        assert!((b.high - 2.5 - reach).abs() < 1e-5, "{b:?}");
        assert!((2.5 - b.low - reach).abs() < 1e-5, "{b:?}");
        let sure = column(&[3.0; 4], 0.5).bounds(1e-9);
        assert_eq!((sure.low, sure.high), (2.5, 3.5));
        assert_eq!(column(&[3.0], 0.0).bounds(0.05), Bounds::NONE);
    }

    /// Six counts of writes with the mean 980,672 and the standard error 6,870: 2.5706 of these (t(5,
    /// 0.975)) stay within the million that is included, 3.1634 (t(5, 0.9875)) are 2,405 beyond it, at
    /// $5 a million.
    #[test]
    fn a_bill_beside_an_allowance_is_bounded_at_the_error_that_is_stated() {
        let plan = paid();
        let usages: Vec<Usage> = (0..6)
            .map(|i| {
                let off = 6_870.0 * 5_f64.sqrt() * if i % 2 == 0 { 1.0 } else { -1.0 };
                let mut usage = Usage::default();
                usage.add(MeterItem::KvWrites, (980_672.0 + off).round() as u128);
                usage
            })
            .collect();
        let billing = Billing::new(&plan, usages.iter().collect());
        let all = |_: &LineItem| true;
        assert_eq!(billing.bounds(all, EACH_SIDE).high, 5.0);
        assert_eq!(billing.lines(all, EACH_SIDE).estimate().high(), 5.0);
        let stricter = billing.bounds(all, 0.0125);
        assert!((stricter.high - 5.012).abs() < 1e-4, "{stricter:?}");
        assert_eq!(stricter.low, 5.0);
        // Differences rest on contributions, which then vary with the use.
        let column = billing.lines(all, 0.0125);
        assert!(column.bounds(0.0125).high >= stricter.high, "{column:?}");
    }

    /// Decisions rest on one side: the upper bound of a skewed quantile and of few events is passed
    /// as seldom as it says, at the error that is asked for.
    #[test]
    fn one_sided_bounds_miss_as_seldom_as_they_say() {
        let plan = paid();
        let truth = -20.0 * 0.05_f64.ln();
        for error in [0.025, 0.0125] {
            let (mut quantile, mut rate) = (0.0, 0.0);
            for experiment in 0..EXPERIMENTS {
                let mut rng = Streams::new(experiment, 0).stream("one side");
                let outcomes: Vec<Outcome> = (0..10)
                    .map(|_| run(&plan, &mut rng, 40, 1.0, 50))
                    .map(|r| Outcome::of(&MEASURES, &r))
                    .collect();
                let all: Vec<&Outcome> = outcomes.iter().collect();
                let bound = one_sided(&MEASURES, 1, &plan, &all, error).unwrap();
                quantile += f64::from(u8::from(bound.high < truth));
                // Five events in all: none or few are seen.
                let high = one_sided(&MEASURES, 5, &plan, &all, error).map_or(1.0, |b| b.high);
                rate += f64::from(u8::from(high < 0.01));
            }
            let n = EXPERIMENTS as f64;
            let most = error + 4.0 * (error * (1.0 - error) / n).sqrt();
            assert!(quantile / n < most, "{error}: quantile {}", quantile / n);
            assert!(rate / n < most, "{error}: rate {}", rate / n);
        }
    }

    /// Nine events are told as "at most", a hundred as a figure.
    #[test]
    fn what_was_seen_a_few_times_is_a_bound() {
        let plan = paid();
        let mut rng = Streams::new(4, 0).stream("few");
        let mut of = |events: f64| {
            let outcomes: Vec<Outcome> = (0..10)
                .map(|_| Fake {
                    events: events / 10.0,
                    ..run(&plan, &mut rng, 0, 1.0, 1_000)
                })
                .map(|r| Outcome::of(&MEASURES, &r))
                .collect();
            let all: Vec<&Outcome> = outcomes.iter().collect();
            pool(&MEASURES, &plan, &all).estimates[5]
        };
        for events in [0.0, 1.0, 6.0, 9.0] {
            let e = of(events);
            assert!(e.low() < 0.0, "{events}: {e:?}");
            // The upper end of the count's own interval, or twice what was seen.
            let most = poisson_upper(events, EACH_SIDE).max(2.0 * events) / 10_000.0;
            assert!((e.high() / most - 1.0).abs() < 1e-6, "{events}: {e:?}");
        }
        // Equal in all replications, so that nothing is added.
        assert!(of(100.0).low() > 0.0);
    }

    /// Twenty at once in one of ten replications, so that a third of the experiments see none: the
    /// bound of a count of single events would be a fifth of the truth.
    #[test]
    fn what_happens_to_many_at_once_is_seldom() {
        let events = Measure::<Fake> {
            name: "events",
            meaning: "",
            get: Get::Events(|f| (f.events, f.chances), |_| 20.0),
        };
        let (plan, measures, mut covered) = (paid(), [events], 0.0);
        for experiment in 0..EXPERIMENTS {
            let mut rng = Streams::new(experiment, 0).stream("many");
            let outcomes: Vec<Outcome> = (0..10)
                .map(|_| Fake {
                    events: if rng.random_bool(0.1) { 20.0 } else { 0.0 },
                    ..run(&plan, &mut rng, 0, 1.0, 1)
                })
                .map(|r| Outcome::of(&measures, &r))
                .collect();
            let all: Vec<&Outcome> = outcomes.iter().collect();
            let e = pool(&measures, &plan, &all).estimates[0];
            covered += f64::from(u8::from(e.low() <= 2.0 && 2.0 <= e.high()));
        }
        assert!(covered / EXPERIMENTS as f64 > 0.95 - bound(), "{covered}");
    }

    #[test]
    fn contributions_have_the_estimate_as_their_mean() {
        let plan = paid();
        let mut rng = Streams::new(2, 0).stream("contributions");
        let outcomes: Vec<Outcome> = [50, 150, 100, 0, 80]
            .map(|n| run(&plan, &mut rng, n, 2_000_000.0, 1_000))
            .iter()
            .map(|r| Outcome::of(&MEASURES, r))
            .collect();
        let all: Vec<&Outcome> = outcomes.iter().collect();
        let pooled = pool(&MEASURES, &plan, &all);
        let latencies: Vec<&Bins> = outcomes.iter().map(|o| &o.latencies[0]).collect();
        let p95 = Pool::new(&latencies).quantile(0.95).unwrap().middle_ns() / 1e6;
        assert!((pooled.estimates[1].mean / p95 - 1.0).abs() < 1e-9);
        let total = pooled.invoice.total.to_usd();
        assert!((pooled.estimates[3].mean / total - 1.0).abs() < 1e-9);
        assert_eq!(pooled.contributions.len(), 5);
        // One replication has a value and no interval.
        let one = pool(&MEASURES, &plan, &all[..1]);
        assert!(one.estimates[0].mean > 0.0 && one.estimates[0].half_width.is_nan());
        assert!(one.too_few[1] && one.estimates[1].mean.is_nan());
    }

    /// Ten times 10 ms and nothing else: known, but for the width of a bin.
    #[test]
    fn a_constant_is_itself_within_a_bin() {
        let plan = paid();
        let mut rng = Streams::new(3, 0).stream("constant");
        let mut fake = run(&plan, &mut rng, 0, 1.0, 1);
        for _ in 0..100 {
            fake.latencies.add(Duration::from_millis(10));
        }
        let outcome = Outcome::of(&MEASURES, &fake);
        let e = pool(&MEASURES, &plan, &[&outcome; 10]).estimates[0];
        assert!(e.low() <= 10.0 && 10.0 <= e.high(), "{e:?}");
        assert!(e.half_width > 0.0 && e.half_width < 0.006, "{e:?}");
    }
}
