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
//! What it does not do: it has one thread (replications run in parallel, each with an executor of its
//! own), knows no real time and no I/O, and does not find out that a task waits for something that
//! never comes: such a task is simply still there at the end ([`Executor::live_tasks`]).
//!
//! ```
//! use kvplan::sim::executor::Executor;
//! use kvplan::telemetry::ports::Clock;
//! use kvplan::units::Timestamp;
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

use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place in the slab, and which of its successive tenants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    slot: u32,
    tenancy: u32,
}

/// Tasks woken since the executor last looked. `Waker` must be `Send`, hence the lock;
/// it is never contended.
#[derive(Default)]
struct ReadyQueue {
    tasks: Mutex<VecDeque<TaskId>>,
    /// Whether there is anything in `tasks`; spares the lock where nothing is.
    any: AtomicBool,
}

impl ReadyQueue {
    fn push(&self, id: TaskId) {
        self.lock().push_back(id);
        self.any.store(true, Ordering::Relaxed);
    }

    fn pop(&self) -> Option<TaskId> {
        let next = self.lock().pop_front();
        self.any.store(next.is_some(), Ordering::Relaxed);
        next
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<TaskId>> {
        self.tasks
            .lock()
            .expect("never poisoned: no code panics while it holds the lock")
    }
}

struct TaskWaker {
    id: TaskId,
    ready: Arc<ReadyQueue>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.id);
    }
}

#[derive(Default)]
struct Slot {
    tenancy: u32,
    /// `None` while the task is being polled, or when the slot is free.
    task: Option<Task>,
    waker: Option<Waker>,
}

