//! How sure a fitted factor is: how it would have been, had the days or the random numbers been others.
//!
//! The factor is fitted anew to each whole day, and to each replication of the simulations by itself, between the
//! points that the search has simulated. Days that differ among themselves, and replications that do, make the
//! interval wide. A day is taken with all its meters, as these go up and down together.

use super::project::log_ratio;
use crate::study::stats::t_quantile;

/// A point of the search.
pub(super) struct Tried {
    /// Logarithm of the factor.
    pub log: f64,
    /// What a day uses, by replication and meter.
    pub each: Vec<Vec<f64>>,
}

/// The points of a search, with what they were fitted to.
pub(super) struct Certainty {
    actual: Vec<f64>,
    tried: Vec<Tried>,
}

impl Certainty {
    pub(super) fn new(actual: Vec<f64>, mut tried: Vec<Tried>) -> Self {
        tried.sort_by(|a, b| a.log.total_cmp(&b.log));
        // Whole numbers make one point of several.
        tried.dedup_by(|a, b| (a.log - b.log).abs() < 1e-9);
        Certainty { actual, tried }
    }

    /// The 95% interval around a fitted factor; none from fewer than two days.
    pub(super) fn interval(&self, factor: f64, days: &[Vec<f64>]) -> Option<(f64, f64)> {
        let n = days.len();
        if n < 2 {
            return None;
        }
        let of_days: Vec<f64> = days.iter().map(|day| self.fit(day, None)).collect();
        let replications = self.tried.first()?.each.len();
        let of_replications = (0..replications).map(|r| self.fit(&self.actual, Some(r)));
        let of_replications: Vec<f64> = of_replications.collect();
        let error = (variance_of_mean(&of_days) + variance_of_mean(&of_replications)).sqrt();
        let half = t_quantile(n - 1) * error;
        Some((factor * (-half).exp(), factor * half.exp()))
    }

    /// The logarithm of the factor that explains a use best: the lowest point of the parabola through the best of
    /// the points and its neighbours. Of one replication, or of the mean of all.
    fn fit(&self, used: &[f64], replication: Option<usize>) -> f64 {
        let squares: Vec<f64> = self
            .tried
            .iter()
            .map(|t| {
                let projected = |m: usize| match replication {
                    Some(r) => t.each[r][m],
                    None => t.each.iter().map(|e| e[m]).sum::<f64>() / t.each.len() as f64,
                };
                let all = used.iter().enumerate();
                all.map(|(m, used)| log_ratio(projected(m), *used).powi(2))
                    .sum()
            })
            .collect();
        let mut best = 0;
        for (i, s) in squares.iter().enumerate() {
            if *s < squares[best] {
                best = i;
            }
        }
        let x = |i: usize| self.tried[i].log;
        if best == 0 || best + 1 == squares.len() {
            return x(best);
        }
        let (a, b, c) = (x(best - 1), x(best), x(best + 1));
        let (left, right) = ((b - a), (b - c));
        let (to_c, to_a) = (
            squares[best] - squares[best + 1],
            squares[best] - squares[best - 1],
        );
        let below = left * to_c - right * to_a;
        if below == 0.0 {
            return b;
        }
        let lowest = b - (left * left * to_c - right * right * to_a) / (2.0 * below);
        lowest.clamp(a, c)
    }
}

fn variance_of_mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    squares / (n - 1.0) / n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Use that is proportional to the factor, in two replications that differ by twice `apart`.
    fn proportional(apart: f64) -> Certainty {
        let tried = (-20..=20).map(|i| {
            let log = f64::from(i) / 10.0;
            let day = |shift: f64| vec![1e6 * (log + shift).exp(), 2e6 * (log + shift).exp()];
            Tried {
                log,
                each: vec![day(apart), day(-apart)],
            }
        });
        Certainty::new(vec![3e6, 6e6], tried.collect())
    }

    fn day(factor: f64) -> Vec<f64> {
        vec![1e6 * factor, 2e6 * factor]
    }

    #[test]
    fn the_interval_is_that_of_the_days_fitted_one_by_one() {
        let c = proportional(0.0);
        assert_eq!(c.interval(3.0, &[day(3.0)]), None);
        let (low, high) = c.interval(3.0, &[day(3.0), day(3.0)]).unwrap();
        assert!((low / 3.0 - 1.0).abs() < 1e-3 && (high / 3.0 - 1.0).abs() < 1e-3);
        // Logarithms 0.1 to both sides: their mean has the error 0.1, and t with one degree is 12.7.
        let e = 0.1_f64.exp();
        let (low, high) = c.interval(3.0, &[day(3.0 * e), day(3.0 / e)]).unwrap();
        assert!(((high / 3.0).ln() - 1.27).abs() < 0.01, "{high}");
        assert!(((low / 3.0).ln() + 1.27).abs() < 0.01, "{low}");
    }

    #[test]
    fn replications_that_differ_make_it_wider() {
        let days = [day(3.0), day(3.0), day(3.0)];
        let (low, high) = proportional(0.05).interval(3.0, &days).unwrap();
        // The mean of two that differ by 0.1 has the error 0.05; t with two degrees is 4.30.
        assert!(
            ((high / low).ln() - 2.0 * 4.30 * 0.05).abs() < 0.02,
            "{low} {high}"
        );
    }
}
