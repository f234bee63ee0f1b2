//! Distributions fitted to observed latencies.

use super::family::{Family, Fitted};
use super::goodness::{BOOTSTRAPS, bootstrap_p, ks_distance};
use crate::cloud::latency::LatencyProfile;
use crate::models::ValueError;
use crate::models::dist::{Dist, Empirical};
use crate::study::stats::CONFIDENCE;
use statrs::distribution::{Beta, ContinuousCDF};
use std::str::FromStr;

/// Observed latencies, and what fits them.
#[derive(Debug, Clone)]
pub struct LatencyFit {
    /// In milliseconds, from the least.
    pub values_ms: Vec<f64>,
    /// The families that could be fitted, the likeliest (by AIC) first.
    pub candidates: Vec<Candidate>,
}

/// A fitted distribution and how well it does.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The distribution with its parameters.
    pub fitted: Fitted,
    /// Logarithm of the likelihood of the values, in milliseconds.
    pub log_likelihood: f64,
    /// Akaike's information criterion, `2 k - 2 ln L`, and by how much it exceeds the best one.
    pub aic: f64,
    /// Akaike's criterion above that of the best candidate.
    pub delta_aic: f64,
    /// Kolmogorov-Smirnov distance, and its p-value by parametric bootstrap.
    pub ks_distance: f64,
    /// Probability of so large a Kolmogorov-Smirnov distance, were this the distribution.
    pub ks_p: f64,
    /// Quantiles of the values against those of the distribution.
    pub qq: Vec<QqPoint>,
}

/// A point of a quantile-quantile chart, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QqPoint {
    /// Quantile of the distribution.
    pub fitted: f64,
    /// Quantile of the values.
    pub observed: f64,
    /// Where the observed value would lie in [`CONFIDENCE`] of samples, pointwise.
    pub low: f64,
    /// Upper end of where the observed quantile is to be expected.
    pub high: f64,
}

impl LatencyFit {
    /// Fits every family. `seed` drives the bootstrap.
    ///
    /// # Errors
    /// If all values are the same: then there is no distribution.
    pub fn new(mut values_ms: Vec<f64>, seed: u64) -> Result<Self, ValueError> {
        values_ms.sort_by(f64::total_cmp);
        if let (Some(first), Some(last)) = (values_ms.first(), values_ms.last())
            && first == last
        {
            return Err(ValueError::new(format!(
                "found {} values that are all {first} ms, expected values that differ: a model file can say {{ kind = \"constant\", value = \"{first} ms\" }}",
                values_ms.len()
            )));
        }
        let n = values_ms.len();
        let mut candidates: Vec<Candidate> = Family::ALL
            .into_iter()
            .filter_map(|family| {
                let fitted = family.fit(&values_ms)?;
                let log_likelihood = fitted.log_likelihood(&values_ms);
                let distance = ks_distance(&values_ms, &fitted);
                Some(Candidate {
                    fitted,
                    log_likelihood,
                    aic: 2.0 * family.parameters() as f64 - 2.0 * log_likelihood,
                    delta_aic: 0.0,
                    ks_distance: distance,
                    ks_p: bootstrap_p(&fitted, n, distance, BOOTSTRAPS, seed),
                    qq: qq_points(&values_ms, &fitted),
                })
            })
            .collect();
        candidates.sort_by(|a, b| a.aic.total_cmp(&b.aic));
        let best = candidates.first().map_or(0.0, |c| c.aic);
        for c in &mut candidates {
            c.delta_aic = c.aic - best;
        }
        Ok(LatencyFit {
            values_ms,
            candidates,
        })
    }

    /// The quantile of the observed values (the least value that a share `p` of them does not
    /// exceed).
    pub fn quantile_ms(&self, p: f64) -> f64 {
        let n = self.values_ms.len();
        let rank = (p * n as f64).ceil().max(1.0) as usize;
        self.values_ms[rank.min(n) - 1]
    }

    /// The mean of the observed values.
    pub fn mean_ms(&self) -> f64 {
        self.values_ms.iter().sum::<f64>() / self.values_ms.len() as f64
    }

    /// The likeliest distribution for a model file, without the cost of judging how well it fits;
    /// a constant if all values are the same.
    pub fn likeliest(values_ms: &[f64]) -> Dist {
        let constant = |value: f64| Dist::Constant {
            value: std::time::Duration::from_nanos((value * 1e6).round() as u64),
        };
        let fits = Family::ALL.into_iter().filter_map(|f| {
            let fitted = f.fit(values_ms)?;
            let aic = 2.0 * f.parameters() as f64 - 2.0 * fitted.log_likelihood(values_ms);
            Some((aic, fitted))
        });
        let first = values_ms.first().copied().unwrap_or(0.0);
        if values_ms.iter().all(|v| *v == first) {
            return constant(first);
        }
        match fits.min_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, fitted)) => fitted.dist(),
            None => constant(first),
        }
    }
}

/// Most points in a quantile-quantile chart.
const POINTS: usize = 160;

