//! The Workers runtime: which requests are let in, where their invocations run, and what ends with them.
//!
//! A request context belongs to the runtime. What an invocation starts before its response ends with
//! its isolate at the latest; what it hands to `waitUntil` ends when that time is over. Its timers and operations
//! are its own and end with it, whoever waits for them; work that another invocation wakes goes on in the context of
//! that one. A request that nothing of its own could answer any more is cancelled as hung, and what is cancelled
//! runs no destructor. That is how workerd does it, see <https://developers.cloudflare.com/workers/observability/errors/>
//! ("code had hung") and <https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil>.

mod admission;
mod context;

pub use admission::Admission;
pub use context::{Context, Memory};

use super::fleet::{Fleet, FleetCounters, FleetSpec, Isolate};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::units::Timestamp;
use crate::workload::Shape;
use context::Rules;
use std::rc::Rc;
use std::time::Duration;

/// The runtime of a Worker whose isolates hold an `M`.
pub struct Runtime<M: 'static> {
    fleet: Fleet<M>,
    admission: Admission,
    rules: Rc<Rules<M>>,
}

impl<M: Memory> Runtime<M> {
    /// A runtime without requests; for `make` and `bury` see [`Fleet::new`].
    pub fn new(
        spec: &FleetSpec,
        shape: Option<&Shape>,
        admission: Admission,
        sim: SimHandle,
        streams: &Streams,
        make: impl FnMut(usize, u64) -> M + 'static,
        bury: impl Fn(&Isolate<M>) + 'static,
    ) -> Self {
        let fleet = Fleet::new(spec, shape, sim.clone(), streams, make, bury);
        let rules = Rules::new(sim, spec, fleet.reaper());
        Runtime {
            admission,
            rules: Rc::new(rules),
            fleet,
        }
    }

    /// Whether a request that arrives now is let in, counted if there is a limit.
    #[inline]
    pub fn admits(&mut self, now: Timestamp) -> bool {
        self.admission.admits(now)
    }

    /// The invocation of a request that arrives now at a place (drawn if not given) and keeps its
    /// isolate busy for `busy`, and how long it waits for that to start.
    #[inline]
    pub fn invoke(&mut self, place: Option<u16>, busy: Duration) -> (Context<M>, Duration) {
        let (isolate, wait) = self.fleet.serve(place, busy);
        (Context::new(isolate, &self.rules), wait)
    }

    /// The same in the context of an invocation that nobody else holds any more.
    #[inline]
    pub fn invoke_in(
        &mut self,
        context: &mut Context<M>,
        place: Option<u16>,
        busy: Duration,
    ) -> Duration {
        let (isolate, wait) = self.fleet.serve(place, busy);
        context.renew(isolate);
        wait
    }

    /// What the isolates alive have in their memory.
    pub fn memories(&self) -> impl Iterator<Item = &M> {
        self.fleet.isolates().map(|i| &i.memory)
    }

    /// Starts and ends of isolates.
    pub fn counters(&self) -> FleetCounters {
        self.fleet.counters()
    }

    /// Works after the response that `waitUntil` did not carry to their end.
    pub fn cut_short(&self) -> u64 {
        self.rules.cut_short()
    }

    /// The estimated memory of the largest isolate, in bytes.
    pub fn memory_peak(&self) -> u64 {
        self.rules.memory_peak(self.memories())
    }

