//! What a fleet counts: starts and ends of isolates, and how many are alive over time.

use super::isolate::EndCause;
use crate::units::Timestamp;

/// Starts and ends of isolates, and their time alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetCounters {
    /// Isolates started.
    pub started: u64,
    /// Ends by cause, in the order of [`EndCause::ALL`].
    pub ended: [u64; EndCause::ALL.len()],
    /// Requests served by another machine than their place's shard server, which was overloaded.
    pub spilled: u64,
    /// How long isolates have been alive, summed over them, in nanoseconds.
    pub alive_ns: u128,
    /// Most isolates alive at once, since [`super::Fleet::reset_peak`].
    pub peak: u64,
}

impl FleetCounters {
    /// What has been added since `earlier`; the peak remains that of its own time.
    pub fn since(&self, earlier: &FleetCounters) -> FleetCounters {
        let mut d = *self;
        d.started -= earlier.started;
        for (a, b) in d.ended.iter_mut().zip(earlier.ended) {
            *a -= b;
        }
        d.spilled -= earlier.spilled;
        d.alive_ns -= earlier.alive_ns;
        d
    }
}

/// The counters with the number of isolates alive, which they integrate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauge {
    counters: FleetCounters,
    alive: u64,
    changed: Timestamp,
}

impl Gauge {
    pub(super) fn new(now: Timestamp) -> Self {
        Gauge {
            counters: FleetCounters::default(),
            alive: 0,
            changed: now,
        }
    }

    /// The counters as they are at `now`.
    pub(super) fn read(&self, now: Timestamp) -> FleetCounters {
        let mut counters = self.counters;
        counters.alive_ns += u128::from(self.alive) * now.since(self.changed).as_nanos();
        counters
    }

    fn change(&mut self, alive: u64, now: Timestamp) {
        self.counters = self.read(now);
        self.changed = now;
        self.alive = alive;
        self.counters.peak = self.counters.peak.max(alive);
    }

    pub(super) fn start(&mut self, now: Timestamp) {
        self.counters.started += 1;
        self.change(self.alive + 1, now);
    }

    pub(super) fn end(&mut self, now: Timestamp) {
        self.change(self.alive - 1, now);
    }

    /// An isolate's end is decided; it may go on until its work under way is done.
    pub(super) fn decide(&mut self, cause: EndCause) {
        self.counters.ended[cause as usize] += 1;
    }

    pub(super) fn spill(&mut self) {
        self.counters.spilled += 1;
    }

    pub(super) fn reset_peak(&mut self) {
        self.counters.peak = self.alive;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_alive_is_the_integral_of_the_number_alive() {
        let at = Timestamp::from_secs;
        let mut g = Gauge::new(at(100));
        g.start(at(110));
        g.start(at(112));
        g.end(at(115));
        // 2 s of one, 3 s of two, 5 s of one.
        let c = g.read(at(120));
        assert_eq!((c.alive_ns, c.peak, c.started), (13_000_000_000, 2, 2));
        g.reset_peak();
        let later = g.read(at(121)).since(&c);
        assert_eq!(
            (later.alive_ns, later.peak, later.started),
            (1_000_000_000, 1, 0)
        );
    }
}
