//! The arrivals of one replication, in the order of their times.

use super::arrival::Arrival;
use super::arrivals::Arrivals;
use super::mix::RequestMix;
use super::requests::Requests;
use super::sides::Sides;
use super::spec::WorkloadSpec;
use crate::models::quantity::Rate;
use crate::sim::random::Streams;
use crate::units::Timestamp;

/// An endless stream of arrivals.
#[derive(Debug, Clone)]
pub struct WorkloadStream {
    requests: Requests,
    last_record: Timestamp,
    sides: Sides,
}

impl WorkloadStream {
    /// The arrivals from `start` on, with records at a mean rate of `traffic`.
    pub fn new(spec: &WorkloadSpec, traffic: Rate, start: Timestamp, streams: &Streams) -> Self {
        let times = Arrivals::new(
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
            requests: Requests::new(times, RequestMix::new(spec, streams)),
            sides: Sides::new(spec, start, streams),
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
        if let Some(own) = self.sides.next_before(self.requests.next_at()) {
            return Some(own);
        }
        let request = self.requests.take()?;
        self.last_record = request.at;
        self.sides.with_a_record();
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ArrivalKind, Known, Secondary};
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

    /// Over several draws of many at once; a copy goes on as its original does.
    #[test]
    fn requests_are_those_that_are_drawn_one_by_one() {
        let spec = spec();
        let streams = Streams::new(1, 0);
        let mut times = Arrivals::new(
            Rate::per_second(10.0),
            spec.spacing,
            None,
            None,
            Timestamp::from_secs(1_000_000),
            streams.stream("arrivals"),
            streams.stream("bursts"),
        );
        let mut mix = RequestMix::new(&spec, &streams);
        let mut s = stream(&spec, 10.0, 1);
        let mut copy = None;
        for i in 0..300 {
            let is_request = |a: &Arrival| matches!(a.kind, ArrivalKind::Record { .. });
            let next =
                |s: &mut WorkloadStream| std::iter::from_fn(|| s.next_arrival()).find(is_request);
            let request = next(&mut s).unwrap();
            assert_eq!(Some(request.at), times.next_at());
            assert_eq!(request.kind, mix.complete(Known::default()));
            if let Some(copy) = &mut copy {
                assert_eq!(next(copy), Some(request));
            }
            if i == 100 {
                copy = Some(s.clone());
            }
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
