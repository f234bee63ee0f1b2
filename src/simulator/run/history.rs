//! A history that is stored as totals (see [`HistoryAs::Totals`]): its records are added up in their isolates, and stored
//! when a time bucket ends and at its end. The batches just before queries begin are written as ever.

use super::extent::HistoryAs;
use super::phases::GOLDEN;
use super::scenario::Scenario;
use super::world::{Ground, World};
use crate::app::Application;
use crate::cloud::failure::FailureSpec;
use crate::models::quantity::Rate;
use crate::pricing::MeterItem;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use crate::workload::Arrival;
use std::time::Duration;

/// How often the oldest batch is written before queries begin: so long, all goes its usual way again.
const LAST_BATCHES: u32 = 3;

/// Until when what comes is stored as totals.
///
/// Isolates begin to write batches one after the other, evenly by their numbers, within the time from one batch of an
/// isolate to its next: those that began at the same time would go on to write at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    /// When the first isolate begins to write batches; all that was added up is stored by then.
    pub(super) from: Timestamp,
    /// When all do.
    pub(super) until: Timestamp,
}

impl Ground<'_> {
    /// Until when what comes may be stored as totals, if it may.
    pub(super) fn totals(&self) -> Option<Totals> {
        let scenario = self.point.scenario;
        if scenario.period.history_as == HistoryAs::Batches || !is_plain(scenario) {
            return None;
        }
        let ages = scenario.policies.iter().map(|p| p.batch.age());
        let age = ages.max().unwrap_or(Duration::ZERO);
        // A batch begins with the first record after the last one's. Where records are few, batches begin at random anyway.
        let rate = Rate::per_month(self.point.traffic.0 as f64).as_per_second();
        let gap_s = f64::from(scenario.fleet.isolates) / rate;
        let gap = Duration::from_secs_f64(gap_s.min(age.as_secs_f64()));
        let until = self.timeline.queries_from - age * LAST_BATCHES;
        let from = until - (age + gap);
        (from > self.timeline.start).then_some(Totals { from, until })
    }
}

impl Totals {
    /// Whether what comes to an isolate now is added up.
    fn hold_for(&self, isolate: u64, now: Timestamp) -> bool {
        let turn = u128::from(isolate.wrapping_mul(GOLDEN));
        let begins = (turn * self.until.since(self.from).as_nanos()) >> 64;
        now < self.from + Duration::from_nanos(begins as u64)
    }
}

/// Whether what is stored depends on nothing but what came: no isolate ends with what it holds, nothing fails, is refused or
/// is seen late.
fn is_plain(scenario: &Scenario) -> bool {
    let plan = scenario.plan();
    let mut items = OpKind::ALL.map(MeterItem::of_operation).into_iter();
    let limited = |item| plan.daily_limit(item).is_some();
    scenario.fleet.life.is_none()
        && scenario.failures == FailureSpec::default()
        && scenario.consistency.is_none()
        && !items.any(limited)
        && !limited(MeterItem::WorkersRequests)
        && scenario.too_much_cpu() == [false; 2]
}

impl<A: Application> World<A> {
    /// Whether what comes to an isolate now is stored as totals.
    #[inline]
    pub(super) fn adds_up(&self, isolate: u64, now: Timestamp) -> bool {
        self.totals.is_some_and(|t| t.hold_for(isolate, now))
    }

    /// Adds up a request of the history.
    #[cold]
    pub(super) fn remember(&self, arrival: &Arrival, isolate: &A::Isolate) {
        self.app.remember(arrival.kind, isolate, self.store());
        // Nothing is left for the batches that are about to begin.
        if self.totals.is_some_and(|t| arrival.at >= t.from) {
            self.app.store_at_once(isolate, self.store());
        }
    }

