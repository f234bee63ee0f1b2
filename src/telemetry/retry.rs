//! Backoff between attempts.

use super::policy::{Backoff, RetryPolicy};
use rand::{Rng, RngExt};
use std::time::Duration;

impl RetryPolicy {
    /// The pause after `attempts` failed attempts; `None` if it is time to give up.
    pub fn pause_after(&self, attempts: u32, rng: &mut impl Rng) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(30);
        let doubled = self.base.saturating_mul(1 << doublings).min(self.cap);
        match self.backoff {
            Backoff::None => None,
            Backoff::Fixed => Some(self.base.min(self.cap)),
            Backoff::Exponential => Some(doubled),
            Backoff::ExponentialFullJitter => Some(doubled.mul_f64(rng.random())),
        }
    }
}

/// Mean number of attempts when each fails with probability `p` and `n` is the
/// limit: `(1 - p^n) / (1 - p)`, and `n` if all fail.
pub fn expected_attempts(p: f64, n: u32) -> f64 {
    if p >= 1.0 {
        f64::from(n)
    } else {
        (1.0 - p.powi(n as i32)) / (1.0 - p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn policy(backoff: Backoff) -> RetryPolicy {
        RetryPolicy {
            backoff,
            max_attempts: 5,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(3),
            budget: None,
        }
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_end_with_the_attempts() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let pauses = |backoff, rng: &mut _| -> Vec<_> {
            (1..=5)
                .map(|n| policy(backoff).pause_after(n, rng).map(|d| d.as_secs()))
                .collect()
        };
        assert_eq!(pauses(Backoff::None, &mut rng), [None; 5]);
        assert_eq!(
            pauses(Backoff::Fixed, &mut rng),
            [Some(1), Some(1), Some(1), Some(1), None]
        );
        assert_eq!(
            pauses(Backoff::Exponential, &mut rng),
            [Some(1), Some(2), Some(3), Some(3), None]
        );
    }

    /// Full jitter is uniform below the doubled pause: its mean is half of it.
    #[test]
    fn full_jitter_is_uniform() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let n = 20_000;
        let draws: Vec<f64> = (0..n)
            .map(|_| {
                policy(Backoff::ExponentialFullJitter)
                    .pause_after(2, &mut rng)
                    .unwrap()
                    .as_secs_f64()
            })
            .collect();
        assert!(draws.iter().all(|d| *d <= 2.0));
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        // Four standard errors of a uniform distribution on 0 to 2.
        assert!((mean - 1.0).abs() < 4.0 * (1.0 / 3.0_f64).sqrt() / f64::from(n).sqrt());
    }

    #[test]
    fn expected_attempts_adds_up_the_geometric_series() {
        assert_eq!(expected_attempts(0.0, 4), 1.0);
        assert_eq!(expected_attempts(1.0, 4), 4.0);
        assert!((expected_attempts(0.5, 3) - 1.75).abs() < 1e-12);
    }
}
