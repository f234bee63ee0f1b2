//! The real run: probe, play, wait until nothing is under way, look at what is stored, delete it.

use super::super::common::{Failure, catch_interrupts, interrupted};
use super::probe::Service;
use super::{from, stopped};
use indicatif::{ProgressBar, ProgressStyle};
use kvplan::cloud::failure::Fault;
use kvplan::cloud::kv::KvLimits;
use kvplan::models::quantity::format_duration;
use kvplan::run::scenario::Scenario;
use kvplan::study::validate::{Gate, Operation, Player, ScenarioFaults, Seen, records_under};
use kvplan::telemetry::collector::Collector;
use kvplan::telemetry::host::Host;
use kvplan::telemetry::load::join_all;
use kvplan::telemetry::policy::Policy;
use kvplan::telemetry::ports::{Clock, Kv, KvError, OpKind};
use kvplan::units::Timestamp;
use kvplan::workload::{Arrival, Providers};
use kvplan_remote::clock::SystemClock;
use kvplan_remote::decorators::{
    Fate, Faults, Faulty, KeyPace, Limited, Limits, Metered, Prefixed,
};
use kvplan_remote::wait::{Background, WORKERS_LIMIT};
use std::io::IsTerminal;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// What is played, but for the arrivals and the KV.
pub(super) struct Run<'a> {
    pub policy: Policy,
    pub limits: KvLimits,
    /// Its providers, its seed, and the failures that are added to the KV.
    pub scenario: &'a Scenario,
    /// How long to wait until what was written is seen.
    pub settle: Duration,
    pub quiet: bool,
}

/// The name of the isolate in its keys.
const WRITER: &str = "w0";
/// From the last sign of life to the end that simulations have too, so that what takes a little longer
/// there ends as well.
const QUIET: Duration = Duration::from_secs(2);
/// How often an interrupt is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How often a look at what is stored is repeated.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Deletes at once, attempts at each, and the time between them: a key takes one write a second.
const AT_ONCE: usize = 6;
const ATTEMPTS: u32 = 3;
const PACE: Duration = Duration::from_millis(1_200);

impl Run<'_> {
    /// What was seen, and what else is to be told.
    pub(super) async fn on<K: Kv + Clone + 'static>(
        &self,
        kv: K,
        arrivals: &[Arrival],
        service: &Service,
    ) -> Result<(Seen, Vec<String>), Failure> {
        service.probe(&kv).await?;
        catch_interrupts();
        let clock = SystemClock;
        let unique = format!("{:x}-{:x}", clock.now().as_nanos(), std::process::id());
        let prefix = format!("kvplan-validate/{unique}/");
        let own = Prefixed::new(kv, &prefix);
        let played = self.play(&own, arrivals, service).await;
        let seen = match played {
            Ok(seen) => seen,
            Err(mut failure) => {
                let left = own.written().len();
                if left > 0 {
                    failure.message.push_str(&self.left(left, &prefix));
                }
                return Err(failure);
            }
        };
        let mut notes = Vec::new();
        if seen.played.arrivals.len() < arrivals.len() {
            notes.push(format!(
                "Stopped early: {} of {} calls were played.",
                seen.played.arrivals.len(),
                arrivals.len()
            ));
        }
        if seen.operations.iter().any(|o| o.outcome != "ok")
            && let Some(failure) = (service.last_failure)()
        {
            notes.push(format!("The last operation that failed: {failure}."));
        }
        if let Err(why) = clean(&own).await {
            let left = self.left(own.written().len(), &prefix);
            let Some(why) = why else {
                let mut failure = interrupted();
                failure.message.push_str(&left);
                return Err(failure);
            };
            notes.push(format!("Not all was deleted ({why}){left}."));
        }
        Ok((seen, notes))
    }

    fn left(&self, n: usize, prefix: &str) -> String {
        format!(
            "; {n} keys that begin with {prefix} stay until they expire, {} after they were written",
            format_duration(self.policy.layout.retention)
        )
    }

    async fn play<K: Kv + Clone + 'static>(
        &self,
        own: &Prefixed<K>,
        arrivals: &[Arrival],
        service: &Service,
    ) -> Result<Seen, Failure> {
        let clock = SystemClock;
        let start = clock.now() + QUIET / 10;
        // As in the simulations: a second before the first arrival.
        let faults = failures(self.scenario, start - Duration::from_secs(1));
        let metered = Metered::new(Faulty::new(own.clone(), clock, faults), clock);
        let policy = Rc::new(self.policy.clone());
        let host = Host::new(Collector::new(policy, clock, WRITER, self.scenario.seed));
        let provider = |p: &Providers| host.collector().provider(&p.name);
        let behind = Background::new(Some(WORKERS_LIMIT));
        let player = Player {
            providers: self
                .scenario
                .workload
                .providers
                .iter()
                .map(provider)
                .collect(),
            host: host.clone(),
            ports: Gate {
                kv: self.limited(metered.clone()),
                wait: behind.clone(),
            },
            responses: Background::default(),
            clock,
            calls: Rc::default(),
        };
        let bar = self.bar(arrivals.len());
        let all = from(start, arrivals);
        let played = player
            .play(&all, |n| {
                bar.set_position(n as u64);
                !stopped()
            })
            .await;
        if played.arrivals.is_empty() {
            return Err(interrupted());
        }
        bar.set_message("waiting for what is under way");
        patiently(async {
            player.responses.drain().await;
            behind.drain().await;
            // A response may have left more behind.
            player.responses.drain().await;
        })
        .await?;
        patiently(sleep(QUIET)).await?;
        let end = clock.now();
        let collector = host.collector();
        collector.check_conservation().map_err(Failure::defect)?;
        let counters = collector.counters();
        bar.set_message("looking at what is stored");
        let found = patiently(self.found(own, counters.stored)).await?;
        bar.finish_and_clear();
        let found = found.map_err(|e| {
            let failure = (service.last_failure)();
            let why = failure.map_or(e.to_string(), |f| f.to_string());
            let address = &service.address;
            Failure::usage(format!("{address}: what was stored cannot be read ({why})"))
        })?;
        let calls = player.calls.borrow().clone();
        Ok(Seen {
            in_memory: collector.records_in_memory(),
            operations: operations(&metered),
            played,
            end,
            counters,
            found,
            calls,
        })
    }

    /// The KV of an invocation, which has the connections and operations that a Worker's has. How soon a key may
    /// be written again is for the KV to say.
    fn limited<K: Kv + Clone + 'static>(
        &self,
        kv: Metered<K, SystemClock>,
    ) -> impl Fn() -> Limited<Metered<K, SystemClock>, SystemClock> + 'static {
        let limits = Limits {
            same_key_interval: Duration::ZERO,
            operations: self.limits.operations_per_invocation,
            connections: self.limits.connections_per_invocation,
        };
        let pace = Rc::new(KeyPace::default());
        move || Limited::new(kv.clone(), SystemClock, limits, Rc::clone(&pace))
    }

    /// Records in the KV: as many as are known to be stored, or what there is when patience ends.
    async fn found<K: Kv>(&self, own: &Prefixed<K>, stored: u64) -> Result<u64, KvError> {
        let begun = SystemClock.now();
        loop {
            let found = records_under(own, &own.written()).await;
            let over = SystemClock.now().since(begun) >= self.settle;
            if over || found.as_ref().is_ok_and(|found| *found >= stored) {
                return found;
            }
            sleep(LOOK_AGAIN.min(self.settle)).await;
        }
    }

    /// A progress bar over calls: only on a terminal, and not if quiet.
    fn bar(&self, calls: usize) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let template = "{bar:40} {pos}/{len} calls played, {elapsed} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(calls as u64).with_style(style)
    }
}

