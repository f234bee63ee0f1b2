//! The measures of a run: their names, units, meaning, and how to get them from a result.
//!
//! CSV columns, charts, objectives and claims all name measures of this table.

use super::measure::{self, Calls, Get, Measure, Outcome, measures};
use super::result::RunResult;
use crate::cloud::fleet::EndCause;
use crate::cloud::kv::{OpOutcome, ReadAges};
use crate::pricing::MONTH;
use crate::pricing::{LineItem, MeterItem};
use crate::telemetry::counters::LossCause;
use crate::telemetry::ports::OpKind;

/// A measure of a run.
pub type Metric = Measure<RunResult>;

/// A quantile in milliseconds.
pub const fn ms<R>(of: Calls, q: f64) -> Get<R> {
    Get::Quantile {
        of,
        q,
        unit_ms: 1.0,
    }
}

/// A quantile in seconds.
const fn s(of: Calls, q: f64) -> Get<RunResult> {
    Get::Quantile {
        of,
        q,
        unit_ms: 1e3,
    }
}

/// All measures, in the order of the CSV columns. "per month" is 30 days.
pub const METRICS: &[Metric] = measures![
    "requests_per_month", "requests to be recorded that came, served or refused", Get::Each(|r| r.per_month(r.arrived.records + r.arrived.records_refused));
    "requests_served_per_month", "those that were served and recorded", Get::Each(|r| r.per_month(r.arrived.records));
    "kv_reads_per_month", "KV reads, billed or refused", Get::Each(|r| r.per_month(r.kv.issued(OpKind::Read)));
    "kv_writes_per_month", "KV writes, billed or refused", Get::Each(|r| r.per_month(r.kv.issued(OpKind::Write)));
    "kv_deletes_per_month", "KV deletes, billed or refused", Get::Each(|r| r.per_month(r.kv.issued(OpKind::Delete)));
    "kv_lists_per_month", "KV lists, billed or refused", Get::Each(|r| r.per_month(r.kv.issued(OpKind::List)));
    "operations_per_request", "KV operations of all kinds for each recorded request", Get::Ratio(|r| share(r.kv_operations(), r.arrived.records));
    "kv_operations_per_day", "KV operations of all kinds in a day", Get::Each(|r| r.per_month(r.kv_operations()) / 30.0);
    "hit_ratio", "cache hits / cache lookups", Get::Ratio(|r| share(r.counters.cache.hits, r.counters.cache.hits + r.counters.cache.misses));
    "batch_records", "records in a flush, mean", Get::Ratio(|r| share(r.counters.flushed_records, r.counters.flushes));
    "record_p50_ms", "how long a request waits for its recording: median", ms(Calls::Record, 0.50);
    "record_p95_ms", "the same, 95th percentile", ms(Calls::Record, 0.95);
    "record_p99_ms", "the same, 99th percentile", ms(Calls::Record, 0.99);
    "metrics_p50_ms", "metrics endpoint: median latency", ms(Calls::Metrics, 0.50);
    "metrics_p95_ms", "the same, 95th percentile", ms(Calls::Metrics, 0.95);
    "metrics_p99_ms", "the same, 99th percentile", ms(Calls::Metrics, 0.99);
    "query_p50_ms", "analytics query (24 h window): median latency", ms(Calls::Analytics, 0.50);
    "query_p95_ms", "the same, 95th percentile", ms(Calls::Analytics, 0.95);
    "query_p99_ms", "the same, 99th percentile", ms(Calls::Analytics, 0.99);
    "health_p50_ms", "system health report: median latency", ms(Calls::Health, 0.50);
    "health_p95_ms", "the same, 95th percentile", ms(Calls::Health, 0.95);
    "health_p99_ms", "the same, 99th percentile", ms(Calls::Health, 0.99);
    "error_rate", "calls of all kinds that failed / calls", Get::Rate(|r| part(r.call_errors(), r.call_count()));
    "record_error_rate", "recordings that failed or were not stored at once / recordings", Get::Rate(|r| part(r.calls.record.errors, r.calls.record.count()));
    "query_error_rate", "metrics reads, analytics queries and health reports that failed / calls", Get::Rate(|r| {
        let calls = [&r.calls.metrics, &r.calls.analytics, &r.calls.health];
        part(calls.iter().map(|c| c.errors).sum(), calls.iter().map(|c| c.count()).sum())
    });
    "kv_rate_limited_share", "KV operations refused with 429 / operations", Get::Rate(|r| outcome(r, &[OpOutcome::RateLimited]));
    "kv_quota_exceeded_share", "KV operations refused for a used-up daily quota / operations", Get::Events(|r| outcome(r, &[OpOutcome::QuotaExceeded]), |r| f64::from(u8::from(r.operations_limited)));
    "kv_unavailable_share", "KV operations that failed in the service / operations", Get::Rate(|r| outcome(r, &[OpOutcome::Unavailable]));
    "kv_timeout_share", "KV operations without an answer, done or not / operations", Get::Rate(|r| outcome(r, &[OpOutcome::Timeout, OpOutcome::AnswerLost]));
    "kv_invalid_share", "KV operations outside the documented limits / operations", Get::Rate(|r| outcome(r, &[OpOutcome::Invalid]));
    "retries_per_write", "retried writes / writes", Get::Ratio(|r| share(r.counters.retries, r.kv.issued(OpKind::Write)));
    "loss_rate", "records lost for any cause, lost updates (less records counted twice) among them / recorded requests, and records in memory before; none where that is unknown", Get::Events(lost_in_all, |r| r.lost_at_once as f64);
    "lost_overflow_newest_rate", "records given up on arrival, buffer full / recorded requests", Get::Rate(|r| lost(r, LossCause::OverflowNewest));
    "lost_overflow_oldest_rate", "oldest records given up, buffer full / recorded requests", Get::Rate(|r| lost(r, LossCause::OverflowOldest));
    "lost_evicted_rate", "records gone with their isolate / recorded requests", Get::Events(|r| lost(r, LossCause::Evicted), |r| r.lost_at_once as f64);
    "lost_update_rate", "records that an update of another writer took from the KV again / recorded requests; none where keys have expired", Get::Events(lost_updates, |r| r.lost_at_once as f64);
    "buffer_high_water_records", "most records in the memory of an isolate at once", Get::Level(|r| r.counters.buffer_high_water as f64);
    "quota_use_reads", "reads wanted, refused ones among them / allowed by the plan (on an average day, or in a month)", Get::Each(|r| r.quota_use[OpKind::Read as usize]);
    "quota_use_writes", "writes wanted / allowed", Get::Each(|r| r.quota_use[OpKind::Write as usize]);
    "quota_use_deletes", "deletes wanted / allowed", Get::Each(|r| r.quota_use[OpKind::Delete as usize]);
    "quota_use_lists", "lists wanted / allowed", Get::Each(|r| r.quota_use[OpKind::List as usize]);
    "quota_use_requests", "Worker requests of all kinds wanted, refused ones among them / allowed", Get::Each(|r| r.quota_use_requests);
    "stored_bytes", "bytes stored, on average once old keys expire", Get::Skewed(|r| r.usage.get(MeterItem::KvStorage) as f64);
    "invoice_fee_usd", "plan fee per month", Get::Bill(|l| l.item.is_none());
    "invoice_kv_reads_usd", "KV reads beyond what is included, per month", Get::Bill(|l| l.item == Some(MeterItem::KvReads));
    "invoice_kv_writes_usd", "KV writes, likewise", Get::Bill(|l| l.item == Some(MeterItem::KvWrites));
    "invoice_kv_deletes_usd", "KV deletes, likewise", Get::Bill(|l| l.item == Some(MeterItem::KvDeletes));
    "invoice_kv_lists_usd", "KV lists, likewise", Get::Bill(|l| l.item == Some(MeterItem::KvLists));
    "invoice_kv_storage_usd", "KV storage, likewise", Get::Bill(|l| l.item == Some(MeterItem::KvStorage));
    "invoice_kv_bytes_usd", "bytes read and written, where a catalog prices them", Get::Bill(|l| matches!(l.item, Some(MeterItem::KvReadBytes | MeterItem::KvWriteBytes)));
    "invoice_workers_usd", "Worker requests and CPU time", Get::Bill(|l| matches!(l.item, Some(MeterItem::WorkersRequests | MeterItem::WorkersCpuMs)));
    "lost_waited_rate", "records given up after waiting for room / recorded requests", Get::Rate(|r| lost(r, LossCause::WaitedTooLong));
    "lost_update_share", "records thought to be stored that are not in the KV, less those found twice / records thought to be stored", Get::Each(|r| r.missing_share.map_or(f64::NAN, |m| m.max(0.0)));
    "store_delay_mean_s", "from record to store, mean", Get::Ratio(|r| (r.counters.store_delay_us as f64 / 1e6, r.counters.stored as f64));
    "coalesced_share", "queries that shared the answer of another / queries that missed the cache", Get::Ratio(|r| share(r.counters.coalesced, r.counters.coalesced + r.counters.fetches));
    "aggregations_per_request", "computations of a window's metrics / recorded requests", Get::Ratio(|r| share(r.counters.aggregations, r.arrived.records));
    "prewarmed_share", "reads ahead of their query / reads", Get::Ratio(|r| part(r.counters.prewarmed, r.counters.fetches));
    "retries_denied_per_write", "retries not made for want of budget / writes", Get::Ratio(|r| share(r.counters.retries_denied, r.kv.issued(OpKind::Write)));
    "breaker_changes_per_month", "changes of state of all circuit breakers", Get::Each(|r| r.per_month(r.counters.breaker_changes));
    "breaker_rejected_share", "operations that a breaker kept back / operations wanted", Get::Ratio(|r| share(r.counters.breaker_rejected, r.counters.breaker_rejected + r.kv_operations()));
    "shared_hit_share", "queries that the shared cache answered / queries that missed the isolate's", Get::Ratio(|r| share(r.counters.shared_hits, r.counters.shared_hits + r.counters.fetches));
    "answer_age_p50_s", "how long before its query an answer was read from the store: median", s(Calls::AnswerAge, 0.50);
    "answer_age_p99_s", "the same, 99th percentile", s(Calls::AnswerAge, 0.99);
    "invoice_tiers_usd", "Durable Objects and R2, per month", Get::Bill(of_tiers);
    "requests_refused_share", "Worker requests turned away for a used-up daily limit, or ended for their CPU time / requests that came", Get::Events(|r| {
        share(r.arrived.refused, r.arrived.refused + r.arrived.requests())
    }, |r| f64::from(u8::from(r.requests_limited)));
    "isolates", "isolates alive at the end of the period", Get::Level(|r| r.isolates as f64);
    "isolates_mean", "isolates alive, averaged over the time of the period", Get::Level(|r| r.fleet.alive_ns as f64 / r.period.as_nanos() as f64);
    "isolates_peak", "most isolates alive at once in the period", Get::Level(|r| r.fleet.peak as f64);
    "spilled_share", "requests served by another machine because their shard server was overloaded / requests", Get::Ratio(|r| part(r.fleet.spilled, r.arrived.requests()));
    "cold_starts_per_month", "isolates started", Get::Events(|r| a_month(r, r.fleet.started), isolates);
    "cold_start_share", "requests that waited for an isolate to start / requests", Get::Events(|r| part(r.calls.cold_start.count(), r.arrived.requests()), isolates);
    "cold_start_p95_ms", "how long they waited, 95th percentile", ms(Calls::ColdStart, 0.95);
    "isolates_ended_idle_per_month", "isolates ended for want of requests", Get::Rate(|r| a_month(r, r.fleet.ended[EndCause::Idle as usize]));
    "isolates_ended_random_per_month", "isolates ended by the platform", Get::Rate(|r| a_month(r, r.fleet.ended[EndCause::Random as usize]));
    "isolates_ended_deploy_per_month", "isolates ended by a deployment", Get::Events(|r| a_month(r, r.fleet.ended[EndCause::Deploy as usize]), isolates);
    "isolates_ended_memory_per_month", "isolates ended for their memory", Get::Rate(|r| a_month(r, r.fleet.ended[EndCause::Memory as usize]));
    "memory_peak_mb", "estimated memory of the largest isolate (128 MB is the limit)", Get::Level(|r| r.memory_peak_bytes as f64 / 1e6);
    "hot_read_share", "keys read that the place's cache answered / keys read", Get::Ratio(|r| age(r, |a| part(a.hot, a.reads)));
    "stale_read_share", "keys read whose answer was outdated / keys read", Get::Ratio(|r| age(r, |a| part(a.stale, a.reads)));
    "refreshed_share", "entries that a place fetched anew before they expired / keys read", Get::Ratio(|r| age(r, |a| part(a.refreshes, a.reads)));
    "read_age_mean_s", "for how long a newer value had existed, mean over keys read", Get::Ratio(|r| age(r, |a| (a.age_sum_s, a.reads as f64)));
    "read_age_p99_s", "the same, 99th percentile", s(Calls::ReadAge, 0.99);
    "cost_usd", "total of the invoice per month", Get::Bill(|_| true);
];

