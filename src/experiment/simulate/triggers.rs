//! What happens at set times: cron triggers and samples.

use super::world::World;
use crate::sim::executor::Executor;
use crate::telemetry::policy::Policy;
use crate::units::{DAY, Timestamp};
use std::time::Duration;

/// The cron triggers of a policy and the samples, and when they are due next.
pub(super) struct Triggers {
    pub(super) warm_up: Option<(Duration, Timestamp)>,
    pub(super) archive: Option<Timestamp>,
    pub(super) sample: Option<(Duration, Timestamp)>,
}

impl Triggers {
    pub(super) fn new(policy: &Policy, start: Timestamp) -> Self {
        let archives = policy
            .tiers
            .as_ref()
            .is_some_and(|t| t.archive_after.is_some());
        Triggers {
            warm_up: policy.cron.as_ref().map(|c| (c.every, start + c.every)),
            // Shortly after midnight, when the last batches of the day are written.
            archive: archives.then(|| start.floor_to(DAY) + DAY + Duration::from_secs(300)),
            sample: None,
        }
    }

    #[inline]
    fn next_due(&self) -> Option<Timestamp> {
        let warm_up = self.warm_up.map(|w| w.1);
        let sample = self.sample.map(|s| s.1);
        [warm_up, self.archive, sample].into_iter().flatten().min()
    }

    /// Runs everything up to `end`, the triggers among it.
    #[inline]
    pub(super) fn run_until(&mut self, end: Timestamp, executor: &Executor, world: &mut World) {
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            executor.run_until(due);
            if let Some((every, at)) = &mut self.warm_up
                && *at == due
            {
                *at = *at + *every;
                world.scheduled();
            }
            if let Some(at) = &mut self.archive
                && *at == due
            {
                *at = *at + DAY;
                world.archive();
            }
            if let Some((every, at)) = &mut self.sample
                && *at == due
            {
                *at = *at + *every;
                world.sample();
            }
        }
        executor.run_until(end);
    }
}
