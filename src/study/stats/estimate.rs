//! Estimates from independent replications.

use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// Confidence of every interval that kvplan states.
pub const CONFIDENCE: f64 = 0.95;

/// A mean over replications, with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean; NaN without values.
    pub mean: f64,
    /// Half the width of the [`CONFIDENCE`] interval, by Student's t; NaN for one replication.
    pub half_width: f64,
    /// Replications that gave a value.
    pub n: usize,
}

impl Estimate {
    /// From one value per replication; NaN (no value in that replication) is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|v| !v.is_nan()).collect();
        let n = values.len();
        if n == 0 {
            return Estimate {
                mean: f64::NAN,
                half_width: f64::NAN,
                n,
            };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let half_width = if n > 1 {
            t_quantile(n - 1) * (squares / (n - 1) as f64 / n as f64).sqrt()
        } else {
            f64::NAN
        };
        Estimate {
            mean,
            half_width,
            n,
        }
    }

    /// The same, where values cannot be told apart within `resolution`.
    pub fn within(values: impl IntoIterator<Item = f64>, resolution: Resolution) -> Self {
        let e = Estimate::of(values);
        Estimate {
            half_width: resolution.around(e.half_width),
            ..e
        }
    }

    /// Lower end of the interval.
    pub fn low(&self) -> f64 {
        self.mean - self.half_width
    }

    /// Upper end of the interval.
    pub fn high(&self) -> f64 {
        self.mean + self.half_width
    }
}

/// What replications cannot tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Resolution {
    /// How much wider an interval is for it on both sides: whole units of a bill, what was never seen to happen. NaN
    /// where no interval is stated.
    pub whole: f64,
    /// Half the width of the bins that values were counted in. Where chance moves an estimate over several bins, how
    /// far it lies from the middle of its own is one more error, independent of that chance: their squares add up.
    pub bin: f64,
}

impl Resolution {
    /// No interval is stated.
    pub const UNKNOWN: Resolution = Resolution {
        whole: f64::NAN,
        bin: 0.0,
    };

    /// How far an interval reaches that would reach so far by chance alone.
    pub fn around(self, reach: f64) -> f64 {
        reach.hypot(self.bin) + self.whole
    }

    /// That of a sum or a difference.
    pub fn and(self, other: Resolution) -> Resolution {
        Resolution {
            whole: self.whole + other.whole,
            bin: self.bin + other.bin,
        }
    }

    /// That of a multiple.
    pub fn times(self, factor: f64) -> Resolution {
        Resolution {
            whole: factor.abs() * self.whole,
            bin: factor.abs() * self.bin,
        }
    }
}

