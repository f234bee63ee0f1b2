//! One isolate: what it is doing, and its end.

use crate::sim::executor::{NEVER, SimHandle, TaskId};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Requests that are noted at least before those that are over are counted out.
const LEAST_NOTED: u32 = 32;

/// Why an isolate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// No request for the idle time.
    Idle,
    /// The platform wanted its place.
    Random,
    /// A new version was deployed.
    Deploy,
    /// It needed more memory than it may have.
    Memory,
}

impl EndCause {
    /// All causes, in the order of reports.
    pub const ALL: [EndCause; 4] = [
        EndCause::Idle,
        EndCause::Random,
        EndCause::Deploy,
        EndCause::Memory,
    ];
}

/// An isolate with what lives in its memory. What each request looks at comes first, close together: where many
/// isolates take turns, nothing of theirs is in the nearest cache.
#[repr(C)]
pub struct Isolate<T> {
    pub(super) draining: Cell<bool>,
    pub(super) ended: Cell<bool>,
    /// Invocations under way that end on their own.
    open: Cell<u32>,
    /// From when on it can serve; before that it starts.
    pub ready_at: Timestamp,
    /// With so many noted, those that are over are counted out: twice as many as were under way when that was last done,
    /// so that each is looked at but a few times.
    count_at: Cell<u32>,
    noted: RefCell<Noted>,
    /// When it began, when the last invocation that ends on its own did, or when whoever looks after it looked: the latest.
    pub(super) used: Cell<Timestamp>,
    /// What lives in its memory.
    pub memory: T,
    /// A number that no other isolate has had.
    pub number: u64,
    /// The place it runs in.
    pub place: usize,
    tasks: RefCell<Vec<TaskId>>,
}

/// Ends of the requests under way whose length is known, and of some that are over.
struct Noted {
    ends: Vec<Timestamp>,
    /// How many of them have been looked at.
    seen: usize,
    /// Of those: not after the earliest, and the latest that there ever was.
    first: Timestamp,
    last: Timestamp,
}

impl Noted {
    /// Looks at those that were noted since it last did.
    fn look(&mut self) {
        for end in &self.ends[self.seen..] {
            self.first = self.first.min(*end);
            self.last = self.last.max(*end);
        }
        self.seen = self.ends.len();
    }

    /// Counts those out that are over.
    fn forget_until(&mut self, now: Timestamp) {
        self.look();
        if self.first <= now {
            self.ends.retain(|end| *end > now);
            self.seen = 0;
            self.first = NEVER;
            self.look();
        }
    }
}

