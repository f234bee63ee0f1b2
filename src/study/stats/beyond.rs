//! How many calls lie beyond a bound: what decides whether a percentile keeps to it.
//!
//! A percentile is within a bound if no more calls than its share lie beyond. To ask that directly takes far fewer
//! replications than an interval of the percentile itself, whose width is that of the share at the percentile: where a
//! bound is kept with ease, hardly any call lies beyond, and how many varies little. It is the test that the interval
//! would be the inversion of, were it inverted at each bound (Conover, "Practical Nonparametric Statistics",
//! 3rd ed., 3.2), with replications in the place of single values, as calls of one replication depend on each other.

use super::Estimate;
use super::column::{Bounds, reach};
use crate::sim::latencies::Bins;
use statrs::distribution::{Beta, ContinuousCDF};

/// One-sided bounds of the share of calls that take longer than `ms`, each wrong with the probability `error`; `None`
/// without calls, or if there are not two replications. What lies in the bin of the bound counts for
/// neither side.
///
/// The spread between replications tells how far the estimate may be off, but no less than single calls that are
/// independent would be: replications that happen to agree know no more than they have calls.
pub fn share_beyond(replications: &[&Bins], ms: f64, error: f64) -> Option<Bounds> {
    let counts: Vec<u64> = replications.iter().map(|b| b.count()).collect();
    let calls: u64 = counts.iter().sum();
    if calls == 0 || replications.len() < 2 {
        return None;
    }
    let (n, all) = (replications.len() as f64, calls as f64);
    let share = |beyond: &[u64]| {
        let r = beyond.iter().sum::<u64>() as f64 / all;
        let each = beyond.iter().zip(&counts);
        Estimate::of(each.map(|(e, count)| r + (*e as f64 - r * *count as f64) * n / all))
    };
    let from: Vec<u64> = replications.iter().map(|b| b.from_ms(ms)).collect();
    let above: Vec<u64> = replications.iter().map(|b| b.above_ms(ms)).collect();
    let (most, least) = (share(&from), share(&above));
    let low = least.mean - reach(&least, error);
    let high = most.mean + reach(&most, error);
    Some(Bounds {
        low: low.min(at_least(above.iter().sum(), calls, error)).max(0.0),
        high: high.max(at_most(from.iter().sum(), calls, error)).min(1.0),
    })
}

/// The upper bound of a share of which so many of `n` independent values were seen (Clopper and Pearson 1934).
fn at_most(seen: u64, n: u64, error: f64) -> f64 {
    let beta = Beta::new(seen as f64 + 1.0, (n - seen) as f64);
    beta.map_or(1.0, |b| b.inverse_cdf(1.0 - error))
}

/// The lower bound: what is not seen is at most the rest.
fn at_least(seen: u64, n: u64, error: f64) -> f64 {
    1.0 - at_most(n - seen, n, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::latencies::Latencies;
    use crate::sim::random::Streams;
    use rand::RngExt;
    use std::time::Duration;

    /// Calls of so many milliseconds.
    fn bins(ms: &[u64]) -> Bins {
        let mut latencies = Latencies::default();
        for ms in ms {
            latencies.add(Duration::from_millis(*ms));
        }
        latencies.bins()
    }

    /// With none of n seen the bound is 1 - error^(1/n), with all of them the n-th root of the error.
    #[test]
    fn none_or_all_of_many_are_told_by_how_many_there_may_be() {
        let quick = bins(&[10; 100]);
        for error in [0.01_f64, 1e-7] {
            let bounds = share_beyond(&[&quick, &quick], 500.0, error).unwrap();
            let most = 1.0 - error.powf(1.0 / 200.0);
            assert!((bounds.high - most).abs() < 1e-6, "{bounds:?}, {most}");
            assert_eq!(bounds.low, 0.0);
            let bounds = share_beyond(&[&quick, &quick], 5.0, error).unwrap();
            assert!((bounds.low - (1.0 - most)).abs() < 1e-6, "{bounds:?}");
            assert_eq!(bounds.high, 1.0);
        }
        assert_eq!(share_beyond(&[&quick], 500.0, 0.01), None);
        let none = Bins::default();
        assert_eq!(share_beyond(&[&none, &none], 500.0, 0.01), None);
    }

    /// So many of 100 calls beyond 500 ms.
    fn of(beyond: usize) -> Bins {
        let ms: Vec<u64> = (0..100)
            .map(|i| if i < beyond { 900 } else { 10 })
            .collect();
        bins(&ms)
    }

    /// 22 of 100 and 28 of 100: the mean 25, the standard error 3; t(1, 0.95) = 6.313752.
    #[test]
    fn many_beyond_are_told_by_the_spread_between_replications() {
        let (a, b) = (of(22), of(28));
        let bounds = share_beyond(&[&a, &b], 500.0, 0.05).unwrap();
        let reach = 6.313_752 * 0.03;
        assert!((bounds.high - (0.25 + reach)).abs() < 1e-5, "{bounds:?}");
        assert!((bounds.low - (0.25 - reach)).abs() < 1e-5, "{bounds:?}");
    }

    /// Replications that agree have no spread: 15 of 100, six times. P(B >= 90) is 2.5% of 600 at 0.122376, P(B <= 90) at
    /// 0.181121, by the sums of the binomial's terms.
    #[test]
    fn replications_that_agree_know_no_more_than_their_calls() {
        let same = of(15);
        let bounds = share_beyond(&[&same; 6], 500.0, 0.025).unwrap();
        let expected = [0.122_376, 0.181_121];
        assert!((bounds.low - expected[0]).abs() < 1e-5, "{bounds:?}");
        assert!((bounds.high - expected[1]).abs() < 1e-5, "{bounds:?}");
    }

    /// What lies in the bin of the bound counts against whoever claims it.
    #[test]
    fn a_bound_within_a_bin_is_beyond_for_one_side_only() {
        let at = bins(&[1_000; 500]);
        let bounds = share_beyond(&[&at, &at], 1_000.2, 0.05).unwrap();
        assert_eq!((bounds.low, bounds.high), (0.0, 1.0));
        let sure = share_beyond(&[&at, &at], 990.0, 0.05).unwrap();
        assert!(sure.low > 0.99 && sure.high == 1.0, "{sure:?}");
    }

    /// Of 4,000 experiments of six replications with sixty calls each, of which 4% lie beyond, the bounds are wrong in no
    /// more than they say, within four standard deviations.
    #[test]
    fn bounds_are_wrong_as_seldom_as_they_say() {
        let (trials, error, share) = (4_000, 0.025, 0.04);
        let mut wrong = [0.0; 2];
        for trial in 0..trials {
            let mut rng = Streams::new(trial, 0).stream("beyond");
            let mut call = || if rng.random::<f64>() < share { 900 } else { 10 };
            let all: Vec<Bins> = (0..6)
                .map(|_| bins(&std::array::from_fn::<u64, 60, _>(|_| call())))
                .collect();
            let parts: Vec<&Bins> = all.iter().collect();
            let bounds = share_beyond(&parts, 500.0, error).unwrap();
            wrong[0] += f64::from(u8::from(bounds.low > share));
            wrong[1] += f64::from(u8::from(bounds.high < share));
        }
        let most = error + 4.0 * (error * (1.0 - error) / trials as f64).sqrt();
        let wrong = wrong.map(|n: f64| n / trials as f64);
        assert!(wrong[0] <= most && wrong[1] <= most, "{wrong:?}");
    }
}
