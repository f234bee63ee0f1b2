//! Replaying a recorded log: its calls take the place of the workload's arrivals.
//!
//! The log is read once, whatever the number of runs: chunks of it go to a few threads, each of
//! which holds some of the runs. Nothing grows with the length of the log but the samples.

mod export;
mod feed;
mod script;

pub use export::{Extent, write_trace};
pub use feed::FeedCounts;
pub use script::arrivals_of;

use super::error::StudyError;
use super::grid;
use super::sweep::Cell;
use super::timeline::{self, Step};
use crate::Defect;
use crate::models::quantity::Count;
use crate::run::measure::Outcome as Kept;
use crate::run::metric;
use crate::run::result::RunResult;
use crate::run::scenario::Scenario;
use crate::run::series::Sample;
use crate::run::{Billed, Observation, Observed, Phases, Point, Run};
use crate::sim::random::Streams;
use crate::units::Timestamp;
use crate::workload::trace::{TraceReader, TraceStats};
use feed::{Call, Feed};
use script::Script;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How a log is replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySpec {
    /// The log is played so many times as fast.
    pub speed: f64,
    /// Each call comes so many times on average; below 1 some are left out at random.
    pub amplify: f64,
    /// Further copies of a call come later by up to this, evenly spread.
    pub jitter: Duration,
    /// The measurement starts here; if not given, a warm-up after the first row.
    pub from: Option<Timestamp>,
    /// Rows from here on are not read; if not given, all are.
    pub to: Option<Timestamp>,
    /// Played before the measurement starts, and not counted.
    pub warm_up: Duration,
    /// What of the log is billed.
    pub billed: Billed,
    /// Time between samples; if not given, it follows the length of the log.
    pub interval: Option<Duration>,
}

impl Default for ReplaySpec {
    fn default() -> Self {
        ReplaySpec {
            speed: 1.0,
            amplify: 1.0,
            jitter: Duration::from_secs(1),
            from: None,
            to: None,
            warm_up: Duration::ZERO,
            billed: Billed::Month,
            interval: None,
        }
    }
}

/// What a replay measured.
pub struct Replay {
    /// One for each policy.
    pub cells: Vec<Cell>,
    /// The first replication of each policy.
    pub first: Vec<RunResult>,
    /// The samples of each policy.
    pub series: Vec<Vec<Step>>,
    /// Length of the intervals of the series.
    pub interval: Duration,
    /// When the replay begins, and when it begins to count.
    pub timeline: Phases,
    /// When it ends.
    pub end: Timestamp,
    /// What was read of the log.
    pub stats: TraceStats,
    /// What was done with its rows.
    pub counts: FeedCounts,
    /// Columns of the log that the replay used.
    pub columns: Vec<&'static str>,
}

/// Replays a log through every policy and replication of the scenario, on `threads` threads.
/// Replications differ in what the log does not say, and in the KV's latencies and failures.
/// `share_read` tells how much of the log has been read, if that can be known; `stop` ends the
/// replay without result.
///
/// # Errors
/// If the log cannot be used, it was told to stop, or an invariant does not hold.
pub fn replay(
    scenario: &Scenario,
    reader: TraceReader,
    spec: &ReplaySpec,
    threads: usize,
    share_read: &dyn Fn() -> Option<f64>,
    stop: &AtomicBool,
) -> Result<Replay, StudyError> {
    let with_sides = !reader.has("kind");
    let columns = reader.columns_found();
    let mut feed = Feed::new(reader, scenario, spec);
    let look = feed.look_ahead()?;
    let timeline = feed.timeline();
    let interval = spec
        .interval
        .unwrap_or_else(|| sample_interval(look.span, look.whole, share_read()));
    let observation = Observation {
        interval: Some(interval),
        ..Observation::default()
    };
    let replications = u64::from(scenario.replications);
    let points: Vec<Point> = scenario
        .policies
        .iter()
        .flat_map(|policy| {
            (0..replications).map(move |replication| Point {
                scenario,
                policy,
                traffic: scenario.traffic_per_month,
                replication,
            })
        })
        .collect();
    let threads = threads.clamp(1, points.len());
    let job = Job {
        points: &points,
        timeline,
        observation,
        with_sides,
        billed: spec.billed,
    };
    let (end, mut outcomes) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(QUEUE);
                let job = &job;
                let numbers = (first..points.len()).step_by(threads);
                (sender, scope.spawn(move || job.work(numbers, receiver)))
            })
            .collect();
        let (senders, handles): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
        let fed = send_all(&mut feed, &senders, stop);
        drop(senders);
        let mut outcomes = Vec::new();
        for handle in handles {
            match handle.join() {
                Ok(mine) => outcomes.extend(mine),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        fed.map(|end| (end, outcomes))
    })?;
    outcomes.sort_by_key(|(number, _)| *number);
    let runs: Vec<(RunResult, Observed)> = outcomes
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect::<Result<_, _>>()?;
    let period = end.since(timeline.origin);
    let policies = || runs.chunks(replications as usize).zip(&scenario.policies);
    Ok(Replay {
        cells: policies()
            .map(|(runs, policy)| cell(scenario, &policy.name, period, runs))
            .collect(),
        series: policies().map(|(runs, _)| series(scenario, runs)).collect(),
        first: policies().map(|(runs, _)| runs[0].0.clone()).collect(),
        interval,
        timeline,
        end,
        counts: feed.counts(),
        stats: feed.stats().clone(),
        columns,
    })
}

