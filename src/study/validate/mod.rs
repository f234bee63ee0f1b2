//! The simulator against a real KV: what was played there, and what simulations of the same arrivals say.
//!
//! The simulations differ in the latencies that they draw from those of the very run, and in how late
//! timers are. Where all of them give the same count, the real one must be that; where they differ, it must
//! lie among them.

mod faults;
mod play;
mod simulate;

pub use faults::ScenarioFaults;
pub use play::{Gate, Played, Player, Ports, records_under};

use super::error::StudyError;
use super::replicate::Work;
use crate::app::{CallStats, Calls};
use crate::cloud::kv::OpOutcome;
use crate::models::ConfigError;
use crate::run::result::RunResult;
use crate::run::scenario::Scenario;
use crate::sim::latencies::Bins;
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::Policy;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use simulate::{as_seen, simulated};
use std::time::Duration;

/// Simulations, unless more or fewer are asked for: a run like them lies outside of all once in a hundred.
pub const SIMULATIONS: u32 = 200;
/// The quantiles of latencies that are compared.
pub const LEVELS: [f64; 3] = [0.5, 0.95, 0.99];
/// Calls that must lie beyond a quantile before anything is said of it.
const BEYOND: f64 = 10.0;

/// An operation on the real KV, as its caller saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    /// What kind it was.
    pub kind: OpKind,
    /// When it began.
    pub start: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Keys that it named.
    pub keys: u64,
    /// `ok`, or why it failed.
    pub outcome: &'static str,
}

/// What was seen of a run on a real KV.
#[derive(Clone)]
pub struct Seen {
    /// What was played.
    pub played: Played,
    /// When nothing was under way any more.
    pub end: Timestamp,
    /// What the metrics system did.
    pub counters: Counters,
    /// Records that it had not stored.
    pub in_memory: u64,
    /// Records that were then found in the KV.
    pub found: u64,
    /// How long calls took.
    pub calls: Calls,
    /// What was done on the KV, by the start.
    pub operations: Vec<Operation>,
}

/// Whether one isolate without further services can play a policy.
///
/// # Errors
/// Says what it cannot.
pub fn check(policy: &Policy) -> Result<(), ConfigError> {
    let wants = match (&policy.cron, &policy.tiers) {
        (Some(_), _) => "cron triggers",
        (_, Some(_)) => "a Durable Object and R2",
        _ => return Ok(()),
    };
    let message = format!("found {wants}, which are not played; expected a policy without");
    Err(ConfigError::new(
        format!("policy \"{}\"", policy.name),
        message,
    ))
}

/// One way in which both sides are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What is compared.
    pub measure: String,
    /// Milliseconds; a count otherwise.
    pub is_latency: bool,
    /// On the real KV; NaN if too few calls say so.
    pub real: f64,
    /// The median of the simulations, the least and the most of them.
    pub simulated: [f64; 3],
    /// What that says.
    pub verdict: Verdict,
}

/// How the real run lies to the simulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same in the real run and in every simulation.
    Equal,
    /// The simulations differ, and the real run is among them.
    Within,
    /// A count that no simulation has.
    Differs,
    /// A latency that no simulation has. It decides nothing: it is the profile of a moment's machine and way.
    Beyond,
    /// Fewer than ten calls lie beyond the quantile.
    TooFew,
}

impl Verdict {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Within => "within",
            Verdict::Differs => "differs",
            Verdict::Beyond => "beyond",
            Verdict::TooFew => "too few",
        }
    }

    fn of(real: f64, [_, low, high]: [f64; 3], outside: Verdict) -> Self {
        match (low..=high).contains(&real) {
            true if low == high => Verdict::Equal,
            true => Verdict::Within,
            false => outside,
        }
    }
}

/// Latencies of a kind of call on both sides.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// What was called.
    pub name: &'static str,
    /// On the real KV.
    pub real: Bins,
    /// In each simulation.
    pub simulated: Vec<Bins>,
}

/// Both sides.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Counts, then latencies.
    pub rows: Vec<Row>,
    /// Latencies of the kinds of call that came.
    pub distributions: Vec<Distribution>,
    /// How many simulations.
    pub simulations: u32,
    /// The scenario that was simulated, with the latencies of the run.
    pub scenario: Scenario,
    /// Whether the simulations refused writes to a key that came too soon, and the real KV none.
    pub paces_differ: bool,
}

