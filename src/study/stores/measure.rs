//! The measures of a store comparison.

use super::world::{StoreRun, records_per_month};
use crate::pricing::{Invoice, LineItem, MeterItem, Usage};
use crate::run::measure::{self, Calls, Get, Measurable};
use crate::sim::latencies::Latencies;

/// A measure of a run.
pub type Measure = measure::Measure<StoreRun>;

macro_rules! measures {
    ($($name:literal, $meaning:literal, $get:expr;)*) => {
        &[$(Measure { name: $name, meaning: $meaning, get: $get }),*]
    };
}

/// All measures, in the order of columns.
pub const MEASURES: &[Measure] = measures![
    "requests_per_month", "recorded requests", Get::Each(|r| records_per_month(r).0 as f64);
    "cost_usd", "total of the invoice per month", Get::Bill(|_| true);
    "store_usd", "of that what the store and its traffic cost: neither plan fee nor Workers", Get::Bill(of_store);
    "workers_usd", "of that Worker requests and CPU time", Get::Bill(of_workers);
    "write_p50_ms", "a write to the store, or the sending of a message: median latency", ms(Calls::Write, 0.50);
    "write_p95_ms", "the same, 95th percentile", ms(Calls::Write, 0.95);
    "fetch_p50_ms", "a query that asks the store: median latency", ms(Calls::Fetch, 0.50);
    "fetch_p95_ms", "the same, 95th percentile", ms(Calls::Fetch, 0.95);
    "query_p95_ms", "all queries, those from the cache among them: 95th percentile", ms(Calls::Query, 0.95);
    "record_p95_ms", "recording a request, as the request sees it: 95th percentile", ms(Calls::Record, 0.95);
    "stored_after_mean_s", "from record to where a query can find it, mean", Get::Each(|r| r.stored_after_s);
    "hit_ratio", "queries answered from the isolate's cache / queries", Get::Ratio(|r| share(r.cache_hits, r.cache_hits + r.cache_misses));
    "error_rate", "calls of all kinds that failed / calls", Get::Rate(|r| share(r.record.errors + r.query.errors, r.record.count() + r.query.count()));
    "loss_rate", "records lost for any cause / recorded requests; none where writers share a key", Get::Rate(|r| {
        (r.lost.map_or(f64::NAN, |n| n as f64), r.arrived.records as f64)
    });
    "kv_quota_exceeded_share", "KV operations refused for a used-up daily quota / operations", Get::Rate(|r| share(r.quota_refused.0, r.quota_refused.1));
    "writes_refused_share", "writes refused with 429 / writes", Get::Rate(|r| share(r.writes_refused, r.writes));
    "peak_per_second", "requests or messages in the busiest second, where that has a bound", Get::Each(|r| r.peak_per_second.map_or(f64::NAN, |p| p as f64));
    "stored_bytes", "bytes stored once old keys expire", Get::Each(|r| r.stored_bytes as f64);
];

/// A quantile in milliseconds.
const fn ms(of: Calls, q: f64) -> Get<StoreRun> {
    Get::Quantile {
        of,
        q,
        unit_ms: 1.0,
    }
}

/// Worker requests and CPU time.
fn of_workers(line: &LineItem) -> bool {
    matches!(
        line.item,
        Some(MeterItem::WorkersRequests | MeterItem::WorkersCpuMs)
    )
}

/// What is on the invoice beside the plan's fee and Workers.
fn of_store(line: &LineItem) -> bool {
    line.item.is_some() && !of_workers(line)
}

/// The two parts of a ratio of counts.
fn share(a: u64, b: u64) -> (f64, f64) {
    (a as f64, b as f64)
}

impl Measurable for StoreRun {
    fn latencies(&self, calls: Calls) -> Option<&Latencies> {
        let calls = match calls {
            Calls::Record => &self.record,
            Calls::Query => &self.query,
            Calls::Fetch => &self.fetch,
            Calls::Write => &self.write,
            _ => return None,
        };
        Some(&calls.latencies)
    }

    fn usage(&self) -> &Usage {
        &self.usage
    }

    fn invoice(&self) -> &Invoice {
        &self.invoice
    }
}

/// The position of a measure in [`MEASURES`].
pub fn index_of(name: &str) -> Option<usize> {
    MEASURES.iter().position(|m| m.name == name)
}