impl<T> Isolate<T> {
    pub(super) fn new(
        place: usize,
        number: u64,
        memory: T,
        now: Timestamp,
        ready_at: Timestamp,
    ) -> Self {
        Isolate {
            place,
            number,
            memory,
            ready_at,
            used: Cell::new(now),
            noted: RefCell::new(Noted {
                ends: Vec::new(),
                seen: 0,
                first: NEVER,
                last: Timestamp::EPOCH,
            }),
            count_at: Cell::new(LEAST_NOTED),
            open: Cell::new(0),
            tasks: RefCell::default(),
            draining: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Requests under way at `now`.
    #[inline(never)]
    pub fn concurrency(&self, now: Timestamp) -> u32 {
        let mut noted = self.noted.borrow_mut();
        noted.forget_until(now);
        let under_way = noted.ends.len() as u32 + self.open.get();
        self.count_at.set(LEAST_NOTED.max(2 * under_way));
        under_way
    }

    /// Whether fewer than `most` requests are under way at `now`; what is over is counted out only where that decides.
    #[inline]
    pub(super) fn has_room(&self, most: u32, now: Timestamp) -> bool {
        let noted = self.noted.borrow().ends.len() as u32 + self.open.get();
        noted < most.min(self.count_at.get()) || self.concurrency(now) < most
    }

    /// Notes a request that ends at `end`.
    #[inline]
    pub(super) fn occupy_until(&self, end: Timestamp) {
        self.noted.borrow_mut().ends.push(end);
    }

    /// Until when it was, or will be, in use.
    pub(super) fn last_use(&self) -> Timestamp {
        let noted = &mut *self.noted.borrow_mut();
        noted.look();
        self.used.get().max(noted.last)
    }

    /// Notes an invocation that is under way until the guard is dropped.
    pub fn enter(self: &Rc<Self>, sim: &SimHandle) -> Busy<T> {
        self.open.set(self.open.get() + 1);
        Busy {
            isolate: Rc::clone(self),
            sim: sim.clone(),
        }
    }

    /// Makes a task one of this isolate's, to be dropped when it ends.
    pub fn adopt(&self, task: TaskId, sim: &SimHandle) {
        if self.ended.get() {
            sim.cancel(task);
            return;
        }
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() >= 16 && tasks.len().is_power_of_two() {
            tasks.retain(|t| sim.is_there(*t));
        }
        tasks.push(task);
    }

    /// Whether it takes requests.
    pub(super) fn in_service(&self) -> bool {
        !self.ended.get() && !self.draining.get()
    }

    /// Whether tasks of this isolate are under way.
    pub(super) fn is_busy(&self, sim: &SimHandle) -> bool {
        self.concurrency(sim.now()) > 0 || self.tasks.borrow().iter().any(|t| sim.is_live(*t))
    }

    /// Drops everything under way.
    pub(super) fn stop(&self, sim: &SimHandle) {
        self.ended.set(true);
        for task in self.tasks.take() {
            sim.cancel(task);
        }
    }
}

/// See [`Isolate::enter`].
pub struct Busy<T> {
    isolate: Rc<Isolate<T>>,
    sim: SimHandle,
}

impl<T> Drop for Busy<T> {
    fn drop(&mut self) {
        let i = &self.isolate;
        i.open.set(i.open.get() - 1);
        i.used.set(i.used.get().max(self.sim.now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::executor::Executor;

    #[test]
    fn tasks_that_are_done_are_not_remembered_for_ever() {
        let executor = Executor::new(Timestamp::EPOCH);
        let sim = executor.handle();
        let isolate = Isolate::new(0, 0, (), Timestamp::EPOCH, Timestamp::EPOCH);
        let waits = sim.spawn(std::future::pending());
        isolate.adopt(waits, &sim);
        for _ in 0..1_000 {
            isolate.adopt(sim.spawn(async {}), &sim);
            executor.run_until(Timestamp::EPOCH);
        }
        let tasks = isolate.tasks.borrow();
        assert!(tasks.len() <= 16, "{}", tasks.len());
        assert!(tasks.contains(&waits), "it is not done");
    }

    /// Against all ends that were ever noted, whatever their order, with calls that ask and calls that do not.
    #[test]
    fn requests_under_way_are_those_whose_end_is_to_come() {
        let executor = Executor::new(Timestamp::EPOCH);
        let sim = executor.handle();
        let isolate = Rc::new(Isolate::new(0, 0, (), Timestamp::EPOCH, Timestamp::EPOCH));
        let mut all = Vec::new();
        let mut open = Vec::new();
        for i in 0..3_000_u64 {
            let now = Timestamp::from_nanos(i);
            // A later request may end earlier, and one just now.
            let end = Timestamp::from_nanos(i + (i * 37) % 211 % (1 + i / 10));
            all.push(end);
            isolate.occupy_until(end);
            if i % 500 == 0 {
                open.push(isolate.enter(&sim));
            }
            let under_way = all.iter().filter(|end| **end > now).count() + open.len();
            for most in [
                1,
                16,
                LEAST_NOTED - 1,
                LEAST_NOTED,
                LEAST_NOTED + 1,
                60,
                200,
            ] {
                let room = isolate.has_room(most, now);
                assert_eq!(
                    room,
                    under_way < most as usize,
                    "{i}: {under_way} of {most}"
                );
            }
            if i % 7 == 0 {
                assert_eq!(isolate.concurrency(now) as usize, under_way, "{i}");
            }
            if i % 11 == 0 {
                assert_eq!(Some(isolate.last_use()), all.iter().max().copied());
            }
        }
        assert!(all.iter().filter(|end| end.as_nanos() > 2_999).count() > 60);
    }
}
