//! The measures of a run: their names, units, meaning, and how to get them from a result.
//!
//! CSV columns, charts, objectives and claims all name measures of this table.

use super::result::RunResult;
use crate::cloud::fleet::EndCause;
use crate::cloud::kv::{OpOutcome, ReadAges};
use crate::pricing::{MeterItem, Money};
use crate::telemetry::counters::LossCause;
use crate::telemetry::ports::OpKind;

/// A measure of a run.
pub struct Metric {
    /// Column name, with its unit.
    pub name: &'static str,
    /// Meaning, in one line.
    pub meaning: &'static str,
    /// The value; NaN where the run gives none (no query came, no batch was written).
    pub get: fn(&RunResult) -> f64,
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! metrics {
    ($($name:literal, $meaning:literal, $get:expr;)*) => {
        &[$(Metric { name: $name, meaning: $meaning, get: $get }),*]
    };
}

/// All measures, in the order of the CSV columns. "per month" is 30 days.
pub const METRICS: &[Metric] = metrics![
    "requests_per_month", "recorded requests that arrived", |r| r.per_month(r.arrived.records);
    "kv_reads_per_month", "KV reads, billed or refused", |r| r.per_month(r.kv.issued(OpKind::Read));
    "kv_writes_per_month", "KV writes, billed or refused", |r| r.per_month(r.kv.issued(OpKind::Write));
    "kv_deletes_per_month", "KV deletes, billed or refused", |r| r.per_month(r.kv.issued(OpKind::Delete));
    "kv_lists_per_month", "KV lists, billed or refused", |r| r.per_month(r.kv.issued(OpKind::List));
    "operations_per_request", "KV operations of all kinds for each recorded request", |r| share(r.kv_operations(), r.arrived.records);
    "kv_operations_per_day", "KV operations of all kinds in a day", |r| r.per_month(r.kv_operations()) / 30.0;
    "hit_ratio", "cache hits / cache lookups", RunResult::hit_ratio;
    "batch_records", "records in a flush, mean", |r| share(r.counters.flushed_records, r.counters.flushes);
    "record_p50_ms", "how long a request waits for its recording: median", |r| r.record.quantile_ms(0.50);
    "record_p95_ms", "the same, 95th percentile", |r| r.record.quantile_ms(0.95);
    "record_p99_ms", "the same, 99th percentile", |r| r.record.quantile_ms(0.99);
    "metrics_p50_ms", "metrics endpoint: median latency", |r| r.metrics.quantile_ms(0.50);
    "metrics_p95_ms", "the same, 95th percentile", |r| r.metrics.quantile_ms(0.95);
    "metrics_p99_ms", "the same, 99th percentile", |r| r.metrics.quantile_ms(0.99);
    "query_p50_ms", "analytics query (24 h window): median latency", |r| r.analytics.quantile_ms(0.50);
    "query_p95_ms", "the same, 95th percentile", |r| r.analytics.quantile_ms(0.95);
    "query_p99_ms", "the same, 99th percentile", |r| r.analytics.quantile_ms(0.99);
    "health_p50_ms", "system health report: median latency", |r| r.health.quantile_ms(0.50);
    "health_p95_ms", "the same, 95th percentile", |r| r.health.quantile_ms(0.95);
    "health_p99_ms", "the same, 99th percentile", |r| r.health.quantile_ms(0.99);
    "error_rate", "calls of all kinds that failed / calls", RunResult::error_rate;
    "record_error_rate", "recordings that failed or were not stored at once / recordings", |r| share(r.record.errors, r.record.count());
    "query_error_rate", "metrics reads, analytics queries and health reports that failed / calls", |r| {
        let calls = [&r.metrics, &r.analytics, &r.health];
        share(calls.iter().map(|c| c.errors).sum(), calls.iter().map(|c| c.count()).sum())
    };
    "kv_rate_limited_share", "KV operations refused with 429 / operations", |r| r.outcome_share(OpOutcome::RateLimited);
    "kv_quota_exceeded_share", "KV operations refused for a used-up daily quota / operations", |r| r.outcome_share(OpOutcome::QuotaExceeded);
    "kv_unavailable_share", "KV operations that failed in the service / operations", |r| r.outcome_share(OpOutcome::Unavailable);
    "kv_timeout_share", "KV operations without an answer, done or not / operations", |r| r.outcome_share(OpOutcome::Timeout) + r.outcome_share(OpOutcome::AnswerLost);
    "kv_invalid_share", "KV operations outside the documented limits / operations", |r| r.outcome_share(OpOutcome::Invalid);
    "retries_per_write", "retried writes / writes", |r| share(r.counters.retries, r.kv.issued(OpKind::Write));
    "loss_rate", "records lost for any cause / recorded requests", |r| share(r.counters.lost_total(), r.counters.accepted);
    "lost_overflow_newest_rate", "records given up on arrival, buffer full / recorded requests", |r| lost(r, LossCause::OverflowNewest);
    "lost_overflow_oldest_rate", "oldest records given up, buffer full / recorded requests", |r| lost(r, LossCause::OverflowOldest);
    "lost_evicted_rate", "records gone with their isolate / recorded requests", |r| lost(r, LossCause::Evicted);
    "buffer_high_water_records", "most records in memory at once", |r| r.counters.buffer_high_water as f64;
    "quota_use_reads", "reads used / allowed by the plan (busiest day, or month)", |r| r.quota_use[OpKind::Read as usize];
    "quota_use_writes", "writes used / allowed", |r| r.quota_use[OpKind::Write as usize];
    "quota_use_deletes", "deletes used / allowed", |r| r.quota_use[OpKind::Delete as usize];
    "quota_use_lists", "lists used / allowed", |r| r.quota_use[OpKind::List as usize];
    "stored_bytes", "bytes stored, on average once old keys expire", |r| r.usage.get(MeterItem::KvStorage) as f64;
    "invoice_fee_usd", "plan fee per month", |r| r.invoice.lines.iter().filter(|l| l.item.is_none()).map(|l| l.amount).sum::<Money>().to_usd();
    "invoice_kv_reads_usd", "KV reads beyond what is included, per month", |r| r.invoice.amount(MeterItem::KvReads).to_usd();
    "invoice_kv_writes_usd", "KV writes, likewise", |r| r.invoice.amount(MeterItem::KvWrites).to_usd();
    "invoice_kv_deletes_usd", "KV deletes, likewise", |r| r.invoice.amount(MeterItem::KvDeletes).to_usd();
    "invoice_kv_lists_usd", "KV lists, likewise", |r| r.invoice.amount(MeterItem::KvLists).to_usd();
    "invoice_kv_storage_usd", "KV storage, likewise", |r| r.invoice.amount(MeterItem::KvStorage).to_usd();
    "invoice_kv_bytes_usd", "bytes read and written, where a catalog prices them", |r| (r.invoice.amount(MeterItem::KvReadBytes) + r.invoice.amount(MeterItem::KvWriteBytes)).to_usd();
    "invoice_workers_usd", "Worker requests and CPU time", |r| (r.invoice.amount(MeterItem::WorkersRequests) + r.invoice.amount(MeterItem::WorkersCpuMs)).to_usd();
    "lost_waited_rate", "records given up after waiting for room / recorded requests", |r| lost(r, LossCause::WaitedTooLong);
    "lost_update_share", "records thought to be stored that are not in the KV / records thought to be stored", |r| r.missing_share.unwrap_or(f64::NAN);
    "store_delay_mean_s", "from record to store, mean", |r| r.counters.store_delay_us as f64 / 1e6 / r.counters.stored as f64;
    "coalesced_share", "queries that shared the answer of another / queries that missed the cache", |r| share(r.counters.coalesced, r.counters.coalesced + r.counters.fetches);
    "aggregations_per_request", "computations of a window's metrics / recorded requests", |r| share(r.counters.aggregations, r.arrived.records);
    "prewarmed_share", "reads ahead of their query / reads", |r| share(r.counters.prewarmed, r.counters.fetches);
    "retries_denied_per_write", "retries not made for want of budget / writes", |r| share(r.counters.retries_denied, r.kv.issued(OpKind::Write));
    "breaker_changes_per_month", "changes of state of all circuit breakers", |r| r.per_month(r.counters.breaker_changes);
    "breaker_rejected_share", "operations that a breaker kept back / operations wanted", |r| share(r.counters.breaker_rejected, r.counters.breaker_rejected + r.kv_operations());
    "shared_hit_share", "queries that the shared cache answered / queries that missed the isolate's", |r| share(r.counters.shared_hits, r.counters.shared_hits + r.counters.fetches);
    "answer_age_p50_s", "how long before its query an answer was read from the store: median", |r| r.answer_age.quantile_ms(0.50) / 1e3;
    "answer_age_p99_s", "the same, 99th percentile", |r| r.answer_age.quantile_ms(0.99) / 1e3;
    "invoice_tiers_usd", "Durable Objects and R2, per month", |r| r.invoice.lines.iter().filter(|l| l.item.is_some_and(|i| i.name().starts_with("do.") || i.name().starts_with("r2."))).map(|l| l.amount).sum::<Money>().to_usd();
    "requests_refused_share", "Worker requests turned away for a used-up daily limit / requests that came", |r| {
        let served = r.arrived.calls() - r.arrived.metrics_reads;
        share(r.arrived.refused, r.arrived.refused + served)
    };
    "isolates", "isolates alive at the end of the period", |r| r.isolates as f64;
    "isolates_mean", "isolates alive, averaged over the time of the period", |r| r.fleet.alive_ns as f64 / r.period.as_nanos() as f64;
    "isolates_peak", "most isolates alive at once in the period", |r| r.fleet.peak as f64;
    "spilled_share", "requests served by another machine because their shard server was overloaded / requests", |r| share(r.fleet.spilled, r.arrived.calls() - r.arrived.metrics_reads);
    "cold_starts_per_month", "isolates started", |r| r.per_month(r.fleet.started);
    "cold_start_share", "requests that waited for an isolate to start / requests", |r| share(r.cold_start.count(), r.arrived.calls() - r.arrived.metrics_reads);
    "cold_start_p95_ms", "how long they waited, 95th percentile", |r| r.cold_start.quantile_ms(0.95);
    "isolates_ended_idle_per_month", "isolates ended for want of requests", |r| r.per_month(r.fleet.ended[EndCause::Idle as usize]);
    "isolates_ended_random_per_month", "isolates ended by the platform", |r| r.per_month(r.fleet.ended[EndCause::Random as usize]);
    "isolates_ended_deploy_per_month", "isolates ended by a deployment", |r| r.per_month(r.fleet.ended[EndCause::Deploy as usize]);
    "isolates_ended_memory_per_month", "isolates ended for their memory", |r| r.per_month(r.fleet.ended[EndCause::Memory as usize]);
    "memory_peak_mb", "estimated memory of the largest isolate (128 MB is the limit)", |r| r.memory_peak_bytes as f64 / 1e6;
    "hot_read_share", "keys read that the place's cache answered / keys read", |r| age(r, |a| share(a.hot, a.reads));
    "stale_read_share", "keys read whose answer was outdated / keys read", |r| age(r, |a| share(a.stale, a.reads));
    "read_age_mean_s", "for how long a newer value had existed, mean over keys read", |r| age(r, |a| a.age_sum_s / a.reads as f64);
    "read_age_p99_s", "the same, 99th percentile", |r| age(r, |a| a.quantile_s(0.99));
    "cost_usd", "total of the invoice per month", |r| r.invoice.total.to_usd();
];

fn share(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

fn age(r: &RunResult, of: impl Fn(&ReadAges) -> f64) -> f64 {
    r.read_ages.as_ref().map_or(f64::NAN, of)
}

fn lost(r: &RunResult, cause: LossCause) -> f64 {
    share(r.counters.lost[cause as usize], r.counters.accepted)
}

/// The position of a measure in [`METRICS`].
pub fn index_of(name: &str) -> Option<usize> {
    METRICS.iter().position(|m| m.name == name)
}

/// The values of all measures of a result, in the order of [`METRICS`].
pub fn values(result: &RunResult) -> Vec<f64> {
    METRICS.iter().map(|m| (m.get)(result)).collect()
}
