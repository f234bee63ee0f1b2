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
