//! A turn that one invocation has at a time, and that none keeps for good.
//!
//! In the Workers runtime nobody may await another invocation's progress: whoever is woken by it goes on in the
//! context of that invocation, and ends with it; and an invocation that is cancelled runs no destructor. So a
//! turn is a lease: it expires unless its holder renews it, and those who wait for it look again on timers of
//! their own.

use super::ports::Clock;
use crate::units::Timestamp;
use std::cell::Cell;
use std::time::Duration;

/// How often those who wait look again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The longest that an invocation may be silent while it works: `waitUntil` ends after 30 s, and so does an
/// operation that gets no answer. Who has not renewed a lease for longer has been cancelled.
pub(super) const SILENCE: Duration = Duration::from_secs(35);

/// A turn.
#[derive(Debug)]
pub(super) struct Lease {
    /// Numbers of the turns given.
    turns: Cell<u64>,
    /// The turn that is taken, if any, until when it holds.
    taken: Cell<Option<(u64, Timestamp)>>,
    /// Until when somebody is known to wait.
    awaited: Cell<Timestamp>,
    /// How long a turn holds without being renewed.
    term: Duration,
}

/// A turn that is held; given back when dropped, if it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    lease: &'a Lease,
    number: u64,
}

impl Lease {
    /// A free turn that holds for `term` from the last sign of life of its holder.
    pub(super) fn new(term: Duration) -> Self {
        Lease {
            turns: Cell::new(0),
            taken: Cell::new(None),
            awaited: Cell::new(Timestamp::EPOCH),
            term,
        }
    }

    /// The turn, if nobody alive has it.
    pub(super) fn try_take(&self, now: Timestamp) -> Option<Turn<'_>> {
        if self.taken.get().is_some_and(|(_, until)| now < until) {
            return None;
        }
        let number = self.turns.get() + 1;
        self.turns.set(number);
        self.taken.set(Some((number, now + self.term)));
        // Whoever waits besides says so again.
        self.awaited.set(Timestamp::EPOCH);
        Some(Turn {
            lease: self,
            number,
        })
    }

    /// Waits for the turn, on timers of the caller's own.
    pub(super) async fn take<C: Clock>(&self, clock: &C) -> Turn<'_> {
        loop {
            let now = clock.now();
            if let Some(turn) = self.try_take(now) {
                return turn;
            }
            self.awaited.set(now + 2 * LOOK_AGAIN);
            clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether somebody waits for the turn: has looked for it a moment ago.
    pub(super) fn is_awaited(&self, now: Timestamp) -> bool {
        self.taken.get().is_some() && now < self.awaited.get()
    }
}

impl Turn<'_> {
    /// A sign of life: the turn holds for another term. False if somebody else has it, as this holder was
    /// silent for too long.
    pub(super) fn renew(&self, now: Timestamp) -> bool {
        let mine = self
            .lease
            .taken
            .get()
            .is_some_and(|(n, _)| n == self.number);
        if mine {
            let until = now + self.lease.term;
            self.lease.taken.set(Some((self.number, until)));
        }
        mine
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self
            .lease
            .taken
            .get()
            .is_some_and(|(n, _)| n == self.number)
        {
            self.lease.taken.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    const TERM: Duration = Duration::from_secs(10);

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn a_turn_is_had_by_one_until_it_is_given_back() {
        let lease = Lease::new(TERM);
        let turn = lease.try_take(at(0)).unwrap();
        assert!(lease.try_take(at(9)).is_none());
        assert!(turn.renew(at(9)));
        assert!(lease.try_take(at(18)).is_none());
        drop(turn);
        assert!(lease.try_take(at(18)).is_some());
    }

    /// A holder that is cancelled gives nothing back; one that was only slow learns that its turn is over, and
    /// does not take the next one's away.
    #[test]
    fn a_turn_of_which_nothing_is_heard_passes_on() {
        let lease = Lease::new(TERM);
        std::mem::forget(lease.try_take(at(0)).unwrap());
        let slow = lease.try_take(at(10)).unwrap();
        let next = lease.try_take(at(20)).unwrap();
        assert!(!slow.renew(at(21)));
        drop(slow);
        assert!(next.renew(at(21)));
        assert!(lease.try_take(at(22)).is_none());
    }

    /// A clock that stands still.
    struct Still(Timestamp);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            self.0
        }

        async fn sleep(&self, _: Duration) {
            std::future::pending().await
        }
    }

    /// Who waits looks again after 50 ms, and is believed to wait for a second time as long.
    #[test]
    fn who_has_not_looked_for_the_turn_for_a_while_waits_no_more() {
        let lease = Lease::new(TERM);
        let _turn = lease.try_take(at(0)).unwrap();
        assert!(!lease.is_awaited(at(1)));
        let clock = Still(at(1));
        let mut waits = pin!(lease.take(&clock));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        let after = |ms| at(1) + Duration::from_millis(ms);
        assert!(lease.is_awaited(after(99)));
        assert!(!lease.is_awaited(after(100)));
    }
}
