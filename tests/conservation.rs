//! No record goes astray, whatever the policy and whatever fails.

use kvplan::config::parse_overrides;
use kvplan::config::quantity::Count;
use kvplan::experiment::scenario::Scenario;
use kvplan::experiment::simulate::{Point, simulate};
use proptest::prelude::*;

/// Settings that any policy may have, alone or together.
const EXTRAS: [&str; 20] = [
    "fleet=\"slow-start\"",
    "fleet.life.mean_life=\"10 min\"",
    "fleet.life.grace=\"0 s\"",
    "consistency=\"eventual\"",
    "policy.cache.coalesce=true",
    "policy.cache.prewarm={lead=\"1 s\",min_expected=1.0,max_chain=\"30 s\"}",
    "policy.breaker={failure_threshold=5,open_for=\"20 s\",half_open_probes=2}",
    "policy.retry.budget={per_attempt=\"10%\",capacity=10}",
    "policy.queries.retry={backoff=\"exponential\",max_attempts=3,base=\"200 ms\",cap=\"1 s\"}",
    "policy.queries.aggregate=\"on_write\"",
    "policy.batch.adaptive={min_records=1,target_age=\"2 s\"}",
    "failures.capacity={per_second=30.0,collapse=2.0}",
    "failures.windows=[{start=\"1 min\",length=\"5 min\",error=\"20%\",rate_limited=\"60%\"},{start=\"8 min\",length=\"5 min\",latency_factor=30.0,place=0}]",
    "policy.tiers={shared_ttl=\"10 s\"}",
    "policy.cron={every=\"1 min\"}",
    "policy.cache.per_provider=true",
    "fleet.zipf={places=4,exponent=1.0}",
    "policy.cache.max_entries=1",
    "fleet.routing=\"independent\"",
    "fleet.life.spill_at=2",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// `simulate` itself checks records, operations and invoice at the end of each run.
    #[test]
    fn every_run_accounts_for_every_record_and_operation(
        policy in prop::sample::select(vec!["naive-fleet", "optimised-fleet", "batch-keys", "shared-key"]),
        plan in prop::sample::select(vec!["free", "paid"]),
        traffic in 50_000_u64..40_000_000,
        max_records in 1_u32..200,
        spare in 0_u32..50,
        max_age_ms in 1_u32..20_000,
        overflow in prop::sample::select(vec!["drop_newest", "drop_oldest"]),
        error in 0.0..0.6_f64,
        timeout in 0.0..0.2_f64,
        answer_lost in 0.0..0.2_f64,
        down_s in 1_u32..600,
        extras in prop::sample::subsequence(EXTRAS.to_vec(), 0..=EXTRAS.len()),
        seed in any::<u64>(),
    ) {
        let mut settings: Vec<String> = vec![
            // Capacity first: it may not be less than a batch at any moment.
            format!("policy.batch.buffer_capacity={}", 200 + spare),
            format!("policy.batch.max_records={max_records}"),
            format!("policy.batch.max_age=\"{max_age_ms} ms\""),
            format!("policy.batch.overflow=\"{overflow}\""),
            format!("failures.write={{error={error},timeout={timeout},answer_lost={answer_lost}}}"),
            format!("failures.read={{error={error}}}"),
            "failures.timeout=\"2 s\"".into(),
            format!("failures.outages={{mean_up=\"300 s\",mean_down=\"{down_s} s\"}}"),
            "period.warm_up=\"0 s\"".into(),
            "period.requests=2000".into(),
            "period.at_least=\"60 s\"".into(),
            "period.at_most=\"12 h\"".into(),
        ];
        let mortal = extras.contains(&EXTRAS[0]);
        let extras = extras.iter().filter(|e| mortal || !e.starts_with("fleet."));
        settings.extend(extras.map(|e| (*e).to_owned()));
        if policy.ends_with("-fleet") && max_age_ms % 3 == 0 {
            settings.push("policy.layout.per_provider=true".into());
        }
        if policy == "batch-keys" && max_age_ms % 2 == 0 {
            settings.push("policy.batch.overflow=\"wait\"".into());
            settings.push("policy.batch.max_wait=\"3 s\"".into());
        }
        let mut scenario = Scenario::load("default", &[policy.into()], Some(plan), &parse_overrides(&settings).unwrap()).unwrap();
        scenario.seed = seed;
        // Quotas work by the day; let this be as short as a paid run.
        if plan == "free" {
            scenario.workload.analytics_queries.rate = Default::default();
        }
        let traffic = if plan == "free" { traffic.min(100_000) } else { traffic };
        let point = Point { scenario: &scenario, policy: &scenario.policies[0], traffic: Count(traffic), replication: 0 };
        let r = simulate(&point);
        prop_assert!(r.is_ok(), "{:?}", r.err());
        let r = r.unwrap();
        prop_assert_eq!(
            r.counters.accepted,
            r.counters.stored + r.counters.lost_total() + r.records_in_memory
        );
        prop_assert_eq!(r.counters.accepted, r.arrived.records);
    }
}
