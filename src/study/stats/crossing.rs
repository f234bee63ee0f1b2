//! Where, as traffic grows, something begins to hold: an interval over the replications.

use crate::study::stats::Estimate;
use crate::study::stats::root::Onset;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Where something begins to hold, over all replications.
///
/// Traffic of 0 stands for "below the range", infinity for "not within the range".
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// Traffic from which on it holds.
    pub at: f64,
    /// Ends of the 95% interval; NaN where there are too few replications to give one.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Replications that were looked at.
    pub replications: usize,
    /// Replications in which it holds at the low end already.
    pub already: usize,
    /// Replications in which it does not hold within the range.
    pub never: usize,
}

impl Crossing {
    /// If every replication has an onset within the range: the geometric mean of the onsets, with
    /// Student's t interval on their logarithms. If some have none: the (lower) median, with the interval
    /// between two order statistics (Conover, "Practical Nonparametric Statistics", 3.2), which
    /// needs to know of the others only on which side of the range they are.
    pub fn of(onsets: &[Onset]) -> Self {
        let count = |o: Onset| onsets.iter().filter(|x| **x == o).count();
        let (already, never) = (count(Onset::Already), count(Onset::Never));
        let replications = onsets.len();
        let counts = |at, low, high| Crossing {
            at,
            low,
            high,
            replications,
            already,
            never,
        };
        if already == replications {
            return counts(0.0, 0.0, 0.0);
        }
        if never == replications {
            return counts(f64::INFINITY, f64::INFINITY, f64::INFINITY);
        }
        let mut at: Vec<f64> = onsets
            .iter()
            .map(|o| match o {
                Onset::Already => 0.0,
                Onset::At(x) => *x,
                Onset::Never => f64::INFINITY,
            })
            .collect();
        if already + never == 0 {
            let e = Estimate::of(at.iter().map(|x| x.ln()));
            return counts(e.mean.exp(), e.low().exp(), e.high().exp());
        }
        at.sort_by(f64::total_cmp);
        let median = at[(replications - 1) / 2];
        match median_ranks(replications) {
            Some((l, h)) => counts(median, at[l], at[h]),
            None => counts(median, f64::NAN, f64::NAN),
        }
    }
}

/// Positions, in sorted values, of the ends of a 95% interval for the median.
fn median_ranks(n: usize) -> Option<(usize, usize)> {
    let heads = Binomial::new(0.5, n as u64).ok()?;
    // At position k (from 0) the interval misses with probability P(heads <= k) on each side.
    let k = (0..n / 2)
        .take_while(|k| heads.cdf(*k as u64) <= 0.025)
        .last()?;
    Some((k, n - 1 - k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn onsets_within_the_range_give_a_t_interval_of_logarithms() {
        let c = Crossing::of(&[Onset::At(1e4), Onset::At(1e6), Onset::At(1e5)]);
        assert!((c.at - 1e5).abs() < 1e-6);
        // t(2, 0.975) = 4.302653; s = ln 10; ln 10 / sqrt 3 = 1.329403.
        let half = 4.302_653 * 1.329_403;
        assert!(((c.high / c.at).ln() - half).abs() < 1e-4);
        assert!(((c.at / c.low).ln() - half).abs() < 1e-4);
    }

    #[test]
    fn onsets_beyond_the_range_leave_the_median_and_its_ranks() {
        // P(at most 1 of 10) = 0.0107, of at most 2 0.055: second and last but one.
        assert_eq!(median_ranks(10), Some((1, 8)));
        assert_eq!(median_ranks(5), None);
        let mut onsets: Vec<Onset> = (1..=8).map(|i| Onset::At(f64::from(i))).collect();
        onsets.extend([Onset::Never, Onset::Already]);
        let c = Crossing::of(&onsets);
        assert_eq!((c.low, c.at, c.high), (1.0, 4.0, 8.0));
        assert_eq!((c.already, c.never), (1, 1));
        assert_eq!(Crossing::of(&[Onset::Never; 3]).at, f64::INFINITY);
        assert_eq!(Crossing::of(&[Onset::Already; 3]).at, 0.0);
        let few = Crossing::of(&[Onset::Never, Onset::At(5.0), Onset::At(6.0)]);
        assert!(few.low.is_nan() && few.at == 6.0);
    }
}
