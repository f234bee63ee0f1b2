//! Playing arrivals on any KV, at their times: the metrics system of one isolate, driven as a Worker would.
//!
//! It knows ports only. On a real KV the clock is the system's; nothing here would mind a virtual one.

use crate::app::telemetry::query_of;
use crate::app::{Call, Calls};
use crate::telemetry::aggregate::{Aggregate, ProviderNames};
use crate::telemetry::host::{Answer, Enter, Host, Invocation, Task};
use crate::telemetry::ports::{Clock, Kv, KvError, ReadOptions, WaitUntil};
use crate::telemetry::record::ProviderId;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// The ports that any KV and any `waitUntil` make, without further tiers.
#[derive(Debug)]
pub struct Ports<K, W> {
    kv: Rc<K>,
    wait: W,
}

impl<K, W> Ports<K, W> {
    /// Ports of a KV, with what goes on after a response.
    pub fn new(kv: K, wait: W) -> Self {
        Ports {
            kv: Rc::new(kv),
            wait,
        }
    }
}

impl<K, W: Clone> Clone for Ports<K, W> {
    fn clone(&self) -> Self {
        Ports {
            kv: Rc::clone(&self.kv),
            wait: self.wait.clone(),
        }
    }
}

impl<K, W: WaitUntil> WaitUntil for Ports<K, W> {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.wait.wait_until(work);
    }
}

impl<K: Kv + 'static, W: WaitUntil + Clone + 'static> Invocation for Ports<K, W> {
    type Kv = K;
    type Shared = ();
    type Archive = ();

    fn kv(&self) -> &K {
        &self.kv
    }

    fn shared(&self) -> &() {
        &()
    }

    fn archive(&self) -> &() {
        &()
    }
}

/// Gives each task ports of its own, as each invocation has its own connections and operations.
pub struct Gate<F, W> {
    /// Makes the KV of an invocation.
    pub kv: F,
    /// What goes on after a response.
    pub wait: W,
}

impl<K, F, W> Enter for Gate<F, W>
where
    K: Kv + 'static,
    F: Fn() -> K + 'static,
    W: WaitUntil + Clone + 'static,
{
    type Invocation = Ports<K, W>;

    fn enter(&self, _: Task) -> Ports<K, W> {
        Ports::new((self.kv)(), self.wait.clone())
    }
}

/// What plays: the metrics system with its ports, and where calls are counted.
pub struct Player<E, W, C> {
    /// The metrics system.
    pub host: Host<C>,
    /// Its numbers of the workload's providers.
    pub providers: Vec<ProviderId>,
    /// What it reaches the KV through.
    pub ports: E,
    /// Where responses are waited for.
    pub responses: W,
    /// The time.
    pub clock: C,
    /// How long calls took, and which failed.
    pub calls: Rc<RefCell<Calls>>,
}

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// What arrived, and when it really did.
    pub arrivals: Vec<Arrival>,
    /// How much later than it should have, where that was waited for: timers are late.
    pub late: Vec<Duration>,
}

/// Longest sleep between two looks at whether to go on.
const LOOK: Duration = Duration::from_millis(50);

impl<E, W, C> Player<E, W, C>
where
    E: Enter,
    W: WaitUntil,
    C: Clock + Clone + 'static,
{
    /// Plays the arrivals, each at its time, and waits for no response; `go_on` is told how many have
    /// come, and says whether to go on.
    pub async fn play(&self, arrivals: &[Arrival], mut go_on: impl FnMut(usize) -> bool) -> Played {
        let mut played = Played::default();
        let mut last = Timestamp::EPOCH;
        for (number, arrival) in arrivals.iter().enumerate() {
            let mut waited = false;
            loop {
                if !go_on(number) {
                    return played;
                }
                let left = arrival.at.since(self.clock.now());
                if left.is_zero() {
                    break;
                }
                waited = true;
                self.clock.sleep(left.min(LOOK)).await;
            }
            // A clock that is set back meanwhile gives no arrival before another.
            last = last.max(self.clock.now());
            if waited {
                played.late.push(last.since(arrival.at));
            }
            self.arrive(arrival.kind);
            played.arrivals.push(Arrival {
                at: last,
                place: None,
                kind: arrival.kind,
            });
            // What an arrival begins comes before the next, also where both were due at once.
            give_way().await;
        }
        go_on(arrivals.len());
        played
    }

    fn arrive(&self, kind: ArrivalKind) {
        match kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                let provider = self.providers[usize::from(provider)];
                let recorded = self
                    .host
                    .record(provider, latency, success, tokens, &self.ports);
                self.respond(Call::Record, recorded);
            }
            other => {
                if let Some(query) = query_of(other) {
                    self.respond(query.into(), self.host.query(query, &self.ports));
                }
            }
        }
    }

    /// Counts a call: at once if it is answered at once, which takes no time, as in a simulation.
    fn respond<T: 'static, X: 'static>(
        &self,
        call: Call,
        answer: Answer<Result<T, X>, impl Future<Output = Result<T, X>> + 'static>,
    ) {
        let calls = Rc::clone(&self.calls);
        match answer {
            Answer::Now(end) => calls.borrow_mut().of(call).add(Duration::ZERO, end.is_ok()),
            Answer::Later(answer) => {
                let (clock, start) = (self.clock.clone(), self.clock.now());
                self.responses.wait_until(async move {
                    let end = answer.await;
                    let took = clock.now().since(start);
                    calls.borrow_mut().of(call).add(took, end.is_ok());
                });
            }
        }
    }
}

/// Lets all others go on that can.
async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Keys of one bulk read.
const BULK: usize = 100;

/// Records in what is stored under the keys, an aggregate each; what cannot be read holds none.
///
/// # Errors
/// If the KV refuses.
pub async fn records_under<K: Kv>(kv: &K, keys: &[String]) -> Result<u64, KvError> {
    let mut names = ProviderNames::default();
    let mut records = 0;
    for some in keys.chunks(BULK) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        let values = kv.read(&some, ReadOptions::default()).await?;
        let found = values.iter().flatten();
        let found = found.filter_map(|v| Aggregate::decode(v, &mut names).ok());
        records += found.map(|a| a.count()).sum::<u64>();
    }
    Ok(records)
}
