//! The context of one invocation, and what the runtime does to the work in it.

use crate::cloud::fleet::{Busy, FleetSpec, Isolate, MemoryLimits, Reaper};
use crate::sim::executor::{ContextId, SimHandle, Sleep, TaskId};
use crate::telemetry::load::race;
use crate::telemetry::policy::WAIT_UNTIL;
use crate::telemetry::ports::{Clock, WaitUntil};
use pin_project_lite::pin_project;
use std::cell::{Cell, OnceCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::Duration;

/// What an isolate holds.
pub trait Memory: 'static {
    /// Its size in bytes, roughly.
    fn bytes(&self) -> u64;
}

/// What holds for every invocation of a Worker.
pub(super) struct Rules<M: 'static> {
    sim: SimHandle,
    /// How long `waitUntil` carries work on.
    wait_until: Duration,
    /// Whether isolates end; where they do not, nobody asks what they are doing.
    mortal: bool,
    /// Whether timers belong to the invocation that set them.
    contexts: bool,
    memory: MemoryLimits,
    peak: Cell<u64>,
    /// Works in the background that were not done when their time was over.
    cut_short: Cell<u64>,
    reaper: Reaper<M>,
}

impl<M: Memory> Rules<M> {
    pub(super) fn new(sim: SimHandle, spec: &FleetSpec, reaper: Reaper<M>) -> Self {
        Rules {
            sim,
            wait_until: spec.life.as_ref().map_or(WAIT_UNTIL, |l| l.wait_until),
            mortal: spec.life.is_some(),
            contexts: spec.request_contexts,
            memory: spec.memory.clone(),
            peak: Cell::new(0),
            cut_short: Cell::new(0),
            reaper,
        }
    }

    pub(super) fn memory_peak<'a>(&self, alive: impl Iterator<Item = &'a M>) -> u64 {
        let now = alive.map(|m| self.memory.base.0 + m.bytes());
        now.max().unwrap_or(0).max(self.peak.get())
    }

    pub(super) fn cut_short(&self) -> u64 {
        self.cut_short.get()
    }

    fn count_cut_short(&self) {
        self.cut_short.set(self.cut_short.get() + 1);
    }

    pub(super) fn reset_peak(&self) {
        self.peak.set(0);
    }
}

/// One invocation in its isolate; cheap to clone.
///
/// Work that is started at once through one of its clones shares its request context; the clones made before
/// that have contexts of their own, so that what one holds up does not keep the timers of another alive.
pub struct Context<M: 'static> {
    isolate: Rc<Isolate<M>>,
    rules: Rc<Rules<M>>,
    request: OnceCell<Rc<Request>>,
}

/// The request context of an invocation: open while any work of it is under way.
struct Request {
    sim: SimHandle,
    id: Cell<ContextId>,
    works: Cell<u32>,
}

/// Work of a request under way; the request's context ends with the last.
struct Work(Rc<Request>);

impl Work {
    fn begin(request: &Rc<Request>) -> Self {
        if request.works.get() == 0 {
            request.id.set(request.sim.open_context());
        }
        request.works.set(request.works.get() + 1);
        Work(Rc::clone(request))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let left = self.0.works.get() - 1;
        self.0.works.set(left);
        if left == 0 {
            self.0.sim.end_context(self.0.id.get());
        }
    }
}

impl<M> Clone for Context<M> {
    fn clone(&self) -> Self {
        Context {
            isolate: Rc::clone(&self.isolate),
            rules: Rc::clone(&self.rules),
            request: self.request.clone(),
        }
    }
}

