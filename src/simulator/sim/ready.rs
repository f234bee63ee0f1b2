//! Which tasks are to be polled next, and in whose context.

use super::contexts::ContextId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Wake;

/// A task's place in the slab, and which of its successive tenants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    pub(super) slot: u32,
    pub(super) tenancy: u32,
}

/// Tasks woken since the executor last looked, each with the context that woke it. `Waker` must be `Send`,
/// hence the lock; it is never contended.
#[derive(Default)]
pub(super) struct ReadyQueue {
    tasks: Mutex<VecDeque<(TaskId, ContextId)>>,
    /// Whether there is anything in `tasks`; spares the lock where nothing is.
    pub(super) any: AtomicBool,
    /// The context that is running.
    current: AtomicU64,
}

impl ReadyQueue {
    pub(super) fn current(&self) -> ContextId {
        ContextId(self.current.load(Ordering::Relaxed))
    }

    pub(super) fn enter(&self, context: ContextId) {
        self.current.store(context.0, Ordering::Relaxed);
    }

    pub(super) fn push(&self, id: TaskId, context: ContextId) {
        let mut tasks = self.lock();
        tasks.push_back((id, context));
        // Under the lock, so that it says what is there.
        self.any.store(true, Ordering::Relaxed);
    }

    pub(super) fn pop(&self) -> Option<(TaskId, ContextId)> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let mut tasks = self.lock();
        let next = tasks.pop_front();
        self.any.store(!tasks.is_empty(), Ordering::Relaxed);
        next
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(TaskId, ContextId)>> {
        self.tasks
            .lock()
            .expect("never poisoned: no code panics while it holds the lock")
    }
}

/// Puts its task among those that are ready.
pub(super) struct TaskWaker {
    slot: u32,
    tenancy: AtomicU32,
    ready: Arc<ReadyQueue>,
}

impl TaskWaker {
    pub(super) fn new(id: TaskId, ready: &Arc<ReadyQueue>) -> Arc<Self> {
        Arc::new(TaskWaker {
            slot: id.slot,
            tenancy: AtomicU32::new(id.tenancy),
            ready: Arc::clone(ready),
        })
    }

    /// Makes it that of the next tenant of its slot; not if anybody has a waker of it beside the one in the slab, as a
    /// former tenant's wakes nobody.
    pub(super) fn hand_on(self: &Arc<Self>, id: TaskId) -> bool {
        let is_alone = Arc::strong_count(self) == 2;
        if is_alone {
            self.tenancy.store(id.tenancy, Ordering::Relaxed);
        }
        is_alone
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        let id = TaskId {
            slot: self.slot,
            tenancy: self.tenancy.load(Ordering::Relaxed),
        };
        self.ready.push(id, self.ready.current());
    }
}
