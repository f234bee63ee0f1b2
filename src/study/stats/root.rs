//! Where, as traffic grows, something begins to hold: root finding within each replication, and
//! an interval over the replications.

use crate::study::stats::Estimate;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Where something begins to hold in one replication, on a range of traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Onset {
    /// It holds at the low end of the range already.
    Already,
    /// From this traffic on (requests a month).
    At(f64),
    /// It does not hold at any level of the range.
    Never,
}

/// Finds the first of `levels` (rising) at which `holds`, then bisects the step before it on the
/// logarithm of traffic until its ends are closer than the factor `1 + tolerance`.
pub fn onset<E>(
    levels: &[u64],
    tolerance: f64,
    mut holds: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Onset, E> {
    let mut below = None;
    for level in levels {
        if holds(*level)? {
            let Some(mut low) = below else {
                return Ok(Onset::Already);
            };
            let mut high = *level;
            while high as f64 / low as f64 > 1.0 + tolerance {
                let middle = (low as f64 * high as f64).sqrt().round() as u64;
                if middle <= low || middle >= high {
                    break;
                }
                if holds(middle)? {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            return Ok(Onset::At((low as f64 * high as f64).sqrt()));
        }
        below = Some(*level);
    }
    Ok(Onset::Never)
}

/// The same for several runs of levels, rising, between which nothing is known; the first of all
/// levels is `least`.
pub fn onset_of_runs<E>(
    runs: &[Vec<u64>],
    least: u64,
    tolerance: f64,
    mut holds: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Onset, E> {
    for run in runs {
        match onset(run, tolerance, &mut holds)? {
            Onset::Never => {}
            Onset::Already if run[0] > least => return Ok(Onset::At(run[0] as f64)),
            found => return Ok(found),
        }
    }
    Ok(Onset::Never)
}

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
    use std::convert::Infallible;

    fn find(levels: &[u64], threshold: u64) -> Onset {
        onset(levels, 0.001, |x| Ok::<_, Infallible>(x >= threshold)).unwrap()
    }

    #[test]
    fn a_threshold_is_found_within_the_tolerance() {
        let levels = [10_000, 100_000, 1_000_000];
        for threshold in [10_001, 31_416, 99_999, 543_210] {
            let Onset::At(x) = find(&levels, threshold) else {
                panic!("{threshold}")
            };
            assert!((x / threshold as f64).ln().abs() < 0.001, "{x}");
        }
        assert_eq!(find(&levels, 10_000), Onset::Already);
        assert_eq!(find(&levels, 1_000_001), Onset::Never);
        // Whole requests are the finest there is.
        let Onset::At(x) = find(&[1, 4], 3) else {
            panic!()
        };
        assert!((2.0..=3.0).contains(&x));
    }

    #[test]
    fn between_runs_of_levels_nothing_begins() {
        let find = |runs: &[Vec<u64>], threshold: u64| {
            onset_of_runs(runs, 10, 0.001, |x| Ok::<_, Infallible>(x >= threshold)).unwrap()
        };
        let runs = [vec![10, 20], vec![80, 160]];
        assert_eq!(find(&runs, 10), Onset::Already);
        // Somewhere from 20 to 80: the first level at which it is known to hold.
        assert_eq!(find(&runs, 40), Onset::At(80.0));
        assert_eq!(find(&runs[1..], 40), Onset::At(80.0));
        assert_eq!(find(&runs, 170), Onset::Never);
        assert_eq!(find(&[], 10), Onset::Never);
        let Onset::At(x) = find(&runs, 100) else {
            panic!()
        };
        assert!((99.0..=101.0).contains(&x), "{x}");
    }

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