/// Chunks that wait for a thread.
const QUEUE: usize = 4;

/// Calls in a chunk.
const CHUNK: usize = 4_096;

enum Message {
    Calls(Arc<Vec<Call>>),
    End(Timestamp),
}

/// Gives the calls to all threads; returns when the replay ends.
fn send_all(
    feed: &mut Feed,
    senders: &[SyncSender<Message>],
    stop: &AtomicBool,
) -> Result<Timestamp, StudyError> {
    // A thread that is gone has panicked, which comes out when it is joined.
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(StudyError::Interrupted);
        }
        let calls = Arc::new(feed.next_calls(CHUNK)?);
        if calls.is_empty() {
            break;
        }
        for sender in senders {
            let _ = sender.send(Message::Calls(Arc::clone(&calls)));
        }
    }
    let end = feed.end()?;
    for sender in senders {
        let _ = sender.send(Message::End(end));
    }
    Ok(end)
}

/// What all threads know.
struct Job<'a> {
    points: &'a [Point<'a>],
    timeline: Phases,
    observation: Observation,
    with_sides: bool,
    billed: Billed,
}

type Outcome = (usize, Result<(RunResult, Observed), Defect>);

impl Job<'_> {
    /// Plays the log to the runs with these numbers; nothing if it breaks off.
    fn work(&self, numbers: impl Iterator<Item = usize>, calls: Receiver<Message>) -> Vec<Outcome> {
        let mut players: Vec<(usize, Player)> = numbers
            .map(|number| (number, Player::new(self, &self.points[number])))
            .collect();
        for message in calls {
            match message {
                Message::Calls(calls) => {
                    for (_, player) in &mut players {
                        for call in calls.iter() {
                            player.play(call);
                        }
                    }
                }
                Message::End(end) => {
                    let ended = players
                        .into_iter()
                        .map(|(number, player)| (number, player.finish(end, self.billed)));
                    return ended.collect();
                }
            }
        }
        Vec::new()
    }
}

/// A run, and what the log does not say.
struct Player<'a> {
    run: Run<'a>,
    script: Script,
}

impl<'a> Player<'a> {
    fn new(job: &Job<'a>, point: &Point<'a>) -> Self {
        let streams = Streams::new(point.scenario.seed, point.replication);
        let workload = &point.scenario.workload;
        let start = job.timeline.start;
        Player {
            run: Run::new(point, job.timeline, &job.observation),
            script: Script::new(workload, start, job.with_sides, &streams),
        }
    }

    fn play(&mut self, call: &Call) {
        let run = &mut self.run;
        self.script.call(call, |arrival| run.arrive(arrival));
    }

    fn finish(mut self, end: Timestamp, billed: Billed) -> Result<(RunResult, Observed), Defect> {
        let run = &mut self.run;
        self.script.end(end, |arrival| run.arrive(arrival));
        self.run.finish(end, billed)
    }
}

fn cell(
    scenario: &Scenario,
    policy: &str,
    period: Duration,
    runs: &[(RunResult, Observed)],
) -> Cell {
    let outcomes: Vec<Kept> = runs.iter().map(|(r, _)| metric::outcome_of(r)).collect();
    let pooled = grid::pooled(scenario, &outcomes.iter().collect::<Vec<_>>());
    let first = &runs[0].0;
    let arrived = first.per_month(first.arrived.records + first.arrived.records_refused);
    Cell {
        traffic: Count(arrived.round() as u64),
        policy: policy.to_owned(),
        period,
        replications: outcomes.iter().map(Kept::values).collect(),
        pooled,
        attained: None,
    }
}

fn series(scenario: &Scenario, runs: &[(RunResult, Observed)]) -> Vec<Step> {
    let samples: Vec<&[Sample]> = runs.iter().map(|(_, o)| &o.samples[..]).collect();
    let mut steps = timeline::steps(scenario, &samples);
    steps.retain(|s| s.end_s > 0.0);
    steps
}

/// An interval that gives about a hundred samples, where the length of the log is known or can
/// be guessed from the share of it that was read; else one for each look ahead, so that there
/// are few however long it is.
fn sample_interval(span: Duration, whole: bool, share_read: Option<f64>) -> Duration {
    let expected = match share_read {
        _ if whole => span.as_secs_f64(),
        Some(share) if share > 0.0 => span.as_secs_f64() / share,
        _ => 100.0 * span.as_secs_f64(),
    };
    const ROUND_S: [u64; 13] = [
        1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 259_200, 604_800,
    ];
    let wanted = expected / 120.0;
    let round = ROUND_S.into_iter().find(|s| *s as f64 >= wanted);
    Duration::from_secs(round.unwrap_or(604_800))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_about_a_hundred_samples() {
        let s = Duration::from_secs;
        assert_eq!(sample_interval(s(3_600), true, None), s(60));
        assert_eq!(sample_interval(s(7 * 86_400), true, Some(1.0)), s(10_800));
        assert_eq!(sample_interval(s(3_600), false, Some(0.01)), s(3_600));
        assert_eq!(sample_interval(s(60), false, None), s(60));
        assert_eq!(sample_interval(s(0), true, None), s(1));
    }
}
