//! A database that does one thing at a time.

use crate::cloud::durable_object::ActiveTime;
use crate::cloud::peak::PeakSecond;
use crate::cloud::service::ServerSpec;
use crate::units::Timestamp;
use std::time::Duration;

/// First come, first served, each for the same time: with Poisson arrivals at a rate `l` and a
/// service time `s` the mean wait is `l s^2 / (2 (1 - l s))` (M/D/1).
#[derive(Debug, Clone)]
pub struct SingleServer {
    spec: ServerSpec,
    free_at: Timestamp,
    active: ActiveTime,
    peak: PeakSecond,
    /// Requests served, and those refused because too many waited.
    served: u64,
    refused: u64,
}

impl SingleServer {
    /// A server that nobody waits for.
    pub fn new(spec: ServerSpec) -> Self {
        SingleServer {
            spec,
            free_at: Timestamp::EPOCH,
            active: ActiveTime::default(),
            peak: PeakSecond::default(),
            served: 0,
            refused: 0,
        }
    }

    /// Lets a request in at `now`; returns how long it waits and is served, or `None` if it is
    /// refused because it would wait too long.
    pub fn enter(&mut self, now: Timestamp, writes: bool) -> Option<Duration> {
        self.peak.note(now);
        let start = self.free_at.max(now);
        if start.since(now) > self.spec.max_wait {
            self.refused += 1;
            return None;
        }
        self.served += 1;
        self.free_at = start + self.spec.service_time;
        let commit = if writes {
            self.spec.commit_time
        } else {
            Duration::ZERO
        };
        self.active.add(start, self.free_at + commit);
        Some(self.free_at.since(now))
    }

    /// Time during which at least one request is served or being committed.
    pub fn active(&self) -> &ActiveTime {
        &self.active
    }

    /// Requests served, and those refused.
    pub fn requests(&self) -> (u64, u64) {
        (self.served, self.refused)
    }

    /// The busiest second.
    pub fn peak(&mut self) -> &mut PeakSecond {
        &mut self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;
    use rand_distr::{Distribution, Exp1};

    fn spec(service_ms: u64, commit_ms: u64) -> ServerSpec {
        ServerSpec {
            service_time: Duration::from_millis(service_ms),
            commit_time: Duration::from_millis(commit_ms),
            max_wait: Duration::from_secs(10),
        }
    }

    /// Mean wait of M/D/1 at a utilisation of 0.7, over 40 independent runs: the mean of their
    /// means within four standard errors of the closed form.
    #[test]
    fn waits_are_those_of_a_queue_with_constant_service() {
        let (rate, service) = (700.0, 0.001);
        let runs: Vec<f64> = (0..40)
            .map(|seed| {
                let mut rng = Streams::new(seed, 0).stream("server");
                let mut server = SingleServer::new(spec(1, 0));
                let (mut at, mut sum, n) = (0.0, 0.0, 20_000);
                for i in 0..2 * n {
                    let gap: f64 = Exp1.sample(&mut rng);
                    at += gap / rate;
                    let now = Timestamp::from_nanos((at * 1e9) as u64);
                    let took = server.enter(now, false).unwrap().as_secs_f64();
                    if i >= n {
                        sum += took - service;
                    }
                }
                sum / f64::from(n)
            })
            .collect();
        let mean = runs.iter().sum::<f64>() / 40.0;
        let variance = runs.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 39.0;
        let expected = rate * service * service / (2.0 * (1.0 - rate * service));
        let error = (variance / 40.0).sqrt();
        assert!(error < expected / 20.0);
        assert!(
            (mean - expected).abs() < 4.0 * error,
            "{mean} vs {expected}"
        );
    }

    #[test]
    fn active_time_counts_overlaps_once() {
        let mut server = SingleServer::new(spec(1, 5));
        let at = |ms: u64| Timestamp::from_nanos(1_000_000 * (1_000_000 + ms));
        // Two writes at once: served one after the other, 0 to 2, the second committed at 7.
        server.enter(at(0), true).unwrap();
        server.enter(at(0), true).unwrap();
        let active = |s: &SingleServer, ms| s.active().up_to(at(ms)).as_millis();
        assert_eq!((active(&server, 1), active(&server, 50)), (1, 7));
        // A read alone.
        server.enter(at(100), false).unwrap();
        assert_eq!(active(&server, 101), 8);
        assert_eq!(server.peak().most(), 3);
    }

    #[test]
    fn who_would_wait_too_long_is_refused() {
        let mut server = SingleServer::new(spec(100, 0));
        let now = Timestamp::from_secs(5);
        let taken = (0..200).filter(|_| server.enter(now, false).is_some());
        // Those that wait for 0 to 10 s.
        assert_eq!(taken.count(), 101);
        assert_eq!(server.requests(), (101, 99));
    }
}
