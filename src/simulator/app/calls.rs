//! Calls by kind: how long they took, and how many failed.

use crate::sim::latencies::Latencies;
use crate::units::Timestamp;
use std::time::Duration;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Recording a request to a provider.
    Record,
    /// A read of the metrics.
    Metrics,
    /// An analytics query.
    Analytics,
    /// A health report.
    Health,
}

/// A call as its caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What kind it was.
    pub call: Call,
    /// When its answer came.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether it was answered without an error.
    pub ok: bool,
}

/// The first so many calls, one by one.
#[derive(Debug, Clone, Default)]
pub struct CallLog {
    left: usize,
    calls: Vec<Answered>,
}

impl CallLog {
    /// A log of so many calls.
    pub fn new(limit: usize) -> Self {
        CallLog {
            left: limit,
            calls: Vec::new(),
        }
    }

    /// Writes a call down, if there is room.
    #[inline]
    pub fn note(&mut self, answered: impl FnOnce() -> Answered) {
        if self.left > 0 {
            self.left -= 1;
            self.calls.push(answered());
        }
    }

    /// What was written down, in the order of answers.
    pub fn take(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.calls)
    }
}

/// Latencies of one kind of call, and how many of the calls failed.
#[derive(Clone, Default)]
pub struct CallStats {
    /// How long each call took, as its caller saw it.
    pub latencies: Latencies,
    /// Calls that failed, by whatever cause.
    pub errors: u64,
}

impl CallStats {
    /// Counts a call.
    #[inline]
    pub fn add(&mut self, latency: Duration, ok: bool) {
        self.latencies.add(latency);
        self.errors += u64::from(!ok);
    }

    /// Adds the calls of another time.
    pub fn merge(&mut self, other: &CallStats) {
        self.latencies.merge(&other.latencies);
        self.errors += other.errors;
    }

    /// Sum of all latencies in milliseconds.
    pub fn sum_ms(&self) -> f64 {
        self.latencies.sum_ms()
    }

    /// Calls that have ended.
    pub fn count(&self) -> u64 {
        self.latencies.count()
    }

    /// A percentile of the latency within 0.05%, in milliseconds; NaN without calls. However few
    /// they are: measures ask for more.
    pub fn quantile_ms(&self, q: f64) -> f64 {
        self.latencies.quantile_ms(q)
    }
}

/// All calls of a time.
#[derive(Clone, Default)]
pub struct Calls {
    /// Of requests to be recorded.
    pub record: CallStats,
    /// Of reads of the metrics.
    pub metrics: CallStats,
    /// Of analytics queries.
    pub analytics: CallStats,
    /// Of health reports.
    pub health: CallStats,
    /// How long requests waited for an isolate to start, where they did.
    pub cold_start: CallStats,
    /// How long before its query an answer was read from the store.
    pub answer_age: CallStats,
    /// Queries that asked the store, without the wait for an isolate.
    pub fetch: CallStats,
    /// Single writes to the store, or messages sent.
    pub write: CallStats,
    /// Requests and cron triggers that the runtime cancelled, as nothing of their own could have answered them.
    pub hung: u64,
}

/// What is noted of calls.
#[derive(Clone, Default)]
pub struct Noted {
    /// Latencies and failures since they were last taken.
    pub calls: Calls,
    /// The first calls of the measurement, one by one.
    pub log: CallLog,
}

impl Calls {
    /// Those of a kind.
    #[inline]
    pub fn of(&mut self, call: Call) -> &mut CallStats {
        match call {
            Call::Record => &mut self.record,
            Call::Metrics => &mut self.metrics,
            Call::Analytics => &mut self.analytics,
            Call::Health => &mut self.health,
        }
    }

    /// The requests among them: recordings, metrics reads, analytics queries and health reports.
    pub fn requests(&self) -> [&CallStats; 4] {
        [&self.record, &self.metrics, &self.analytics, &self.health]
    }

    /// Adds the calls of another time.
    pub fn merge(&mut self, other: &Calls) {
        let Calls {
            record,
            metrics,
            analytics,
            health,
            cold_start,
            answer_age,
            fetch,
            write,
            hung,
        } = self;
        record.merge(&other.record);
        metrics.merge(&other.metrics);
        analytics.merge(&other.analytics);
        health.merge(&other.health);
        cold_start.merge(&other.cold_start);
        answer_age.merge(&other.answer_age);
        fetch.merge(&other.fetch);
        write.merge(&other.write);
        *hung += other.hung;
    }
}
