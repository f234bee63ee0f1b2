//! How many calls lie beyond a bound: what decides whether a percentile keeps to it.
//!
//! A percentile is within a bound if no more calls than its share lie beyond. To ask that directly takes far fewer
//! replications than an interval of the percentile itself, whose width is that of the share at the percentile: where a
//! bound is kept with ease, hardly any call lies beyond, and how many varies little. It is the test that the interval
//! would be the inversion of, were it inverted at each bound (Conover, "Practical Nonparametric Statistics",
//! 3rd ed., 3.2), with replications in the place of single values, as calls of one replication depend on each other.

use super::Estimate;
use super::column::{Bounds, reach};
use super::pool::poisson_upper;
use crate::sim::latencies::Bins;

/// Calls beyond below which the spread between replications says little of their share.
const FEW: f64 = 10.0;

/// One-sided bounds of the share of calls that take longer than `ms`, each wrong with the probability `error`; `None`
/// if there are no calls, or not in two replications. A bin that the bound lies in counts as beyond for the one, and not for the other.
pub fn share_beyond(replications: &[&Bins], ms: f64, error: f64) -> Option<Bounds> {
    let all: f64 = replications.iter().map(|b| b.count() as f64).sum();
    if all == 0.0 || replications.len() < 2 {
        return None;
    }
    let n = replications.len() as f64;
    let share = |beyond: &[f64]| {
        let r = beyond.iter().sum::<f64>() / all;
        let each = beyond.iter().zip(replications);
        Estimate::of(each.map(|(e, b)| r + (e - r * b.count() as f64) * n / all))
    };
    let from: Vec<f64> = replications.iter().map(|b| b.from_ms(ms) as f64).collect();
    let above: Vec<f64> = replications.iter().map(|b| b.above_ms(ms) as f64).collect();
    let (most, least) = (share(&from), share(&above));
    let mut high = most.mean + reach(&most, error);
    // Of few, their number is a Poisson count, of as many at once as ever.
    let cluster = from.iter().copied().fold(1.0, f64::max);
    let events = from.iter().sum::<f64>() / cluster;
    if events < FEW {
        high = high.max(cluster * poisson_upper(events, error) / all);
    }
    Some(Bounds {
        low: least.mean - reach(&least, error),
        high,
    })
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

    #[test]
    fn none_of_many_beyond_is_told_by_how_many_there_may_be() {
        let quick = bins(&[10; 100]);
        let bounds = share_beyond(&[&quick, &quick], 500.0, 0.01).unwrap();
        // ln 100 = 4.60517 of 200.
        assert!((bounds.high - 4.605_17 / 200.0).abs() < 1e-6, "{bounds:?}");
        assert_eq!(bounds.low, 0.0);
        assert_eq!(share_beyond(&[&quick], 500.0, 0.01), None);
        let none = Bins::default();
        assert_eq!(share_beyond(&[&none, &none], 500.0, 0.01), None);
    }

    /// 12 of 100 and 18 of 100: the mean 15, the standard error 3; t(1, 0.95) = 6.313752.
    #[test]
    fn many_beyond_are_told_by_the_spread_between_replications() {
        let of = |beyond: usize| {
            let ms: Vec<u64> = (0..100)
                .map(|i| if i < beyond { 900 } else { 10 })
                .collect();
            bins(&ms)
        };
        let (a, b) = (of(12), of(18));
        let bounds = share_beyond(&[&a, &b], 500.0, 0.05).unwrap();
        let reach = 6.313_752 * 0.03;
        // 30 in clusters of 18 are few as well.
        assert!(bounds.high >= 0.15 + reach, "{bounds:?}");
        assert!((bounds.low - (0.15 - reach)).abs() < 1e-5, "{bounds:?}");
    }

    /// What lies in the bin of the bound counts against whoever claims it.
    #[test]
    fn a_bound_within_a_bin_is_beyond_for_one_side_only() {
        let at = bins(&[1_000; 500]);
        let bounds = share_beyond(&[&at, &at], 1_000.2, 0.05).unwrap();
        assert_eq!((bounds.low, bounds.high), (0.0, 1.0));
        let sure = share_beyond(&[&at, &at], 990.0, 0.05).unwrap();
        assert_eq!((sure.low, sure.high), (1.0, 1.0));
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
