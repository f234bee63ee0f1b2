//! Distributions from quantiles, where the values themselves are not to be had.

use crate::models::dist::{Dist, Part, Z99};
use crate::models::quantity::Probability;
use crate::study::fit::{Family, Fitted};
use std::time::Duration;

/// The quantiles that analytics give, with their names.
pub const LEVELS: [(f64, &str); 6] = [
    (0.25, "latencyMsP25"),
    (0.50, "latencyMsP50"),
    (0.75, "latencyMsP75"),
    (0.90, "latencyMsP90"),
    (0.99, "latencyMsP99"),
    (0.999, "latencyMsP999"),
];

/// The quantiles of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// At [`LEVELS`], ascending.
    pub at_ms: [f64; LEVELS.len()],
    /// What they are the quantiles of, and how many of those were looked at.
    pub requests: Option<f64>,
    /// One value in so many was kept, where the service says so.
    pub sampled: Option<f64>,
}

impl Quantiles {
    /// A distribution that has exactly these quantiles: even between neighbours, as wide below the
    /// first as up to the second, and nothing beyond the last.
    pub fn piecewise(&self) -> Dist {
        let q = &self.at_ms;
        let duration = |ms: f64| Duration::from_nanos((ms * 1e6).round() as u64);
        let mut low = (2.0 * q[0] - q[1]).max(0.0);
        let mut below = 0.0;
        let mut parts = Vec::new();
        for (ms, (level, _)) in q.iter().zip(LEVELS) {
            parts.extend(part(
                level - below,
                Dist::Uniform {
                    low: duration(low),
                    high: duration(*ms),
                },
            ));
            (low, below) = (*ms, level);
        }
        parts.extend(part(
            1.0 - below,
            Dist::Constant {
                value: duration(low),
            },
        ));
        Dist::Mixture { parts }
    }

    /// Those of several groups together: the quantiles of the mixture of their distributions, each with
    /// the weight of its requests. `None` if some group does not say how many it has.
    pub fn together(groups: &[Quantiles]) -> Option<Quantiles> {
        if let [one] = groups {
            return Some(one.clone());
        }
        let weights: Vec<f64> = groups.iter().map(|g| g.requests).collect::<Option<_>>()?;
        let all: f64 = weights.iter().sum();
        let dists: Vec<Dist> = groups.iter().map(Quantiles::piecewise).collect();
        let cdf = |ms: f64| -> f64 {
            let parts = dists.iter().zip(&weights);
            parts.map(|(d, w)| d.cdf(ms) * w / all).sum()
        };
        let most = groups.iter().map(|g| g.at_ms[LEVELS.len() - 1]);
        let most = most.fold(0.0, f64::max);
        let at_ms = LEVELS.map(|(level, _)| {
            let (mut low, mut high) = (0.0, most);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                if cdf(middle) < level {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            high
        });
        Some(Quantiles {
            at_ms,
            requests: Some(all),
            sampled: groups.iter().map(|g| g.sampled).sum(),
        })
    }
}

/// A part of a mixture; nothing of no share.
fn part(share: f64, dist: Dist) -> Option<Part> {
    // Differences of levels, without what subtraction leaves.
    let share = Probability::new((share * 1e9).round() / 1e9)?;
    Some(Part { share, dist })
}

/// A family fitted to quantiles.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileFit {
    /// The distribution.
    pub fitted: Fitted,
    /// How far the fitted quantile is off where it is off most, as a share of the measured one.
    pub worst_miss: f64,
    /// The level at which that is.
    pub worst_at: f64,
}

/// Families fitted to quantiles by least squares of the logarithms, the least worst miss first; none if a
/// quantile is 0, or all are the same.
pub(super) fn fit_quantiles(q: &Quantiles) -> Vec<QuantileFit> {
    let first = q.at_ms[0];
    if first <= 0.0 || q.at_ms.iter().all(|v| *v == first) {
        return Vec::new();
    }
    let logs = q.at_ms.map(f64::ln);
    let mut all: Vec<QuantileFit> = Family::ALL
        .into_iter()
        .map(|family| judge(best_of(family, &logs), q))
        .collect();
    all.sort_by(|a, b| a.worst_miss.total_cmp(&b.worst_miss));
    all
}

fn judge(fitted: Fitted, q: &Quantiles) -> QuantileFit {
    let misses = q.at_ms.iter().zip(LEVELS);
    let misses = misses.map(|(ms, (level, _))| ((fitted.quantile(level) / ms - 1.0).abs(), level));
    let (worst_miss, worst_at) = misses.fold((0.0, 0.0), |w, m| if m.0 > w.0 { m } else { w });
    QuantileFit {
        fitted,
        worst_miss,
        worst_at,
    }
}

