//! Estimates of how often something happens, from what has happened lately.

use crate::units::Timestamp;
use std::time::Duration;

/// An exponentially weighted mean of the time between events.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateEstimate {
    last: Option<Timestamp>,
    mean_gap_s: Option<f64>,
}

/// Weight of the newest observation.
const WEIGHT: f64 = 0.2;

impl RateEstimate {
    /// Notes `events` at `now`, the last of those since the call before.
    pub fn note(&mut self, events: u64, now: Timestamp) {
        if let Some(last) = self.last.replace(now) {
            let gap = now.since(last).as_secs_f64() / events.max(1) as f64;
            let mean = self.mean_gap_s.unwrap_or(gap);
            self.mean_gap_s = Some(mean + WEIGHT * (gap - mean));
        }
    }

    /// Events to be expected in `span` from now on; none before two have been noted. A
    /// silence longer than the usual gap lowers the expectation.
    pub fn expected(&self, span: Duration, now: Timestamp) -> f64 {
        let (Some(last), Some(gap)) = (self.last, self.mean_gap_s) else {
            return 0.0;
        };
        span.as_secs_f64() / gap.max(now.since(last).as_secs_f64()).max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expectation_follows_the_rate_and_falls_in_silence() {
        let mut rate = RateEstimate::default();
        assert_eq!(
            rate.expected(Duration::from_secs(10), Timestamp::EPOCH),
            0.0
        );
        for s in 0..20 {
            rate.note(1, Timestamp::from_secs(2 * s));
        }
        let expected = |rate: &RateEstimate, now| {
            rate.expected(Duration::from_secs(10), Timestamp::from_secs(now))
        };
        assert!((expected(&rate, 38) - 5.0).abs() < 1e-9);
        assert!((expected(&rate, 48) - 1.0).abs() < 1e-9);
        // Ten events in one second bring the gap down from 2 s by a fifth of the difference.
        rate.note(10, Timestamp::from_secs(39));
        assert!((expected(&rate, 39) - 10.0 / (2.0 - 0.2 * 1.9)).abs() < 1e-9);
    }
}
