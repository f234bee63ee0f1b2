//! A counting semaphore for tasks of one thread, served in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Hands out a number of permits; those who find none wait their turn.
#[derive(Debug)]
pub struct Semaphore {
    free: Cell<u32>,
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
}

#[derive(Debug, Default)]
struct Ticket {
    granted: Cell<bool>,
    gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Given back when dropped.
#[derive(Debug)]
pub struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    /// A semaphore of `permits` permits.
    pub fn new(permits: u32) -> Self {
        Semaphore {
            free: Cell::new(permits),
            waiting: RefCell::default(),
        }
    }

    /// Waits for a permit.
    pub async fn acquire(&self) -> Permit<'_> {
        if self.free.get() > 0 {
            self.free.set(self.free.get() - 1);
            return Permit(self);
        }
        let waiter = Waiter {
            semaphore: self,
            ticket: Rc::default(),
        };
        self.waiting
            .borrow_mut()
            .push_back(Rc::clone(&waiter.ticket));
        poll_fn(|cx| {
            if waiter.ticket.granted.get() {
                Poll::Ready(())
            } else {
                *waiter.ticket.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await;
        // The grant passes from the ticket to the permit.
        waiter.ticket.granted.set(false);
        Permit(self)
    }

    /// How many wait for a permit.
    pub fn waiting(&self) -> usize {
        let waiting = self.waiting.borrow();
        waiting.iter().filter(|t| !t.gone.get()).count()
    }

    /// Whether a permit can be had at once.
    pub fn is_free(&self) -> bool {
        self.free.get() > 0
    }

    fn release(&self) {
        while let Some(ticket) = self.waiting.borrow_mut().pop_front() {
            if ticket.gone.get() {
                continue;
            }
            ticket.granted.set(true);
            if let Some(waker) = ticket.waker.borrow_mut().take() {
                waker.wake();
            }
            return;
        }
        self.free.set(self.free.get() + 1);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A queue of those who wait for room, without permits of its own.
#[derive(Debug)]
pub struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Room(Semaphore::new(0))
    }
}

impl Room {
    /// Waits until woken.
    pub async fn wait(&self) {
        // What woke it is used up, not handed back.
        std::mem::forget(self.0.acquire().await);
    }

    /// Wakes so many of those who wait, the first first.
    pub fn wake(&self, n: u64) {
        for _ in 0..n.min(self.0.waiting() as u64) {
            self.0.release();
        }
    }
}

/// Someone in the queue; if dropped there, the place (or the grant) goes to the next.
struct Waiter<'a> {
    semaphore: &'a Semaphore,
    ticket: Rc<Ticket>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.ticket.gone.set(true);
        if self.ticket.granted.take() {
            self.semaphore.release();
        }
    }
}