impl<M: Memory> Context<M> {
    pub(super) fn new(isolate: Rc<Isolate<M>>, rules: &Rc<Rules<M>>) -> Self {
        Context {
            isolate,
            rules: Rc::clone(rules),
            request: OnceCell::new(),
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

    /// The number of its isolate.
    #[inline]
    pub fn isolate(&self) -> u64 {
        self.isolate.number
    }

    /// The clock.
    #[inline]
    pub fn sim(&self) -> &SimHandle {
        &self.rules.sim
    }

    /// The same invocation, its request context shared from now on.
    pub fn share(&self) -> Self {
        self.request();
        self.clone()
    }

    /// From now on another invocation's.
    #[inline]
    pub(super) fn renew(&mut self, isolate: Rc<Isolate<M>>) {
        self.isolate = isolate;
        self.part();
    }

    /// From now on for other work, in a request context of its own.
    #[inline]
    pub fn part(&mut self) {
        self.request.take();
    }

    fn request(&self) -> &Rc<Request> {
        self.request.get_or_init(|| {
            Rc::new(Request {
                sim: self.rules.sim.clone(),
                id: Cell::new(ContextId::NONE),
                works: Cell::new(0),
            })
        })
    }

    /// Starts what the response waits for: it keeps the isolate busy, and ends with it. `hung` is done instead of
    /// the rest where nothing of the invocation could make it go on: the runtime cancels such a request.
    pub fn run(&self, work: impl Future<Output = ()> + 'static, hung: impl FnOnce() + 'static) {
        let rules = &*self.rules;
        let sim = &rules.sim;
        let busy = rules.mortal.then(|| self.isolate.enter(sim));
        if !rules.contexts {
            let task = sim.spawn(async move {
                work.await;
                drop(busy);
            });
            return self.adopt(task);
        }
        let under_way = Work::begin(self.request());
        let home = under_way.0.id.get();
        let response = Response {
            sim: sim.clone(),
            end: Some((busy, under_way, hung)),
            work,
        };
        self.adopt(sim.spawn_in(home, response));
    }

    /// Makes a task one of the isolate's, which ends if that is too much for its memory.
    fn adopt(&self, task: TaskId) {
        let (isolate, rules) = (&self.isolate, &self.rules);
        if !rules.mortal {
            // It lives for ever.
            return;
        }
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
        let rules = &*self.rules;
        let sim = &rules.sim;
        let deadline = sim.deadline(sim.now() + rules.wait_until);
        if !rules.contexts {
            let rules = Rc::clone(&self.rules);
            return self.adopt(sim.spawn(async move {
                if race(work, deadline).await.is_none() {
                    rules.count_cut_short();
                }
            }));
        }
        let under_way = Work::begin(self.request());
        let home = under_way.0.id.get();
        let behind = Behind {
            rules: Rc::clone(&self.rules),
            work,
            under_way: Some(under_way),
            deadline,
        };
        self.adopt(sim.spawn_in(home, behind));
    }
}

pin_project! {
    /// What a response waits for, in its request context.
    struct Response<M: 'static, F, H> {
        sim: SimHandle,
        // What the invocation ends with, its own work apart: that is left as it is where it hangs.
        end: Option<(Option<Busy<M>>, Work, H)>,
        #[pin]
        work: F,
    }
}

impl<M, F: Future<Output = ()>, H: FnOnce()> Future for Response<M, F, H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.sim.is_hung() {
            let (_busy, _under_way, hung) = this.end.take().expect("told once");
            hung();
            return Poll::Pending;
        }
        let done = this.work.poll(cx);
        if done.is_ready() {
            *this.end = None;
        }
        done
    }
}

pin_project! {
    /// What goes on after the response, in its request context, until its time is over.
    struct Behind<M: 'static, F> {
        rules: Rc<Rules<M>>,
        #[pin]
        work: F,
        under_way: Option<Work>,
        deadline: Sleep,
    }
}

impl<M: Memory, F: Future<Output = ()>> Future for Behind<M, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.project();
        let sim = &this.rules.sim;
        if !sim.is_hung() {
            if this.work.poll(cx).is_ready() {
                *this.under_way = None;
                return Poll::Ready(());
            }
            if Pin::new(this.deadline).poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.rules.count_cut_short();
        }
        // Not dropped: what is cancelled runs no destructor.
        *this.under_way = None;
        sim.stop_this();
        Poll::Pending
    }
}