/// The measures that depend on how many keys queries find. Where less time was simulated than they look back, these
/// are not those of the long run, whatever chance does: no interval is stated of them.
pub const OF_KEYS_FOUND: [&str; 19] = [
    "query_p50_ms",
    "query_p95_ms",
    "query_p99_ms",
    "kv_reads_per_month",
    "kv_lists_per_month",
    "kv_operations_per_day",
    "operations_per_request",
    "quota_use_reads",
    "quota_use_lists",
    "stored_bytes",
    "invoice_kv_reads_usd",
    "invoice_kv_lists_usd",
    "invoice_kv_storage_usd",
    "hot_read_share",
    "stale_read_share",
    "refreshed_share",
    "read_age_mean_s",
    "read_age_p99_s",
    "cost_usd",
];

/// The measures of what is wanted as a share of what the plan allows, each with what it is of.
pub const ALLOWANCES: [(&str, &str); 5] = [
    ("quota_use_reads", "reads"),
    ("quota_use_writes", "writes"),
    ("quota_use_deletes", "deletes"),
    ("quota_use_lists", "lists"),
    ("quota_use_requests", "Worker requests"),
];

/// The two parts of a ratio of counts.
pub fn share(a: u64, b: u64) -> (f64, f64) {
    (a as f64, b as f64)
}

