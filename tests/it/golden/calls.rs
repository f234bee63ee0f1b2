//! Calls and operations, counted from arrivals and spans.

use super::world::{
    Compared, Seen, call, drawn, every, failed, is_record, play, request, scenario, together,
};
use kvplan::cloud::spans::Span;
use kvplan::models::quantity::Count;
use kvplan::run::{Phases, Point, arrivals, simulate};
use kvplan::telemetry::ports::{KvError, OpKind};
use kvplan::workload::ArrivalKind;
use std::time::Duration;

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Every request waits for its write and every query reads, with failures and retries: a call takes from the
/// start of its invocation to the end of its last operation, and fails if that does.
pub(super) fn calls_are_those_of_the_spans(c: &mut Compared) {
    let settings = [
        "latency.read={kind=\"lognormal\",median=\"20 ms\",p99=\"500 ms\"}",
        "latency.write={kind=\"lognormal\",median=\"60 ms\",p99=\"900 ms\"}",
        "limits.same_key_write_interval=\"0 s\"",
        "workload.metrics_reads={per_request=1.0,rate=\"1/s\"}",
        "workload.analytics_queries={rate=\"1/s\"}",
        "workload.health_checks={rate=\"1/s\"}",
        "policy.retry={backoff=\"fixed\",max_attempts=3,base=\"100 ms\"}",
        "policy.queries.retry={backoff=\"fixed\",max_attempts=2,base=\"50 ms\"}",
        "failures.write={error=\"20%\",timeout=\"4%\",answer_lost=\"4%\"}",
        "failures.read={error=\"10%\",timeout=\"2%\",answer_lost=\"2%\"}",
        "failures.timeout=\"2 s\"",
    ];
    let s = scenario("naive", "paid", &settings);
    let seen = play(&s, drawn(&s, 1.0, 1_700), 1_800);
    let (requests, all) = (seen.records(), seen.all_keys());
    let (reads, writes) = (seen.keys(OpKind::Read), seen.keys(OpKind::Write));
    c.is(&seen, "requests_per_month", seen.monthly(requests));
    c.is(&seen, "requests_served_per_month", seen.monthly(requests));
    c.is(&seen, "kv_reads_per_month", seen.monthly(reads));
    c.is(&seen, "kv_writes_per_month", seen.monthly(writes));
    c.is(&seen, "operations_per_request", all / requests);
    c.is(&seen, "kv_operations_per_day", 48.0 * all);
    let kinds = [
        ("flush full batch", "record"),
        ("metrics read", "metrics"),
        ("analytics query", "query"),
        ("health report", "health"),
    ];
    let spans = kinds.map(|(name, _)| seen.named(name));
    let came = [
        requests,
        seen.came(|k| k.is_metrics_read()),
        seen.came(|k| *k == ArrivalKind::AnalyticsQuery),
        seen.came(|k| *k == ArrivalKind::HealthCheck),
    ];
    assert_eq!(spans.each_ref().map(|s| s.len() as f64), came);
    // A day has four buckets of six hours, each a key.
    assert!(spans[2].iter().all(|s| s.operations[0].keys == 4));
    let bad = spans
        .each_ref()
        .map(|s| s.iter().filter(|s| failed(s)).count() as f64);
    c.is(&seen, "record_error_rate", bad[0] / came[0]);
    let queries = |of: [f64; 4]| of[1] + of[2] + of[3];
    c.is(&seen, "query_error_rate", queries(bad) / queries(came));
    let sum = |of: [f64; 4]| of.iter().sum::<f64>();
    c.is(&seen, "error_rate", sum(bad) / sum(came));
    let unavailable = seen.failed_keys(|e| *e == KvError::Unavailable);
    c.is(&seen, "kv_unavailable_share", unavailable / all);
    let timeouts = seen.failed_keys(|e| *e == KvError::Timeout);
    c.is(&seen, "kv_timeout_share", timeouts / all);
    // Every attempt but the first.
    let again = |s: &&Span| s.operations.len() - 1;
    let retries = spans[0].iter().map(again).sum::<usize>() as f64;
    assert!(retries > 400.0);
    c.is(&seen, "retries_per_write", retries / writes);
    let took = |s: &&Span| ms(s.end().since(s.start));
    let took = spans
        .each_ref()
        .map(|s| s.iter().map(took).collect::<Vec<f64>>());
    let names = [
        ["record_p50_ms", "record_p95_ms", "record_p99_ms"],
        ["metrics_p50_ms", "metrics_p95_ms", "metrics_p99_ms"],
        ["query_p50_ms", "query_p95_ms", "query_p99_ms"],
        ["health_p50_ms", "health_p95_ms", "health_p99_ms"],
    ];
    for (names, took) in names.into_iter().zip(&took) {
        for (name, q) in names.into_iter().zip([0.50, 0.95, 0.99]) {
            c.is_quantile(&seen, name, took, q);
        }
    }
}

/// Twenty minutes after ten of warm-up, under a policy that writes each request at once.
pub(super) fn what_came_in_the_warm_up_is_not_counted(c: &mut Compared) {
    let settings = [
        "limits.same_key_write_interval=\"0 s\"",
        "period={warm_up=\"10 min\",at_least=\"20 min\",at_most=\"20 min\"}",
    ];
    let s = scenario("naive", "paid", &settings);
    let point = Point {
        scenario: &s,
        policy: &s.policies[0],
        traffic: Count(2_000_000),
        replication: 0,
    };
    let phases = Phases::of(&s, point.traffic, 0);
    let end = phases.origin + Duration::from_secs(1_200);
    let mut coming = arrivals(&point, phases.start);
    let all: Vec<_> = std::iter::from_fn(|| coming.next_arrival())
        .take_while(|a| a.at < end)
        .collect();
    let counted = all.iter().filter(|a| a.at >= phases.origin).count();
    assert!(all.len() > counted + 400);
    let seen = Seen {
        result: simulate(&point).unwrap(),
        spans: Vec::new(),
        arrivals: all,
        period_s: 1_200.0,
    };
    c.is(&seen, "requests_per_month", seen.monthly(counted as f64));
    c.is(&seen, "kv_writes_per_month", seen.monthly(counted as f64));
}

