//! What happens at set times: cron triggers and samples.

use super::Phases;
use super::world::World;
use crate::app::{Application, Cron};
use crate::sim::executor::Executor;
use crate::units::Timestamp;
use std::time::Duration;

/// The cron triggers of an application and the samples, and when they are due next; the ends of time
/// buckets are known to the world.
pub(super) struct Triggers {
    crons: Vec<(Cron, Timestamp)>,
    /// Every how long, and when next: at first when queries begin, for the state then.
    sample: Option<(Duration, Timestamp)>,
    /// Before this nothing is due, the end of a bucket included.
    next: Timestamp,
}

impl Triggers {
    pub(super) fn new(crons: Vec<Cron>, timeline: Phases, sample: Option<Duration>) -> Self {
        let due = |cron: Cron| (cron, cron.first(timeline.start));
        Triggers {
            crons: crons.into_iter().map(due).collect(),
            sample: sample.map(|every| (every, timeline.queries_from)),
            next: Timestamp::EPOCH,
        }
    }

    /// Whether samples are taken.
    pub(super) fn samples(&self) -> bool {
        self.sample.is_some()
    }

    fn next_due<A: Application>(&self, world: &World<A>) -> Timestamp {
        let crons = self.crons.iter().map(|c| c.1);
        let triggers = crons.chain(self.sample.map(|s| s.1));
        triggers.fold(world.steady_storage.next_due(), Timestamp::min)
    }

    /// Runs everything up to `end`, the triggers among it.
    #[inline]
    pub(super) fn run_until<A: Application>(
        &mut self,
        end: Timestamp,
        executor: &Executor,
        world: &mut World<A>,
    ) {
        if end >= self.next {
            self.run_triggers(end, executor, world);
        }
        executor.run_until(end);
    }

    fn run_triggers<A: Application>(
        &mut self,
        end: Timestamp,
        executor: &Executor,
        world: &mut World<A>,
    ) {
        loop {
            let due = self.next_due(world);
            self.next = due;
            if due > end {
                return;
            }
            executor.run_until(due);
            if world.steady_storage.next_due() == due {
                world.note_storage();
            }
            for (cron, at) in self.crons.iter_mut().filter(|c| c.1 == due) {
                *at = *at + cron.period();
                world.scheduled(*cron);
            }
            if let Some((every, at)) = &mut self.sample
                && *at == due
            {
                *at = next_sample(due, *every, world.timeline.origin);
                world.sample();
            }
        }
    }
}

/// The next end of an interval after `now`, intervals counted from `origin` in both directions.
fn next_sample(now: Timestamp, every: Duration, origin: Timestamp) -> Timestamp {
    if now >= origin {
        return now + every;
    }
    // What is left until the origin, less as many whole intervals as leave some time.
    let left = origin.since(now).as_nanos() as u64;
    let first = (left - 1) % every.as_nanos() as u64 + 1;
    now + Duration::from_nanos(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_ends_where_the_measurement_starts() {
        let at = Timestamp::from_secs;
        let ends = |start: u64, every: u64| {
            let mut t = at(start);
            let mut ends = Vec::new();
            while t < at(120) {
                t = next_sample(t, Duration::from_secs(every), at(100));
                ends.push(t.as_nanos() / 1_000_000_000);
            }
            ends
        };
        assert_eq!(ends(80, 10), [90, 100, 110, 120]);
        assert_eq!(ends(76, 10), [80, 90, 100, 110, 120]);
        assert_eq!(ends(98, 10), [100, 110, 120]);
        assert_eq!(ends(100, 10), [110, 120]);
        assert_eq!(ends(99, 50), [100, 150]);
    }
}
