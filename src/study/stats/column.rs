//! One measure of all replications, and what is made of two: differences, quotients, bounds.

use super::{CONFIDENCE, Estimate, Resolution, t_quantile};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// One measure of all replications; see [`Pooled`](super::pool::Pooled).
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// By replication; their mean is the estimate.
    pub contributions: Vec<f64>,
    /// What replications cannot tell apart.
    pub resolution: Resolution,
    /// Whether there are values, but too few to state an interval.
    pub too_few: bool,
}

impl Column {
    /// The estimate with its interval.
    pub fn estimate(&self) -> Estimate {
        Estimate::within(self.contributions.iter().copied(), self.resolution)
    }

    /// The quotient of two estimates: each replication contributes what it does to its linearisation.
    pub fn ratio(&self, of: &Column) -> Column {
        let (a, b) = (self.estimate().mean, of.estimate().mean);
        let r = a / b;
        let resolution = self.resolution.and(of.resolution.times(r)).times(1.0 / b);
        self.with(of, resolution, |x, y| r + (x - a - r * (y - b)) / b)
    }

    /// One-sided bounds, each wrong with the probability `error`; without end where the replications
    /// tell nothing of it.
    pub fn bounds(&self, error: f64) -> Bounds {
        let e = Estimate::of(self.contributions.iter().copied());
        if e.n < 2 {
            return Bounds::NONE;
        }
        let reach = self.resolution.around(reach(&e, error));
        Bounds {
            low: e.mean - reach,
            high: e.mean + reach,
        }
    }

    /// The difference of two estimates.
    pub fn less(&self, other: &Column) -> Column {
        self.with(other, self.resolution.and(other.resolution), |x, y| x - y)
    }

    /// `offset + factor * estimate`.
    pub fn affine(&self, offset: f64, factor: f64) -> Column {
        Column {
            contributions: self
                .contributions
                .iter()
                .map(|c| offset + factor * c)
                .collect(),
            resolution: self.resolution.times(factor),
            too_few: self.too_few,
        }
    }

    /// Replications with the same number met the same arrivals, so they are paired.
    fn with(
        &self,
        other: &Column,
        resolution: Resolution,
        make: impl Fn(f64, f64) -> f64,
    ) -> Column {
        let pairs = self.contributions.iter().zip(&other.contributions);
        Column {
            contributions: pairs.map(|(x, y)| make(*x, *y)).collect(),
            resolution,
            too_few: self.too_few || other.too_few,
        }
    }

    pub(super) fn none(n: usize, too_few: bool) -> Self {
        Column {
            contributions: vec![f64::NAN; n],
            resolution: Resolution::default(),
            too_few,
        }
    }
}

/// One-sided bounds of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// What the measure is at least.
    pub low: f64,
    /// What it is at most.
    pub high: f64,
}

impl Bounds {
    pub(super) const NONE: Bounds = Bounds {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };
}

/// How far from the mean of values a one-sided bound lies that is wrong with the probability
/// `error`; 0 for one value.
pub(super) fn reach(e: &Estimate, error: f64) -> f64 {
    if e.n < 2 || e.half_width == 0.0 {
        return 0.0;
    }
    e.half_width / t_quantile(e.n - 1) * t_of(e.n, error)
}

/// The factor of Student's t, for so many values, of a one-sided bound.
pub(super) fn t_of(n: usize, error: f64) -> f64 {
    let t = StudentsT::new(0.0, 1.0, n.saturating_sub(1) as f64);
    t.map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - error))
}

/// The error on each side of an interval that kvplan states.
pub const EACH_SIDE: f64 = (1.0 - CONFIDENCE) / 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn column(contributions: [f64; 2], whole: f64) -> Column {
        Column {
            contributions: contributions.to_vec(),
            resolution: Resolution { whole, bin: 0.0 },
            too_few: false,
        }
    }

    /// 8 within 2 over 4 within 1: twice the 4, and what is not known of both parts in fourths.
    #[test]
    fn a_quotient_is_known_as_well_as_its_parts() {
        let quotient = column([8.0, 8.0], 2.0).ratio(&column([4.0, 4.0], 1.0));
        assert_eq!(quotient.contributions, [2.0, 2.0]);
        assert_eq!(quotient.resolution.whole, (2.0 + 2.0 * 1.0) / 4.0);
    }

    /// t(1, 0.975) = 12.706205; s / sqrt(2) = 1.
    #[test]
    fn two_replications_have_bounds_and_one_has_none() {
        let two = column([1.0, 3.0], 0.0);
        let bounds = two.bounds(0.025);
        assert!((bounds.low - (2.0 - 12.706_205)).abs() < 1e-5, "{bounds:?}");
        assert!(
            (bounds.high - (2.0 + 12.706_205)).abs() < 1e-5,
            "{bounds:?}"
        );
        let one = column([1.0, f64::NAN], 0.0);
        assert_eq!(one.bounds(0.025), Bounds::NONE);
    }
}
