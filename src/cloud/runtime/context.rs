//! The context of one invocation, and what the runtime does to the work in it.

use crate::cloud::fleet::{Isolate, MemoryLimits, Reaper};
use crate::sim::executor::{SimHandle, TaskId};
use crate::telemetry::load::race;
use crate::telemetry::ports::{Clock, WaitUntil};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// What an isolate holds.
pub trait Memory: 'static {
    /// Its size in bytes, roughly.
    fn bytes(&self) -> u64;
}

/// What holds for every invocation of a Worker.
pub(super) struct Rules<M: 'static> {
    sim: SimHandle,
    /// How long `waitUntil` carries work on; none is without end, as isolates are then.
    wait_until: Option<Duration>,
    memory: MemoryLimits,
    peak: Cell<u64>,
    reaper: Reaper<M>,
}

impl<M: Memory> Rules<M> {
    pub(super) fn new(
        sim: SimHandle,
        wait_until: Option<Duration>,
        memory: MemoryLimits,
        reaper: Reaper<M>,
    ) -> Self {
        Rules {
            sim,
            wait_until,
            memory,
            peak: Cell::new(0),
            reaper,
        }
    }

    pub(super) fn memory_peak<'a>(&self, alive: impl Iterator<Item = &'a M>) -> u64 {
        let now = alive.map(|m| self.memory.base.0 + m.bytes());
        now.max().unwrap_or(0).max(self.peak.get())
    }

    pub(super) fn reset_peak(&self) {
        self.peak.set(0);
    }
}

/// One invocation in its isolate; cheap to clone.
pub struct Context<M: 'static> {
    isolate: Rc<Isolate<M>>,
    rules: Rc<Rules<M>>,
}

impl<M> Clone for Context<M> {
    fn clone(&self) -> Self {
        Context {
            isolate: Rc::clone(&self.isolate),
            rules: Rc::clone(&self.rules),
        }
    }
}

impl<M: Memory> Context<M> {
    pub(super) fn new(isolate: Rc<Isolate<M>>, rules: &Rc<Rules<M>>) -> Self {
        Context {
            isolate,
            rules: Rc::clone(rules),
        }
    }

    /// What its isolate holds.
    #[inline]
    pub fn memory(&self) -> &M {
        &self.isolate.memory
    }

    /// The place it runs in.
    #[inline]
    pub fn place(&self) -> usize {
        self.isolate.place
    }

    /// The clock.
    #[inline]
    pub fn sim(&self) -> &SimHandle {
        &self.rules.sim
    }

    /// Starts what the response waits for: it keeps the isolate busy, and is dropped if that ends.
    pub fn run(&self, work: impl Future<Output = ()> + 'static) {
        let sim = &self.rules.sim;
        if self.rules.wait_until.is_none() {
            sim.spawn(work);
            return;
        }
        let busy = self.isolate.enter(sim);
        self.adopt(sim.spawn(async move {
            work.await;
            drop(busy);
        }));
    }

    /// Makes a task one of the isolate's, which ends if that is too much for its memory.
    fn adopt(&self, task: TaskId) {
        let (isolate, rules) = (&self.isolate, &self.rules);
        isolate.adopt(task, &rules.sim);
        let under_way = u64::from(isolate.concurrency(rules.sim.now()));
        let requests = under_way * rules.memory.per_request.0;
        let memory = rules.memory.base.0 + isolate.memory.bytes() + requests;
        rules.peak.set(rules.peak.get().max(memory));
        if memory > rules.memory.limit.0 {
            rules.reaper.end_for_memory(isolate);
        }
    }
}

impl<M: Memory> WaitUntil for Context<M> {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        let sim = &self.rules.sim;
        let Some(limit) = self.rules.wait_until else {
            sim.spawn(work);
            return;
        };
        let deadline = sim.sleep_until(sim.now() + limit);
        self.adopt(sim.spawn(async move {
            race(work, deadline).await;
        }));
    }
}