impl Compared {
    /// Whether every count of the real run is that of the simulations or among them.
    pub fn agrees(&self) -> bool {
        self.rows.iter().all(|r| r.verdict != Verdict::Differs)
    }
}

/// Simulates what was seen, under the scenario's first policy, and compares.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn validate(scenario: &Scenario, seen: &Seen, work: &Work) -> Result<Compared, StudyError> {
    let scenario = as_seen(scenario, seen)?;
    let replications: Vec<u64> = (0..u64::from(scenario.replications)).collect();
    let runs = work.map(replications, |replication| {
        simulated(&scenario, seen, replication).map_err(StudyError::from)
    })?;
    let mut rows: Vec<Row> = COUNTS
        .iter()
        .map(|(measure, real, of)| {
            let all = runs.iter().map(|run| of(run) as f64);
            let simulated = middle_and_ends(all.collect());
            let real = real(seen) as f64;
            Row {
                measure: (*measure).to_owned(),
                is_latency: false,
                real,
                simulated,
                verdict: Verdict::of(real, simulated, Verdict::Differs),
            }
        })
        .collect();
    let mut calls = seen.calls.clone();
    for o in seen.operations.iter().filter(|o| o.kind == OpKind::Write) {
        calls.write.add(o.took, o.outcome == "ok");
    }
    let mut distributions = Vec::new();
    for (name, of) in LATENCIES {
        let real = of(&calls).latencies.bins();
        let all: Vec<Bins> = runs.iter().map(|r| of(&r.calls).latencies.bins()).collect();
        if real.count() == 0 {
            continue;
        }
        rows.extend(LEVELS.map(|level| quantile(name, level, &real, &all)));
        distributions.push(Distribution {
            name,
            real,
            simulated: all,
        });
    }
    let limited = |r: &RunResult| r.kv.count(OpKind::Write, OpOutcome::RateLimited) > 0;
    Ok(Compared {
        rows,
        distributions,
        simulations: scenario.replications,
        paces_differ: runs.iter().all(limited)
            && seen.operations.iter().all(|o| o.outcome != "rate_limited"),
        scenario,
    })
}

