//! When new versions are deployed.

use crate::sim::random::StreamRng;
use crate::units::Timestamp;
use rand::RngExt;
use std::time::Duration;

/// Deployments at even intervals. Nothing ties them to the time at which a simulation starts, so
/// the first comes at a time drawn evenly from the first interval: a period that is a share of the
/// interval then holds a deployment with a probability of that share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deployments {
    first: Timestamp,
    every: Duration,
}

impl Deployments {
    /// Deployments each `every` from `start` on.
    pub(super) fn new(every: Duration, start: Timestamp, rng: &mut StreamRng) -> Self {
        let phase: f64 = rng.random();
        Deployments {
            first: start + every.mul_f64(phase),
            every,
        }
    }

    /// The first deployment after `now`.
    pub(super) fn after(&self, now: Timestamp) -> Timestamp {
        if now < self.first {
            return self.first;
        }
        let every = self.every.as_nanos();
        let past = now.since(self.first).as_nanos() / every + 1;
        let ahead = u64::try_from(past * every).unwrap_or(u64::MAX);
        self.first + Duration::from_nanos(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;

    #[test]
    fn deployments_come_at_even_intervals_from_a_random_phase_on() {
        let start = Timestamp::from_secs(1_000);
        let every = Duration::from_secs(60);
        let mut phases = Vec::new();
        for replication in 0..1_000 {
            let mut rng = Streams::new(1, replication).stream("fleet.deploy");
            let d = Deployments::new(every, start, &mut rng);
            let first = d.after(start - Duration::from_secs(1));
            let phase = first.since(start);
            assert!(phase < every);
            assert_eq!(d.after(first), first + every);
            assert_eq!(
                d.after(first + 3 * every - Duration::from_nanos(1)),
                first + 3 * every
            );
            phases.push(phase.as_secs_f64() / 60.0);
        }
        // The mean of n uniform numbers is 1/2 with a deviation of 1 / sqrt(12 n).
        let mean = phases.iter().sum::<f64>() / 1_000.0;
        assert!((mean - 0.5).abs() < 4.0 / 12_000_f64.sqrt(), "{mean}");
    }

    #[test]
    fn intervals_beyond_the_clock_are_never() {
        let mut rng = Streams::new(1, 0).stream("fleet.deploy");
        let d = Deployments::new(
            Duration::from_secs(u64::MAX / 4),
            Timestamp::EPOCH,
            &mut rng,
        );
        let far = d.after(Timestamp::from_nanos(u64::MAX));
        assert_eq!(far, Timestamp::from_nanos(u64::MAX));
        // The first comes in time, the second would not.
        let every = Duration::from_nanos(u64::MAX) + Duration::from_secs(1);
        let d = Deployments::new(every, Timestamp::EPOCH, &mut rng);
        let first = d.after(Timestamp::EPOCH);
        assert!(first < Timestamp::from_nanos(u64::MAX));
        assert_eq!(d.after(first), Timestamp::from_nanos(u64::MAX));
    }
}
