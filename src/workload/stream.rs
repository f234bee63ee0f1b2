//! The arrivals of one replication, in the order of their times.

use super::arrivals::{Arrivals, Spacing};
use super::spec::{Secondary, Tokens, WorkloadSpec};
use crate::config::quantity::Rate;
use crate::sim::dist::Sampler;
use crate::sim::random::{StreamRng, Streams};
use crate::units::Timestamp;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::time::Duration;

/// Something that arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    pub at: Timestamp,
    pub kind: ArrivalKind,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrivalKind {
    /// A request to a provider that is to be recorded.
    Record {
        /// Position in [`WorkloadSpec::providers`].
        provider: u16,
        latency: Duration,
        success: bool,
        tokens: u32,
    },
    /// A read of the metrics endpoint.
    MetricsRead,
    /// An analytics query over its default window.
    AnalyticsQuery,
    /// A system health report.
    HealthCheck,
}

/// An endless stream of arrivals.
#[derive(Debug, Clone)]
pub struct WorkloadStream {
    records: Arrivals,
    next_record: Option<Timestamp>,
    sides: [Side; 3],
    /// The earliest of the sides' own next calls.
    next_side: Option<(Timestamp, usize)>,
    /// Calls that come with the last record.
    attached_at: Timestamp,
    attached_left: u32,
    providers: Vec<Provider>,
    choice: StreamRng,
    latency: StreamRng,
    success: StreamRng,
    tokens: StreamRng,
}

#[derive(Debug, Clone)]
struct Provider {
    /// Upper end of the cumulative shares.
    upto: f64,
    success: f64,
    latency: Sampler,
    tokens: Tokens,
}

/// Calls beside the records: metrics reads, analytics queries, health checks.
#[derive(Debug, Clone)]
struct Side {
    kind: ArrivalKind,
    whole: u32,
    fraction: f64,
    left: u32,
    rng: StreamRng,
    own: Arrivals,
    next_own: Option<Timestamp>,
}

impl Side {
    fn new(
        kind: ArrivalKind,
        spec: Secondary,
        start: Timestamp,
        streams: &Streams,
        name: &str,
    ) -> Self {
        let stream = |purpose: &str| streams.stream(&format!("{name}.{purpose}"));
        let mut own = Arrivals::new(
            spec.rate,
            Spacing::Poisson,
            None,
            None,
            start,
            stream("arrivals"),
            stream("bursts"),
        );
        Side {
            kind,
            whole: spec.per_request.floor() as u32,
            fraction: spec.per_request.fract(),
            left: 0,
            rng: stream("per_request"),
            next_own: own.next_at(),
            own,
        }
    }

    fn with_a_record(&mut self) -> u32 {
        let extra = self.fraction > 0.0 && self.rng.random::<f64>() < self.fraction;
        self.left = self.whole + u32::from(extra);
        self.left
    }
}

impl WorkloadStream {
    /// The arrivals from `start` on, with records at a mean rate of `traffic`.
    pub fn new(spec: &WorkloadSpec, traffic: Rate, start: Timestamp, streams: &Streams) -> Self {
        let mut records = Arrivals::new(
            traffic,
            spec.spacing,
            spec.shape.as_ref(),
            spec.bursts.as_ref(),
            start,
            streams.stream("arrivals"),
            streams.stream("bursts"),
        );
        let mut upto = 0.0;
        let providers = spec
            .providers
            .iter()
            .map(|p| {
                upto += p.share.get();
                Provider {
                    upto,
                    success: p.success.get(),
                    latency: p.latency.sampler(),
                    tokens: p.tokens,
                }
            })
            .collect();
        let side = |kind, spec, name| Side::new(kind, spec, start, streams, name);
        let mut stream = WorkloadStream {
            next_record: records.next_at(),
            records,
            sides: [
                side(
                    ArrivalKind::MetricsRead,
                    spec.metrics_reads,
                    "metrics_reads",
                ),
                side(
                    ArrivalKind::AnalyticsQuery,
                    spec.analytics_queries,
                    "analytics",
                ),
                side(ArrivalKind::HealthCheck, spec.health_checks, "health"),
            ],
            next_side: None,
            attached_at: start,
            attached_left: 0,
            providers,
            choice: streams.stream("providers"),
            latency: streams.stream("latency"),
            success: streams.stream("success"),
            tokens: streams.stream("tokens"),
        };
        stream.find_next_side();
        stream
    }

    /// The next arrival; `None` if nothing will ever come.
    #[inline]
    pub fn next_arrival(&mut self) -> Option<Arrival> {
        if self.attached_left > 0 {
            return Some(self.attached());
        }
        match (self.next_record, self.next_side) {
            (Some(record), Some((side, i))) if side < record => Some(self.side_call(side, i)),
            (Some(record), _) => Some(self.record(record)),
            (None, Some((side, i))) => Some(self.side_call(side, i)),
            (None, None) => None,
        }
    }

    fn record(&mut self, at: Timestamp) -> Arrival {
        self.next_record = self.records.next_at();
        self.attached_at = at;
        self.attached_left = self.sides.iter_mut().map(Side::with_a_record).sum();
        Arrival {
            at,
            kind: self.draw_request(),
        }
    }

