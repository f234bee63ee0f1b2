//! When a run begins, and when it begins to count.

use super::ORIGIN;
use super::scenario::Scenario;
use crate::models::quantity::Count;
use crate::sim::random::Streams;
use crate::units::Timestamp;
use rand::Rng;
use std::time::Duration;

/// When a run begins, and when it begins to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    /// When the simulation begins, before the warm-up.
    pub start: Timestamp,
    /// Until here only recordings are let through: the keys that queries will find.
    pub queries_from: Timestamp,
    /// The end of the warm-up and the start of the measurement.
    pub origin: Timestamp,
}

/// The fraction of the golden ratio in units of 2^-64: its multiples, whatever their number, lie
/// evenly spread over the circle (Steinhaus' three-distance theorem).
pub(super) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Phases {
    /// The phases of a replication.
    ///
    /// A period of whole time buckets starts at [`ORIGIN`], the start of a day, so that a whole
    /// day meets one daily quota. Any other starts somewhere in a bucket: a current bucket's keys
    /// are few and small at its beginning, and a period that always began there would see no
    /// others. Where in the bucket depends on seed and replication only (all policies have the
    /// same phase, the common random numbers of a replication), is even over the bucket for each
    /// replication, and spread over it among them.
    ///
    /// Such a period of a bucket or more is preceded by recordings from the start of its first
    /// bucket on. A shorter one is not, as that would often cost more than the period itself:
    /// what it finds in its first bucket is what the scenario's history puts there.
    pub fn of(scenario: &Scenario, traffic: Count, replication: u64) -> Self {
        let period = scenario.horizon(traffic);
        let buckets = || scenario.policies.iter().map(|p| p.layout.bucket);
        let whole = |bucket: Duration| period.as_nanos().is_multiple_of(bucket.as_nanos());
        let before = scenario.period.before();
        // Nothing before the period: it is the beginning itself that is looked at.
        let from_nothing = before.is_zero();
        let Some(bucket) = buckets()
            .max()
            .filter(|_| !from_nothing && !buckets().all(whole))
        else {
            return Phases::at(ORIGIN, before, scenario.period.warm_up);
        };
        let mut shift = Streams::new(scenario.seed, 0).stream("measurement.phase");
        let turn = shift
            .next_u64()
            .wrapping_add(GOLDEN.wrapping_mul(replication));
        let phase_ms = (u128::from(turn) * bucket.as_millis()) >> 64;
        let origin = ORIGIN + Duration::from_millis(phase_ms as u64);
        let mut phases = Phases::at(origin, before, scenario.period.warm_up);
        if period >= bucket {
            phases.start = phases.start.min(origin.floor_to(bucket));
        }
        phases
    }

    fn at(origin: Timestamp, before: Duration, warm_up: Duration) -> Self {
        Phases {
            start: origin - before,
            queries_from: origin - warm_up,
            origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parse_overrides;

    fn scenario(settings: &[&str]) -> Scenario {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Scenario::load("default", &[], None, &parse_overrides(&settings).unwrap()).unwrap()
    }

    #[test]
    fn whole_buckets_start_with_the_day_and_others_anywhere_in_a_bucket() {
        let hours = scenario(&["period.at_least=\"3 h\"", "period.at_most=\"3 h\""]);
        for replication in 0..5 {
            let p = Phases::of(&hours, Count(1_000_000), replication);
            assert_eq!(p.origin, ORIGIN);
            assert_eq!(p.start, ORIGIN - Duration::from_secs(60));
        }
        let parts = scenario(&["period.at_least=\"20 min\"", "period.at_most=\"20 min\""]);
        let mut one_policy = parts.clone();
        one_policy.policies.remove(0);
        let minute = |r: u64| {
            let p = Phases::of(&parts, Count(1_000_000), r);
            assert_eq!(p, Phases::of(&one_policy, Count(1_000_000), r));
            assert_eq!(p.origin.since(p.start), Duration::from_secs(60));
            p.origin.since(ORIGIN).as_secs_f64() / 60.0
        };
        // Ten consecutive replications: no gap is wider than the golden ratio's largest, which for
        // ten points is 0.146 of the hour.
        let mut minutes: Vec<f64> = (0..10).map(minute).collect();
        minutes.sort_by(f64::total_cmp);
        assert!(minutes.iter().all(|m| (0.0..60.0).contains(m)));
        let around = minutes[0] + 60.0 - minutes[9];
        let gaps = minutes.windows(2).map(|w| w[1] - w[0]);
        let widest = gaps.fold(around, f64::max);
        assert!(widest < 0.147 * 60.0, "{widest} of {minutes:?}");
        // Another seed, other phases.
        let mut other = parts.clone();
        other.seed += 1;
        let of = |s: &Scenario| Phases::of(s, Count(1_000_000), 0).origin;
        assert_ne!(of(&other), of(&parts));
    }

    #[test]
    fn a_period_of_a_bucket_or_more_has_its_first_bucket_from_its_start() {
        let s = scenario(&["period.at_least=\"80 min\"", "period.at_most=\"80 min\""]);
        for replication in 0..10 {
            let p = Phases::of(&s, Count(1_000_000), replication);
            let hour = Duration::from_secs(3_600);
            assert!(p.start <= p.origin.floor_to(hour));
            assert!(p.origin.since(p.start) <= hour + s.period.before());
            assert_eq!(p.origin.since(p.queries_from), s.period.warm_up);
        }
    }
}
