//! The measures of a store comparison: some of those of a run, and what only stores have.

use crate::cloud::kv::OpOutcome;
use crate::pricing::{LineItem, MeterItem};
use crate::run::measure::{self, Calls, Get};
use crate::run::metric::{self, METRICS, Metric, ms, share};
use crate::run::result::RunResult;
use crate::telemetry::ports::OpKind;
use std::sync::LazyLock;

/// All measures, in the order of columns.
pub static MEASURES: LazyLock<Vec<Metric>> = LazyLock::new(|| {
    let of_run = |name: &str| METRICS[metric::position(name)];
    let own = |name, meaning, get| Metric { name, meaning, get };
    vec![
        of_run("requests_per_month"),
        of_run("cost_usd"),
        own(
            "store_usd",
            "of that what the store and its traffic cost: neither plan fee nor Workers",
            Get::Bill(of_store),
        ),
        own(
            "workers_usd",
            "of that Worker requests and CPU time",
            Get::Bill(of_workers),
        ),
        own(
            "write_p50_ms",
            "a write to the store, or the sending of a message: median latency",
            ms(Calls::Write, 0.50),
        ),
        own(
            "write_p95_ms",
            "the same, 95th percentile",
            ms(Calls::Write, 0.95),
        ),
        own(
            "fetch_p50_ms",
            "a query that asks the store: median latency",
            ms(Calls::Fetch, 0.50),
        ),
        own(
            "fetch_p95_ms",
            "the same, 95th percentile",
            ms(Calls::Fetch, 0.95),
        ),
        own(
            "query_p95_ms",
            "all queries, those from the cache among them: 95th percentile",
            ms(Calls::Query, 0.95),
        ),
        of_run("record_p95_ms"),
        own(
            "stored_after_mean_s",
            "from record to where a query can find it, mean",
            Get::Each(stored_after_s),
        ),
        of_run("hit_ratio"),
        of_run("error_rate"),
        of_run("loss_rate"),
        of_run("requests_refused_share"),
        of_run("kv_quota_exceeded_share"),
        own(
            "writes_refused_share",
            "writes refused with 429 / writes",
            Get::Rate(writes_refused),
        ),
        own(
            "peak_per_second",
            "requests or messages in the busiest second, where that has a bound",
            Get::Each(|r| r.peak_per_second.map_or(f64::NAN, |p| p as f64)),
        ),
        own(
            "stored_bytes",
            "bytes stored, on average once old keys expire",
            Get::Skewed(|r| r.stored_bytes as f64),
        ),
    ]
});

fn writes_refused(r: &RunResult) -> (f64, f64) {
    let refused = r.kv.count(OpKind::Write, OpOutcome::RateLimited);
    share(refused, r.kv.issued(OpKind::Write))
}

/// From record to where a query can find it, mean.
fn stored_after_s(r: &RunResult) -> f64 {
    let c = &r.counters;
    match c.stored {
        0 => f64::NAN,
        n => c.store_delay_us as f64 / 1e6 / n as f64 + r.beyond.delay_s,
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

/// The position of a measure in [`MEASURES`].
pub fn index_of(name: &str) -> Option<usize> {
    measure::index_of(&MEASURES, name)
}

/// The position of a measure that the code itself names.
///
/// # Panics
/// If there is no measure of that name: a defect.
pub fn position(name: &str) -> usize {
    measure::position(&MEASURES, name)
}