/// A key for each request, all under one prefix. Of 2,000 keys a list has two full pages, of 2,500 three; each query
/// reads all of them.
pub(super) fn a_long_list_has_all_its_pages(c: &mut Compared) {
    let settings = [
        "policy.batch.max_records=1",
        "policy.batch.write=\"await\"",
        "policy.cache.enabled=false",
    ];
    let s = scenario("batch-keys", "paid", &settings);
    let requests = |from: u64, n: u64| (0..n).map(|i| request(from + 5 * i, 0)).collect();
    let queries = |from: u64| {
        let query = |i: u64| call(from + 1_000 * i, ArrivalKind::MetricsRead);
        (0..3).map(query).collect()
    };
    let all = [
        requests(0, 2_000),
        queries(20_000),
        requests(30_000, 500),
        queries(40_000),
    ];
    let seen = play(&s, together(&all), 60);
    assert_eq!(seen.failed_keys(|_| true), 0.0);
    let pages = 3.0 * 2.0 + 3.0 * 3.0;
    c.is(&seen, "kv_lists_per_month", seen.monthly(pages));
    let keys = 3.0 * 2_000.0 + 3.0 * 2_500.0;
    c.is(&seen, "kv_reads_per_month", seen.monthly(keys));
}

/// All requests write one key, at random times: what comes within a second of a write that was done is refused.
pub(super) fn a_key_is_written_once_a_second(c: &mut Compared) {
    let s = scenario(
        "naive",
        "paid",
        &["workload.metrics_reads={per_request=1.0}"],
    );
    let seen = play(&s, drawn(&s, 0.7, 1_700), 1_800);
    let requests = seen.arrivals.iter().filter(|a| is_record(&a.kind));
    let (mut last, mut refused) = (None, 0);
    for t in requests.map(|a| a.at) {
        match last {
            Some(last) if t < last + Duration::from_secs(1) => refused += 1,
            _ => last = Some(t),
        }
    }
    let all = 2.0 * seen.records();
    c.is(&seen, "kv_rate_limited_share", f64::from(refused) / all);
}

/// Every read asks for less than the KV accepts, every write is right.
pub(super) fn reads_that_ask_for_too_short_a_cache_are_invalid(c: &mut Compared) {
    let settings = [
        "limits.min_cache_ttl=\"2 min\"",
        "policy.queries.cache_ttl=\"1 min\"",
    ];
    let s = scenario("naive", "paid", &settings);
    let requests = (0..30).map(|i| request(2_000 * i, 0)).collect();
    let queries = every(5_500, 10, ArrivalKind::MetricsRead);
    let seen = play(&s, together(&[requests, queries]), 90);
    c.is(&seen, "kv_invalid_share", 10.0 / 40.0);
}

/// A query each second that takes 100 ms, and an outage from 100 to 160 s. Ten fail, the last at 109.1 s. Ten are kept
/// back until 119.1 s, then one probes and fails, and so on each 11 s: probes at 120, 131, 142 and 153 s fail, those at
/// 164, 165 and 166 s do not, and the breaker closes.
pub(super) fn a_breaker_opens_and_probes(c: &mut Compared) {
    let settings = [
        "latency.read={kind=\"constant\",value=\"100 ms\"}",
        "policy.breaker={failure_threshold=10,open_for=\"10 s\",half_open_probes=3}",
        "failures.windows=[{start=\"100 s\",length=\"60 s\",error=\"100%\"}]",
    ];
    let s = scenario("naive", "paid", &settings);
    let seen = play(&s, every(1_000, 300, ArrivalKind::MetricsRead), 310);
    let changes = 1.0 + 4.0 * 2.0 + 2.0;
    c.is(&seen, "breaker_changes_per_month", seen.monthly(changes));
    let kept_back = 5.0 * 10.0;
    assert_eq!(seen.keys(OpKind::Read), 300.0 - kept_back);
    c.is(&seen, "breaker_rejected_share", kept_back / 300.0);
    let failures = 10.0 + 4.0 + kept_back;
    c.is(&seen, "query_error_rate", failures / 300.0);
}

/// Every write fails and may be tried again once, for a token: two to begin with, and half a one for each write.
pub(super) fn a_budget_of_retries_is_spent(c: &mut Compared) {
    let settings = [
        "policy.retry={backoff=\"fixed\",max_attempts=2,base=\"100 ms\",budget={per_attempt=\"50%\",capacity=2}}",
        "failures.write.error=\"100%\"",
    ];
    let s = scenario("naive", "paid", &settings);
    let requests = (0..21).map(|i| request(2_000 * i, 0)).collect();
    let seen = play(&s, requests, 60);
    let (mut halves, mut retries, mut denied) = (4, 0.0, 0.0);
    for _ in 0..21 {
        halves = (halves + 1).min(4);
        if halves >= 2 {
            halves -= 2;
            retries += 1.0;
        } else {
            denied += 1.0;
        }
    }
    let writes = 21.0 + retries;
    assert_eq!(seen.keys(OpKind::Write), writes);
    c.is(&seen, "retries_denied_per_write", denied / writes);
    c.is(&seen, "retries_per_write", retries / writes);
}