/// The scenario's failures, which the real KV gets besides its own; none if it has none.
fn failures(scenario: &Scenario, start: Timestamp) -> Rc<Faults> {
    let mut all = ScenarioFaults::new(scenario, start);
    Faults::drawn(move |kind| {
        let Some(all) = &mut all else {
            return (Fate::Done, Duration::ZERO);
        };
        let (fault, took) = all.next(kind, SystemClock.now());
        let fate = match fault {
            Fault::None => Fate::Done,
            Fault::Error => Fate::Fails(KvError::Unavailable),
            Fault::RateLimited => Fate::Fails(KvError::RateLimited),
            Fault::Timeout => Fate::Fails(KvError::Timeout),
            Fault::AnswerLost => Fate::AnswerLost,
        };
        (fate, took)
    })
}

/// Waits for `work` unless an interrupt comes.
async fn patiently<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = timeout(LOOK, &mut work).await {
            return Ok(done);
        }
        if stopped() {
            return Err(interrupted());
        }
    }
}

/// Every operation that was waited for, by its start.
fn operations<K>(metered: &Metered<K, SystemClock>) -> Vec<Operation> {
    let meter = metered.meter();
    let of_kind = |kind: OpKind| {
        let ended = meter.of(kind).ended.clone().into_iter();
        ended.map(move |e| Operation {
            kind,
            start: e.start,
            took: e.took,
            keys: e.keys,
            outcome: e.outcome,
        })
    };
    let mut all: Vec<Operation> = OpKind::ALL.into_iter().flat_map(of_kind).collect();
    all.sort_by_key(|o| o.start);
    all
}

/// Deletes all that was written, or says why that could not be; without a reason if it was interrupted.
async fn clean<K: Kv>(own: &Prefixed<K>) -> Result<(), Option<String>> {
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        let keys = own.written();
        if keys.is_empty() {
            return Ok(());
        }
        if attempt > 0 {
            sleep(PACE).await;
        }
        for some in keys.chunks(AT_ONCE) {
            if stopped() {
                return Err(None);
            }
            let ends = join_all(some.iter().map(|key| own.delete(key))).await;
            if let Some(e) = ends.into_iter().find_map(Result::err) {
                why = e.to_string();
            }
        }
    }
    match own.written().is_empty() {
        true => Ok(()),
        false => Err(Some(why)),
    }
}
