//! Quantiles of latencies within one relative error, from contiguous bins.
//!
//! The bins are those of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees", PVLDB 12 (2019)): each is `GAMMA` times as wide as the one below it, so that any value of a
//! bin is within [`RELATIVE_ERROR`] of the one that stands for it. What is ours is the layout: one run of counters from the
//! first bin that holds any, which is added to another by adding numbers, and written and read in one pass (see
//! `value`). Bins are numbered as those of the crate that kvplan stored before, whose values are
//! still read.

/// Relative error of every quantile.
pub const RELATIVE_ERROR: f64 = 0.01;

/// How much wider a bin is than the one below it.
pub(super) const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);

/// The natural logarithm of [`GAMMA`].
const GAMMA_LN: f64 = 0.020_000_666_706_669_435;

/// Latencies of up to a microsecond are not told apart.
pub(super) const LEAST_MS: f64 = 1e-3;

/// The bins that may hold any: from [`LEAST_MS`] to more milliseconds than a `Duration` of `u64` nanoseconds has.
pub(super) const KEYS: std::ops::RangeInclusive<i32> = -346..=1_600;

/// Bins added at once where a value lies below all that are there.
const STEP: usize = 32;

/// A sketch of latencies in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    /// How many lie in no bin, being no longer than [`LEAST_MS`].
    pub(super) least: u64,
    /// The number of the first of `bins`.
    pub(super) first: i32,
    pub(super) bins: Vec<u64>,
}

impl Sketch {
    /// Counts one.
    #[inline]
    pub fn add(&mut self, ms: f64) {
        self.add_and_tell(ms);
    }

    /// The same; tells the number of its bin, if it lies in one.
    #[inline]
    pub(super) fn add_and_tell(&mut self, ms: f64) -> Option<i32> {
        if ms > LEAST_MS {
            let place = ms.ln() * (1.0 / GAMMA_LN);
            // Rounded down, also below 0.
            let towards_zero = place as i32;
            let key = towards_zero - i32::from(place < f64::from(towards_zero));
            let key = key.min(*KEYS.end());
            *self.bin(key) += 1;
            Some(key)
        } else {
            self.least += 1;
            None
        }
    }

    /// A bin by its number, there from now on.
    #[inline]
    fn bin(&mut self, key: i32) -> &mut u64 {
        self.reach_all(key, key);
        &mut self.bins[(key - self.first) as usize]
    }

    /// The number after the last bin.
    fn end(&self) -> i64 {
        i64::from(self.first) + self.bins.len() as i64
    }

    /// Sees to it that the bins of two numbers are there, and those between.
    #[inline]
    fn reach_all(&mut self, low: i32, high: i32) {
        if low < self.first || i64::from(high) >= self.end() {
            self.reach(low, high);
        }
    }

    /// Makes room for the bins of two numbers, and for those between.
    #[cold]
    fn reach(&mut self, low: i32, high: i32) {
        if self.bins.is_empty() {
            self.first = low;
        }
        if low < self.first {
            let missing = (self.first - low) as usize;
            let room = (self.first - KEYS.start()).max(0) as usize;
            let more = missing.next_multiple_of(STEP).min(room).max(missing);
            self.bins.splice(0..0, std::iter::repeat_n(0, more));
            self.first -= more as i32;
        }
        let needed = (high - self.first + 1) as usize;
        if needed > self.bins.len() {
            self.bins.resize(needed, 0);
        }
    }

    /// Counts all that another has counted.
    pub fn merge(&mut self, other: &Sketch) {
        let other = other.counted();
        let fits = self.count().checked_add(other.count()).is_some();
        self.add_counted(&other, fits);
    }

