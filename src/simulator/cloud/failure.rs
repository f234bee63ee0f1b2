//! How the KV fails: single operations, timeouts, outages and slow periods.

use crate::models::FieldError;
use crate::models::quantity::{self, Probability};
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::field::within;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Failures of the KV; by default there are none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FailureSpec {
    /// Of reads.
    pub read: OpFailures,
    /// Of writes.
    pub write: OpFailures,
    /// Of deletes.
    pub delete: OpFailures,
    /// Of lists.
    pub list: OpFailures,
    /// After how long an operation that gets no answer is given up.
    #[serde(
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// Times at which every operation fails, up and down alternating at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outages: Option<Outages>,
    /// What the service can do; none is without bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Listed times of failure or slowness, counted from the start of the measurement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// Independent failures of one kind of operation, as shares of all its operations.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpFailures {
    /// Answered with an error; not done.
    pub error: Probability,
    /// No answer; not done.
    pub timeout: Probability,
    /// No answer, though it was done.
    pub answer_lost: Probability,
}

/// Alternating times of service and outage, both exponentially distributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outages {
    /// Mean time of service between two outages.
    #[serde(with = "quantity::duration")]
    pub mean_up: Duration,
    /// Mean length of an outage.
    #[serde(with = "quantity::duration")]
    pub mean_down: Duration,
}

/// A service that fails under load. Of `r` operations a second, counted over the last second,
/// a share of `1 - (per_second / r)^collapse` fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Operations a second that it sustains.
    pub per_second: f64,
    /// 1: what exceeds the capacity is turned away, the rest succeeds. Above 1: turning away
    /// costs work too, and what succeeds falls as the load grows (congestion collapse).
    #[serde(default = "one")]
    pub collapse: f64,
}

/// A stretch of time in which operations fail more often or take longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it begins, from the start of the measurement.
    #[serde(with = "quantity::duration")]
    pub start: Duration,
    /// How long it lasts.
    #[serde(with = "quantity::duration")]
    pub length: Duration,
    /// Share of the operations that fail; 1 is an outage.
    #[serde(default)]
    pub error: Probability,
    /// Share of the operations that are refused with 429, whatever their keys.
    #[serde(default)]
    pub rate_limited: Probability,
    /// Number of the place whose callers it hits, from 0; none is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    /// Factor on every latency (a brown-out); at least 1.
    #[serde(default = "one")]
    pub latency_factor: f64,
}

fn one() -> f64 {
    1.0
}

/// The timeout when none is given: assumed, as long as a Worker would care to wait.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What befalls one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is carried out and answered.
    None,
    /// It fails, and changes nothing.
    Error,
    /// It is refused with 429, and changes nothing.
    RateLimited,
    /// No answer comes, and nothing was changed.
    Timeout,
    /// It is carried out, but its answer does not arrive.
    AnswerLost,
}

impl FailureSpec {
    /// Checks what the types cannot.
    pub fn validate(&self) -> Result<(), FieldError> {
        for (name, f) in [
            ("read", self.read),
            ("write", self.write),
            ("delete", self.delete),
            ("list", self.list),
        ] {
            let sum = f.error.get() + f.timeout.get() + f.answer_lost.get();
            if sum > 1.0 {
                return Err(FieldError::new(
                    name,
                    format!("found shares that add up to {sum}, expected at most 1"),
                ));
            }
        }
        for (i, w) in self.windows.iter().enumerate() {
            let field = format!("windows[{i}].latency_factor");
            let reason = "a hundred times as long as the timeout at most";
            within(&field, w.latency_factor, 1.0, 1e4, reason)?;
            let sum = w.error.get() + w.rate_limited.get();
            if sum > 1.0 {
                return Err(FieldError::new(
                    format!("windows[{i}].rate_limited"),
                    format!(
                        "found {} beside error = {}, expected at most 1 together",
                        w.rate_limited, w.error
                    ),
                ));
            }
        }
        if let Some(c) = &self.capacity
            && !(c.per_second > 0.0
                && c.per_second.is_finite()
                && (1.0..=10.0).contains(&c.collapse))
        {
            return Err(FieldError::new(
                "capacity",
                format!(
                    "found {} operations a second with collapse {}, expected more than 0 with 1 to 10",
                    c.per_second, c.collapse
                ),
            ));
        }
        if let Some(o) = &self.outages {
            for (name, d) in [("mean_up", o.mean_up), ("mean_down", o.mean_down)] {
                let seconds = d.as_secs_f64();
                let field = format!("outages.{name}");
                within(
                    &field,
                    seconds,
                    1e-3,
                    1e9,
                    "seconds; each change is an event",
                )?;
            }
        }
        Ok(())
    }

