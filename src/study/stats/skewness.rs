//! Intervals around means of values with a long tail.
//!
//! Student's interval of few values that are skewed holds the mean less often than it says: an estimate that missed the rare
//! large values is too low and has a small spread as well. The leading term of the Edgeworth expansion of that error grows with the
//! square of the skewness over the number of values (Hall, "The Bootstrap and Edgeworth Expansion", 1992, 2.6). The
//! skewness of a small sample falls short of the population's, so that the term is taken several times.

use super::t_quantile;

/// By how much of (squared skewness) / n an interval is widened; found by experiment, see the test.
const WIDENING: f64 = 3.0;

/// How much further than Student's an interval around the mean of skewed values reaches.
pub(super) fn further(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let values = values.filter(|v| !v.is_nan());
    let n = values.clone().count() as f64;
    if n < 3.0 {
        return 0.0;
    }
    let mean = values.clone().sum::<f64>() / n;
    let moment = |power: i32| values.clone().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    let (second, third) = (moment(2), moment(3));
    if second <= 0.0 {
        return 0.0;
    }
    // Fisher's estimate of the skewness, and its variance where there is none (Joanes and Gill 1998).
    let skewness = third / second.powf(1.5) * (n * (n - 1.0)).sqrt() / (n - 2.0);
    let by_chance = 6.0 * n * (n - 1.0) / ((n - 2.0) * (n + 1.0) * (n + 3.0));
    let excess = (skewness.powi(2) - by_chance).max(0.0);
    let half_width = t_quantile(n as usize - 1) * (second / (n - 1.0)).sqrt();
    half_width * WIDENING * excess / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;
    use crate::study::stats::Estimate;
    use rand_distr::{Distribution, Gamma, StandardNormal};

    const EXPERIMENTS: u64 = 4_000;

    /// The share of experiments whose interval holds the mean, without the widening and with it, and how much
    /// wider that is.
    fn covered(
        n: usize,
        mean: f64,
        draw: impl Fn(&mut crate::sim::random::StreamRng) -> f64,
    ) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for experiment in 0..EXPERIMENTS {
            let mut rng = Streams::new(experiment, 0).stream("skewness");
            let values: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
            let e = Estimate::of(values.iter().copied());
            let wider = e.half_width + further(values.iter().copied());
            for (sum, half_width) in sums.iter_mut().zip([e.half_width, wider]) {
                *sum += f64::from(u8::from((e.mean - mean).abs() <= half_width));
            }
            sums[2] += wider / e.half_width;
        }
        sums.map(|s| s / EXPERIMENTS as f64)
    }

    /// The skewness of what isolates that come and go have stored is 1.8; that of a gamma distribution is 2 over the
    /// root of its shape.
    #[test]
    fn intervals_of_skewed_values_hold_the_mean_again() {
        let shape = (2.0_f64 / 1.8).powi(2);
        let gamma = Gamma::new(shape, 1.0).unwrap();
        let bound = |p: f64| 4.0 * (p * (1.0 - p) / EXPERIMENTS as f64).sqrt();
        for (n, least) in [(10, 0.93), (20, 0.945), (40, 0.945)] {
            let [plain, wider, _] = covered(n, shape, |rng| gamma.sample(rng));
            assert!(wider > least - bound(least), "{n}: {wider}");
            assert!(wider < 0.97, "{n}: {wider}");
            assert!(plain < wider - 0.01, "{n}: {plain}, {wider}");
        }
        let [_, wider, width] = covered(10, 0.0, |rng| StandardNormal.sample(rng));
        assert!((wider - 0.957).abs() < bound(0.957), "{wider}");
        assert!(width < 1.09, "{width}");
    }

    #[test]
    fn few_or_equal_values_tell_no_skewness() {
        let further = |values: &[f64]| further(values.iter().copied());
        assert_eq!(further(&[1.0, 5.0]), 0.0);
        assert_eq!(further(&[3.0; 5]), 0.0);
        assert_eq!(further(&[1.0, 2.0, 3.0, f64::NAN]), 0.0);
        // One of ten is 1, the others 0: the skewness is the root of 10, the standard error 0.1.
        let one_off: Vec<f64> = (0..10).map(|i| f64::from(u8::from(i == 0))).collect();
        let expected = 2.262_157 * 0.1 * 3.0 * (10.0 - 0.472_028) / 10.0;
        assert!(
            (further(&one_off) - expected).abs() < 1e-5,
            "{}",
            further(&one_off)
        );
    }
}
