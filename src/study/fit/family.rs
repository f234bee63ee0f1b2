//! Families of distributions and their maximum-likelihood estimates.

use super::special::trigamma;
use crate::models::dist::{Dist, Z99};
use crate::sim::random::StreamRng;
use crate::study::stats::CONFIDENCE;
use rand_distr::Distribution;
use statrs::distribution::{Continuous, ContinuousCDF, Gamma, LogNormal, Normal, Weibull};
use statrs::function::gamma::digamma;
use std::time::Duration;

/// A family of distributions of positive values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Lognormal.
    Lognormal,
    /// Gamma.
    Gamma,
    /// Weibull.
    Weibull,
    /// Exponential.
    Exponential,
}

impl Family {
    /// All families, in the order of reports.
    pub const ALL: [Family; 4] = [
        Family::Lognormal,
        Family::Gamma,
        Family::Weibull,
        Family::Exponential,
    ];

    /// Its name, as [`Dist`] writes it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Lognormal => "lognormal",
            Family::Gamma => "gamma",
            Family::Weibull => "weibull",
            Family::Exponential => "exponential",
        }
    }

    /// Free parameters.
    pub fn parameters(self) -> usize {
        match self {
            Family::Exponential => 1,
            _ => 2,
        }
    }

    /// The maximum-likelihood estimate from values in milliseconds; `None` if there is none, as
    /// for values that are all the same or, but for the exponential distribution, if one is zero.
    pub fn fit(self, values: &[f64]) -> Option<Fitted> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        if !(mean > 0.0 && mean.is_finite()) {
            return None;
        }
        if self == Family::Exponential {
            return Some(Fitted::Exponential { mean });
        }
        let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
        let mu = logs.iter().sum::<f64>() / n;
        let variance = logs.iter().map(|l| (l - mu).powi(2)).sum::<f64>() / n;
        if !(mu.is_finite() && variance > 1e-18) {
            return None;
        }
        match self {
            Family::Lognormal => Some(Fitted::Lognormal {
                mu,
                sigma: variance.sqrt(),
            }),
            Family::Gamma => {
                let shape = gamma_shape(mean.ln() - mu)?;
                Some(Fitted::Gamma { mean, shape })
            }
            Family::Weibull => {
                let (shape, scale) = weibull(&logs, mu, variance.sqrt())?;
                Some(Fitted::Weibull { scale, shape })
            }
            Family::Exponential => None,
        }
    }
}

/// Iterations before an estimate is given up.
const MOST: usize = 100;

/// The shape `k` with `ln k - digamma(k) = s`, by Newton's method in `1/k` from Minka's starting
/// point ("Estimating a Gamma distribution", 2002), which converges in a few steps.
fn gamma_shape(s: f64) -> Option<f64> {
    let mut k = (3.0 - s + ((s - 3.0).powi(2) + 24.0 * s).sqrt()) / (12.0 * s);
    for _ in 0..MOST {
        let step = (k.ln() - digamma(k) - s) / (k * k * (1.0 / k - trigamma(k)));
        let next = 1.0 / (1.0 / k + step);
        if !(next.is_finite() && next > 0.0) {
            return None;
        }
        if (next / k - 1.0).abs() < 1e-12 {
            return Some(next);
        }
        k = next;
    }
    None
}

/// Shape and scale by Newton's method on the profile likelihood
/// `1/k + mean(ln x) = sum(x^k ln x) / sum(x^k)`, in logarithms about their mean, so that no power
/// overflows. The right side less the left one rises with `k`; the start is the moment estimate.
fn weibull(logs: &[f64], mu: f64, sigma: f64) -> Option<(f64, f64)> {
    let highest = logs.iter().fold(f64::NEG_INFINITY, |h, l| h.max(l - mu));
    let sums = |k: f64| {
        logs.iter().fold((0.0, 0.0, 0.0), |(s0, s1, s2), l| {
            let y = l - mu;
            let w = (k * (y - highest)).exp();
            (s0 + w, s1 + w * y, s2 + w * y * y)
        })
    };
    let mut k = std::f64::consts::PI / 6.0_f64.sqrt() / sigma;
    for _ in 0..MOST {
        let (s0, s1, s2) = sums(k);
        let m = s1 / s0;
        let value = m - 1.0 / k;
        let slope = s2 / s0 - m * m + 1.0 / (k * k);
        // Not below a tenth: the curve is concave where it is steep.
        let next = (k - value / slope).max(k / 10.0);
        if !next.is_finite() {
            return None;
        }
        if (next / k - 1.0).abs() < 1e-12 {
            let (s0, ..) = sums(next);
            let ln_scale = mu + highest + (s0 / logs.len() as f64).ln() / next;
            return Some((next, ln_scale.exp()));
        }
        k = next;
    }
    None
}

/// A distribution of milliseconds with estimated parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted {
    /// Lognormal.
    Lognormal {
        /// Mean of the logarithm of milliseconds.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Mean, in milliseconds.
        mean: f64,
        /// Shape.
        shape: f64,
    },
    /// Weibull.
    Weibull {
        /// Scale, in milliseconds.
        scale: f64,
        /// Shape.
        shape: f64,
    },
    /// Exponential.
    Exponential {
        /// Mean, in milliseconds.
        mean: f64,
    },
}