/// The order statistics against the quantiles of the fit, at most [`POINTS`] of them: the extreme
/// ones all, the others evenly spaced. The band of the i-th of n values is that of a beta(i, n+1-i)
/// variable put through the quantile function.
fn qq_points(sorted: &[f64], fitted: &Fitted) -> Vec<QqPoint> {
    let n = sorted.len();
    let mut ranks: Vec<usize> = (1..=n.min(15))
        .chain(n.saturating_sub(24).max(1)..=n)
        .collect();
    ranks.extend((1..POINTS - 40).map(|i| 1 + i * (n - 1) / (POINTS - 40)));
    ranks.sort_unstable();
    ranks.dedup();
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let point = |i: usize| {
        let beta = Beta::new(i as f64, (n + 1 - i) as f64).ok()?;
        Some(QqPoint {
            fitted: fitted.quantile((i as f64 - 0.5) / n as f64),
            observed: sorted[i - 1],
            low: fitted.quantile(beta.inverse_cdf(tail)),
            high: fitted.quantile(beta.inverse_cdf(1.0 - tail)),
        })
    };
    ranks.into_iter().filter_map(point).collect()
}

/// An entry of a latency profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `read`.
    Read,
    /// `hot_read`.
    HotRead,
    /// `cold_read`.
    ColdRead,
    /// `object`.
    Object,
    /// `archive`.
    Archive,
    /// `write`.
    Write,
    /// `delete`.
    Delete,
    /// `list`.
    List,
}

impl Operation {
    /// All operations, in the order and with the names of a profile's fields.
    pub const ALL: [(Operation, &'static str); 8] = [
        (Operation::Read, "read"),
        (Operation::HotRead, "hot_read"),
        (Operation::ColdRead, "cold_read"),
        (Operation::Object, "object"),
        (Operation::Archive, "archive"),
        (Operation::Write, "write"),
        (Operation::Delete, "delete"),
        (Operation::List, "list"),
    ];

    /// Its field in a profile.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Its distribution in a profile.
    pub fn of(self, profile: &mut LatencyProfile) -> &mut Dist {
        match self {
            Operation::Read => &mut profile.read,
            Operation::HotRead => &mut profile.hot_read,
            Operation::ColdRead => &mut profile.cold_read,
            Operation::Object => &mut profile.object,
            Operation::Archive => &mut profile.archive,
            Operation::Write => &mut profile.write,
            Operation::Delete => &mut profile.delete,
            Operation::List => &mut profile.list,
        }
    }
}

impl FromStr for Operation {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let known = Self::ALL.iter().find(|o| o.1 == text);
        known.map(|o| o.0).ok_or_else(|| {
            let names = Self::ALL.map(|o| o.1).join(", ");
            ValueError::new(format!("found \"{text}\", expected one of: {names}"))
        })
    }
}

/// Which distribution goes into the model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The likeliest family.
    Best,
    /// The fitted distribution of this family.
    Family(Family),
    /// The observed values themselves.
    Empirical,
}

impl FromStr for Choice {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "best" => Ok(Choice::Best),
            "empirical" => Ok(Choice::Empirical),
            _ => {
                let family = Family::ALL.into_iter().find(|f| f.name() == text);
                family.map(Choice::Family).ok_or_else(|| {
                    ValueError::new(format!("found \"{text}\", expected best, empirical, lognormal, gamma, weibull or exponential"))
                })
            }
        }
    }
}

impl LatencyFit {
    /// The chosen distribution; `None` if that family could not be fitted. An empirical one names
    /// `values_csv`.
    pub fn chosen(&self, choice: Choice, values_csv: &str) -> Option<Dist> {
        let wanted = |family: Family| move |c: &&Candidate| c.fitted.family() == family;
        match choice {
            Choice::Best => self.candidates.first().map(|c| c.fitted.dist()),
            Choice::Family(f) => self
                .candidates
                .iter()
                .find(wanted(f))
                .map(|c| c.fitted.dist()),
            Choice::Empirical => Some(Dist::Empirical(Empirical {
                values_ms: Vec::new(),
                csv: Some(values_csv.to_owned()),
                observed_at: Vec::new(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;

    #[test]
    fn the_family_of_the_values_wins_and_is_not_rejected() {
        for (i, truth) in [
            Fitted::Lognormal {
                mu: 3.0,
                sigma: 0.8,
            },
            Fitted::Gamma {
                mean: 30.0,
                shape: 4.0,
            },
            Fitted::Weibull {
                scale: 30.0,
                shape: 3.0,
            },
        ]
        .iter()
        .enumerate()
        {
            let values = truth.draw(3_000, &mut Streams::new(11, i as u64).stream("values"));
            let fit = LatencyFit::new(values, 1).unwrap();
            let best = &fit.candidates[0];
            assert_eq!(best.fitted.family(), truth.family());
            assert_eq!(best.delta_aic, 0.0);
            assert!(best.ks_p > 0.01, "{best:?}");
            assert!(fit.candidates[1].delta_aic > 10.0);
            assert!(fit.candidates.iter().skip(1).all(|c| c.ks_p < 0.05));
            // Pointwise bands hold 95% of the points or so; the points are not independent, so
            // this is no test of the level, but most of them must lie inside.
            let inside = |q: &&QqPoint| q.low <= q.observed && q.observed <= q.high;
            let held = best.qq.iter().filter(inside).count() as f64 / best.qq.len() as f64;
            assert!(held > 0.8, "{held}");
            assert!(best.qq.len() <= POINTS);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sample() {
        let fit = LatencyFit::new(vec![4.0, 1.0, 3.0, 2.0], 1).unwrap();
        let q: Vec<f64> = [0.0, 0.25, 0.5, 0.51, 1.0]
            .iter()
            .map(|p| fit.quantile_ms(*p))
            .collect();
        assert_eq!(q, [1.0, 1.0, 2.0, 3.0, 4.0]);
        assert!(
            LatencyFit::new(vec![5.0, 5.0], 1)
                .unwrap_err()
                .to_string()
                .contains("all 5 ms")
        );
    }
}
