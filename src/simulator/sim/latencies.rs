//! Latencies as a histogram of 0.1%, and what is kept of one when its run is over.

use crate::units::nanos;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Durations, counted in bins no wider than a thousandth of their value (1 ns up to 2 µs).
#[derive(Clone)]
pub struct Latencies {
    /// What takes no time, as most calls do, is counted beside the histogram.
    zeros: u64,
    histogram: Histogram<u64>,
    sum_ns: u128,
}

/// A histogram without a value, which grows with what it is given.
fn empty() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 2, 3).expect("these bounds are allowed");
    histogram.auto(true);
    histogram
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies {
            zeros: 0,
            histogram: empty(),
            sum_ns: 0,
        }
    }
}

impl Latencies {
    /// Counts one.
    #[inline]
    pub fn add(&mut self, latency: Duration) {
        self.add_nanos(nanos(latency));
    }

    /// Counts one of so many nanoseconds.
    #[inline]
    pub fn add_nanos(&mut self, ns: u64) {
        if ns == 0 {
            self.zeros += 1;
            return;
        }
        self.histogram
            .record(ns)
            .expect("it grows to the largest value there is");
        self.sum_ns += u128::from(ns);
    }

    /// Adds those of another time or place.
    pub fn merge(&mut self, other: &Latencies) {
        self.zeros += other.zeros;
        self.histogram
            .add(&other.histogram)
            .expect("it grows to the largest value there is");
        self.sum_ns += other.sum_ns;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.zeros + self.histogram.len()
    }

    /// Their exact sum in milliseconds.
    pub fn sum_ms(&self) -> f64 {
        self.sum_ns as f64 / 1e6
    }

    /// The bins that hold any.
    pub fn bins(&self) -> Bins {
        let zeros = (self.zeros > 0).then_some((0, self.zeros));
        let recorded = self.histogram.iter_recorded().map(|v| {
            let low = self.histogram.lowest_equivalent(v.value_iterated_to());
            (low, v.count_at_value())
        });
        Bins(zeros.into_iter().chain(recorded).collect())
    }

    /// The `q`-quantile in milliseconds, within 0.05%; NaN if there are none.
    pub fn quantile_ms(&self, q: f64) -> f64 {
        self.bins().quantile_ms(q)
    }
}

/// What is kept of a histogram: the lower ends of its bins in nanoseconds, rising, with how many
/// values each holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bins(Vec<(u64, u64)>);

impl Bins {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|b| b.1).sum()
    }

    /// Whether they are bins of a histogram: rising, none empty, of no more values than a run gives, so that those
    /// of many runs can be added up.
    pub fn is_sound(&self) -> bool {
        const MOST: u64 = 1 << 43;
        let rising = self.0.is_sorted_by(|a, b| a.0 < b.0);
        let count = |sum: u64, b: &(u64, u64)| sum.checked_add(b.1).filter(|n| *n <= MOST);
        rising && self.0.iter().all(|b| b.1 > 0) && self.0.iter().try_fold(0, count).is_some()
    }

    /// How many values lie in bins up to and including this one.
    pub fn up_to(&self, bin: Bin) -> u64 {
        let upto = self.0.partition_point(|b| b.0 <= bin.low_ns);
        self.0[..upto].iter().map(|b| b.1).sum()
    }

    /// The share of values of up to about `ms` milliseconds (to the end of its bin); NaN if there are none.
    pub fn share_up_to(&self, ms: f64) -> f64 {
        let n = self.count();
        (n - self.above_ms(ms)) as f64 / n as f64
    }

    /// How many values may be as long as `ms` milliseconds: those in its bin and above.
    pub fn from_ms(&self, ms: f64) -> u64 {
        let longest = |low: u64| low.saturating_add(Bin::at(low).width_ns - 1) as f64;
        let below = self.0.partition_point(|b| longest(b.0) < ms * 1e6);
        self.0[below..].iter().map(|b| b.1).sum()
    }

    /// How many values are longer than `ms` milliseconds for certain: those in bins above its own.
    pub fn above_ms(&self, ms: f64) -> u64 {
        let upto = self.0.partition_point(|b| b.0 as f64 <= ms * 1e6);
        self.0[upto..].iter().map(|b| b.1).sum()
    }

    /// Least and largest in milliseconds of those that are not 0; none if there are none.
    pub fn range_ms(&self) -> Option<(f64, f64)> {
        let first = self.0.iter().find(|b| b.0 > 0)?;
        let last = self.0.last()?;
        Some((first.0 as f64 / 1e6, last.0 as f64 / 1e6))
    }

    /// The `q`-quantile in milliseconds, within 0.05%; NaN if there are none.
    pub fn quantile_ms(&self, q: f64) -> f64 {
        Pool::new(&[self])
            .quantile(q)
            .map_or(f64::NAN, |b| b.middle_ns() / 1e6)
    }
}