    /// What a request is like: its provider, latency, success and tokens.
    pub fn draw_request(&mut self) -> ArrivalKind {
        let u: f64 = self.choice.random();
        let last = self.providers.len() - 1;
        let i = self.providers[..last]
            .iter()
            .position(|p| u < p.upto)
            .unwrap_or(last);
        let p = &self.providers[i];
        ArrivalKind::Record {
            provider: i as u16,
            latency: p.latency.sample(&mut self.latency),
            success: self.success.random::<f64>() < p.success,
            tokens: p.tokens.sample(&mut self.tokens),
        }
    }

    fn attached(&mut self) -> Arrival {
        self.attached_left -= 1;
        let side = self
            .sides
            .iter_mut()
            .find(|s| s.left > 0)
            .expect("attached_left is the sum of the sides'");
        side.left -= 1;
        Arrival {
            at: self.attached_at,
            kind: side.kind,
        }
    }

    fn side_call(&mut self, at: Timestamp, i: usize) -> Arrival {
        let side = &mut self.sides[i];
        side.next_own = side.own.next_at();
        let kind = side.kind;
        self.find_next_side();
        Arrival { at, kind }
    }

    fn find_next_side(&mut self) {
        let next = |(i, s): (usize, &Side)| s.next_own.map(|t| (t, i));
        self.next_side = self.sides.iter().enumerate().filter_map(next).min();
    }
}

impl Tokens {
    fn sample(&self, rng: &mut StreamRng) -> u32 {
        match *self {
            Tokens::Constant { value } => value,
            Tokens::Uniform { low, high } => rng.random_range(low..=high),
            Tokens::Lognormal { median, sigma } => {
                let z: f64 = StandardNormal.sample(rng);
                (median * (sigma * z).exp()) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> WorkloadSpec {
        toml::from_str(include_str!("../../models/workloads/gateway.toml")).unwrap()
    }

    fn stream(spec: &WorkloadSpec, per_second: f64, seed: u64) -> WorkloadStream {
        let start = Timestamp::from_secs(1_000_000);
        WorkloadStream::new(
            spec,
            Rate::per_second(per_second),
            start,
            &Streams::new(seed, 0),
        )
    }

    #[test]
    fn times_never_go_back_and_each_record_brings_its_reads() {
        let mut spec = spec();
        spec.metrics_reads = Secondary {
            per_request: 1.5,
            rate: Rate::per_second(3.0),
        };
        spec.analytics_queries = Secondary {
            per_request: 2.0,
            rate: Rate::default(),
        };
        let mut s = stream(&spec, 10.0, 1);
        let (mut last, mut records, mut reads, mut queries) =
            (Timestamp::EPOCH, 0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..50_000 {
            let a = s.next_arrival().unwrap();
            assert!(a.at >= last);
            last = a.at;
            match a.kind {
                ArrivalKind::Record { .. } => records += 1.0,
                ArrivalKind::MetricsRead => reads += 1.0,
                ArrivalKind::AnalyticsQuery => queries += 1.0,
                ArrivalKind::HealthCheck => {}
            }
        }
        assert!((queries - 2.0 * records).abs() <= 2.0);
        // Reads: 1.5 with each record and 0.3 on their own; four standard deviations.
        let expected = 1.8 * records;
        assert!(
            (reads - expected).abs() < 4.0 * (0.55 * records).sqrt(),
            "{reads} vs {expected}"
        );
    }

    #[test]
    fn providers_successes_and_tokens_follow_the_mix() {
        let spec = spec();
        let mut s = stream(&spec, 10.0, 2);
        let n = 60_000;
        let mut counts = vec![0.0; spec.providers.len()];
        let mut successes = vec![0.0; spec.providers.len()];
        for _ in 0..n {
            if let ArrivalKind::Record {
                provider, success, ..
            } = s.draw_request()
            {
                counts[provider as usize] += 1.0;
                successes[provider as usize] += f64::from(success);
            }
        }
        for (i, p) in spec.providers.iter().enumerate() {
            let (share, ok) = (p.share.get(), p.success.get());
            let sd = (n as f64 * share * (1.0 - share)).sqrt();
            assert!((counts[i] - n as f64 * share).abs() < 4.0 * sd);
            let sd = (counts[i] * ok * (1.0 - ok)).sqrt();
            assert!((successes[i] - counts[i] * ok).abs() < 4.0 * sd);
        }
    }

    #[test]
    fn another_rate_of_queries_leaves_the_requests_alone() {
        let requests = |queries_per_second: f64| {
            let mut spec = spec();
            spec.analytics_queries.rate = Rate::per_second(queries_per_second);
            let mut s = stream(&spec, 10.0, 3);
            let mut seen = Vec::new();
            while seen.len() < 500 {
                let a = s.next_arrival().unwrap();
                if matches!(a.kind, ArrivalKind::Record { .. }) {
                    seen.push(a);
                }
            }
            seen
        };
        assert_eq!(requests(0.0), requests(25.0));
    }
}
