//! A single-threaded executor whose clock is virtual.
//!
//! Futures run until all of them wait; then the clock jumps to the next timer.
//! Timers that are due at the same instant fire in the order in which they were
//! set, and tasks run in the order in which they were woken, so a run is a
//! function of its inputs alone.
//!
//! An [`Executor`] owns the tasks and the time; a [`SimHandle`], cheap to clone, is what tasks hold: it
//! reads the clock (it is the port `Clock`), sleeps, spawns and cancels. Who drives decides how far time
//! goes: [`Executor::run_until`] an instant, [`Executor::run_to_idle`] until nothing waits any more, or
//! [`Executor::block_on`] until one future is done.
//!
//! Polling takes no virtual time. A future that never waits ends at the instant at which it began, and a
//! million timers that are due at once all fire at that instant; only `sleep` moves the clock, so
//! everything that takes time in the real world (a read, a queue, a CPU) must sleep for it.
//!
//! Tasks live in a slab whose slots are used again. A [`TaskId`] names slot and tenancy, so that an old
//! one does not cancel or wake whoever has moved in since. Cancelling drops a future where it stands, as the
//! end of an isolate does; nothing of it runs on but what its values do when they are dropped.
//!
//! Work may belong to a *request context*, as in the Workers runtime: [`SimHandle::open_context`],
//! [`SimHandle::spawn_in`], [`SimHandle::end_context`]. A timer belongs to the context in which it was set, and never
//! fires once that has ended. A task is polled in the context of whatever woke it, so that one woken by the work of
//! another invocation goes on in that one's, and its next timer dies with it. A task of a context in which
//! nothing is left that could wake it hangs: it is told so once ([`SimHandle::is_hung`]) and then stopped. What is
//! outside of any context (the driver, services, isolates' lives) is never ended.
//!
//! What it does not do: it has one thread (replications run in parallel, each with an executor of its
//! own), knows no real time and no I/O, and does not find out that a task waits for something that
//! never comes: such a task is simply still there at the end ([`Executor::live_tasks`]).
//!
//! ```
//! use kvplan_simulator::sim::executor::Executor;
//! use kvplan_simulator::telemetry::ports::Clock;
//! use kvplan_simulator::units::Timestamp;
//! use std::time::Duration;
//!
//! let executor = Executor::new(Timestamp::EPOCH);
//! let sim = executor.handle();
//! let woke = executor.block_on(async move {
//!     sim.sleep(Duration::from_secs(3_600)).await;
//!     sim.now()
//! });
//! assert_eq!(woke, Timestamp::from_secs(3_600));
//! ```

pub use super::contexts::ContextId;
use super::contexts::Contexts;
pub use super::ready::TaskId;
use super::ready::{ReadyQueue, TaskWaker};
use super::timer::{Timer, Wakes};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Slot {
    tenancy: u32,
    /// `None` while the task is being polled, or when the slot is free.
    task: Option<Task>,
    /// `None` while the task is being polled; else that of the last tenant.
    waker: Option<Waker>,
    /// What it is a waker of.
    wakes: Arc<TaskWaker>,
    /// The context it was started in.
    home: ContextId,
    /// Kept where it stands, and never polled again.
    stopped: bool,
}

struct Shared {
    now: Cell<Timestamp>,
    /// When the earliest timer is due; the far future if there is none.
    next_due: Cell<Timestamp>,
    timers: RefCell<BinaryHeap<Reverse<Timer>>>,
    timers_set: Cell<u64>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    live: Cell<usize>,
    ready: Arc<ReadyQueue>,
    contexts: RefCell<Contexts>,
    /// Tasks that were left waiting while their own context had no timer.
    suspects: RefCell<Vec<TaskId>>,
    /// The task being polled and by what its waker is known, which is never looked into; and whether it is told that it
    /// hangs.
    running: Cell<Option<(TaskId, *const ())>>,
    hung: Cell<bool>,
}

