//! The measures of a store comparison.

use super::world::{StoreRun, records_per_month};
use crate::pricing::{MeterItem, Money};

/// A measure of a run.
pub struct Measure {
    /// Column name.
    pub name: &'static str,
    pub meaning: &'static str,
    get: fn(&StoreRun) -> f64,
}

macro_rules! measures {
    ($($name:literal, $meaning:literal, $get:expr;)*) => {
        &[$(Measure { name: $name, meaning: $meaning, get: $get }),*]
    };
}

/// All measures, in the order of columns.
pub const MEASURES: &[Measure] = measures![
    "requests_per_month", "recorded requests", |r| records_per_month(r).0 as f64;
    "cost_usd", "total of the invoice per month", |r| r.invoice.total.to_usd();
    "store_usd", "of that what the store and its traffic cost: neither plan fee nor Workers", |r| store_cost(r).to_usd();
    "workers_usd", "of that Worker requests and CPU time", |r| (r.invoice.amount(MeterItem::WorkersRequests) + r.invoice.amount(MeterItem::WorkersCpuMs)).to_usd();
    "write_p50_ms", "a write to the store, or the sending of a message: median latency", |r| r.write.quantile_ms(0.50);
    "write_p95_ms", "the same, 95th percentile", |r| r.write.quantile_ms(0.95);
    "fetch_p50_ms", "a query that asks the store: median latency", |r| r.fetch.quantile_ms(0.50);
    "fetch_p95_ms", "the same, 95th percentile", |r| r.fetch.quantile_ms(0.95);
    "query_p95_ms", "all queries, those from the cache among them: 95th percentile", |r| r.query.quantile_ms(0.95);
    "record_p95_ms", "recording a request, as the request sees it: 95th percentile", |r| r.record.quantile_ms(0.95);
    "stored_after_mean_s", "from record to where a query can find it, mean", |r| r.stored_after_s;
    "hit_ratio", "queries answered from the isolate's cache / queries", |r| share(r.cache_hits, r.cache_hits + r.cache_misses);
    "error_rate", "calls of all kinds that failed / calls", |r| share(r.record.errors + r.query.errors, r.record.count() + r.query.count());
    "loss_rate", "records lost for any cause / recorded requests", |r| share(r.lost, r.arrived.records);
    "writes_refused_share", "writes refused with 429 / writes", |r| if r.writes == 0 { 0.0 } else { share(r.writes_refused, r.writes) };
    "peak_per_second", "requests or messages in the busiest second, where that has a bound", |r| r.peak_per_second.map_or(f64::NAN, |p| p as f64);
    "stored_bytes", "bytes stored once old keys expire", |r| r.stored_bytes as f64;
];

/// What is on the invoice beside the plan's fee and Workers.
fn store_cost(r: &StoreRun) -> Money {
    let workers = [MeterItem::WorkersRequests, MeterItem::WorkersCpuMs];
    let lines = r.invoice.lines.iter();
    lines
        .filter(|l| l.item.is_some_and(|i| !workers.contains(&i)))
        .map(|l| l.amount)
        .sum()
}

fn share(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// The position of a measure in [`MEASURES`].
pub fn index_of(name: &str) -> Option<usize> {
    MEASURES.iter().position(|m| m.name == name)
}

/// The values of all measures of a run.
pub fn values(run: &StoreRun) -> Vec<f64> {
    MEASURES.iter().map(|m| (m.get)(run)).collect()
}
