//! Distributions of durations, as scenario files write them.

use crate::models::FieldError;
use crate::models::quantity::{self, Probability};
use crate::sim::random::StreamRng;
use crate::telemetry::field::within;
use crate::units::{Timestamp, whole_nanos};
use rand::RngExt;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal, Weibull};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Gamma as GammaCdf, Normal};
use std::time::Duration;

/// A distribution of durations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Dist {
    /// Always the same.
    Constant {
        /// The duration that always comes.
        #[serde(with = "quantity::duration")]
        value: Duration,
    },
    /// Evenly between two bounds.
    Uniform {
        /// The shortest.
        #[serde(with = "quantity::duration")]
        low: Duration,
        /// The longest.
        #[serde(with = "quantity::duration")]
        high: Duration,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        #[serde(with = "quantity::duration")]
        mean: Duration,
    },
    /// Lognormal, given by its median and its 99th percentile.
    Lognormal {
        /// The median.
        #[serde(with = "quantity::duration")]
        median: Duration,
        /// The 99th percentile.
        #[serde(with = "quantity::duration")]
        p99: Duration,
    },
    /// Gamma with the given mean; shape 1 is the exponential distribution.
    Gamma {
        /// The mean.
        #[serde(with = "quantity::duration")]
        mean: Duration,
        /// The shape `k`; below 1, the tail is heavier than exponential.
        shape: f64,
    },
    /// Weibull; shape 1 is the exponential distribution.
    Weibull {
        /// The scale `lambda`: 63.2% are shorter.
        #[serde(with = "quantity::duration")]
        scale: Duration,
        /// The shape `k`; below 1, the tail is heavier than exponential.
        shape: f64,
    },
    /// Observed values, each as likely as any other.
    Empirical(Empirical),
    /// One of several distributions, chosen by weight.
    Mixture {
        /// The parts, whose shares add up to 1.
        parts: Vec<Part>,
    },
}

/// Observed durations, listed or in a CSV file with a column `latency_ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empirical {
    /// The values in milliseconds.
    #[serde(default)]
    pub values_ms: Vec<f64>,
    /// A CSV file to read them from, relative to the file that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<String>,
    /// When each was observed, rising: then one of those nearest in time is drawn, so that what was slow
    /// together stays so. Empty if each is as likely at any time. No part of a model file.
    #[serde(skip)]
    pub observed_at: Vec<Timestamp>,
}

/// A part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How often a duration is of this part.
    pub share: Probability,
    /// The distribution of the part.
    pub dist: Dist,
}

/// The 99th percentile of the standard normal distribution.
pub const Z99: f64 = 2.326_347_874_040_841;

impl Dist {
    /// Checks what the types cannot.
    pub fn validate(&self) -> Result<(), FieldError> {
        let fail = |field: &str, message: String| Err(FieldError::new(field, message));
        match self {
            Dist::Constant { .. } | Dist::Exponential { .. } => Ok(()),
            Dist::Uniform { low, high } if low > high => fail(
                "low",
                format!(
                    "found {}, expected no more than high = {}",
                    quantity::format_duration(*low),
                    quantity::format_duration(*high)
                ),
            ),
            Dist::Uniform { .. } => Ok(()),
            Dist::Lognormal { median, p99 } => {
                if median.is_zero() || p99 < median {
                    return fail(
                        "p99",
                        format!(
                            "found {}, expected at least the median, which is above 0",
                            quantity::format_duration(*p99)
                        ),
                    );
                }
                Ok(())
            }
            Dist::Gamma { shape, .. } | Dist::Weibull { shape, .. } => {
                let reason = "outside of it a duration is next to nothing or without end";
                within("shape", *shape, 0.05, 1e4, reason)
            }
            Dist::Empirical(e) => {
                if e.values_ms.is_empty() && e.csv.is_none() {
                    return fail("values_ms", "found no values, expected at least one".into());
                }
                let day = "no more than a day";
                let mut values = e.values_ms.iter();
                values.try_for_each(|v| within("values_ms", *v, 0.0, 86_400_000.0, day))
            }
            Dist::Mixture { parts } => {
                let sum: f64 = parts.iter().map(|p| p.share.get()).sum();
                if (sum - 1.0).abs() > 1e-9 {
                    return fail(
                        "parts",
                        format!("found shares that add up to {sum}, expected 1"),
                    );
                }
                for (i, p) in parts.iter().enumerate() {
                    p.dist
                        .validate()
                        .map_err(|e| e.within(&format!("parts[{i}].dist")))?;
                }
                Ok(())
            }
        }
    }