    /// What it has counted, where it lies.
    pub(super) fn counted(&self) -> Counted<'_> {
        Counted {
            least: self.least,
            first: self.first,
            bins: &self.bins,
        }
    }

    /// Counts all that has been counted elsewhere. `fits` says that no bin can overflow, as the sum of both does not:
    /// true of all but forged values.
    pub(super) fn add_counted(&mut self, other: &Counted, fits: bool) {
        self.least = self.least.saturating_add(other.least);
        let other = other.trimmed();
        let Some(last) = other.bins.len().checked_sub(1) else {
            return;
        };
        if self.bins.is_empty() {
            self.first = other.first;
            self.bins.extend_from_slice(other.bins);
            return;
        }
        self.reach_all(other.first, other.first + last as i32);
        let from = (other.first - self.first) as usize;
        let mine = &mut self.bins[from..=from + last];
        let pairs = mine.iter_mut().zip(other.bins);
        if fits {
            pairs.for_each(|(mine, theirs)| *mine = mine.wrapping_add(*theirs));
        } else {
            pairs.for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        }
    }

    /// The bins from the first to the last that hold any.
    pub(super) fn trimmed(&self) -> Run<'_> {
        self.counted().trimmed()
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counted().count()
    }

    /// The `q`-quantile within [`RELATIVE_ERROR`]: of `n` values the one with the rank `q (n - 1)`, rounded down, from 0
    /// on. NaN if there are none; 0 if it is among those of up to a microsecond.
    pub fn quantile(&self, q: f64) -> f64 {
        let count = self.count();
        if count == 0 {
            return f64::NAN;
        }
        let rank = (q * (count as f64 - 1.0)) as u64;
        if rank < self.least {
            return 0.0;
        }
        let mut upto = self.least;
        let found = self.bins.iter().position(|n| {
            upto = upto.saturating_add(*n);
            upto > rank
        });
        // Rounding may make a rank of very many values one too large.
        let index = found.unwrap_or(self.bins.len() - 1);
        let key = f64::from(self.first + index as i32);
        (key * GAMMA_LN).exp() * (2.0 * GAMMA / (1.0 + GAMMA))
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<u64>()
    }
}

/// What a sketch has counted, where it lies; the fields are those of [`Sketch`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    pub least: u64,
    pub first: i32,
    pub bins: &'a [u64],
}

impl<'a> Counted<'a> {
    /// A copy of it.
    pub(super) fn to_sketch(self) -> Sketch {
        Sketch {
            least: self.least,
            first: self.first,
            bins: self.bins.to_vec(),
        }
    }

    /// The bins from the first to the last that hold any.
    fn trimmed(&self) -> Run<'a> {
        let held = |n: &u64| *n > 0;
        let Some(from) = self.bins.iter().position(held) else {
            return Run {
                first: 0,
                bins: &[],
            };
        };
        let to = self.bins.iter().rposition(held).unwrap_or(from) + 1;
        Run {
            first: self.first + from as i32,
            bins: &self.bins[from..to],
        }
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        // Fewer than 2^11 bins, so that what has 52 bits each does not overflow: straight code for all but forged values.
        let (all, sum) = self.bins.iter().fold((0_u64, 0_u64), |(all, sum), n| {
            (all | n, sum.wrapping_add(*n))
        });
        if all >> 52 == 0 {
            return self.least.saturating_add(sum);
        }
        let add = |sum: u64, n: &u64| sum.saturating_add(*n);
        self.bins.iter().fold(self.least, add)
    }
}