impl Shared {
    fn has_timers(&self, context: ContextId) -> bool {
        let mut contexts = self.contexts.borrow_mut();
        contexts.timers(context).is_some_and(|timers| *timers > 0)
    }

    fn vacate(&self, slot: &mut Slot, index: u32) {
        slot.tenancy = slot.tenancy.wrapping_add(1);
        self.free.borrow_mut().push(index);
        if !std::mem::take(&mut slot.stopped) {
            self.live.set(self.live.get() - 1);
        }
    }
}

/// Later than anything happens.
pub(crate) const NEVER: Timestamp = Timestamp::from_nanos(u64::MAX);

/// Owns the tasks; see the module's description.
pub struct Executor {
    shared: Rc<Shared>,
}

/// A handle by which tasks read the clock, sleep and spawn; cheap to clone.
#[derive(Clone)]
pub struct SimHandle {
    shared: Rc<Shared>,
}

impl Executor {
    /// An executor without tasks whose clock shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Executor {
            shared: Rc::new(Shared {
                now: Cell::new(start),
                next_due: Cell::new(NEVER),
                timers: RefCell::default(),
                timers_set: Cell::new(0),
                slots: RefCell::default(),
                free: RefCell::default(),
                live: Cell::new(0),
                ready: Arc::default(),
                contexts: RefCell::default(),
                suspects: RefCell::default(),
                running: Cell::new(None),
                hung: Cell::new(false),
            }),
        }
    }

    /// A handle to this executor.
    pub fn handle(&self) -> SimHandle {
        SimHandle {
            shared: Rc::clone(&self.shared),
        }
    }

    /// Runs everything that happens up to and including `end`; the clock then shows `end`.
    #[inline]
    pub fn run_until(&self, end: Timestamp) {
        let s = &*self.shared;
        if s.ready.any.load(Ordering::Relaxed) || s.next_due.get() <= end {
            self.run_events(end);
        }
        if s.now.get() < end {
            s.now.set(end);
        }
    }

    fn run_events(&self, end: Timestamp) {
        let s = &*self.shared;
        loop {
            self.poll_ready();
            let Some(Reverse(timer)) = ({
                let mut timers = s.timers.borrow_mut();
                match timers.peek() {
                    Some(Reverse(t)) if t.due <= end => timers.pop(),
                    _ => None,
                }
            }) else {
                break;
            };
            if timer.context != ContextId::NONE {
                match s.contexts.borrow_mut().timers(timer.context) {
                    Some(timers) => *timers -= 1,
                    // It went with its context.
                    None => continue,
                }
            }
            if s.now.get() < timer.due {
                s.now.set(timer.due);
            }
            match timer.wakes {
                // Nothing else is ready: it is its turn.
                Wakes::Task(id) => self.poll(id, timer.context),
                Wakes::Other(waker) => {
                    s.ready.enter(timer.context);
                    waker.wake();
                    s.ready.enter(ContextId::NONE);
                }
            }
        }
        let next = s.timers.borrow().peek().map_or(NEVER, |Reverse(t)| t.due);
        s.next_due.set(next);
    }

    /// Polls woken tasks until none is left, and stops those that hang.
    fn poll_ready(&self) {
        let s = &*self.shared;
        loop {
            while let Some((id, context)) = s.ready.pop() {
                self.poll(id, context);
            }
            let suspects = s.suspects.take();
            if suspects.is_empty() {
                return;
            }
            for id in suspects {
                self.tell_if_hung(id);
            }
        }
    }

    /// Stops a task that nothing of its own context can wake any more, and lets it say so first.
    fn tell_if_hung(&self, id: TaskId) {
        let s = &*self.shared;
        let home = {
            let slot = &s.slots.borrow()[id.slot as usize];
            (slot.tenancy == id.tenancy && !slot.stopped).then_some(slot.home)
        };
        if home.is_none_or(|home| s.has_timers(home)) {
            return;
        }
        s.hung.set(true);
        self.poll(id, ContextId::NONE);
        s.hung.set(false);
        self.handle().stop(id);
    }

    fn poll(&self, id: TaskId, context: ContextId) {
        let s = &*self.shared;
        let (mut task, waker) = {
            let mut slots = s.slots.borrow_mut();
            let slot = &mut slots[id.slot as usize];
            if slot.tenancy != id.tenancy || slot.stopped {
                return; // finished, cancelled or stopped since it was woken
            }
            match (slot.task.take(), slot.waker.take()) {
                (Some(task), Some(waker)) => (task, waker),
                _ => return,
            }
        };
        s.ready.enter(context);
        s.running.set(Some((id, waker.data())));
        let done = task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        s.running.set(None);
        s.ready.enter(ContextId::NONE);
        // A task may cancel itself while it runs; its tenancy is then over already.
        let mut slots = s.slots.borrow_mut();
        let slot = &mut slots[id.slot as usize];
        if slot.tenancy == id.tenancy {
            slot.waker = Some(waker);
            if done {
                s.vacate(slot, id.slot);
            } else {
                slot.task = Some(task);
                if slot.home != ContextId::NONE && !slot.stopped && !s.has_timers(slot.home) {
                    s.suspects.borrow_mut().push(id);
                }
                return;
            }
        }
        drop(slots);
        drop(task);
    }

    /// Runs until no timer is left. Does not end if some task sleeps again and again.
    pub fn run_to_idle(&self) {
        self.run_events(NEVER);
    }

    /// Runs `future` and whatever else is due until it completes, and returns its value.
    ///
    /// # Panics
    /// If the future waits for something that no timer or task will bring about.
    pub fn block_on<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&result);
        self.handle()
            .spawn(async move { *slot.borrow_mut() = Some(future.await) });
        loop {
            self.poll_ready();
            if let Some(value) = result.borrow_mut().take() {
                return value;
            }
            let due = self.shared.timers.borrow().peek().map(|Reverse(t)| t.due);
            self.run_until(due.expect("the future waits for something that never comes"));
        }
    }

    /// Timers that have been set so far.
    pub fn timers_set(&self) -> u64 {
        self.shared.timers_set.get()
    }

    /// Tasks that have neither finished nor been cancelled or stopped.
    pub fn live_tasks(&self) -> usize {
        self.shared.live.get()
    }
}