    /// Forgets the peaks so far, and what has been used of this day's requests.
    pub fn reset_peaks(&mut self) {
        self.admission.forget();
        self.fleet.reset_peak();
        self.rules.reset_peak();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;
    use crate::sim::executor::Executor;
    use crate::telemetry::ports::{Clock, WaitUntil};
    use crate::telemetry::semaphore::Room;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    const SECOND: Duration = Duration::from_secs(1);

    struct Empty;

    impl Memory for Empty {
        fn bytes(&self) -> u64 {
            0
        }
    }

    fn runtime(executor: &Executor, spec: &FleetSpec, daily: Option<u64>) -> Runtime<Empty> {
        let (admission, streams) = (Admission::new(daily), Streams::new(1, 0));
        let sim = executor.handle();
        Runtime::new(spec, None, admission, sim, &streams, |_, _| Empty, |_| ())
    }

    #[test]
    fn work_goes_on_for_30_seconds_after_the_response_and_is_counted_if_it_is_cut_short() {
        for request_contexts in [true, false] {
            let executor = Executor::new(Timestamp::EPOCH);
            let spec = FleetSpec {
                request_contexts,
                ..FleetSpec::fixed(1)
            };
            let mut runtime = runtime(&executor, &spec, None);
            assert_eq!(runtime.cut_short(), 0);
            let done = Rc::new(Cell::new(0));
            for seconds in [1, 29, 31, 40, 50] {
                let (context, _) = runtime.invoke(None, Duration::ZERO);
                let (sim, done) = (executor.handle(), Rc::clone(&done));
                context.wait_until(async move {
                    sim.sleep(SECOND * seconds).await;
                    done.set(done.get() + 1);
                });
            }
            executor.run_until(Timestamp::from_secs(100));
            let ended = (done.get(), runtime.cut_short());
            assert_eq!(ended, (2, 3), "request contexts: {request_contexts}");
        }
    }

    /// Nothing of its own can wake it: it is left where it stands, long before its time is over.
    #[test]
    fn work_that_hangs_is_not_tried_again_and_not_cut_short() {
        let executor = Executor::new(Timestamp::EPOCH);
        let mut runtime = runtime(&executor, &FleetSpec::fixed(1), None);
        let (context, _) = runtime.invoke(None, Duration::ZERO);
        let polls = Rc::new(Cell::new(0));
        let polled = Rc::clone(&polls);
        context.wait_until(poll_fn(move |_| {
            polled.set(polled.get() + 1);
            Poll::Pending
        }));
        executor.run_until(Timestamp::from_secs(100));
        assert_eq!((polls.get(), runtime.cut_short()), (1, 0));
        assert_eq!(executor.live_tasks(), 0);
    }

    /// What waits for the response's own timers does not hang, though it has none itself.
    #[test]
    fn works_of_a_request_share_its_context() {
        let executor = Executor::new(Timestamp::EPOCH);
        let mut runtime = runtime(&executor, &FleetSpec::fixed(1), None);
        let (context, _) = runtime.invoke(None, Duration::ZERO);
        let (room, woken) = (Rc::new(Room::default()), Rc::new(Cell::new(false)));
        let (sim, ready) = (executor.handle(), Rc::clone(&room));
        let answer = async move {
            sim.sleep(SECOND * 5).await;
            ready.wake(1);
        };
        context.run(answer, || unreachable!("it has a timer"));
        let is_woken = Rc::clone(&woken);
        context.wait_until(async move {
            room.wait().await;
            is_woken.set(true);
        });
        executor.run_until(Timestamp::from_secs(4));
        assert!(!woken.get());
        executor.run_until(Timestamp::from_secs(6));
        assert!(woken.get());
    }

    #[test]
    fn a_measurement_begins_with_no_peaks_and_a_new_days_requests() {
        let mut spec: FleetSpec = load("slow-start", None, &[]).unwrap();
        let life = spec.life.as_mut().unwrap();
        (life.mean_life, life.deploy_every) = (None, None);
        life.max_concurrency = 1;
        let executor = Executor::new(Timestamp::EPOCH);
        let mut runtime = runtime(&executor, &spec, Some(1));
        let now = Timestamp::EPOCH;
        assert_eq!([runtime.admits(now), runtime.admits(now)], [true, false]);
        for _ in 0..2 {
            let (context, _) = runtime.invoke(None, SECOND);
            context.run(async {}, || ());
        }
        executor.run_until(Timestamp::from_secs(3_600));
        assert_eq!(runtime.memories().count(), 0, "they were idle");
        assert_eq!(runtime.counters().peak, 2);
        assert!(runtime.memory_peak() >= 10_000_000);
        runtime.reset_peaks();
        assert_eq!((runtime.counters().peak, runtime.memory_peak()), (0, 0));
        assert!(runtime.admits(executor.handle().now()));
    }
}