/// An estimated parameter with half its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Name with its unit, if it has one.
    pub name: &'static str,
    /// The estimate.
    pub value: f64,
    /// From the Fisher information: right for many observations.
    pub half_width: f64,
}

impl Fitted {
    /// Its family.
    pub fn family(&self) -> Family {
        match self {
            Fitted::Lognormal { .. } => Family::Lognormal,
            Fitted::Gamma { .. } => Family::Gamma,
            Fitted::Weibull { .. } => Family::Weibull,
            Fitted::Exponential { .. } => Family::Exponential,
        }
    }

    /// The parameters as estimated from `n` values, with [`CONFIDENCE`] half-widths from the
    /// inverse of the Fisher information (Johnson, Kotz and Balakrishnan, "Continuous Univariate
    /// Distributions" I, 1994: lognormal 14.4, gamma 17.7, Weibull 21.4, exponential 19.7).
    pub fn estimates(&self, n: usize) -> Vec<Parameter> {
        let z = Normal::standard().inverse_cdf(0.5 + CONFIDENCE / 2.0);
        let root = (n as f64).sqrt();
        let parameter = |name, value: f64, sd: f64| Parameter {
            name,
            value,
            half_width: z * sd / root,
        };
        match *self {
            Fitted::Lognormal { mu, sigma } => vec![
                parameter("median_ms", mu.exp(), mu.exp() * sigma),
                parameter("sigma", sigma, sigma / 2.0_f64.sqrt()),
            ],
            Fitted::Gamma { mean, shape } => vec![
                parameter("mean_ms", mean, mean / shape.sqrt()),
                parameter("shape", shape, (trigamma(shape) - 1.0 / shape).powf(-0.5)),
            ],
            Fitted::Weibull { scale, shape } => {
                let euler = 0.577_215_664_901_532_9_f64;
                let c = 6.0 / std::f64::consts::PI.powi(2);
                let scale_sd = (1.0 + c * (1.0 - euler).powi(2)).sqrt() * scale / shape;
                vec![
                    parameter("scale_ms", scale, scale_sd),
                    parameter("shape", shape, c.sqrt() * shape),
                ]
            }
            Fitted::Exponential { mean } => vec![parameter("mean_ms", mean, mean)],
        }
    }

    /// The logarithm of the likelihood of the values.
    pub fn log_likelihood(&self, values: &[f64]) -> f64 {
        fn sum(d: &impl Continuous<f64, f64>, values: &[f64]) -> f64 {
            values.iter().map(|v| d.ln_pdf(*v)).sum()
        }
        match self.as_statrs() {
            Known::Lognormal(d) => sum(&d, values),
            Known::Gamma(d) => sum(&d, values),
            Known::Weibull(d) => sum(&d, values),
            // The library puts zero outside the support.
            Known::Exponential(mean) => {
                -(values.len() as f64) * f64::ln(mean) - values.iter().sum::<f64>() / mean
            }
        }
    }

    /// The share of values of at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        match self.as_statrs() {
            Known::Lognormal(d) => d.cdf(x),
            Known::Gamma(d) => d.cdf(x),
            Known::Weibull(d) => d.cdf(x),
            Known::Exponential(mean) => -(-x / mean).exp_m1(),
        }
    }

    /// The value below which a share `p` lies.
    pub fn quantile(&self, p: f64) -> f64 {
        match self.as_statrs() {
            Known::Lognormal(d) => d.inverse_cdf(p),
            Known::Gamma(d) => d.inverse_cdf(p),
            Known::Weibull(d) => d.inverse_cdf(p),
            Known::Exponential(mean) => -mean * (-p).ln_1p(),
        }
    }

    /// `n` random values.
    pub fn draw(&self, n: usize, rng: &mut StreamRng) -> Vec<f64> {
        let expect = "parameters of an estimate are positive";
        match *self {
            Fitted::Lognormal { mu, sigma } => {
                let d = rand_distr::LogNormal::new(mu, sigma).expect(expect);
                (0..n).map(|_| d.sample(rng)).collect()
            }
            Fitted::Gamma { mean, shape } => {
                let d = rand_distr::Gamma::new(shape, mean / shape).expect(expect);
                (0..n).map(|_| d.sample(rng)).collect()
            }
            Fitted::Weibull { scale, shape } => {
                let d = rand_distr::Weibull::new(scale, shape).expect(expect);
                (0..n).map(|_| d.sample(rng)).collect()
            }
            Fitted::Exponential { mean } => {
                let d = rand_distr::Exp::new(1.0 / mean).expect(expect);
                (0..n).map(|_| d.sample(rng)).collect()
            }
        }
    }

    /// As model files have it, to the nanosecond.
    pub fn dist(&self) -> Dist {
        let ms = |v: f64| Duration::from_nanos((v * 1e6).round() as u64);
        match *self {
            Fitted::Lognormal { mu, sigma } => Dist::Lognormal {
                median: ms(mu.exp()),
                p99: ms((mu + Z99 * sigma).exp()),
            },
            Fitted::Gamma { mean, shape } => Dist::Gamma {
                mean: ms(mean),
                shape,
            },
            Fitted::Weibull { scale, shape } => Dist::Weibull {
                scale: ms(scale),
                shape,
            },
            Fitted::Exponential { mean } => Dist::Exponential { mean: ms(mean) },
        }
    }

    fn as_statrs(&self) -> Known {
        let expect = "parameters of an estimate are positive";
        match *self {
            Fitted::Lognormal { mu, sigma } => {
                Known::Lognormal(LogNormal::new(mu, sigma).expect(expect))
            }
            Fitted::Gamma { mean, shape } => {
                Known::Gamma(Gamma::new(shape, shape / mean).expect(expect))
            }
            Fitted::Weibull { scale, shape } => {
                Known::Weibull(Weibull::new(shape, scale).expect(expect))
            }
            Fitted::Exponential { mean } => Known::Exponential(mean),
        }
    }
}