/// A part and the whole: never more than that, even where what was begun before the measurement ended in it.
fn part(a: u64, whole: u64) -> (f64, f64) {
    share(a.min(whole), whole)
}

/// A count of the period, and the period in months.
fn a_month(r: &RunResult, count: u64) -> (f64, f64) {
    let months = r.period.as_secs_f64() / MONTH.as_secs_f64();
    (count as f64, months)
}

/// The isolates that a deployment ends at once.
fn isolates(r: &RunResult) -> f64 {
    r.isolates.max(1) as f64
}

fn age(r: &RunResult, of: impl Fn(&ReadAges) -> (f64, f64)) -> (f64, f64) {
    r.read_ages.as_ref().map_or((f64::NAN, f64::NAN), of)
}

fn lost(r: &RunResult, cause: LossCause) -> (f64, f64) {
    part(
        r.counters.lost[cause as usize],
        r.in_memory_before + r.counters.accepted,
    )
}

fn lost_updates(r: &RunResult) -> (f64, f64) {
    let records = r.in_memory_before + r.counters.accepted;
    let lost = r.lost_updates.map_or(f64::NAN, |n| n.min(records) as f64);
    (lost, records as f64)
}

fn lost_in_all(r: &RunResult) -> (f64, f64) {
    let (updates, records) = lost_updates(r);
    let lost = (r.counters.lost_total() + r.beyond.lost) as f64 + updates;
    // Not `min`, which makes a number of what is unknown.
    (if lost > records { records } else { lost }, records)
}

/// Operations of all kinds that ended so, and all.
fn outcome(r: &RunResult, outcomes: &[OpOutcome]) -> (f64, f64) {
    let ended = |o: &OpOutcome| OpKind::ALL.iter().map(|k| r.kv.count(*k, *o)).sum::<u64>();
    part(outcomes.iter().map(ended).sum(), r.kv_operations())
}

/// Durable Objects and R2.
fn of_tiers(line: &LineItem) -> bool {
    line.item
        .is_some_and(|i| i.name().starts_with("do.") || i.name().starts_with("r2."))
}

/// The position of a measure in [`METRICS`].
pub fn index_of(name: &str) -> Option<usize> {
    measure::index_of(METRICS, name)
}

/// The position of a measure that the code itself names.
///
/// # Panics
/// If there is no measure of that name: a defect.
pub fn position(name: &str) -> usize {
    measure::position(METRICS, name)
}

/// What is kept of a run.
pub fn outcome_of(result: &RunResult) -> Outcome {
    Outcome::of(METRICS, result)
}