    fn of(&self, kind: OpKind) -> OpFailures {
        match kind {
            OpKind::Read => self.read,
            OpKind::Write => self.write,
            OpKind::Delete => self.delete,
            OpKind::List => self.list,
        }
    }
}

/// The failures of one replication as they unfold.
pub struct FailureProcess {
    spec: FailureSpec,
    origin: Timestamp,
    quiet: bool,
    faults: StreamRng,
    outages: StreamRng,
    down: bool,
    next_change: Timestamp,
    /// Operations of the last second.
    recent: VecDeque<Timestamp>,
}

impl FailureProcess {
    /// Windows count from `origin`; random outages begin with a time of service at `start`.
    pub fn new(spec: &FailureSpec, start: Timestamp, origin: Timestamp, streams: &Streams) -> Self {
        let mut process = FailureProcess {
            quiet: *spec == FailureSpec::default(),
            spec: spec.clone(),
            origin,
            faults: streams.stream("kv.failures"),
            outages: streams.stream("kv.outages"),
            down: false,
            next_change: start,
            recent: VecDeque::new(),
        };
        if let Some(o) = &spec.outages {
            process.next_change = start + process.spell(o.mean_up);
        }
        process
    }

    /// From now on nothing fails.
    pub fn end(&mut self) {
        self.quiet = true;
    }

    /// How long the caller waits for an answer that does not come.
    pub fn timeout(&self) -> Duration {
        self.spec.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    fn spell(&mut self, mean: Duration) -> Duration {
        let x: f64 = Exp1.sample(&mut self.outages);
        mean.mul_f64(x)
    }

    /// Whether a random outage is on at `now`; `now` must not go back.
    fn is_down(&mut self, now: Timestamp) -> bool {
        let Some(o) = self.spec.outages.clone() else {
            return false;
        };
        while self.next_change <= now {
            self.down = !self.down;
            let mean = if self.down { o.mean_down } else { o.mean_up };
            self.next_change = self.next_change + self.spell(mean);
        }
        self.down
    }

    /// The share of operations that fails for the load of the last second, this one included.
    fn overload(&mut self, now: Timestamp) -> f64 {
        let Some(c) = self.spec.capacity else {
            return 0.0;
        };
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|t| now.since(*t) >= Duration::from_secs(1))
        {
            self.recent.pop_front();
        }
        (1.0 - (c.per_second / self.recent.len() as f64).powf(c.collapse)).max(0.0)
    }

    /// What befalls an operation of a caller in `place` that starts now, and the factor on its
    /// latency.
    pub fn next(&mut self, kind: OpKind, place: usize, now: Timestamp) -> (Fault, f64) {
        if self.quiet {
            return (Fault::None, 1.0);
        }
        // Always one draw per operation, so that a change of one rate leaves the others' luck alone.
        let u: f64 = self.faults.random();
        let mut error = self.spec.of(kind).error.get().max(self.overload(now));
        let (mut factor, mut limited) = (1.0, 0.0_f64);
        if self.is_down(now) {
            error = 1.0;
        }
        for w in &self.spec.windows {
            let start = self.origin + w.start;
            let here = w.place.is_none_or(|p| p as usize == place);
            if here && now >= start && now < start + w.length {
                error = error.max(w.error.get());
                limited = limited.max(w.rate_limited.get());
                factor *= w.latency_factor;
            }
        }
        let f = self.spec.of(kind);
        let (timeout, lost) = (f.timeout.get(), f.answer_lost.get());
        let fault = if u < error {
            Fault::Error
        } else if u < error + limited {
            Fault::RateLimited
        } else if u < error + limited + timeout {
            Fault::Timeout
        } else if u < error + limited + timeout + lost {
            Fault::AnswerLost
        } else {
            Fault::None
        };
        (fault, factor)
    }
}
