//! A history that is stored as totals (see [`HistoryAs::Totals`]): its records are added up in their isolates, and stored
//! without an operation: some at a time, whenever a time bucket ends, and at its end. The batches just before queries begin
//! are written as ever.

use super::extent::HistoryAs;
use super::phases::GOLDEN;
use super::scenario::Scenario;
use super::{Phases, Point};
use crate::app::telemetry::depends_on_records_alone;
use crate::cloud::failure::FailureSpec;
use crate::models::quantity::{Count, Rate};
use crate::sim::random::Streams;
use crate::telemetry::policy::{Policy, WriteMode};
use crate::units::Timestamp;
use rand::Rng;
use std::time::Duration;

/// Batches of an isolate before queries begin that are written as ever, and for how long at least: many times what a write
/// takes, and what the KV wants between two of one key.
const LAST_BATCHES: u32 = 3;
const LAST: Duration = Duration::from_secs(10);

/// Until when what comes is stored as totals.
///
/// Isolates begin to write batches one after the other, evenly by their numbers from a point on that each replication draws,
/// within the time from one batch of an isolate to its next: those that began at the same time would go on to write at
/// the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    /// When the first isolate begins to write batches; all that was added up is stored by then.
    pub(super) from: Timestamp,
    /// When all do.
    pub(super) until: Timestamp,
    /// When the first isolate begins, of the time between these in 2^-64.
    turn: u64,
}

/// Whether a policy's history is stored as totals, as far as there is one: that is asked for, and what is stored depends on
/// nothing but what came. No isolate ends with what it holds, nothing fails, is refused for the day or is seen late. All
/// isolates have the same rate at all times, so that what is true of one in [`between_batches`] is true of all.
pub(super) fn adds_up(scenario: &Scenario, policy: &Policy) -> bool {
    scenario.period.history_as == HistoryAs::Totals
        && depends_on_records_alone(policy)
        && scenario.fleet.life.is_none()
        && scenario.fleet.place_count() == 1
        && scenario.workload.shape.is_none()
        && scenario.failures == FailureSpec::default()
        && scenario.consistency.is_none()
        && !scenario.operations_limited()
        && !scenario.requests_limited()
}

/// From one batch of an isolate to its next, on average: it is full or of age, and begins with the first record after the
/// last; those in the background keep an interval. Where records are few, batches begin at random anyway, and the wait for
/// one is counted up to the age.
fn between_batches(scenario: &Scenario, policy: &Policy, traffic: Count) -> Duration {
    let rate = Rate::per_month(traffic.0 as f64).as_per_second();
    let gap_s = f64::from(scenario.fleet.isolates) / rate;
    let age_s = policy.batch.age().as_secs_f64();
    let full_s = gap_s * f64::from(policy.batch.max_records);
    let old_s = age_s + gap_s.min(age_s);
    let interval = match policy.batch.write {
        WriteMode::Background => policy.batch.min_interval,
        WriteMode::Await => Duration::ZERO,
    };
    let cycle = Duration::try_from_secs_f64(full_s.min(old_s));
    cycle.unwrap_or(Duration::MAX).max(interval)
}

impl Totals {
    /// Until when what comes to a point may be stored as totals, if it may.
    pub(super) fn of(point: &Point, phases: Phases) -> Option<Self> {
        let Point {
            scenario,
            policy,
            traffic,
            replication,
        } = *point;
        if !adds_up(scenario, policy) {
            return None;
        }
        let cycle = between_batches(scenario, policy, traffic);
        let last = cycle.saturating_mul(LAST_BATCHES).max(LAST);
        let until = phases.queries_from - last;
        let from = until - cycle;
        let mut turn = Streams::new(scenario.seed, replication).stream("history.turn");
        (from > phases.start).then(|| Totals {
            from,
            until,
            turn: turn.next_u64(),
        })
    }

    /// Whether what comes to an isolate now is added up.
    pub(super) fn hold_for(&self, isolate: u64, now: Timestamp) -> bool {
        let turn = self.turn.wrapping_add(GOLDEN.wrapping_mul(isolate));
        let begins = (u128::from(turn) * self.until.since(self.from).as_nanos()) >> 64;
        now < self.from + Duration::from_nanos(begins as u64)
    }
}

