//! A history that is stored as totals (see [`HistoryAs::Totals`]): its records are added up in their isolates, and stored
//! when a time bucket ends and at its end. The batches just before queries begin are written as ever.

use super::extent::HistoryAs;
use super::scenario::Scenario;
use super::world::{Ground, World};
use crate::app::Application;
use crate::cloud::failure::FailureSpec;
use crate::pricing::MeterItem;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use crate::workload::Arrival;
use std::time::Duration;

/// How often the oldest batch is written before queries begin: so long, all goes its usual way again.
const LAST_BATCHES: u32 = 3;

impl Ground<'_> {
    /// Until when what comes may be stored as totals; the epoch if not at all.
    pub(super) fn totals_until(&self) -> Timestamp {
        let scenario = self.point.scenario;
        if scenario.period.history_as == HistoryAs::Batches || !is_plain(scenario) {
            return Timestamp::EPOCH;
        }
        let ages = scenario.policies.iter().map(|p| p.batch.age());
        let last = ages.max().unwrap_or(Duration::ZERO) * LAST_BATCHES;
        let until = self.timeline.queries_from - last;
        if until > self.timeline.start {
            until
        } else {
            Timestamp::EPOCH
        }
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
    /// A request to be recorded in a history that is stored as totals.
    #[inline(never)]
    pub(super) fn remember(&mut self, arrival: &Arrival, latency: Duration) {
        self.arrived.records += 1;
        self.all_records += 1;
        self.busy_ms += latency.as_secs_f64() * 1e3;
        self.last_record = None;
        let (context, _) = self.runtime.invoke(arrival.place, latency);
        self.app
            .remember(arrival.kind, context.memory(), self.store());
    }

    /// Stores what has been added up so far.
    pub(super) fn store_totals(&self) {
        for isolate in self.runtime.memories() {
            self.app.store_at_once(isolate, self.store());
        }
    }

    /// From now on batches are written.
    pub(super) fn end_totals(&mut self) {
        self.store_totals();
        self.totals_until = Timestamp::EPOCH;
    }

    /// Whether what comes is stored as totals.
    pub(super) fn adds_up(&self) -> bool {
        self.totals_until != Timestamp::EPOCH
    }
}

#[cfg(test)]
mod tests {
    use crate::models::parse_overrides;
    use crate::models::quantity::Count;
    use crate::run::result::RunResult;
    use crate::run::scenario::Scenario;
    use crate::run::{Observation, Phases, Point, Run, simulate};
    use crate::telemetry::ports::OpKind;
    use crate::units::Timestamp;

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

    /// Where it matters how records came together, they come together.
    #[test]
    fn what_depends_on_batches_is_written_in_batches() {
        let until = |name, settings: &[&str]| {
            let mut settings = settings.to_vec();
            settings.extend(["period.history=\"1 h\"", "period.history_as=\"totals\""]);
            let scenario = scenario(name, &settings);
            let point = points(&scenario, 1).next().unwrap();
            let phases = Phases::of(&scenario, point.traffic, 0);
            let run = Run::new(&point, phases, &Observation::default());
            assert!(run.world.totals_until < phases.queries_from);
            run.world.totals_until
        };
        assert!(until("fleet-20", &[]) > Timestamp::EPOCH);
        for (name, setting) in [
            ("world", "seed=1"),
            ("fleet-20", "consistency=\"eventual\""),
            ("fleet-20", "failures.write.error=\"1%\""),
            ("fleet-20", "policy.layout.keys=\"batch_keys\""),
            ("fleet-20", "policy.queries.aggregate=\"on_write\""),
            ("fleet-20", "billing.plan=\"free\""),
        ] {
            assert_eq!(
                until(name, &[setting]),
                Timestamp::EPOCH,
                "{name} {setting}"
            );
        }
    }
}
