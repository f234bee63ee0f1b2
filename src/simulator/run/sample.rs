//! What is written down of the world at intervals.

use super::measure::Outcome;
use super::series::{COLUMNS, Interval, Sample};
use super::world::{LastSample, World};
use crate::app::Application;
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;

impl<A: Application> World<A> {
    /// Writes down what is left of the last interval at the end of the run, if anything.
    pub(super) fn sample_rest(&mut self) {
        let last = self.last_sample.as_ref().map(|l| l.at);
        if last.is_some_and(|at| at < self.services.sim.now()) {
            self.sample();
        }
    }

    /// Writes down what the interval since the last sample showed; at the first time, when queries
    /// begin, only the state then, so that what was recorded before is in no interval.
    pub(super) fn sample(&mut self) {
        let calls = std::mem::take(&mut self.services.noted.borrow_mut().calls);
        self.calls_before.merge(&calls);
        let next = LastSample {
            at: self.services.sim.now(),
            counters: self.counters(),
            kv: self.kv_meter(),
            started: self.runtime.counters().started,
            records: self.arrived.records + self.arrived.records_refused,
            busy_ms: self.busy_ms,
        };
        if let Some(last) = &self.last_sample {
            let interval = Interval {
                span: next.at.since(last.at),
                requests: next.records - last.records,
                busy_ms: next.busy_ms - last.busy_ms,
                counters: next.counters.since(&last.counters),
                kv: next.kv.since(&last.kv),
                calls,
                started: next.started - last.started,
                records_held: self.records_in_memory(),
                breakers_open: self.gauges().filter(|g| g.breaker_open).count() as u64,
                isolates: self.runtime.memories().count() as u64,
                memory_peak_bytes: self.runtime.memory_peak(),
            };
            self.samples.push(Sample {
                start_s: self.since_origin(last.at),
                end_s: self.since_origin(next.at),
                outcome: Outcome::of(COLUMNS, &interval),
            });
        }
        self.last_sample = Some(next);
    }

    /// Seconds from the start of the measurement; before it, they are negative.
    fn since_origin(&self, t: Timestamp) -> f64 {
        let origin = self.timeline.origin;
        if t >= origin {
            t.since(origin).as_secs_f64()
        } else {
            -origin.since(t).as_secs_f64()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::run::scenario::Scenario;
    use crate::run::tests::idle;
    use std::time::Duration;

    #[test]
    fn a_sample_shows_what_came_since_the_last() {
        let naive = ["naive".to_owned()];
        let scenario = Scenario::load("default", &naive, None, &[]).unwrap();
        let mut run = idle(&scenario);
        let origin = run.world.timeline.origin;
        run.pass(origin);
        run.world.busy_ms = 5_000.0;
        run.world.sample();
        run.pass(origin + Duration::from_secs(10));
        run.world.busy_ms += 3_000.0;
        run.world.arrived.records = 30;
        run.world.arrived.records_refused = 12;
        run.world.sample();
        let [sample] = &run.world.samples[..] else {
            unreachable!("the first has nothing before it")
        };
        assert_eq!(sample.get("requests_per_s"), 4.2);
        assert_eq!(sample.get("concurrency"), 0.3);
        assert_eq!(sample.end_s, 10.0);
        assert_eq!(sample.start_s.to_string(), "0", "and not -0");
    }
}