    /// What draws from this distribution, which must be valid and have its CSV read in.
    pub fn sampler(&self) -> Sampler {
        Sampler::new(self)
    }

    /// The mean in milliseconds.
    pub fn mean_ms(&self) -> f64 {
        match self {
            Dist::Constant { value } => ms(*value),
            Dist::Uniform { low, high } => (ms(*low) + ms(*high)) / 2.0,
            Dist::Exponential { mean } | Dist::Gamma { mean, .. } => ms(*mean),
            Dist::Lognormal { median, .. } => ms(*median) * (self.sigma().powi(2) / 2.0).exp(),
            Dist::Weibull { scale, shape } => {
                ms(*scale) * statrs::function::gamma::gamma(1.0 + 1.0 / shape)
            }
            Dist::Empirical(e) => e.values_ms.iter().sum::<f64>() / e.values_ms.len() as f64,
            Dist::Mixture { parts } => parts.iter().map(|p| p.share.get() * p.dist.mean_ms()).sum(),
        }
    }

    /// The share of durations of at most `t_ms` milliseconds.
    pub fn cdf(&self, t_ms: f64) -> f64 {
        if t_ms < 0.0 {
            return 0.0;
        }
        match self {
            Dist::Constant { value } => f64::from(t_ms >= ms(*value)),
            Dist::Uniform { low, high } => {
                let (low, high) = (ms(*low), ms(*high));
                if t_ms >= high {
                    1.0
                } else {
                    ((t_ms - low) / (high - low)).max(0.0)
                }
            }
            Dist::Exponential { mean } => -(-t_ms / ms(*mean)).exp_m1(),
            Dist::Lognormal { median, .. } => {
                let sigma = self.sigma();
                if sigma == 0.0 {
                    return f64::from(t_ms >= ms(*median));
                }
                Normal::standard().cdf((t_ms / ms(*median)).ln() / sigma)
            }
            Dist::Gamma { mean, shape } => {
                GammaCdf::new(*shape, shape / ms(*mean)).map_or(1.0, |g| g.cdf(t_ms))
            }
            Dist::Weibull { scale, shape } => -(-(t_ms / ms(*scale)).powf(*shape)).exp_m1(),
            Dist::Empirical(e) => {
                e.values_ms.iter().filter(|v| **v <= t_ms).count() as f64 / e.values_ms.len() as f64
            }
            Dist::Mixture { parts } => parts.iter().map(|p| p.share.get() * p.dist.cdf(t_ms)).sum(),
        }
    }

