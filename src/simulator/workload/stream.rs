//! The arrivals of one replication, in the order of their times.

use super::arrivals::{Arrivals, Spacing};
use super::spec::{Secondary, Tokens, WorkloadSpec};
use crate::models::dist::Sampler;
use crate::models::quantity::Rate;
use crate::sim::random::{StreamRng, Streams};
use crate::units::Timestamp;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::time::Duration;

/// Something that arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When it arrives.
    pub at: Timestamp,
    /// The place of the fleet where it comes in, by number; if not known, the fleet draws one.
    pub place: Option<u16>,
    /// What arrives.
    pub kind: ArrivalKind,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrivalKind {
    /// A request to a provider that is to be recorded.
    Record {
        /// Position in [`WorkloadSpec::providers`].
        provider: u16,
        /// How long the provider takes.
        latency: Duration,
        /// Whether the provider answers without an error.
        success: bool,
        /// Tokens used.
        tokens: u32,
    },
    /// A read of the metrics endpoint: a request of its own.
    MetricsRead,
    /// A read of the metrics as part of the request that was recorded last.
    MetricsWithRecord,
    /// An analytics query over its default window.
    AnalyticsQuery,
    /// A system health report.
    HealthCheck,
}

impl ArrivalKind {
    /// Whether it is a read of the metrics, on its own or as part of a request.
    #[inline]
    pub fn is_metrics_read(self) -> bool {
        matches!(
            self,
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord
        )
    }
}

/// An endless stream of arrivals.
#[derive(Debug, Clone)]
pub struct WorkloadStream {
    records: Arrivals,
    last_record: Timestamp,
    next_record: Option<Timestamp>,
    sides: Sides,
    mix: RequestMix,
}

/// What is known of a request; the rest is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    /// Position in [`WorkloadSpec::providers`].
    pub provider: Option<u16>,
    /// How long the provider took.
    pub latency: Option<Duration>,
    /// Whether the provider answered without an error.
    pub success: Option<bool>,
    /// Tokens used.
    pub tokens: Option<u32>,
}

/// Draws what requests are like: provider, latency, success and tokens.
#[derive(Debug, Clone)]
pub struct RequestMix {
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

impl RequestMix {
    /// The providers of a workload.
    pub fn new(spec: &WorkloadSpec, streams: &Streams) -> Self {
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
        RequestMix {
            providers,
            choice: streams.stream("providers"),
            latency: streams.stream("latency"),
            success: streams.stream("success"),
            tokens: streams.stream("tokens"),
        }
    }

    /// A request of which nothing is known.
    #[inline]
    pub fn draw(&mut self) -> ArrivalKind {
        self.complete(Known::default())
    }

    /// A request with what is known of it, the rest drawn.
    #[inline]
    pub fn complete(&mut self, known: Known) -> ArrivalKind {
        let provider = known.provider.unwrap_or_else(|| {
            let u: f64 = self.choice.random();
            let last = self.providers.len() - 1;
            let below = self.providers[..last].iter().position(|p| u < p.upto);
            below.unwrap_or(last) as u16
        });
        let p = &self.providers[usize::from(provider)];
        ArrivalKind::Record {
            provider,
            latency: known
                .latency
                .unwrap_or_else(|| p.latency.sample(&mut self.latency)),
            success: known
                .success
                .unwrap_or_else(|| self.success.random::<f64>() < p.success),
            tokens: known
                .tokens
                .unwrap_or_else(|| p.tokens.sample(&mut self.tokens)),
        }
    }
}

/// Calls beside the records: metrics reads, analytics queries, health checks.
#[derive(Debug, Clone)]
pub struct Sides {
    sides: [Side; 3],
    /// The earliest of their own next calls.
    next_own: Option<(Timestamp, usize)>,
    /// Calls that come with the last record.
    attached_left: u32,
}

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

    #[inline]
    fn with_a_record(&mut self) -> u32 {
        self.left = self.whole;
        if self.fraction > 0.0 && self.rng.random::<f64>() < self.fraction {
            self.left += 1;
        }
        self.left
    }
}

impl Sides {
    /// The calls from `start` on.
    pub fn new(spec: &WorkloadSpec, start: Timestamp, streams: &Streams) -> Self {
        let side = |kind, spec, name| Side::new(kind, spec, start, streams, name);
        let mut sides = Sides {
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
            next_own: None,
            attached_left: 0,
        };
        sides.find_next_own();
        sides
    }

    /// A record has come: from now on [`Sides::next_attached`] gives the calls that come with it.
    #[inline]
    pub fn with_a_record(&mut self) {
        let [a, b, c] = &mut self.sides;
        self.attached_left = a.with_a_record() + b.with_a_record() + c.with_a_record();
    }

    /// The next call that comes with the last record.
    #[inline]
    pub fn next_attached(&mut self) -> Option<ArrivalKind> {
        if self.attached_left == 0 {
            return None;
        }
        self.attached_left -= 1;
        let mut sides = self.sides.iter_mut();
        let side = sides.find(|s| s.left > 0).expect("the sum is not zero");
        side.left -= 1;
        Some(match side.kind {
            ArrivalKind::MetricsRead => ArrivalKind::MetricsWithRecord,
            kind => kind,
        })
    }

    /// The next call that comes on its own, if it comes before `until` (or ever).
    #[inline]
    pub fn next_before(&mut self, until: Option<Timestamp>) -> Option<Arrival> {
        let (at, i) = self.next_own?;
        if until.is_some_and(|until| at >= until) {
            return None;
        }
        let side = &mut self.sides[i];
        side.next_own = side.own.next_at();
        let kind = side.kind;
        self.find_next_own();
        let place = None;
        Some(Arrival { at, place, kind })
    }

    fn find_next_own(&mut self) {
        let next = |(i, s): (usize, &Side)| s.next_own.map(|t| (t, i));
        self.next_own = self.sides.iter().enumerate().filter_map(next).min();
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
        WorkloadStream {
            last_record: start,
            next_record: records.next_at(),
            records,
            sides: Sides::new(spec, start, streams),
            mix: RequestMix::new(spec, streams),
        }
    }

    /// The next arrival; `None` if nothing will ever come.
    #[inline]
    pub fn next_arrival(&mut self) -> Option<Arrival> {
        self.next_attached().or_else(|| self.next_apart())
    }

    /// The next of those that come with the last record, in the same request.
    #[inline]
    pub fn next_attached(&mut self) -> Option<Arrival> {
        let kind = self.sides.next_attached()?;
        Some(Arrival {
            at: self.last_record,
            place: None,
            kind,
        })
    }

    /// The next that comes apart, once there is no more that comes with the last.
    #[inline]
    pub fn next_apart(&mut self) -> Option<Arrival> {
        if let Some(own) = self.sides.next_before(self.next_record) {
            return Some(own);
        }
        let at = self.next_record?;
        self.last_record = at;
        self.next_record = self.records.next_at();
        self.sides.with_a_record();
        Some(Arrival {
            at,
            place: None,
            kind: self.mix.draw(),
        })
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
        toml::from_str(include_str!("../../../models/workloads/gateway.toml")).unwrap()
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
                ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => reads += 1.0,
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
        let mut mix = RequestMix::new(&spec, &Streams::new(2, 0));
        let n = 60_000;
        let mut counts = vec![0.0; spec.providers.len()];
        let mut successes = vec![0.0; spec.providers.len()];
        for _ in 0..n {
            if let ArrivalKind::Record {
                provider, success, ..
            } = mix.draw()
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
