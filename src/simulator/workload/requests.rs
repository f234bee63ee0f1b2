//! The requests of a stream: their times one by one, what they are some at a time.

use super::arrival::Arrival;
use super::arrivals::Arrivals;
use super::mix::{AT_ONCE, Drawn, RequestMix};
use crate::units::Timestamp;

/// Requests to come: at their times, drawn of a mix.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    arrivals: Arrivals,
    mix: RequestMix,
    /// When the next comes; none if none ever will. Of more nothing is known: until then may be a thousand bursts.
    next_at: Option<Timestamp>,
    /// What the next are, and which of them is the next.
    drawn: Drawn,
    next: usize,
}

impl Requests {
    pub(super) fn new(mut arrivals: Arrivals, mut mix: RequestMix) -> Self {
        let mut drawn = Drawn::default();
        mix.draw(&mut drawn);
        Requests {
            next_at: arrivals.next_at(),
            arrivals,
            mix,
            drawn,
            next: 0,
        }
    }

    /// When the next comes; `None` if none ever will.
    #[inline]
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.next_at
    }

    /// The next.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Arrival> {
        let taken = Arrival {
            at: self.next_at?,
            place: None,
            kind: self.drawn.request(self.next),
        };
        self.next_at = self.arrivals.next_at();
        self.next += 1;
        if self.next == AT_ONCE {
            self.mix.draw(&mut self.drawn);
            self.next = 0;
        }
        Some(taken)
    }
}
