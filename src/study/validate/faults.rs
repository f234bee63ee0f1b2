//! The failures of a scenario, to be added to a real KV.

use crate::cloud::failure::{FailureProcess, FailureSpec, Fault};
use crate::cloud::kv::KvLatency;
use crate::run::scenario::Scenario;
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use std::time::Duration;

/// The failure and latency models of a scenario, as they unfold in real time.
pub struct ScenarioFaults {
    failures: FailureProcess,
    latency: KvLatency,
    draw: StreamRng,
}

impl ScenarioFaults {
    /// Those of a scenario, if it has failures; its windows count from `start`.
    pub fn new(scenario: &Scenario, start: Timestamp) -> Option<Self> {
        let spec = &scenario.failures;
        let streams = Streams::new(scenario.seed, 0);
        (*spec != FailureSpec::default()).then(|| ScenarioFaults {
            failures: FailureProcess::new(spec, start, start, &streams),
            latency: scenario.latency.samplers(),
            draw: streams.stream("validate.faults"),
        })
    }

    /// What befalls the next operation, and how long it takes beside the KV's own time: where the KV is not asked as
    /// long as the scenario says, else what slowness adds.
    pub fn next(&mut self, kind: OpKind, now: Timestamp) -> (Fault, Duration) {
        let (fault, slowness) = self.failures.next(kind, 0, now);
        let latency = self.latency.of(kind).sample(&mut self.draw);
        let took = match fault {
            Fault::None => latency.mul_f64(slowness - 1.0),
            Fault::Error | Fault::RateLimited => latency.mul_f64(slowness),
            Fault::Timeout | Fault::AnswerLost => self.failures.timeout(),
        };
        (fault, took)
    }
}
