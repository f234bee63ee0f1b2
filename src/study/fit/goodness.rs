//! How well a distribution fits.

use super::family::{Family, Fitted};
use crate::sim::random::Streams;
use crate::study::replicate;

/// The Kolmogorov-Smirnov distance of sorted values from a distribution.
pub(crate) fn ks_distance(sorted: &[f64], fitted: &Fitted) -> f64 {
    let n = sorted.len() as f64;
    sorted.iter().enumerate().fold(0.0_f64, |d, (i, x)| {
        let f = fitted.cdf(*x);
        d.max(f - i as f64 / n).max((i + 1) as f64 / n - f)
    })
}

/// Samples drawn for a p-value, and the most values in each.
pub(crate) const BOOTSTRAPS: usize = 499;
const MOST_VALUES: usize = 2_000;

/// The chance of a distance as large as `distance` if the `n` values came from the family: the
/// share of samples drawn from the fitted distribution, with the family fitted to each anew, that
/// are as far from their own fit (parametric bootstrap; the usual tables would be too kind, because
/// the parameters come from the same values). Of large samples, smaller ones stand in, compared
/// by Stephens' scaled distance (1970), whose law all but ignores the size.
pub(crate) fn bootstrap_p(
    fitted: &Fitted,
    n: usize,
    distance: f64,
    samples: usize,
    seed: u64,
) -> f64 {
    let m = n.min(MOST_VALUES);
    let scaled = |d: f64, n: usize| {
        let root = (n as f64).sqrt();
        d * (root + 0.12 + 0.11 / root)
    };
    let observed = scaled(distance, n);
    let family: Family = fitted.family();
    let streams = Streams::new(seed, 0);
    let as_far = replicate::map(0..samples, |i| {
        let mut rng = streams.stream(&format!("fit.{}.{i}", family.name()));
        let mut values = fitted.draw(m, &mut rng);
        values.sort_by(f64::total_cmp);
        family
            .fit(&values)
            .is_some_and(|refitted| scaled(ks_distance(&values, &refitted), m) >= observed)
    });
    (1 + as_far.into_iter().filter(|far| *far).count()) as f64 / (samples + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under the null hypothesis p-values are uniform: of 300 samples the shares at most 5%, 20%
    /// and 50% are those within four binomial standard deviations. The families are of location
    /// and scale in the logarithm, so that the bootstrap is exact.
    #[test]
    fn p_values_are_uniform_if_the_family_is_right() {
        let trials = 300;
        for (i, truth) in [
            Fitted::Lognormal {
                mu: 1.0,
                sigma: 0.7,
            },
            Fitted::Weibull {
                scale: 20.0,
                shape: 1.5,
            },
            Fitted::Exponential { mean: 3.0 },
        ]
        .iter()
        .enumerate()
        {
            let p: Vec<f64> = (0..trials)
                .map(|seed| {
                    let mut rng = Streams::new(seed, i as u64).stream("null");
                    let mut values = truth.draw(60, &mut rng);
                    values.sort_by(f64::total_cmp);
                    let fitted = truth.family().fit(&values).unwrap();
                    let d = ks_distance(&values, &fitted);
                    bootstrap_p(&fitted, values.len(), d, 99, 1_000 + seed)
                })
                .collect();
            for level in [0.05, 0.2, 0.5] {
                let share = p.iter().filter(|p| **p <= level).count() as f64 / trials as f64;
                let sd = (level * (1.0 - level) / trials as f64).sqrt();
                assert!(
                    (share - level).abs() < 4.0 * sd,
                    "{truth:?}: {share} at {level}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_family_is_found_out() {
        let truth = Fitted::Lognormal {
            mu: 1.0,
            sigma: 1.2,
        };
        let mut values = truth.draw(1_000, &mut Streams::new(3, 0).stream("wrong"));
        values.sort_by(f64::total_cmp);
        for family in [Family::Gamma, Family::Weibull, Family::Exponential] {
            let fitted = family.fit(&values).unwrap();
            let p = bootstrap_p(&fitted, 1_000, ks_distance(&values, &fitted), 99, 1);
            assert_eq!(p, 0.01, "{family:?}");
        }
    }

    /// By hand: three values against the exponential distribution of mean 1.
    #[test]
    fn the_distance_is_the_largest_gap() {
        let d = ks_distance(&[0.1, 0.2, 3.0], &Fitted::Exponential { mean: 1.0 });
        // Between the second and the third value: 1 - e^-3 - 2/3 = 0.2835; after the second:
        // 2/3 - (1 - e^-0.2) = 0.4854.
        assert!((d - 0.485_397).abs() < 1e-5, "{d}");
    }
}
