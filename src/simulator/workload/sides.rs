//! Calls beside the requests that are recorded.

use super::arrival::{Arrival, ArrivalKind};
use super::arrivals::{Arrivals, Spacing};
use super::spec::{Secondary, WorkloadSpec};
use crate::sim::random::{StreamRng, Streams};
use crate::units::Timestamp;
use rand::RngExt;

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
