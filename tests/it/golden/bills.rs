//! Bills by hand, with the prices of Cloudflare's pages. A period is a whole part of a month, so that
//! its use makes whole units.

use super::quotas::Sweeper;
use super::world::{Compared, Seen, at, every, play, play_on, request, scenario, together};
use kvplan::run::ORIGIN;
use kvplan::run::scenario::Scenario;
use kvplan::telemetry::aggregate::{Aggregate, ProviderNames};
use kvplan::telemetry::ports::OpKind;
use kvplan::telemetry::record::Record;
use kvplan::workload::{Arrival, ArrivalKind};
use std::time::Duration;

/// What a month's use beyond what is included comes to.
fn usd(used: f64, included: f64, per_million: f64) -> f64 {
    (used - included).max(0.0) / 1e6 * per_million
}

/// A 4,500th of a month: 400 requests that are each written, 2,500 queries of one bucket and 100 of a day, which is
/// four, and a cron trigger each minute that does both. The bucket of now is the only one with a key.
pub(super) fn a_bill_by_hand(c: &mut Compared) {
    let s = scenario("naive-fleet", "paid", &["policy.cron={every=\"1 min\"}"]);
    let requests = (0..400).map(|i| request(1_400 * i, 0)).collect();
    let mut metrics = every(230, 2_500, ArrivalKind::MetricsRead);
    let mut analytics = every(5_600, 100, ArrivalKind::AnalyticsQuery);
    for query in metrics.iter_mut().chain(&mut analytics) {
        query.at = query.at + Duration::from_millis(100);
    }
    let seen = play(&s, together(&[requests, metrics, analytics]), 576);
    let crons = 9.0;
    // Triggers are not traced.
    let reads = 2_600.0 + 2.0 * crons;
    let lists = 2_500.0 + 4.0 * 100.0 + 5.0 * crons;
    assert_eq!(seen.keys(OpKind::Read) + 2.0 * crons, reads);
    assert_eq!(seen.keys(OpKind::List) + 5.0 * crons, lists);
    assert_eq!(seen.failed_keys(|_| true), 0.0);
    let requests = 400.0 + 2_600.0 + crons;
    let cpu_ms = 400.0 * 1.0 + (2_600.0 + crons) * 5.0;
    let month = |n| seen.monthly(n);
    let reads = usd(month(reads), 10e6, 0.50);
    let writes = usd(month(400.0), 1e6, 5.0);
    let lists = usd(month(lists), 1e6, 5.0);
    let workers = usd(month(requests), 10e6, 0.30) + usd(month(cpu_ms), 30e6, 0.02);
    c.is(&seen, "invoice_fee_usd", 5.0);
    c.is(&seen, "invoice_kv_reads_usd", reads);
    c.is(&seen, "invoice_kv_writes_usd", writes);
    c.is(&seen, "invoice_kv_lists_usd", lists);
    c.is(&seen, "invoice_workers_usd", workers);
    let all = 5.0 + reads + writes + lists + workers;
    c.is(&seen, "cost_usd", all);
}

pub(super) fn deletes_are_billed(c: &mut Compared) {
    let s = scenario("naive", "paid", &[]);
    let calls = every(2_000, 290, ArrivalKind::MetricsRead);
    let layout = s.policies[0].layout.clone();
    let seen = play_on(&s, calls, 600, |_, _| Sweeper(layout));
    let expected = usd(seen.monthly(290.0), 1e6, 5.0);
    c.is(&seen, "invoice_kv_deletes_usd", expected);
}

/// The value of a batch of these requests.
fn value(s: &Scenario, batch: &[Arrival]) -> Vec<u8> {
    let mut names = ProviderNames::default();
    let providers: Vec<_> = s
        .workload
        .providers
        .iter()
        .map(|p| names.intern(&p.name))
        .collect();
    let mut total = Aggregate::default();
    for a in batch {
        if let ArrivalKind::Record {
            provider,
            latency,
            success,
            tokens,
        } = a.kind
        {
            total.add(&Record {
                at: a.at,
                provider: providers[usize::from(provider)],
                latency,
                success,
                tokens,
            });
        }
    }
    total.encode(&names)
}

/// Batches of ten from a request each 100 ms, each under a key of its own; queries at the end of 1,000 batches.
fn batches(s: &Scenario) -> (Seen, Vec<f64>) {
    let requests: Vec<_> = (0..10_000)
        .map(|i| request(100 * i, 50 + i % 700))
        .collect();
    let values = requests.chunks(10).map(|b| value(s, b).len() as f64);
    let values = values.collect();
    let mut queries = every(1_000, 10, ArrivalKind::MetricsRead);
    for query in &mut queries {
        query.at = query.at + at(1_020_000).since(ORIGIN);
    }
    (play(s, together(&[requests, queries]), 1_200), values)
}

const BATCHES: [&str; 4] = [
    "policy.batch.max_records=10",
    "policy.batch.min_interval=\"0 s\"",
    "policy.cache.enabled=false",
    "policy.layout.retention=\"300 d\"",
];

/// Keys are kept for 300 days, and 1,000 come in twenty minutes: by Little's law the level is their bytes times the
/// twenty minutes that 300 days have.
pub(super) fn what_is_stored_is_billed(c: &mut Compared) {
    let s = scenario("batch-keys", "paid", &BATCHES);
    let (seen, values) = batches(&s);
    assert_eq!(seen.keys(OpKind::Write), 1_000.0);
    // Such as b/001793577600/w0-0000000001.
    let bytes: f64 = values.iter().map(|v| v + 28.0).sum();
    let level = bytes * 300.0 * 72.0;
    c.is(&seen, "stored_bytes", level);
    let gb = usd(level / 1e3, 1e6, 0.50);
    c.is(&seen, "invoice_kv_storage_usd", gb);
}

/// The seed document's prices: $0.50 for a GB written, $0.30 for one read.
pub(super) fn bytes_are_billed_where_they_have_a_price(c: &mut Compared) {
    let prices = ["billing={catalog=\"seed-document\",plan=\"per-gb\"}"];
    let s = scenario("batch-keys", "per-gb", &[&BATCHES[..], &prices].concat());
    let (seen, values) = batches(&s);
    assert_eq!(seen.keys(OpKind::Read), 10_000.0);
    let sum: f64 = values.iter().sum();
    let written = seen.monthly(sum + 28.0 * 1_000.0) / 1e9;
    let read = seen.monthly(10.0 * sum) / 1e9;
    let expected = 0.50 * written + 0.30 * read;
    c.is(&seen, "invoice_kv_bytes_usd", expected);
}
