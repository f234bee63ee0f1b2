//! No record goes astray, whatever the policy and whatever fails.

use kvplan::config::parse_overrides;
use kvplan::config::quantity::Count;
use kvplan::experiment::scenario::Scenario;
use kvplan::experiment::simulate::{Point, simulate};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// `simulate` itself checks records, operations and invoice at the end of each run.
    #[test]
    fn every_run_accounts_for_every_record_and_operation(
        policy in prop::sample::select(vec!["naive", "optimised", "batch-keys"]),
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
        seed in any::<u64>(),
    ) {
        let settings: Vec<String> = vec![
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