struct Timer {
    due: Timestamp,
    order: u64,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
impl Timer {
    fn key(&self) -> (Timestamp, u64) {
        (self.due, self.order)
    }
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
}

const NEVER: Timestamp = Timestamp::from_nanos(u64::MAX);

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
            if s.now.get() < timer.due {
                s.now.set(timer.due);
            }
            timer.waker.wake();
        }
        let next = s.timers.borrow().peek().map_or(NEVER, |Reverse(t)| t.due);
        s.next_due.set(next);
    }

    /// Polls woken tasks until none is left.
    fn poll_ready(&self) {
        while let Some(id) = self.shared.ready.pop() {
            self.poll(id);
        }
    }

    fn poll(&self, id: TaskId) {
        let s = &*self.shared;
        let (mut task, waker) = {
            let mut slots = s.slots.borrow_mut();
            let slot = &mut slots[id.slot as usize];
            if slot.tenancy != id.tenancy {
                return; // finished or cancelled since it was woken
            }
            match (slot.task.take(), slot.waker.clone()) {
                (Some(task), Some(waker)) => (task, waker),
                _ => return,
            }
        };
        let done = task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        // A task may cancel itself while it runs; its tenancy is then over already.
        let mut slots = s.slots.borrow_mut();
        let slot = &mut slots[id.slot as usize];
        if slot.tenancy == id.tenancy {
            if done {
                self.handle().vacate(slot, id.slot);
            } else {
                slot.task = Some(task);
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

    /// Tasks that have neither finished nor been cancelled.
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
    /// Starts a task; it is first polled when the executor next runs.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskId {
        let s = &*self.shared;
        let mut slots = s.slots.borrow_mut();
        let index = s.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Slot::default());
            (slots.len() - 1) as u32
        });
        let slot = &mut slots[index as usize];
        let id = TaskId {
            slot: index,
            tenancy: slot.tenancy,
        };
        let waker = Arc::new(TaskWaker {
            id,
            ready: Arc::clone(&s.ready),
        });
        waker.wake_by_ref();
        slot.task = Some(Box::pin(future));
        slot.waker = Some(waker.into());
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
            self.vacate(slot, id.slot);
            // The future's own destructors may call back into this handle.
            drop(slots);
            drop(task);
        }
    }

    /// Whether a task has neither finished nor been cancelled.
    pub fn is_live(&self, id: TaskId) -> bool {
        self.shared.slots.borrow()[id.slot as usize].tenancy == id.tenancy
    }

    fn vacate(&self, slot: &mut Slot, index: u32) {
        slot.tenancy = slot.tenancy.wrapping_add(1);
        slot.waker = None;
        self.shared.free.borrow_mut().push(index);
        self.shared.live.set(self.shared.live.get() - 1);
    }

    /// A future that completes at `due`, or at once if that is past.
    pub fn sleep_until(&self, due: Timestamp) -> Sleep {
        Sleep {
            shared: Rc::clone(&self.shared),
            due,
            set: false,
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
            s.timers.borrow_mut().push(Reverse(Timer {
                due: self.due,
                order,
                waker: cx.waker().clone(),
            }));
            s.next_due.set(s.next_due.get().min(self.due));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who did something, and in which second.
    type Log = Rc<RefCell<Vec<(u64, u32)>>>;

    fn log() -> (Log, Executor) {
        (Rc::default(), Executor::new(Timestamp::EPOCH))
    }

    fn note_after(exec: &Executor, log: &Log, secs: u64, who: u32) -> TaskId {
        let (clock, log) = (exec.handle(), Rc::clone(log));
        exec.handle().spawn(async move {
            clock.sleep(Duration::from_secs(secs)).await;
            log.borrow_mut()
                .push((clock.now().as_nanos() / 1_000_000_000, who));
        })
    }

    /// A task that never ends holds a handle, and the executor the task: nothing may be left of both.
    #[test]
    fn tasks_that_have_not_ended_go_with_their_executor() {
        let held = Rc::new(());
        let exec = Executor::new(Timestamp::EPOCH);
        let (sim, mine) = (exec.handle(), Rc::clone(&held));
        exec.handle().spawn(async move {
            sim.sleep(Duration::from_secs(9)).await;
            drop(mine);
        });
        exec.run_until(Timestamp::from_secs(1));
        assert_eq!(Rc::strong_count(&held), 2);
        drop(exec);
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[test]
    fn timers_fire_in_order_of_time_then_of_setting() {
        let (log, exec) = log();
        for (secs, who) in [(3, 1), (1, 2), (3, 3), (2, 4), (1, 5)] {
            note_after(&exec, &log, secs, who);
        }
        exec.run_until(Timestamp::from_secs(2));
        assert_eq!(*log.borrow(), [(1, 2), (1, 5), (2, 4)]);
        assert_eq!(exec.live_tasks(), 2);
        exec.run_to_idle();
        assert_eq!(log.borrow()[3..], [(3, 1), (3, 3)]);
        assert_eq!(exec.live_tasks(), 0);
    }

    #[test]
    fn the_clock_shows_the_end_of_the_stretch_that_was_run() {
        let (log, exec) = log();
        note_after(&exec, &log, 10, 1);
        exec.run_until(Timestamp::from_secs(7));
        assert_eq!(exec.handle().now(), Timestamp::from_secs(7));
        assert!(log.borrow().is_empty());
    }

    #[test]
    fn a_cancelled_task_never_runs_on_and_its_slot_is_used_again() {
        let (log, exec) = log();
        let first = note_after(&exec, &log, 5, 1);
        exec.run_until(Timestamp::from_secs(1));
        exec.handle().cancel(first);
        exec.handle().cancel(first);
        let second = note_after(&exec, &log, 1, 2);
        assert_eq!(first.slot, second.slot);
        exec.run_to_idle();
        assert_eq!(*log.borrow(), [(2, 2)]);
        assert_eq!(exec.shared.slots.borrow().len(), 1);
    }

    #[test]
    fn a_task_may_spawn_and_wait_for_others() {
        let exec = Executor::new(Timestamp::EPOCH);
        let clock = exec.handle();
        let end = exec.block_on(async move {
            let (inner, seen) = (clock.clone(), Rc::new(Cell::new(false)));
            let flag = Rc::clone(&seen);
            clock.spawn(async move {
                inner.sleep(Duration::from_secs(1)).await;
                flag.set(true);
            });
            clock.sleep(Duration::from_secs(2)).await;
            assert!(seen.get());
            clock.now()
        });
        assert_eq!(end, Timestamp::from_secs(2));
    }
}
