//! How many replications are enough: a sequential stopping rule.
//!
//! Replications are added in rounds until the half-width of the confidence interval of each chosen
//! measure is at most a stated share of its mean (Law, "Simulation Modeling and Analysis", 5th
//! ed., 9.4.1, the sequential procedure for a relative error). Because it is the data that decide
//! when to stop, the intervals cover the true mean a little less often than they say; the
//! tests state by how much.

use super::Estimate;
use super::pool::Pooled;
use crate::run::metric;
use crate::run::precision::{LEAST_START, Precision};

/// The rule of a scenario that asks for precision.
#[derive(Debug, Clone, Copy)]
pub struct Stopping<'a>(pub &'a Precision);

impl Stopping<'_> {
    /// Replications of the first round.
    pub fn start(&self, replications: u32) -> u32 {
        replications.max(LEAST_START).min(self.0.max_replications)
    }

    /// The chosen measure whose half-width is the largest share of its mean, and that share.
    ///
    /// `None` if there is no such measure; infinite if nothing can be said yet. Of what was never
    /// seen to happen there is no share of a mean: it is left out. A percentile with too few calls is
    /// not.
    pub fn worst(&self, pooled: &Pooled) -> Option<(usize, f64)> {
        let chosen = self.0.measures.iter().filter_map(|m| metric::index_of(m));
        chosen
            .filter_map(|i| Some((i, share_of_mean(pooled, i, &pooled.estimates[i])?)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Replications to have after the next round, if the widest interval after `n` of them is
    /// `worst` of its mean; `None` if that is enough, or if there may be no more.
    ///
    /// The half-width falls as the root of the number, so n (worst / wanted)^2 are needed. The
    /// number at most doubles at once, because an estimate from few is rough, and grows
    /// by a tenth at least, because every look at the data costs some coverage.
    pub fn next_round(&self, n: u32, worst: f64) -> Option<u32> {
        let ratio = worst / self.0.relative.get();
        if ratio <= 1.0 || n >= self.0.max_replications {
            return None;
        }
        let needed = (f64::from(n) * ratio * ratio).ceil();
        let least = n + (n / 10).max(1);
        let next = needed.clamp(f64::from(least), 2.0 * f64::from(n).max(1.0)) as u32;
        Some(next.min(self.0.max_replications))
    }

    /// How precise a point has become.
    pub fn attained(&self, pooled: &Pooled) -> Attained {
        let replications = &pooled.contributions;
        let met_with = |n: usize| {
            let chosen = self.0.measures.iter().filter_map(|m| metric::index_of(m));
            chosen
                .filter_map(|i| {
                    let first = replications[..n].iter().map(|values| values[i]);
                    let e = Estimate::within(first, pooled.resolution[i]);
                    share_of_mean(pooled, i, &e)
                })
                .all(|share| share <= self.0.relative.get())
        };
        let worst = self.worst(pooled);
        let met = worst.is_none_or(|w| w.1 <= self.0.relative.get());
        let start = (LEAST_START as usize).min(replications.len());
        Attained {
            needed: (start..=replications.len()).find(|n| met && met_with(*n)),
            worst,
        }
    }
}

/// How precise the estimates of a point are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attained {
    /// Replications that would have done for this policy by itself; `None` if the bound is
    /// not met.
    pub needed: Option<usize>,
    /// As [`Stopping::worst`].
    pub worst: Option<(usize, f64)>,
}

impl Attained {
    /// Whether every chosen measure is as precise as asked.
    pub fn met(&self) -> bool {
        self.needed.is_some()
    }
}

/// The half-width of measure `i` as a share of its mean, if it has one; see [`Stopping::worst`].
fn share_of_mean(pooled: &Pooled, i: usize, e: &Estimate) -> Option<f64> {
    let never = e.mean == 0.0 && e.half_width == pooled.resolution[i].around(0.0);
    match e.mean.is_nan() {
        true => pooled.too_few[i].then_some(f64::INFINITY),
        false => (!never).then(|| relative_half_width(e)),
    }
}

/// The half-width as a share of the mean: 0 for what never varies, infinite for one value.
fn relative_half_width(e: &Estimate) -> f64 {
    if e.half_width == 0.0 {
        0.0
    } else if e.half_width.is_nan() {
        f64::INFINITY
    } else {
        (e.half_width / e.mean).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;
    use crate::pricing::{Catalog, Usage};
    use crate::sim::random::Streams;
    use crate::study::stats::Resolution;
    use rand_distr::{Distribution, Normal};

    fn precision(relative: &str) -> Precision {
        Precision {
            relative: relative.parse().unwrap(),
            measures: vec!["cost_usd".into()],
            max_replications: 1_000,
        }
    }

    #[test]
    fn rounds_grow_by_what_is_needed_within_bounds() {
        let asked = precision("2%");
        let p = Stopping(&asked);
        assert_eq!(p.next_round(10, 0.02), None);
        assert_eq!(p.next_round(10, 0.024), Some(15)); // 10 * 1.44
        assert_eq!(p.next_round(10, 0.0201), Some(11));
        assert_eq!(p.next_round(100, 0.0201), Some(110));
        assert_eq!(p.next_round(10, 0.5), Some(20));
        assert_eq!(p.next_round(10, f64::INFINITY), Some(20));
        assert_eq!(p.next_round(900, 0.5), Some(1_000));
        assert_eq!(p.next_round(1_000, 0.5), None);
        assert_eq!((p.start(3), p.start(30)), (10, 30));
    }

    #[test]
    fn what_never_varies_or_does_not_exist_needs_no_more() {
        let width = |values: &[f64]| relative_half_width(&Estimate::of(values.iter().copied()));
        assert_eq!(width(&[0.0, 0.0]), 0.0);
        assert_eq!(width(&[5.0, 5.0, 5.0]), 0.0);
        assert_eq!(width(&[5.0]), f64::INFINITY);
        assert!(width(&[-1.0, 1.0]).is_infinite());
        assert!(width(&[-1.0, -1.1]) > 0.0);
    }

    /// Rounds of normal values with mean 1 until the interval is narrow enough; the estimate.
    fn sequential(seed: u64, deviation: f64, relative: &str, start: u32) -> Estimate {
        let asked = precision(relative);
        let p = Stopping(&asked);
        let mut rng = Streams::new(seed, 0).stream("sequential");
        let normal = Normal::new(1.0, deviation).unwrap();
        let mut values: Vec<f64> = Vec::new();
        let mut n = start;
        loop {
            values.extend((values.len() as u32..n).map(|_| normal.sample(&mut rng)));
            let e = Estimate::of(values.iter().copied());
            match p.next_round(n, relative_half_width(&e)) {
                Some(next) => n = next,
                None => return e,
            }
        }
    }

    /// Stopping when the interval looks narrow favours samples whose variance is too small: over
    /// 20,000 seeds the 95% intervals cover less often than they say, but no less often than in
    /// 93 of 100, within four binomial standard deviations.
    #[test]
    fn a_sequential_interval_covers_a_little_less_often_than_it_says() {
        let trials = 20_000;
        let bound = |p: f64| 4.0 * (p * (1.0 - p) / trials as f64).sqrt();
        let coverage = |deviation: f64, relative: &str, start: u32| {
            let covered = (0..trials)
                .map(|seed| sequential(seed, deviation, relative, start))
                .filter(|e| e.low() <= 1.0 && 1.0 <= e.high());
            covered.count() as f64 / trials as f64
        };
        for (deviation, relative) in [(0.1, "5%"), (0.1, "3%"), (0.1, "2%"), (0.3, "5%")] {
            let covered = coverage(deviation, relative, LEAST_START);
            let what = format!("deviation {deviation}, {relative}: {covered}");
            assert!(covered > 0.93 - bound(0.93), "{what}");
            assert!(covered < 0.95 + bound(0.95), "{what}");
        }
        // Why there is a least number to start with.
        let covered = coverage(0.1, "3%", 2);
        assert!(covered < 0.93 - bound(0.93), "from two: {covered}");
    }

    /// Only what is 0 in all replications was never seen: not what varies about 0, nor what is always the same.
    #[test]
    fn what_was_never_seen_has_no_share_of_its_mean() {
        let catalog: Catalog = load("cloudflare", None, &[]).unwrap();
        let plan = catalog.plan("paid").unwrap();
        let share = |values: &[f64], whole: f64| {
            let resolution = Resolution { whole, bin: 0.0 };
            let pooled = Pooled {
                contributions: values.iter().map(|v| vec![*v]).collect(),
                resolution: vec![resolution],
                estimates: Vec::new(),
                too_few: vec![false],
                invoice: plan.invoice(&Usage::default()),
                short_history: false,
            };
            let e = Estimate::within(values.iter().copied(), resolution);
            share_of_mean(&pooled, 0, &e)
        };
        assert_eq!(share(&[0.0, 0.0, 0.0], 0.0), None);
        assert_eq!(share(&[0.0, 0.0, 0.0], 0.5), None);
        assert_eq!(share(&[5.0, 5.0, 5.0], 0.0), Some(0.0));
        assert_eq!(share(&[5.0, 5.0, 5.0], 0.5), Some(0.1));
        assert_eq!(share(&[-1.0, 1.0], 0.0), Some(f64::INFINITY));
    }
}