impl Drop for Executor {
    /// Drops the tasks that have not ended: they may hold handles, and those what holds the tasks.
    fn drop(&mut self) {
        let mut slots = self.shared.slots.borrow_mut();
        let tasks: Vec<Task> = slots.iter_mut().filter_map(|s| s.task.take()).collect();
        // Their destructors may call back.
        drop(slots);
        drop(tasks);
    }
}

impl SimHandle {
    /// Starts a task outside of any request; it is first polled when the executor next runs.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.spawn_in(ContextId::NONE, future)
    }

    /// Starts a task of a request context.
    pub fn spawn_in(&self, home: ContextId, future: impl Future<Output = ()> + 'static) -> TaskId {
        let s = &*self.shared;
        let mut slots = s.slots.borrow_mut();
        let index = s.free.borrow_mut().pop().unwrap_or_else(|| {
            let slot = slots.len() as u32;
            let wakes = TaskWaker::new(TaskId { slot, tenancy: 0 }, &s.ready);
            slots.push(Slot {
                tenancy: 0,
                task: None,
                waker: Some(Arc::clone(&wakes).into()),
                wakes,
                home,
                stopped: false,
            });
            slot
        });
        let slot = &mut slots[index as usize];
        let id = TaskId {
            slot: index,
            tenancy: slot.tenancy,
        };
        if slot.waker.is_none() || !slot.wakes.hand_on(id) {
            slot.wakes = TaskWaker::new(id, &s.ready);
            slot.waker = Some(Arc::clone(&slot.wakes).into());
        }
        s.ready.push(id, home);
        slot.task = Some(Box::pin(future));
        slot.home = home;
        s.live.set(s.live.get() + 1);
        id
    }

    /// Drops a task's future where it stands, as the eviction of an isolate does.
    /// Nothing happens if the task has finished.
    pub fn cancel(&self, id: TaskId) {
        let mut slots = self.shared.slots.borrow_mut();
        let slot = &mut slots[id.slot as usize];
        if slot.tenancy == id.tenancy {
            let task = slot.task.take();
            self.shared.vacate(slot, id.slot);
            // The future's own destructors may call back into this handle.
            drop(slots);
            drop(task);
        }
    }

    /// Leaves a task where it stands: it is never polled again, and not dropped before it is cancelled or
    /// the executor goes, as the runtime does with the work of a request that it cancels.
    pub fn stop(&self, id: TaskId) {
        let slot = &mut self.shared.slots.borrow_mut()[id.slot as usize];
        if slot.tenancy == id.tenancy && !slot.stopped {
            slot.stopped = true;
            self.shared.live.set(self.shared.live.get() - 1);
        }
    }

    /// Stops the task that is running, once it returns `Pending`.
    pub fn stop_this(&self) {
        if let Some((id, _)) = self.shared.running.get() {
            self.stop(id);
        }
    }

    /// Whether the task that is running is told that it hangs: nothing of its context could wake it. It is
    /// not polled again.
    #[inline]
    pub fn is_hung(&self) -> bool {
        self.shared.hung.get()
    }

    /// Whether a task is there: it has neither finished nor been cancelled.
    pub fn is_there(&self, id: TaskId) -> bool {
        self.shared.slots.borrow()[id.slot as usize].tenancy == id.tenancy
    }

    /// Whether a task has neither finished nor been cancelled or stopped.
    pub fn is_live(&self, id: TaskId) -> bool {
        let slot = &self.shared.slots.borrow()[id.slot as usize];
        slot.tenancy == id.tenancy && !slot.stopped
    }

    /// A new request context.
    pub fn open_context(&self) -> ContextId {
        self.shared.contexts.borrow_mut().open()
    }

    /// Ends a request context: no timer of it fires any more.
    pub fn end_context(&self, id: ContextId) {
        self.shared.contexts.borrow_mut().end(id);
    }

    /// A future that completes at `due`, or at once if that is past.
    pub fn sleep_until(&self, due: Timestamp) -> Sleep {
        Sleep {
            shared: Rc::clone(&self.shared),
            due,
            context: None,
            set: false,
        }
    }

    /// The same outside of any request, whichever sets it: a deadline of the platform's own.
    pub fn deadline(&self, due: Timestamp) -> Sleep {
        Sleep {
            context: Some(ContextId::NONE),
            ..self.sleep_until(due)
        }
    }
}

