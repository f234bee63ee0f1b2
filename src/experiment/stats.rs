//! Estimates from independent replications.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Confidence of every interval that kvplan states.
pub const CONFIDENCE: f64 = 0.95;

/// A mean over replications, with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
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

    /// Lower end of the interval.
    pub fn low(&self) -> f64 {
        self.mean - self.half_width
    }

    /// Upper end of the interval.
    pub fn high(&self) -> f64 {
        self.mean + self.half_width
    }
}

/// The quantile of Student's t for a two-sided [`CONFIDENCE`] interval.
fn t_quantile(degrees_of_freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom as f64)
        .map_or(f64::NAN, |t| t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
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
}
