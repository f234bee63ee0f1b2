//! The requests of a stream, drawn some at a time.

use super::arrival::Arrival;
use super::arrivals::Arrivals;
use super::mix::{AT_ONCE, Drawn, RequestMix};
use crate::units::Timestamp;

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
    pub(super) fn new(arrivals: Arrivals, mix: RequestMix) -> Self {
        let mut requests = Requests {
            arrivals,
            mix,
            at: [None; AT_ONCE],
            drawn: Drawn::default(),
            next: 0,
        };
        requests.draw();
        requests
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
        self.at.fill_with(|| self.arrivals.next_at());
        self.mix.draw(&mut self.drawn);
        self.next = 0;
    }
}