/// The best of a family. The scale follows from the shape: it moves all logarithms alike.
fn best_of(family: Family, logs: &[f64; LEVELS.len()]) -> Fitted {
    let n = LEVELS.len() as f64;
    let shaped = |spread: f64| {
        let unit = of_spread(family, spread, 1.0);
        let off: Vec<f64> = logs
            .iter()
            .zip(LEVELS)
            .map(|(l, (level, _))| l - unit.quantile(level).ln())
            .collect();
        let shift = off.iter().sum::<f64>() / n;
        if !shift.is_finite() {
            // So wide that some of its quantiles are nothing: far from all that was measured.
            let middle = logs.iter().sum::<f64>() / n;
            return (f64::INFINITY, of_spread(family, spread, middle.exp()));
        }
        let squares: f64 = off.iter().map(|o| (o - shift).powi(2)).sum();
        (squares, of_spread(family, spread, shift.exp()))
    };
    if family == Family::Exponential {
        return shaped(1.0).1;
    }
    // The spread of the logarithms by the quartiles, and what lies around it.
    let start = ((logs[2] - logs[0]) / (2.0 * 0.674_49)).max(1e-3).ln();
    let (mut low, mut high) = (start - 3.0, start + 3.0);
    for _ in 0..80 {
        let (a, b) = (low + (high - low) * 0.382, low + (high - low) * 0.618);
        if shaped(a.exp()).0 <= shaped(b.exp()).0 {
            high = b;
        } else {
            low = a;
        }
    }
    shaped(((low + high) / 2.0).exp()).1
}

/// A member whose logarithms spread about so far.
fn of_spread(family: Family, spread: f64, scale: f64) -> Fitted {
    match family {
        Family::Lognormal => Fitted::Lognormal {
            mu: scale.ln(),
            sigma: spread,
        },
        Family::Gamma => Fitted::Gamma {
            mean: scale,
            shape: 1.0 / (spread * spread),
        },
        Family::Weibull => Fitted::Weibull {
            scale,
            shape: Z99 / spread / 2.0,
        },
        Family::Exponential => Fitted::Exponential { mean: scale },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a nanosecond to a day, with the step anywhere.
    #[test]
    fn quantiles_as_far_apart_as_can_be_are_fitted() {
        for step in 1..LEVELS.len() {
            let mut at_ms = [1e-6; LEVELS.len()];
            at_ms[step..].fill(86_400_000.0);
            let q = Quantiles {
                at_ms,
                requests: None,
                sampled: None,
            };
            let fits = fit_quantiles(&q);
            assert_eq!(fits.len(), Family::ALL.len());
            assert!(fits.iter().all(|f| !f.worst_miss.is_nan()), "{fits:?}");
        }
    }

    fn of(fitted: &Fitted) -> Quantiles {
        Quantiles {
            at_ms: LEVELS.map(|(level, _)| fitted.quantile(level)),
            requests: Some(1e4),
            sampled: Some(1e4),
        }
    }

    #[test]
    fn the_family_of_the_quantiles_is_found_with_its_parameters() {
        for truth in [
            Fitted::Lognormal {
                mu: 2.5,
                sigma: 0.7,
            },
            Fitted::Gamma {
                mean: 30.0,
                shape: 3.0,
            },
            Fitted::Weibull {
                scale: 12.0,
                shape: 0.8,
            },
            Fitted::Exponential { mean: 80.0 },
        ] {
            let best = &fit_quantiles(&of(&truth))[0];
            assert!(best.worst_miss < 1e-4, "{truth:?}: {best:?}");
            let exponential = matches!(truth, Fitted::Exponential { .. });
            assert!(
                exponential || best.fitted.family() == truth.family(),
                "{best:?}"
            );
        }
    }

    #[test]
    fn a_piecewise_distribution_has_the_quantiles() {
        let q = of(&Fitted::Lognormal {
            mu: 2.0,
            sigma: 1.0,
        });
        let dist = q.piecewise();
        dist.validate().unwrap();
        for (ms, (level, _)) in q.at_ms.iter().zip(LEVELS) {
            // To the nanosecond to which a model file has it.
            assert!(
                (dist.cdf(*ms + 1e-6) - level).abs() < 1e-3 + 1e-6 * f64::from(level == 0.999),
                "{level}"
            );
        }
    }

    /// Two groups of which one is far above the other: three quarters of the mixture are the first.
    #[test]
    fn groups_are_mixed_by_their_requests() {
        let with = |ms: f64, requests| Quantiles {
            at_ms: [ms, ms + 1.0, ms + 2.0, ms + 3.0, ms + 4.0, ms + 5.0],
            requests: Some(requests),
            sampled: Some(requests),
        };
        let mixed = Quantiles::together(&[with(10.0, 3e3), with(100.0, 1e3)]).unwrap();
        // The median of the mixture is the first group's 2/3 quantile; its 90th percentile the second's 0.6.
        assert!((mixed.at_ms[1] - (11.0 + (2.0 / 3.0 - 0.5) / 0.25)).abs() < 1e-6);
        assert!((mixed.at_ms[3] - (101.0 + 0.1 / 0.25)).abs() < 1e-6);
        assert_eq!(mixed.requests, Some(4e3));
        let unknown = Quantiles {
            requests: None,
            ..with(1.0, 1.0)
        };
        assert_eq!(Quantiles::together(&[unknown.clone(), unknown]), None);
    }
}