/// Name, count in the real run, count in a simulation.
type CountRow = (&'static str, fn(&Seen) -> u64, fn(&RunResult) -> u64);

const COUNTS: [CountRow; 11] = [
    (
        "records accepted",
        |s| s.counters.accepted,
        |r| r.counters.accepted,
    ),
    (
        "records lost",
        |s| s.counters.lost_total(),
        |r| r.counters.lost_total(),
    ),
    (
        "records stored",
        |s| s.counters.stored,
        |r| r.counters.stored,
    ),
    (
        "records in memory",
        |s| s.in_memory,
        |r| r.records_in_memory,
    ),
    ("records astray in the KV", astray, astray_in_simulation),
    (
        "writes",
        |s| named(s, OpKind::Write),
        |r| r.kv.issued(OpKind::Write),
    ),
    ("batches", |s| s.counters.flushes, |r| r.counters.flushes),
    (
        "records in batches",
        |s| s.counters.flushed_records,
        |r| r.counters.flushed_records,
    ),
    (
        "reads (keys)",
        |s| named(s, OpKind::Read),
        |r| r.kv.issued(OpKind::Read),
    ),
    (
        "lists",
        |s| named(s, OpKind::List),
        |r| r.kv.issued(OpKind::List),
    ),
    ("failed operations", failed, failed_in_simulation),
];

/// Keys that operations of a kind named.
fn named(seen: &Seen, kind: OpKind) -> u64 {
    let these = seen.operations.iter().filter(|o| o.kind == kind);
    these.map(|o| o.keys).sum()
}

fn failed(seen: &Seen) -> u64 {
    let these = seen.operations.iter().filter(|o| o.outcome != "ok");
    these.map(|o| o.keys).sum()
}

fn failed_in_simulation(run: &RunResult) -> u64 {
    let of = |kind| {
        let answered = [OpOutcome::Ok, OpOutcome::NotFound].map(|o| run.kv.count(kind, o));
        run.kv.issued(kind) - answered.iter().sum::<u64>()
    };
    OpKind::ALL.into_iter().map(of).sum()
}

/// Records that are stored, as far as the metrics system knows, and are not found; or that are found beyond those
/// whose write may have been done without an answer. Held against the run's own count: what simulations have
/// stored may differ, what became of it may not.
fn astray(seen: &Seen) -> u64 {
    let stored = seen.counters.stored;
    let most = stored + seen.in_memory + seen.counters.lost_total();
    stored.saturating_sub(seen.found) + seen.found.saturating_sub(most)
}

/// The run's own audit has counted what is there.
fn astray_in_simulation(run: &RunResult) -> u64 {
    let missing = run.missing_share.filter(|s| s.is_finite()).unwrap_or(0.0);
    (missing.abs() * run.counters.stored as f64).round() as u64
}

type LatencyRow = (&'static str, fn(&Calls) -> &CallStats);

/// Kinds of call with a latency.
const LATENCIES: [LatencyRow; 5] = [
    ("record", |c| &c.record),
    ("metrics", |c| &c.metrics),
    ("analytics", |c| &c.analytics),
    ("health", |c| &c.health),
    ("write", |c| &c.write),
];

fn quantile(name: &str, level: f64, real: &Bins, simulated: &[Bins]) -> Row {
    let measure = format!("{name} p{}", (level * 100.0).round());
    let judged = |b: &Bins| b.count() as f64 * (1.0 - level) >= BEYOND - 1e-9;
    let row = |real, simulated, verdict| Row {
        measure: measure.clone(),
        is_latency: true,
        real,
        simulated,
        verdict,
    };
    if !judged(real) {
        return row(f64::NAN, [f64::NAN; 3], Verdict::TooFew);
    }
    let all = simulated.iter().filter(|b| b.count() > 0);
    let all = middle_and_ends(all.map(|b| b.quantile_ms(level)).collect());
    let at = real.quantile_ms(level);
    row(at, all, Verdict::of(at, all, Verdict::Beyond))
}

/// Median, least and most.
fn middle_and_ends(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    match all.as_slice() {
        [] => [f64::NAN; 3],
        [first, ..] => [all[(all.len() - 1) / 2], *first, all[all.len() - 1]],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_simulations_have_must_be_equal_and_what_differs_holds_the_real() {
        let of =
            |real, all: &[f64]| Verdict::of(real, middle_and_ends(all.to_vec()), Verdict::Differs);
        assert_eq!(of(3.0, &[3.0, 3.0]), Verdict::Equal);
        assert_eq!(of(4.0, &[3.0, 3.0]), Verdict::Differs);
        assert_eq!(of(4.0, &[5.0, 3.0]), Verdict::Within);
        assert_eq!(of(6.0, &[5.0, 3.0]), Verdict::Differs);
        assert_eq!(middle_and_ends(vec![3.0, 1.0, 2.0]), [2.0, 1.0, 3.0]);
    }

    /// Whatever the simulations have stored.
    #[test]
    fn what_is_stored_must_be_found() {
        let seen = |stored, in_memory, found| Seen {
            played: Played::default(),
            end: Timestamp::EPOCH,
            counters: Counters {
                stored,
                ..Counters::default()
            },
            in_memory,
            found,
            calls: Calls::default(),
            operations: Vec::new(),
        };
        assert_eq!(astray(&seen(292, 2, 271)), 21);
        assert_eq!(astray(&seen(292, 2, 292)), 0);
        // A write whose answer was lost.
        assert_eq!(astray(&seen(292, 2, 294)), 0);
        assert_eq!(astray(&seen(292, 2, 300)), 6);
    }

    #[test]
    fn a_quantile_needs_ten_calls_beyond_it() {
        let mut calls = CallStats::default();
        for ms in 1..=199 {
            calls.add(Duration::from_millis(ms), true);
        }
        let few = calls.latencies.bins();
        calls.add(Duration::from_millis(200), true);
        let enough = calls.latencies.bins();
        let row = |b: &Bins| quantile("x", 0.95, b, std::slice::from_ref(b)).verdict;
        assert_eq!(row(&few), Verdict::TooFew);
        assert_eq!(row(&enough), Verdict::Equal);
    }
}