    /// Stores what has been added up by now, unless batches are written.
    pub(super) fn store_totals(&self, now: Timestamp) {
        if self.totals.is_none_or(|t| now > t.from) {
            return;
        }
        for isolate in self.runtime.memories() {
            self.app.store_at_once(isolate, self.store());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::models::parse_overrides;
    use crate::models::quantity::{Count, Rate};
    use crate::run::result::RunResult;
    use crate::run::scenario::Scenario;
    use crate::run::{Observation, Phases, Point, Run, simulate};
    use crate::telemetry::ports::OpKind;

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

    /// What comes after the history is the same arrivals with other latencies: for each policy what is counted agrees
    /// within four standard errors of the paired differences, and these are small. Of storage the time is missing in
    /// which a bucket's keys are filled: at most an hour of the eight days for which they are kept.
    #[test]
    fn what_is_measured_after_totals_is_what_is_measured_after_batches() {
        const N: u64 = 8;
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
            for i in 0..counts(&batches[0]).len() {
                let pairs = batches
                    .iter()
                    .zip(totals)
                    .map(|(b, t)| (counts(b)[i], counts(t)[i]));
                let (of_batches, differences): (Vec<f64>, Vec<f64>) =
                    pairs.map(|(b, t)| (b, t - b)).unzip();
                let mean = |x: &[f64]| x.iter().sum::<f64>() / N as f64;
                let d = mean(&differences);
                let squares: f64 = differences.iter().map(|x| (x - d).powi(2)).sum();
                let error = (squares / (N * (N - 1)) as f64).sqrt();
                let of = mean(&of_batches);
                assert!(of > 0.0, "{i}");
                let missing = if i == STORAGE { of / (8.0 * 24.0) } else { 0.0 };
                let bounds = -missing - 4.0 * error..=4.0 * error;
                assert!(bounds.contains(&d), "{i}: {d} of {of}, error {error}");
                assert!(d.abs() < 0.01 * of, "{i}: {d} of {of}");
            }
        }
    }

    /// A hundred isolates with four records a second each, whose batches are written at their age: in however short a time,
    /// one record of `1 + rate * age` begins a batch. Those that began with the history go on in step for longer than
    /// there is history.
    #[test]
    fn isolates_do_not_write_in_step() {
        const N: u64 = 6;
        let scenario = scenario(
            "fleet-20",
            &[
                "fleet.isolates=100",
                "period.requests=600",
                "period.at_least=\"4 s\"",
                "period.history=\"150 s\"",
                "period.history_as=\"totals\"",
                "period.warm_up=\"6 s\"",
                "period.calls=0",
            ],
        );
        let policy = scenario
            .policies
            .iter()
            .find(|p| p.name == "optimised-fleet")
            .unwrap();
        let traffic = Count(1_000_000_000);
        let rate = Rate::per_month(traffic.0 as f64).as_per_second() / 100.0;
        let expected = 1.0 / (1.0 + rate * policy.batch.age().as_secs_f64());
        let of = |replication| {
            let r = simulate(&Point {
                scenario: &scenario,
                policy,
                traffic,
                replication,
            })
            .unwrap();
            r.kv.issued(OpKind::Write) as f64 / r.arrived.records as f64
        };
        let seen: Vec<f64> = (0..N).map(of).collect();
        let mean = seen.iter().sum::<f64>() / N as f64;
        let squares: f64 = seen.iter().map(|x| (x - mean).powi(2)).sum();
        let error = (squares / (N * (N - 1)) as f64).sqrt();
        assert!(
            (mean - expected).abs() < 4.0 * error,
            "{mean} of {expected}, error {error}"
        );
        assert!(error < 0.1 * expected, "{error}");
    }

    /// Where it matters how records came together, they come together.
    #[test]
    fn what_depends_on_batches_is_written_in_batches() {
        let totals = |name, settings: &[&str]| {
            let mut settings = settings.to_vec();
            settings.extend(["period.history=\"1 h\"", "period.history_as=\"totals\""]);
            let scenario = scenario(name, &settings);
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
            ("fleet-20", "policy.queries.aggregate=\"on_write\""),
            ("fleet-20", "billing.plan=\"free\""),
        ] {
            assert_eq!(totals(name, &[setting]), None, "{name} {setting}");
        }
    }
}
