//! Every measure of a run against a count that does not go through the counters it is read from.
//!
//! What is counted is what came (the arrivals), what was done on the KV (the spans), and what follows from them
//! in a small model of the test's own: a cache, a batch, a bill. The list below says which case tells which
//! measures; a measure without a case fails a test.

mod batches;
mod bills;
mod caches;
mod calls;
mod fleets;
mod places;
mod quotas;
mod world;

use kvplan::run::metric::METRICS;
use std::collections::BTreeSet;
use world::Compared;

/// Makes a test of each case, which must compare the measures that are listed for it and no others.
macro_rules! cases {
    ($($module:ident::$case:ident: $($measure:literal)*;)*) => {
        /// The cases, each with the measures that it compares.
        const CASES: &[(&str, &[&str])] = &[$((stringify!($case), &[$($measure),*])),*];

        $(
            #[test]
            fn $case() {
                let mut compared = Compared::default();
                $module::$case(&mut compared);
                let listed = BTreeSet::from([$($measure),*]);
                assert_eq!(compared.names(), listed, "compared, and listed");
            }
        )*
    };
}

cases! {
    calls::calls_are_those_of_the_spans:
        "requests_per_month" "requests_served_per_month" "kv_reads_per_month" "kv_writes_per_month"
        "operations_per_request" "kv_operations_per_day" "retries_per_write" "error_rate" "record_error_rate"
        "query_error_rate" "kv_unavailable_share" "kv_timeout_share" "record_p50_ms" "record_p95_ms"
        "record_p99_ms" "metrics_p50_ms" "metrics_p95_ms" "metrics_p99_ms" "query_p50_ms" "query_p95_ms"
        "query_p99_ms" "health_p50_ms" "health_p95_ms" "health_p99_ms";
    calls::what_came_in_the_warm_up_is_not_counted: "requests_per_month" "kv_writes_per_month";
    calls::a_long_list_has_all_its_pages: "kv_lists_per_month" "kv_reads_per_month";
    calls::a_key_is_written_once_a_second: "kv_rate_limited_share";
    calls::reads_that_ask_for_too_short_a_cache_are_invalid: "kv_invalid_share";
    calls::a_breaker_opens_and_probes: "breaker_changes_per_month" "breaker_rejected_share" "query_error_rate";
    calls::a_budget_of_retries_is_spent: "retries_denied_per_write" "retries_per_write";
    batches::batches_by_number_and_age: "batch_records" "store_delay_mean_s" "kv_writes_per_month";
    batches::a_full_buffer_gives_up_the_newest:
        "loss_rate" "lost_overflow_newest_rate" "buffer_high_water_records" "record_error_rate";
    batches::a_full_buffer_gives_up_the_oldest: "loss_rate" "lost_overflow_oldest_rate" "buffer_high_water_records";
    batches::a_full_buffer_lets_requests_wait: "loss_rate" "lost_waited_rate" "record_error_rate";
    batches::of_two_writers_of_a_key_one_loses: "loss_rate" "lost_update_rate" "lost_update_share";
    caches::entries_live_for_their_time:
        "hit_ratio" "answer_age_p50_s" "answer_age_p99_s" "aggregations_per_request";
    caches::queries_at_a_time_share_an_answer: "coalesced_share" "kv_reads_per_month";
    caches::entries_are_read_again_until_the_chain_ends: "prewarmed_share" "hit_ratio";
    caches::answers_are_shared_for_their_time: "shared_hit_share" "invoice_tiers_usd";
    places::reads_are_answered_by_their_place:
        "hot_read_share" "stale_read_share" "refreshed_share" "read_age_mean_s" "read_age_p99_s";
    places::versions_are_seen_in_their_order: "kv_reads_per_month";
    fleets::a_place_spills_over:
        "isolates" "isolates_mean" "isolates_peak" "spilled_share" "cold_starts_per_month" "cold_start_share"
        "isolates_ended_idle_per_month" "lost_evicted_rate" "loss_rate" "buffer_high_water_records";
    fleets::isolates_start_for_each_pair_of_queries:
        "cold_start_p95_ms" "cold_start_share" "isolates_mean" "isolates_ended_idle_per_month";
    fleets::each_deployment_ends_the_isolate: "isolates_ended_deploy_per_month" "cold_starts_per_month";
    fleets::the_platform_ends_isolates: "isolates_ended_random_per_month";
    fleets::requests_take_memory: "isolates_ended_memory_per_month" "memory_peak_mb";
    quotas::a_day_of_the_free_plan:
        "quota_use_reads" "quota_use_writes" "quota_use_lists" "quota_use_requests";
    quotas::writes_beyond_the_daily_limit_are_refused: "kv_quota_exceeded_share" "quota_use_writes";
    quotas::requests_beyond_the_daily_limit_are_refused:
        "requests_refused_share" "requests_per_month" "requests_served_per_month" "quota_use_requests";
    quotas::deletes_are_counted: "kv_deletes_per_month" "quota_use_deletes";
    bills::a_bill_by_hand:
        "invoice_fee_usd" "invoice_kv_reads_usd" "invoice_kv_writes_usd" "invoice_kv_lists_usd"
        "invoice_workers_usd" "cost_usd";
    bills::deletes_are_billed: "invoice_kv_deletes_usd";
    bills::what_is_stored_is_billed: "stored_bytes" "invoice_kv_storage_usd";
    bills::bytes_are_billed_where_they_have_a_price: "invoice_kv_bytes_usd";
}

/// Measures that have no case.
const MISSING: [&str; 0] = [];

#[test]
fn every_measure_has_a_case() {
    let listed = CASES.iter().flat_map(|c| c.1).chain(&MISSING);
    let listed: BTreeSet<&str> = listed.copied().collect();
    let all: BTreeSet<&str> = METRICS.iter().map(|m| m.name).collect();
    assert_eq!(all, listed, "all measures, and those listed");
}