/// The quantile of Student's t for a two-sided [`CONFIDENCE`] interval.
pub fn t_quantile(degrees_of_freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom as f64)
        .map_or(f64::NAN, |t| t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

/// A quantile of a sample, with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileEstimate {
    /// The quantile of the sample: the smallest value that a share q of the values does not exceed.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The ranks, from 1, of the two of `n` ordered independent values between which the quantile `q`
/// lies with at least [`CONFIDENCE`], whatever the distribution: the number of values below it is
/// binomial, and each side is missed with at most half the rest (David and Nagaraja, "Order
/// Statistics", 3rd ed., 7.1). `None` if there are too few values to say so (a median
/// takes 6, a 95th percentile 72), or if `q` is not between 0 and 1.
pub fn quantile_ranks(n: u64, q: f64) -> Option<(u64, u64)> {
    if !(q > 0.0 && q < 1.0) {
        return None;
    }
    let below = Binomial::new(q, n).ok()?;
    let miss = (1.0 - CONFIDENCE) / 2.0;
    // P(B < low) <= miss, P(B >= high) <= miss.
    let low = smallest(n, |k| below.cdf(k) > miss);
    let high = smallest(n, |k| below.sf(k) <= miss) + 1;
    (low >= 1 && high <= n).then_some((low, high))
}

/// The smallest of 0 to `n` for which a condition holds that holds for all after it, and for `n`.
fn smallest(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The quantile `q` of independent values in ascending order, with an interval that assumes
/// nothing about their distribution; `None` as for [`quantile_ranks`].
pub fn quantile_interval(sorted: &[f64], q: f64) -> Option<QuantileEstimate> {
    let (low, high) = quantile_ranks(sorted.len() as u64, q)?;
    let rank = |r: u64| sorted[r as usize - 1];
    Some(QuantileEstimate {
        value: rank((q * sorted.len() as f64).ceil().max(1.0) as u64),
        low: rank(low),
        high: rank(high),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_half_width_is_students() {
        let e = Estimate::of([1.0, 2.0, 3.0, 4.0, f64::NAN]);
        assert_eq!((e.mean, e.n), (2.5, 4));
        // t(3, 0.975) = 3.182446; s = 1.290994; s/2 = 0.645497.
        assert!(
            (e.half_width - 3.182_446 * 0.645_497).abs() < 1e-5,
            "{}",
            e.half_width
        );
        assert!(Estimate::of([7.0]).half_width.is_nan());
        assert_eq!(Estimate::of([7.0, 7.0]).half_width, 0.0);
        assert!(Estimate::of([]).mean.is_nan());
    }

    /// Over 4,000 seeds the interval of ten normal values covers the mean in 95% of them, within
    /// four binomial standard deviations.
    #[test]
    fn intervals_cover_as_often_as_they_say() {
        let trials = 4_000;
        let covered = (0..trials)
            .filter(|seed| {
                let mut rng = Streams::new(*seed, 0).stream("coverage");
                let e = Estimate::of((0..10).map(|_| StandardNormal.sample(&mut rng)));
                e.low() <= 0.0 && 0.0 <= e.high()
            })
            .count() as f64;
        let bound = 4.0 * (0.95 * 0.05 / trials as f64).sqrt();
        assert!(
            (covered / trials as f64 - 0.95).abs() < bound,
            "{covered} of {trials}"
        );
    }

    /// Ranks by hand: P(B < 2 of 10 at 1/2) = 11/1024 and P(B < 3) = 56/1024, so the second and
    /// the ninth; five values hold their median between them in 30 of 32 cases only.
    #[test]
    fn ranks_of_a_median_are_those_of_the_tables() {
        assert_eq!(quantile_ranks(10, 0.5), Some((2, 9)));
        assert_eq!(quantile_ranks(6, 0.5), Some((1, 6)));
        assert_eq!(quantile_ranks(5, 0.5), None);
        assert_eq!(quantile_ranks(100, 0.5), Some((40, 61)));
        // 1 - 0.95^n > 0.975 from n = 72 on.
        assert_eq!(quantile_ranks(71, 0.95), None);
        assert_eq!(quantile_ranks(72, 0.95).unwrap().1, 72);
        assert_eq!(quantile_ranks(0, 0.5), None);
        assert_eq!(quantile_ranks(100, 1.0), None);
        assert_eq!(quantile_ranks(100, f64::NAN), None);
        let sorted: Vec<f64> = (1..=10).map(f64::from).collect();
        let e = quantile_interval(&sorted, 0.5).unwrap();
        assert_eq!((e.low, e.value, e.high), (2.0, 5.0, 9.0));
    }

    /// The exact coverage of the ranks, from the binomial's own terms, is at least what is claimed,
    /// and one rank less on either side would miss more than its half.
    #[test]
    fn ranks_are_as_close_as_they_may_be() {
        use statrs::distribution::Discrete;
        for n in [100, 1_000, 20_000] {
            for q in [0.5, 0.95, 0.99] {
                let Some((low, high)) = quantile_ranks(n, q) else {
                    assert!((n, q) == (100, 0.99), "{n}, {q}");
                    continue;
                };
                let below = Binomial::new(q, n).unwrap();
                let sum = |from: u64, to: u64| -> f64 { (from..to).map(|k| below.pmf(k)).sum() };
                assert!(sum(low, high) >= CONFIDENCE, "{n}, {q}");
                assert!(sum(0, low) <= 0.025 && sum(0, low + 1) > 0.025, "{n}, {q}");
                let above = |from| sum(from, n + 1);
                assert!(above(high) <= 0.025 && above(high - 1) > 0.025, "{n}, {q}");
            }
        }
        // A month of requests: no loss of digits.
        let (low, high) = quantile_ranks(100_000_000, 0.99).unwrap();
        let deviation = (100_000_000.0_f64 * 0.99 * 0.01).sqrt();
        let width = (high - low) as f64 / (2.0 * 1.959_964 * deviation);
        assert!((width - 1.0).abs() < 1e-3, "{width}");
    }

    /// Over 4,000 seeds the interval covers the quantile of a skewed distribution as often as the
    /// binomial says that it does, within four of its standard deviations.
    #[test]
    fn quantile_intervals_cover_as_often_as_they_say() {
        use rand_distr::Exp1;
        use statrs::distribution::Discrete;
        for (n, q) in [(200, 0.5), (300, 0.95)] {
            let truth = -(1.0_f64 - q).ln();
            let trials = 4_000;
            let covered = (0..trials)
                .filter(|seed| {
                    let mut rng = Streams::new(*seed, 0).stream("quantile coverage");
                    let mut values: Vec<f64> = (0..n).map(|_| Exp1.sample(&mut rng)).collect();
                    values.sort_by(f64::total_cmp);
                    let e = quantile_interval(&values, q).unwrap();
                    e.low <= truth && truth <= e.high
                })
                .count() as f64
                / trials as f64;
            let (low, high) = quantile_ranks(n, q).unwrap();
            let below = Binomial::new(q, n).unwrap();
            let exact: f64 = (low..high).map(|k| below.pmf(k)).sum();
            assert!((CONFIDENCE..0.98).contains(&exact), "{exact}");
            let bound = 4.0 * (exact * (1.0 - exact) / trials as f64).sqrt();
            assert!(
                (covered - exact).abs() < bound,
                "{n}, {q}: {covered}, {exact}"
            );
        }
    }
}
