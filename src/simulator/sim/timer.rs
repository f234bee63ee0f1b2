//! When a task is to be woken.

use super::contexts::ContextId;
use super::ready::TaskId;
use crate::units::Timestamp;
use std::cmp::Ordering;
use std::task::Waker;

/// A timer of the executor, ordered by when it is due, then by when it was set.
pub(super) struct Timer {
    pub(super) due: Timestamp,
    pub(super) order: u64,
    pub(super) context: ContextId,
    pub(super) wakes: Wakes,
}

/// What a timer wakes.
pub(super) enum Wakes {
    /// The task that set it, without the way round by its waker.
    Task(TaskId),
    /// Whatever the task that set it has between itself and its timers.
    Other(Waker),
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
impl Timer {
    fn key(&self) -> (Timestamp, u64) {
        (self.due, self.order)
    }
}