/// Counters of neighbouring bins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    /// The number of the first.
    pub first: i32,
    pub bins: &'a [u64],
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Against the sorted values themselves, for what is wide, narrow, constant, and at both ends of what can be told.
    #[test]
    fn quantiles_are_within_the_error_that_is_stated() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut uniform = || rng.random::<f64>();
        let kinds: [(&str, Vec<f64>); 5] = [
            (
                "wide",
                (0..5_000).map(|_| (20.0 * uniform() - 6.0).exp()).collect(),
            ),
            ("narrow", (0..5_000).map(|_| 100.0 + uniform()).collect()),
            ("constant", vec![250.0; 1_000]),
            (
                "least",
                (0..1_000)
                    .map(|i| LEAST_MS * (1.0 + f64::from(i)))
                    .collect(),
            ),
            ("longest", (0..100).map(|i| 1.8e13 - f64::from(i)).collect()),
        ];
        for (kind, mut values) in kinds {
            let mut sketch = Sketch::default();
            values.iter().for_each(|v| sketch.add(*v));
            values.sort_by(f64::total_cmp);
            for q in [0.0, 0.01, 0.25, 0.5, 0.95, 0.99, 1.0] {
                let exact = values[(q * (values.len() - 1) as f64) as usize];
                let found = sketch.quantile(q);
                if exact <= LEAST_MS {
                    assert_eq!(found, 0.0, "{kind}");
                    continue;
                }
                let error = (found / exact - 1.0).abs();
                assert!(
                    error < RELATIVE_ERROR + 1e-9,
                    "{kind}, {q}: {found}, {exact}"
                );
            }
        }
    }

    #[test]
    fn the_logarithm_is_that_of_the_factor() {
        assert_eq!(GAMMA.ln(), GAMMA_LN);
    }

    #[test]
    fn the_bins_cover_all_that_a_duration_may_be() {
        let mut sketch = Sketch::default();
        for ms in [1.000_001e-3, u64::MAX as f64 / 1e6] {
            sketch.add(ms);
            assert!(KEYS.contains(&sketch.first), "{ms}: {}", sketch.first);
            assert!(sketch.end() - 1 <= i64::from(*KEYS.end()), "{ms}");
        }
        sketch.add(f64::INFINITY);
        assert_eq!(sketch.count(), 3);
        assert!(Sketch::default().quantile(0.5).is_nan());
    }

    /// In whatever order values come and parts are added, the same is known.
    #[test]
    fn merging_parts_gives_the_whole() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let values: Vec<f64> = (0..2_000)
            .map(|_| (14.0 * rng.random::<f64>() - 7.5).exp())
            .collect();
        let of = |values: &[f64]| {
            let mut sketch = Sketch::default();
            values.iter().for_each(|v| sketch.add(*v));
            sketch
        };
        let known = |s: &Sketch| (s.least, s.trimmed().first, s.trimmed().bins.to_vec());
        let whole = of(&values);
        for parts in [1, 2, 7, 100] {
            let mut sum = Sketch::default();
            for part in values.chunks(values.len().div_ceil(parts)).rev() {
                sum.merge(&of(part));
            }
            assert_eq!(known(&sum), known(&whole), "{parts}");
            assert_eq!(sum.quantile(0.95), whole.quantile(0.95));
        }
        let mut none = whole.clone();
        none.merge(&Sketch::default());
        assert_eq!(none, whole);
    }

    /// Only forged values count so many.
    #[test]
    fn counts_that_no_number_holds_stay_the_most_there_is() {
        let of = |n: u64| Sketch {
            least: n,
            first: 5,
            bins: vec![n, 1],
        };
        for (a, b, sum) in [
            (u64::MAX - 1, 1, u64::MAX),
            (u64::MAX - 1, 2, u64::MAX),
            (1, u64::MAX, u64::MAX),
            (1 << 62, 1 << 62, 1 << 63),
        ] {
            let mut sketch = of(a);
            sketch.merge(&of(b));
            assert_eq!(
                (sketch.least, sketch.bins),
                (sum, vec![sum, 2]),
                "{a} + {b}"
            );
        }
    }

    /// Below the first bin room is made for 32 at once, but not where no latency can fall.
    #[test]
    fn bins_are_added_in_steps() {
        let grown = |first: i32, low: i32| {
            let mut one = Sketch {
                least: 0,
                first,
                bins: vec![1],
            };
            one.reach_all(low, first);
            (one.first, one.bins.len(), one.count())
        };
        assert_eq!(grown(100, 100), (100, 1, 1));
        assert_eq!(grown(100, 99), (68, 33, 1));
        assert_eq!(grown(100, 68), (68, 33, 1));
        assert_eq!(grown(100, 67), (36, 65, 1));
        assert_eq!(grown(-344, -345), (-346, 3, 1));
        assert_eq!(grown(-345, -346), (-346, 2, 1));
    }
}