/// One bin: values from `low_ns` to less than `low_ns + width_ns`, which are whole nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    /// Its least value, in nanoseconds.
    pub low_ns: u64,
    /// How many whole nanoseconds it covers.
    pub width_ns: u64,
}

impl Bin {
    fn at(low_ns: u64) -> Self {
        // Bins are those of three digits: 2,048 of 1 ns, then 1,024 for each power of two.
        let width_ns = match low_ns {
            0..2_048 => 1,
            _ => 1 << (low_ns.ilog2() - 10),
        };
        Bin { low_ns, width_ns }
    }

    /// The middle of the values that it may hold.
    pub fn middle_ns(self) -> f64 {
        self.low_ns as f64 + (self.width_ns - 1) as f64 / 2.0
    }

    /// How far a value in it may be from its middle.
    pub fn half_width_ns(self) -> f64 {
        (self.width_ns - 1) as f64 / 2.0
    }
}

/// Several histograms taken together.
#[derive(Debug)]
pub struct Pool {
    /// Lower ends of bins, rising, with the number of values up to and including each.
    upto: Vec<(u64, u64)>,
}

impl Pool {
    /// All values of all of them.
    pub fn new(parts: &[&Bins]) -> Self {
        let mut all: Vec<(u64, u64)> = parts.iter().flat_map(|p| p.0.iter().copied()).collect();
        if parts.len() > 1 {
            all.sort_unstable_by_key(|b| b.0);
        }
        let mut upto: Vec<(u64, u64)> = Vec::with_capacity(all.len());
        let mut sum = 0;
        for (low, n) in all {
            sum += n;
            match upto.last_mut() {
                Some(last) if last.0 == low => last.1 = sum,
                _ => upto.push((low, sum)),
            }
        }
        Pool { upto }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.upto.last().map_or(0, |b| b.1)
    }

    /// The bin that holds the value which a share `q` of the values does not exceed; `None`
    /// without values. The rank is `q n`, rounded up, and at least 1.
    pub fn quantile(&self, q: f64) -> Option<Bin> {
        let n = self.count();
        let rank = ((q * n as f64).ceil() as u64).clamp(1, n.max(1));
        let i = self.upto.partition_point(|b| b.1 < rank);
        self.upto.get(i).map(|b| Bin::at(b.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(ns: &[u64]) -> Latencies {
        let mut all = Latencies::default();
        for n in ns {
            all.add(Duration::from_nanos(*n));
        }
        all
    }

    #[test]
    fn nothing_is_exactly_nothing_and_a_constant_is_itself() {
        assert_eq!(of(&[0; 5]).quantile_ms(0.5), 0.0);
        let ten = of(&[10_000_000; 100]).quantile_ms(0.95);
        assert!((ten / 10.0 - 1.0).abs() < 5e-4, "{ten}");
        assert!(of(&[]).quantile_ms(0.5).is_nan());
        assert_eq!(of(&[1, 2, 3, 4]).quantile_ms(0.5), 2e-6);
        assert_eq!(of(&[7, 9]).sum_ms(), 16e-6);
        let mut most = of(&[u64::MAX]);
        most.add(Duration::MAX);
        assert_eq!(most.count(), 2);
    }

    proptest! {
        /// Against sorting: the value of that rank lies in the bin that is given.
        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut a in prop::collection::vec(0_u64..10_u64.pow(12), 1..200),
            b in prop::collection::vec(0_u64..5_000, 0..200),
            q in 0.001_f64..0.999,
        ) {
            let (x, y) = (of(&a).bins(), of(&b).bins());
            let pool = Pool::new(&[&x, &y]);
            let mut merged = of(&a);
            merged.merge(&of(&b));
            a.extend(b);
            a.sort_unstable();
            prop_assert_eq!(pool.count(), a.len() as u64);
            let value = a[((q * a.len() as f64).ceil() as usize).max(1) - 1];
            let bin = pool.quantile(q).unwrap();
            prop_assert!((bin.low_ns..bin.low_ns + bin.width_ns).contains(&value));
            prop_assert!(bin.half_width_ns() <= 5e-4 * value as f64);
            prop_assert_eq!(merged.quantile_ms(q), bin.middle_ns() / 1e6);
            let below = a.iter().filter(|v| **v < bin.low_ns + bin.width_ns).count() as u64;
            prop_assert_eq!(x.up_to(bin) + y.up_to(bin), below);
        }
    }
}