enum Known {
    Lognormal(LogNormal),
    Gamma(Gamma),
    Weibull(Weibull),
    Exponential(f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;

    fn truths() -> Vec<Fitted> {
        vec![
            Fitted::Lognormal {
                mu: 3.0,
                sigma: 0.9,
            },
            Fitted::Lognormal {
                mu: -2.0,
                sigma: 0.05,
            },
            Fitted::Gamma {
                mean: 40.0,
                shape: 0.4,
            },
            Fitted::Gamma {
                mean: 5.0,
                shape: 30.0,
            },
            Fitted::Weibull {
                scale: 12.0,
                shape: 0.6,
            },
            Fitted::Weibull {
                scale: 900.0,
                shape: 8.0,
            },
            Fitted::Exponential { mean: 250.0 },
        ]
    }

    /// Over 40 samples of 2,000 values: each estimate lies within five standard errors (from the
    /// Fisher information) of the truth, and the 95% interval holds the truth as often as it says,
    /// within four binomial standard deviations.
    #[test]
    fn estimates_recover_the_parameters_within_their_errors() {
        let (n, samples) = (2_000, 40);
        for (i, truth) in truths().iter().enumerate() {
            let expected = truth.estimates(n);
            let mut held = vec![0.0; expected.len()];
            for seed in 0..samples {
                let mut rng = Streams::new(seed, i as u64).stream("fit");
                let fitted = truth.family().fit(&truth.draw(n, &mut rng)).unwrap();
                for (j, (e, t)) in fitted.estimates(n).iter().zip(&expected).enumerate() {
                    let off = (e.value - t.value).abs();
                    assert!(off < 5.0 / 1.96 * t.half_width, "{truth:?}: {e:?}");
                    held[j] += f64::from(off <= e.half_width);
                }
            }
            for h in held {
                let sd = (samples as f64 * 0.95 * 0.05).sqrt();
                assert!(
                    (h - 0.95 * samples as f64).abs() <= 4.0 * sd,
                    "{truth:?}: {h}"
                );
            }
        }
    }

    /// An estimate is where the likelihood is greatest: any step away lowers it.
    #[test]
    fn no_neighbour_is_more_likely() {
        for (i, truth) in truths().iter().enumerate() {
            let mut rng = Streams::new(5, i as u64).stream("fit");
            let values = truth.draw(500, &mut rng);
            let best = truth.family().fit(&values).unwrap();
            let top = best.log_likelihood(&values);
            for (da, db) in [(1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99)] {
                let other = match best {
                    Fitted::Lognormal { mu, sigma } => Fitted::Lognormal {
                        mu: mu * da,
                        sigma: sigma * db,
                    },
                    Fitted::Gamma { mean, shape } => Fitted::Gamma {
                        mean: mean * da,
                        shape: shape * db,
                    },
                    Fitted::Weibull { scale, shape } => Fitted::Weibull {
                        scale: scale * da,
                        shape: shape * db,
                    },
                    Fitted::Exponential { mean } => Fitted::Exponential {
                        mean: mean * da * db,
                    },
                };
                assert!(other.log_likelihood(&values) < top, "{best:?} {other:?}");
            }
        }
    }

    /// The model file's distribution has the same quantiles, but for the rounding to nanoseconds.
    #[test]
    fn the_model_has_the_same_quantiles() {
        for truth in truths() {
            let dist = truth.dist();
            dist.validate().unwrap();
            for p in [0.01, 0.5, 0.99, 0.9999] {
                let q = truth.quantile(p);
                assert!((truth.cdf(q) - p).abs() < 1e-6, "{truth:?} at {p}");
                assert!((dist.cdf(q) - p).abs() < 1e-4, "{truth:?} at {p}");
            }
        }
    }

    #[test]
    fn what_has_no_estimate_gives_none() {
        for family in Family::ALL {
            assert_eq!(family.fit(&[0.0, 0.0]), None);
            let constant = family.fit(&[5.0, 5.0, 5.0]);
            let zero = family.fit(&[0.0, 1.0, 2.0]);
            let exponential = family == Family::Exponential;
            assert_eq!(
                (constant.is_some(), zero.is_some()),
                (exponential, exponential)
            );
        }
    }
}