#[cfg(test)]
mod tests {
    use crate::models::parse_overrides;
    use crate::models::quantity::{Count, Rate};
    use crate::run::result::RunResult;
    use crate::run::scenario::Scenario;
    use crate::run::{Observation, Phases, Point, Run, simulate};
    use crate::telemetry::policy::Policy;
    use crate::telemetry::ports::OpKind;
    use statrs::statistics::Statistics;

    fn scenario(name: &str, settings: &[&str]) -> Scenario {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Scenario::load(name, &[], None, &parse_overrides(&settings).unwrap()).unwrap()
    }

    fn points(scenario: &Scenario, replications: u64) -> impl Iterator<Item = Point<'_>> {
        let policies = scenario.policies.iter();
        policies.flat_map(move |policy| {
            (0..replications).map(move |replication| Point {
                scenario,
                policy,
                traffic: Count(1_000_000),
                replication,
            })
        })
    }

    /// The mean, and its standard error.
    fn mean_and_error(x: &[f64]) -> (f64, f64) {
        (x.mean(), x.std_dev() / (x.len() as f64).sqrt())
    }

    /// What comes after the history is the same arrivals with other latencies: for each policy what is counted agrees
    /// within four and a half standard errors of the paired differences, and these are small. Of storage the time is missing in
    /// which a bucket's keys are filled: at most an hour of the eight days for which they are kept.
    #[test]
    fn what_is_measured_after_totals_is_what_is_measured_after_batches() {
        const N: u64 = 16;
        const STORAGE: usize = 5;
        let settings = [
            "period.requests=1k",
            "period.at_least=\"10 min\"",
            "period.history=\"5 h\"",
            "period.calls=0",
        ];
        let as_batches = scenario("fleet-20", &settings);
        let mut as_totals = as_batches.clone();
        as_totals.period.history_as = super::HistoryAs::Totals;
        let counts = |r: &RunResult| {
            let ops = [OpKind::Read, OpKind::Write, OpKind::List].map(|kind| r.kv.issued(kind));
            let [reads, writes, lists] = ops.map(|n| n as f64);
            let found = r.kv.read_bytes as f64;
            let stored = r.counters.stored as f64;
            [reads, writes, lists, found, stored, r.stored_bytes as f64]
        };
        let batches: Vec<RunResult> = points(&as_batches, N)
            .map(|p| simulate(&p).unwrap())
            .collect();
        let totals: Vec<RunResult> = points(&as_totals, N)
            .map(|p| simulate(&p).unwrap())
            .collect();
        for (batches, totals) in batches.chunks(N as usize).zip(totals.chunks(N as usize)) {
            // A history of naive batches takes three timers for each record.
            let fewer = batches.iter().zip(totals).all(|(b, t)| t.events < b.events);
            assert!(fewer, "no totals were stored");
            for i in 0..counts(&batches[0]).len() {
                let pairs = batches
                    .iter()
                    .zip(totals)
                    .map(|(b, t)| (counts(b)[i], counts(t)[i]));
                let (of_batches, differences): (Vec<f64>, Vec<f64>) =
                    pairs.map(|(b, t)| (b, t - b)).unzip();
                let (d, error) = mean_and_error(&differences);
                let (of, _) = mean_and_error(&of_batches);
                assert!(of > 0.0, "{i}");
                let missing = if i == STORAGE { of / (8.0 * 24.0) } else { 0.0 };
                let bounds = -missing - 4.5 * error..=4.5 * error;
                assert!(bounds.contains(&d), "{i}: {d} of {of}, error {error}");
                assert!(d.abs() < 0.01 * of, "{i}: {d} of {of}");
            }
        }
    }

    /// Writes for each record of what is simulated, and what renewals at the age of a batch, no sooner than the policy's
    /// interval after the last, would give: one batch is begun by one record of `1 + rate * age`.
    fn in_step(n: u64, isolates: u32, traffic: u64, settings: &[&str]) {
        let isolates_set = format!("fleet.isolates={isolates}");
        let mut all = vec![
            isolates_set.as_str(),
            "period.at_least=\"4 s\"",
            "period.requests=1",
            "period.history=\"150 s\"",
            "period.history_as=\"totals\"",
            "period.warm_up=\"2 s\"",
            "period.calls=0",
        ];
        all.extend(settings);
        let scenario = scenario("fleet-20", &all);
        let find = |p: &&Policy| p.name == "optimised-fleet";
        let policy = scenario.policies.iter().find(find).unwrap();
        let traffic = Count(traffic);
        let rate = Rate::per_month(traffic.0 as f64).as_per_second() / f64::from(isolates);
        let full_s = f64::from(policy.batch.max_records) / rate;
        let cycle_s = full_s.min(policy.batch.age().as_secs_f64() + 1.0 / rate);
        let cycle_s = cycle_s.max(policy.batch.min_interval.as_secs_f64());
        let run = |replication| {
            let r = simulate(&Point {
                scenario: &scenario,
                policy,
                traffic,
                replication,
            });
            let r = r.unwrap();
            r.kv.issued(OpKind::Write) as f64 / (r.period.as_secs_f64() * f64::from(isolates))
        };
        let seen: Vec<f64> = (0..n).map(run).collect();
        let (mean, error) = mean_and_error(&seen);
        let expected = 1.0 / cycle_s;
        let told = format!("{isolates}: {mean} of {expected}, error {error}");
        assert!((mean - expected).abs() < 4.0 * error, "{told}");
        assert!(error < 0.1 * expected, "{told}");
    }

    /// However short the time that is looked at is beside that between two batches of an isolate, as many of them are seen
    /// in it as there should be: by a hundred isolates, where batches are full, by one isolate in many replications, and where
    /// batches wait for each other.
    /// Isolates that began with the history would go on in step for longer than there is history.
    #[test]
    fn isolates_do_not_write_in_step() {
        in_step(16, 100, 1_000_000_000, &[]);
        in_step(16, 10, 1_000_000_000, &[]);
        in_step(300, 1, 10_000_000, &[]);
        let rare = [
            "policy.batch.max_age=\"1 s\"",
            "policy.batch.min_interval=\"20 s\"",
        ];
        in_step(16, 100, 1_000_000_000, &rare);
    }

    /// Where it matters how records came together, they come together.
    #[test]
    fn what_depends_on_batches_is_written_in_batches() {
        let totals = |name, settings: &[&str]| {
            let mut all = vec!["period.history=\"1 h\"", "period.history_as=\"totals\""];
            all.extend(settings);
            let scenario = scenario(name, &all);
            let point = points(&scenario, 1).next().unwrap();
            let phases = Phases::of(&scenario, point.traffic, 0);
            let run = Run::new(&point, phases, &Observation::default());
            run.world
                .totals
                .map(|t| (t.from, t.until, phases.queries_from))
        };
        let (from, until, queries_from) = totals("fleet-20", &[]).unwrap();
        assert!(from < until && until < queries_from);
        for (name, setting) in [
            ("world", "seed=1"),
            ("fleet-20", "consistency=\"eventual\""),
            ("fleet-20", "failures.write.error=\"1%\""),
            ("fleet-20", "policy.layout.keys=\"batch_keys\""),
            ("fleet-20", "policy.layout.per_provider=true"),
            ("fleet-20", "policy.queries.aggregate=\"on_write\""),
            (
                "fleet-20",
                "policy.batch.adaptive={target_age=\"2 s\", min_records=1}",
            ),
            (
                "fleet-20",
                "policy.retry.budget={per_attempt=\"10%\", capacity=20}",
            ),
            ("fleet-20", "billing.plan=\"free\""),
            (
                "fleet-20",
                "policy.breaker={failure_threshold=10, open_for=\"10 s\", half_open_probes=3}",
            ),
            ("fleet-20", "workload=\"gateway-daily\""),
            (
                "fleet-20",
                "fleet.place=[{name=\"A\", share=\"90%\"}, {name=\"B\", share=\"10%\"}]",
            ),
        ] {
            assert_eq!(totals(name, &[setting]), None, "{name} {setting}");
        }
    }
}