    /// The standard deviation of the logarithm of a lognormal distribution.
    fn sigma(&self) -> f64 {
        match self {
            Dist::Lognormal { median, p99 } => (ms(*p99) / ms(*median)).ln() / Z99,
            _ => 0.0,
        }
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Draws durations; made by [`Dist::sampler`].
#[derive(Debug, Clone)]
pub enum Sampler {
    /// Always the same.
    Constant(Duration),
    /// Even between two ends.
    Uniform {
        /// The shortest, in nanoseconds.
        low_ns: f64,
        /// Longest less shortest, in nanoseconds.
        width_ns: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean, in nanoseconds.
        mean_ns: f64,
    },
    /// Lognormal.
    Lognormal {
        /// Mean of the logarithm of nanoseconds.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma, in nanoseconds.
    Gamma(Gamma<f64>),
    /// Weibull, in nanoseconds.
    Weibull(Weibull<f64>),
    /// Observed durations, each as likely.
    Empirical(Vec<Duration>),
    /// Observed values with their times (see [`Empirical::observed_at`]).
    Observed(Vec<(Timestamp, Duration)>),
    /// Upper ends of the cumulative shares, with the parts.
    Mixture(Vec<(f64, Sampler)>),
}

impl Sampler {
    /// Always `value`.
    pub fn constant(value: Duration) -> Self {
        Sampler::Constant(value)
    }

    fn new(dist: &Dist) -> Self {
        let ns = |d: &Duration| d.as_nanos() as f64;
        match dist {
            Dist::Constant { value } => Sampler::Constant(*value),
            Dist::Uniform { low, high } => Sampler::Uniform {
                low_ns: ns(low),
                width_ns: ns(high) - ns(low),
            },
            Dist::Exponential { mean } => Sampler::Exponential { mean_ns: ns(mean) },
            Dist::Lognormal { median, .. } => Sampler::Lognormal {
                mu: ns(median).ln(),
                sigma: dist.sigma(),
            },
            Dist::Gamma { mean, shape } => match Gamma::new(*shape, ns(mean) / shape) {
                Ok(gamma) => Sampler::Gamma(gamma),
                Err(_) => Sampler::Constant(*mean),
            },
            Dist::Weibull { scale, shape } => match Weibull::new(ns(scale), *shape) {
                Ok(weibull) => Sampler::Weibull(weibull),
                Err(_) => Sampler::Constant(*scale),
            },
            Dist::Empirical(e) => {
                let ns = |v: &f64| Duration::from_nanos((v * 1e6).round() as u64);
                let values = e.values_ms.iter().map(ns);
                match e.observed_at.as_slice() {
                    [] => Sampler::Empirical(values.collect()),
                    at => Sampler::Observed(at.iter().copied().zip(values).collect()),
                }
            }
            Dist::Mixture { parts } => {
                let mut cumulative = 0.0;
                let parts = parts.iter().map(|p| {
                    cumulative += p.share.get();
                    (cumulative, p.dist.sampler())
                });
                Sampler::Mixture(parts.collect())
            }
        }
    }

    /// The next duration of what begins at `now`: of `n` observed values one of the nearest, which are one up
    /// to the root of `n`, mostly few.
    #[inline]
    pub fn sample_at(&self, now: Timestamp, rng: &mut StreamRng) -> Duration {
        let Sampler::Observed(all) = self else {
            return self.sample(rng);
        };
        let near = (all.len() as f64).powf(rng.random::<f64>() / 2.0);
        let near = near.ceil() as usize;
        let after = all.partition_point(|o| o.0 < now);
        let first = after.saturating_sub(near / 2).min(all.len() - near);
        all[first + rng.random_range(0..near)].1
    }

    /// The next duration.
    #[inline]
    pub fn sample(&self, rng: &mut StreamRng) -> Duration {
        let ns = match self {
            Sampler::Constant(value) => return *value,
            Sampler::Uniform { low_ns, width_ns } => low_ns + width_ns * rng.random::<f64>(),
            Sampler::Exponential { mean_ns } => mean_ns * Distribution::<f64>::sample(&Exp1, rng),
            Sampler::Lognormal { mu, sigma } => {
                let z: f64 = StandardNormal.sample(rng);
                (mu + sigma * z).exp()
            }
            Sampler::Gamma(gamma) => gamma.sample(rng),
            Sampler::Weibull(weibull) => weibull.sample(rng),
            Sampler::Empirical(values) => return values[rng.random_range(0..values.len())],
            Sampler::Observed(all) => return all[rng.random_range(0..all.len())].1,
            Sampler::Mixture(parts) => {
                let u: f64 = rng.random();
                let last = parts.len() - 1;
                let i = parts.iter().position(|(upto, _)| u < *upto).unwrap_or(last);
                return parts[i].1.sample(rng);
            }
        };
        Duration::from_nanos(whole_nanos(ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;

    fn every_kind() -> Vec<Dist> {
        let d = Duration::from_millis;
        vec![
            Dist::Uniform {
                low: d(5),
                high: d(25),
            },
            Dist::Exponential { mean: d(20) },
            Dist::Lognormal {
                median: d(10),
                p99: d(80),
            },
            Dist::Gamma {
                mean: d(12),
                shape: 2.5,
            },
            Dist::Weibull {
                scale: d(30),
                shape: 0.8,
            },
            Dist::Mixture {
                parts: vec![
                    Part {
                        share: Probability::new(0.25).unwrap(),
                        dist: Dist::Exponential { mean: d(1) },
                    },
                    Part {
                        share: Probability::new(0.75).unwrap(),
                        dist: Dist::Uniform {
                            low: d(50),
                            high: d(90),
                        },
                    },
                ],
            },
        ]
    }

    /// Kolmogorov-Smirnov at the 0.1% level, for each of six distributions with a fixed seed.
    #[test]
    fn observed_values_are_drawn_near_their_time() {
        let at = |i: u64| Timestamp::from_secs(1_000 + i);
        let all = (0..100).map(|i| (at(i), Duration::from_millis(i)));
        let sampler = Sampler::Observed(all.collect());
        let mut rng = Streams::new(1, 0).stream("observed");
        for (now, near) in [(0, 0..10), (50, 45..55), (500, 90..100)] {
            for _ in 0..100 {
                let ms = sampler.sample_at(at(now), &mut rng).as_millis();
                assert!(near.contains(&ms), "{now}: {ms}");
            }
        }
    }

    #[test]
    fn samples_follow_the_cdf() {
        let n = 20_000;
        for (i, dist) in every_kind().iter().enumerate() {
            let mut rng = Streams::new(7, i as u64).stream("dist");
            let sampler = dist.sampler();
            let mut x: Vec<f64> = (0..n).map(|_| ms(sampler.sample(&mut rng))).collect();
            x.sort_by(f64::total_cmp);
            let d = x.iter().enumerate().fold(0.0_f64, |d, (i, t)| {
                let f = dist.cdf(*t);
                d.max((f - i as f64 / n as f64).abs())
                    .max(((i + 1) as f64 / n as f64 - f).abs())
            });
            let critical = 1.949 / (n as f64).sqrt();
            assert!(d < critical, "{dist:?}: D = {d}, critical {critical}");
        }
    }

    /// The sample mean lies within four standard errors of the closed form.
    #[test]
    fn samples_have_the_mean() {
        let n = 50_000;
        for (i, dist) in every_kind().iter().enumerate() {
            let mut rng = Streams::new(8, i as u64).stream("dist");
            let sampler = dist.sampler();
            let x: Vec<f64> = (0..n).map(|_| ms(sampler.sample(&mut rng))).collect();
            let mean = x.iter().sum::<f64>() / n as f64;
            let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
            let bound = 4.0 * (var / n as f64).sqrt();
            assert!(
                (mean - dist.mean_ms()).abs() < bound,
                "{dist:?}: {mean} vs {}",
                dist.mean_ms()
            );
        }
    }

    #[test]
    fn empirical_values_come_back_equally_often() {
        let dist = Dist::Empirical(Empirical {
            values_ms: vec![1.0, 2.0, 4.0, 8.0],
            csv: None,
            observed_at: Vec::new(),
        });
        let mut rng = Streams::new(9, 0).stream("dist");
        let sampler = dist.sampler();
        let n = 40_000;
        let eights = (0..n)
            .filter(|_| sampler.sample(&mut rng) == Duration::from_millis(8))
            .count();
        // Binomial(n, 1/4), four standard deviations.
        assert!((eights as f64 - 10_000.0).abs() < 4.0 * (n as f64 * 0.1875).sqrt());
        assert_eq!(dist.cdf(4.0), 0.75);
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let d = Duration::from_millis;
        for dist in [
            Dist::Uniform {
                low: d(5),
                high: d(1),
            },
            Dist::Lognormal {
                median: d(10),
                p99: d(5),
            },
            Dist::Gamma {
                mean: d(5),
                shape: 0.0,
            },
            Dist::Weibull {
                scale: d(5),
                shape: f64::NAN,
            },
            Dist::Empirical(Empirical {
                values_ms: vec![],
                csv: None,
                observed_at: Vec::new(),
            }),
            Dist::Empirical(Empirical {
                values_ms: vec![-1.0],
                csv: None,
                observed_at: Vec::new(),
            }),
            Dist::Mixture { parts: vec![] },
        ] {
            assert!(dist.validate().is_err(), "{dist:?}");
        }
    }
}
