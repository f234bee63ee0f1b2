//! Caches of answers, told from the times at which queries come.

use super::world::{Compared, Seen, call, drawn, every, play, request, scenario, together};
use kvplan::telemetry::ports::OpKind;
use kvplan::units::Timestamp;
use kvplan::workload::ArrivalKind;
use std::time::Duration;

/// An answer is kept for 5 s from when it was read, 400 ms after its query; what comes meanwhile reads, too.
pub(super) fn entries_live_for_their_time(c: &mut Compared) {
    let settings = [
        "latency.read={kind=\"constant\",value=\"400 ms\"}",
        "workload.metrics_reads={rate=\"1/s\"}",
    ];
    let s = scenario("optimised", "paid", &settings);
    let seen = play(&s, drawn(&s, 0.5, 1_780), 1_800);
    let queries: Vec<Timestamp> = seen
        .arrivals
        .iter()
        .filter(|a| a.kind.is_metrics_read())
        .map(|a| a.at)
        .collect();
    let mut reads: Vec<Timestamp> = Vec::new();
    let (mut hits, mut ages) = (0.0, Vec::new());
    for t in &queries {
        let read = reads.iter().rev().find(|read| **read <= *t);
        match read {
            Some(read) if *t < *read + Duration::from_secs(5) => {
                hits += 1.0;
                ages.push(t.since(*read).as_secs_f64());
            }
            _ => {
                reads.push(*t + Duration::from_millis(400));
                ages.push(0.0);
            }
        }
    }
    let n = queries.len() as f64;
    c.is(&seen, "hit_ratio", hits / n);
    c.is_quantile(&seen, "answer_age_p50_s", &ages, 0.50);
    c.is_quantile(&seen, "answer_age_p99_s", &ages, 0.99);
    let computed = (n - hits) / seen.records();
    c.is(&seen, "aggregations_per_request", computed);
}

/// Three queries within a second that the read of the first takes, each 20 s.
pub(super) fn queries_at_a_time_share_an_answer(c: &mut Compared) {
    let settings = [
        "latency.read={kind=\"constant\",value=\"1 s\"}",
        "policy.cache.coalesce=true",
    ];
    let s = scenario("optimised", "paid", &settings);
    let query = |ms| call(ms, ArrivalKind::MetricsRead);
    let three = |i: u64| [0, 300, 800].map(|ms| query(20_000 * i + ms));
    let seen = play(&s, (0..10).flat_map(three).collect(), 200);
    let reading = seen.spans.iter().filter(|s| !s.operations.is_empty());
    assert_eq!((reading.count(), seen.spans.len()), (10, 30));
    c.is(&seen, "coalesced_share", 20.0 / 30.0);
    c.is(&seen, "kv_reads_per_month", seen.monthly(10.0));
}

/// A query each second. The first reads until 0.01 s, and from then on its entry is read again each 4.01 s, for as long
/// as that begins within 25 s: six times, until 24.07 s. That entry dies at 29.07 s, and the query at 30 s is as the first.
pub(super) fn entries_are_read_again_until_the_chain_ends(c: &mut Compared) {
    let s = scenario("predictive", "paid", &["policy.layout.discover=\"own\""]);
    let seen = play(&s, every(1_000, 600, ArrivalKind::MetricsRead), 630);
    let reads = seen.named("metrics read");
    let reading: Vec<usize> = reads.iter().map(|s| s.operations.len()).collect();
    assert_eq!(reading.iter().filter(|n| **n > 0).count(), 20);
    let ahead = seen.keys(OpKind::Read) - 20.0;
    assert_eq!(ahead, 6.0 * 20.0, "{reading:?}");
    c.is(&seen, "prewarmed_share", ahead / (ahead + 20.0));
    c.is(&seen, "hit_ratio", 580.0 / 600.0);
}

/// A query each 3 s, without a cache of its isolate. The first asks the object, lists, and gives the object its answer at
/// 20 ms, to be kept for 10 s: the queries at 3, 6 and 9 s have it, and that at 12 s is as the first.
pub(super) fn answers_are_shared_for_their_time(c: &mut Compared) {
    let settings = [
        "policy.cache.enabled=false",
        "policy.queries.metrics_window=\"6 h\"",
    ];
    let s = scenario("tiered-fresh", "paid", &settings);
    let queries = every(3_000, 200, ArrivalKind::MetricsRead);
    let seen = play(&s, together(&[queries, vec![request(598_000, 0)]]), 600);
    assert_eq!(seen.keys(OpKind::List), 50.0);
    c.is(&seen, "shared_hit_share", 150.0 / 200.0);
    c.is(&seen, "invoice_tiers_usd", object_usd(&seen, 200.0 + 50.0));
}

/// Requests to the object beyond a million a month, in whole millions at $0.15. It is active for less than a third of a month.
fn object_usd(seen: &Seen, requests: f64) -> f64 {
    let beyond = seen.monthly(requests) - 1e6;
    0.15 * (beyond / 1e6).ceil()
}