impl Clock for SimHandle {
    fn now(&self) -> Timestamp {
        self.shared.now.get()
    }

    async fn sleep(&self, delay: Duration) {
        self.sleep_until(self.now() + delay).await;
    }
}

/// See [`SimHandle::sleep_until`].
pub struct Sleep {
    shared: Rc<Shared>,
    due: Timestamp,
    /// Whose timer it is; that of the context which is running if not given.
    context: Option<ContextId>,
    set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.now.get() >= self.due {
            return Poll::Ready(());
        }
        if !self.set {
            self.set = true;
            let s = &*self.shared;
            let order = s.timers_set.get();
            s.timers_set.set(order + 1);
            let context = self.context.unwrap_or_else(|| s.ready.current());
            if context != ContextId::NONE {
                match s.contexts.borrow_mut().timers(context) {
                    Some(timers) => *timers += 1,
                    // Set in a context that has ended: it never fires.
                    None => return Poll::Pending,
                }
            }
            let wakes = match s.running.get() {
                Some((id, waker)) if waker == cx.waker().data() => Wakes::Task(id),
                _ => Wakes::Other(cx.waker().clone()),
            };
            s.timers.borrow_mut().push(Reverse(Timer {
                due: self.due,
                order,
                context,
                wakes,
            }));
            s.next_due.set(s.next_due.get().min(self.due));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
