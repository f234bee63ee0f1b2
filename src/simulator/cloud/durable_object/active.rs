//! How long a Durable Object is active.

use crate::units::Timestamp;
use std::time::Duration;

/// Memory that is billed while a Durable Object is active, in MB, whatever it uses.
/// Source: <https://developers.cloudflare.com/durable-objects/platform/pricing/>
const OBJECT_MB: u128 = 128;

/// The time during which at least one request is active: the union of their intervals, not the sum.
/// Duration is billed in wall-clock time and shared by all requests that are active at once.
/// Source: <https://developers.cloudflare.com/durable-objects/platform/pricing/>
#[derive(Debug, Clone, Copy, Default)]
pub struct ActiveTime {
    total: Duration,
    last_start: Timestamp,
    until: Timestamp,
}

impl ActiveTime {
    /// Notes a request that is active from `start` to `end`. Requests come in the order in which
    /// they start, and one that starts in the future follows others without a gap.
    pub fn add(&mut self, start: Timestamp, end: Timestamp) {
        debug_assert!(self.last_start <= start && start <= end);
        self.last_start = start;
        self.total += end.since(start.max(self.until));
        self.until = self.until.max(end);
    }

    /// Active time up to `now`, the time of the last request or later.
    pub fn up_to(&self, now: Timestamp) -> Duration {
        self.total.saturating_sub(self.until.since(now))
    }

    /// What is billed for the active time up to `now`, in MB-milliseconds.
    pub fn mb_ms(&self, now: Timestamp) -> u128 {
        OBJECT_MB * self.up_to(now).as_nanos() / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;
    use rand_distr::{Distribution, Exp1};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000 * (1_000_000 + ms))
    }

    #[test]
    fn overlaps_count_once_and_the_future_not_yet() {
        let mut active = ActiveTime::default();
        active.add(at(0), at(10));
        active.add(at(4), at(8));
        active.add(at(6), at(15));
        active.add(at(20), at(30));
        let ms = |now| active.up_to(at(now)).as_millis();
        assert_eq!((ms(30), ms(1_000)), (25, 25));
        assert_eq!((ms(20), ms(26)), (15, 21));
        assert_eq!(active.mb_ms(at(26)), 128 * 21);
    }

    /// With Poisson arrivals at a rate `l` and a constant time `s`, the share of time in which
    /// somebody is served is `1 - e^(-l s)` (M/G/infinity). Whether nobody is at two moments `u < s`
    /// apart has a covariance of `e^(-l (s + u)) - e^(-2 l s)`, and none further apart; so the share over a
    /// long time `T` has the variance `2/T (e^(-l s) (1 - e^(-l s)) / l - s e^(-2 l s))`.
    #[test]
    fn the_busy_share_is_that_of_infinitely_many_servers() {
        for (seed, l) in [(1, 2.0), (2, 20.0), (3, 60.0)] {
            let (s, n) = (0.05_f64, 200_000);
            let mut rng = Streams::new(seed, 0).stream("active");
            let mut active = ActiveTime::default();
            let mut t = 0.0;
            for _ in 0..n {
                let gap: f64 = Exp1.sample(&mut rng);
                t += gap / l;
                let start = Timestamp::from_nanos((t * 1e9) as u64);
                active.add(start, start + Duration::from_secs_f64(s));
            }
            let now = Timestamp::from_nanos((t * 1e9) as u64);
            let share = active.up_to(now).as_secs_f64() / t;
            let idle = (-l * s).exp();
            let variance = 2.0 / t * (idle * (1.0 - idle) / l - s * idle * idle);
            let bound = 4.0 * variance.sqrt();
            assert!(
                (share - (1.0 - idle)).abs() < bound,
                "l {l}: {share} vs {} ± {bound}",
                1.0 - idle
            );
        }
    }
}
