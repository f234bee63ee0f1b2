//! What one replication measured.

use super::arrived::Arrived;
use super::measure::{self, Measurable};
use crate::app::{Beyond, Calls};
use crate::cloud::fleet::FleetCounters;
use crate::cloud::kv::{KvMeter, ReadAges};
use crate::pricing::{Invoice, Usage};
use crate::sim::latencies::Latencies;
use crate::telemetry::counters::Counters;
use crate::telemetry::ports::OpKind;
use std::borrow::Cow;
use std::time::Duration;

/// What one replication measured, over its period and scaled to a month.
#[derive(Clone)]
pub struct RunResult {
    /// The time simulated after the warm-up.
    pub period: Duration,
    /// Arrivals and waits of the whole run, what comes before the period among them: the work that it took.
    pub events: u64,
    /// What arrived in the period.
    pub arrived: Arrived,
    /// Latencies and failures of the calls of the period.
    pub calls: Calls,
    /// Isolates that started and ended in the period, and that lived at its end.
    pub fleet: FleetCounters,
    /// Isolates that lived at the end of the period.
    pub isolates: u64,
    /// Share of the records thought to be stored that are not in the KV: lost updates, less those
    /// counted twice. None if keys have expired.
    pub missing_share: Option<f64>,
    /// Records of the period that a lost update took from the KV again; 0 where no two writers
    /// share a key. None if it cannot be known, because keys have expired.
    pub lost_updates: Option<u64>,
    /// What became of records after they left the isolates: how many were lost in the period, and how long it
    /// took them since the beginning of the run.
    pub beyond: Beyond,
    /// Most requests or messages in a second, where the store has such a bound.
    pub peak_per_second: Option<u64>,
    /// Estimated memory of the largest isolate.
    pub memory_peak_bytes: u64,
    /// Works after the response that `waitUntil` did not carry to their end, since the beginning of the run.
    pub cut_short: u64,
    /// How old the KV's answers were; none where all see every write at once.
    pub read_ages: Option<ReadAges>,
    /// What the collectors did in the period.
    pub counters: Counters,
    /// How many records may be lost at one stroke: those in the buffer of an isolate that ends or whose write
    /// is overwritten, of all isolates where deployments end them; one where neither happens.
    pub lost_at_once: u64,
    /// Whether the plan may refuse requests, and operations.
    pub requests_limited: bool,
    /// Whether the plan may refuse operations.
    pub operations_limited: bool,
    /// Whether less time was simulated than queries look back: they found fewer keys than in the long run.
    pub short_history: bool,
    /// Records still in memory at the end.
    pub records_in_memory: u64,
    /// Records that were in memory at the start of the measurement: they too may be lost in it.
    pub in_memory_before: u64,
    /// What the KV did in the period.
    pub kv: KvMeter,
    /// Most operations of each kind in a UTC day.
    pub busiest_day: [u64; OpKind::ALL.len()],
    /// What is wanted as a share of each daily (on average) or monthly allowance, by kind: what the
    /// plan refuses is in it, so that it may exceed 1. NaN without allowance.
    pub quota_use: [f64; OpKind::ALL.len()],
    /// The same of Worker requests.
    pub quota_use_requests: f64,
    /// Bytes stored, on average once old keys expire.
    pub stored_bytes: u128,
    /// A month of 30 days at this rate.
    pub usage: Usage,
    /// The same, were nothing refused for a used-up quota.
    pub wanted: Usage,
    /// The bill for `usage`.
    pub invoice: Invoice,
}

impl RunResult {
    /// A count of this period, for a month of 30 days at the same rate.
    pub fn per_month(&self, count: u64) -> f64 {
        count as f64 * crate::pricing::MONTH.as_secs_f64() / self.period.as_secs_f64()
    }

    /// KV operations of all kinds, however they ended, in the period.
    pub fn kv_operations(&self) -> u64 {
        self.kv.operation_count()
    }

    /// Cache hits over lookups; NaN if there was none.
    pub fn hit_ratio(&self) -> f64 {
        let c = &self.counters.cache;
        c.hits as f64 / (c.hits + c.misses) as f64
    }

    /// Calls of any kind.
    pub fn call_count(&self) -> u64 {
        self.calls.requests().iter().map(|c| c.count()).sum()
    }

    /// Those that failed.
    pub fn call_errors(&self) -> u64 {
        self.calls.requests().iter().map(|c| c.errors).sum()
    }

    /// Calls of any kind that failed, as a share of all.
    pub fn error_rate(&self) -> f64 {
        self.call_errors() as f64 / self.call_count() as f64
    }
}

impl Measurable for RunResult {
    fn latencies(&self, of: measure::Calls) -> Option<Cow<'_, Latencies>> {
        let c = &self.calls;
        let calls = match of {
            measure::Calls::Record => &c.record,
            measure::Calls::Metrics => &c.metrics,
            measure::Calls::Analytics => &c.analytics,
            measure::Calls::Health => &c.health,
            measure::Calls::ColdStart => &c.cold_start,
            measure::Calls::AnswerAge => &c.answer_age,
            measure::Calls::Fetch => &c.fetch,
            measure::Calls::Write => &c.write,
            measure::Calls::ReadAge => {
                return self.read_ages.as_ref().map(|a| Cow::Borrowed(a.ages()));
            }
            measure::Calls::Query => {
                let mut all = c.metrics.latencies.clone();
                all.merge(&c.analytics.latencies);
                all.merge(&c.health.latencies);
                return Some(Cow::Owned(all));
            }
        };
        Some(Cow::Borrowed(&calls.latencies))
    }

    fn bill(&self) -> Option<(&Usage, &Invoice)> {
        Some((&self.usage, &self.invoice))
    }

    fn short_history(&self) -> bool {
        self.short_history
    }
}
