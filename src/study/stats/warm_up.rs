//! Where the warm-up of a series ends.

/// Observations that are averaged into one before the search.
const BATCH: usize = 5;

/// MSER-5: the number of observations to cut from the beginning, a multiple of five, that gives
/// the least standard error of the mean of the rest. `None` if that is more than half
/// of them: then the series is too short to tell. NaN counts as the observation before it.
///
/// Source: White, "An effective truncation heuristic for bias reduction in simulation output",
/// Simulation 69 (1997); White, Cobb and Spratt, "A comparison of five steady-state truncation
/// heuristics for simulation", WSC 2000.
pub fn mser5(series: &[f64]) -> Option<usize> {
    let mut last = series.iter().copied().find(|v| !v.is_nan())?;
    let filled: Vec<f64> = series
        .iter()
        .map(|v| {
            if !v.is_nan() {
                last = *v;
            }
            last
        })
        .collect();
    let means: Vec<f64> = filled
        .chunks_exact(BATCH)
        .map(|b| b.iter().sum::<f64>() / BATCH as f64)
        .collect();
    if means.len() < 2 {
        return None;
    }
    let statistic = |cut: usize| {
        let rest = &means[cut..];
        let n = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / n;
        rest.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * n)
    };
    // The last few batches would win by chance: their squares are few.
    let cuts = 0..means.len().saturating_sub(4).max(1);
    let best = cuts.min_by(|a, b| statistic(*a).total_cmp(&statistic(*b)))?;
    (best <= means.len() / 2).then_some(best * BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;
    use rand_distr::{Distribution, StandardNormal};

    /// An autoregressive series (0.5) about 10 with a start that decays.
    fn series(n: usize, bias: f64, decay: f64, seed: u64) -> Vec<f64> {
        let mut rng = Streams::new(seed, 0).stream("series");
        let mut x = 0.0;
        (0..n)
            .map(|i| {
                let z: f64 = StandardNormal.sample(&mut rng);
                x = 0.5 * x + z;
                10.0 + x + bias * (-(i as f64) / decay).exp()
            })
            .collect()
    }

    #[test]
    fn a_transient_is_cut_and_a_steady_series_is_left_alone() {
        for seed in 0..20 {
            // The start is 40 standard deviations off and sinks into the noise after 4 * 30.
            let cut = mser5(&series(1_000, 40.0, 30.0, seed)).unwrap();
            assert!((60..=250).contains(&cut), "{cut}");
        }
        let cuts = (0..20).map(|seed| mser5(&series(1_000, 0.0, 1.0, seed)).unwrap_or(500));
        // By chance it cuts a little now and then, seldom much.
        let small = cuts.filter(|c| *c <= 100).count();
        assert!(small >= 14, "{small} of 20");
    }

    #[test]
    fn what_never_settles_is_said_to_be_too_short() {
        let rising: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(mser5(&rising), None);
        assert_eq!(mser5(&[f64::NAN; 50]), None);
        assert_eq!(mser5(&[1.0; 3]), None);
        assert_eq!(mser5(&[1.0; 50]), Some(0));
    }
}
