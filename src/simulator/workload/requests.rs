//! The requests of a stream, drawn some at a time.

use super::arrivals::Arrivals;
use super::mix::{AT_ONCE, Drawn, RequestMix};
use super::stream::Arrival;
use crate::units::Timestamp;
use std::array::from_fn;

/// Requests to come: at their times, drawn of a mix.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    arrivals: Arrivals,
    mix: RequestMix,
    /// When those come that are drawn, none where none ever will, and what they are.
    at: [Option<Timestamp>; AT_ONCE],
    drawn: Drawn,
    /// Which of them is the next.
    next: usize,
}

impl Requests {
    pub(super) fn new(mut arrivals: Arrivals, mut mix: RequestMix) -> Self {
        Requests {
            at: from_fn(|_| arrivals.next_at()),
            drawn: mix.draw(),
            arrivals,
            mix,
            next: 0,
        }
    }

    /// When the next comes; `None` if none ever will.
    #[inline]
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.at[self.next]
    }

    /// The next.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Arrival> {
        let taken = Arrival {
            at: self.next_at()?,
            place: None,
            kind: self.drawn.request(self.next),
        };
        self.next += 1;
        if self.next == AT_ONCE {
            self.draw();
        }
        Some(taken)
    }

    #[inline(never)]
    fn draw(&mut self) {
        self.at = from_fn(|_| self.arrivals.next_at());
        self.drawn = self.mix.draw();
        self.next = 0;
    }
}
