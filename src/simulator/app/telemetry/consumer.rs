//! The consumer of a queue: adds up what the isolates send, in one key for each time bucket.

use crate::cloud::kv::KvStore;
use crate::cloud::queue::{Deliver, Message, Queue};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::collector::Collector;
use crate::telemetry::policy::{Aggregation, Discover, KeyLayout, Policy, WriteMode};
use crate::telemetry::ports::Clock;
use rand::Rng;
use std::rc::Rc;
use std::time::Duration;

/// Who writes the keys that a queue's consumer writes.
pub(super) const NAME: &str = "consumer";

/// How long the consumer waits before it tries again to store a batch: at first, and after each failure twice as
/// long up to the most. It stands for messages that are delivered again after a delay; here that is neither billed
/// again nor given up.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(512);

/// The one consumer of a queue.
pub struct Consumer {
    collector: Rc<Collector<SimHandle>>,
    sim: SimHandle,
}

/// The settings of a consumer that adds up in one key for each bucket, within the KV's limit of a
/// write a second.
pub(super) fn policy(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.layout.keys = KeyLayout::Rollup;
    policy.layout.discover = Discover::Own;
    policy.layout.per_provider = false;
    policy.batch.write = WriteMode::Background;
    policy.batch.min_interval = policy.batch.min_interval.max(Duration::from_secs(1));
    policy.queries.aggregate = Aggregation::OnQuery;
    policy
}

impl Consumer {
    pub(super) fn new(policy: &Rc<Policy>, sim: &SimHandle, streams: &Streams) -> Self {
        let seed = streams.stream("retry.jitter.consumer").next_u64();
        let collector = Collector::new(Rc::clone(policy), sim.clone(), NAME, seed);
        Consumer {
            collector: Rc::new(collector),
            sim: sim.clone(),
        }
    }

    pub(super) fn collector(&self) -> &Collector<SimHandle> {
        &self.collector
    }

    /// From the consumer to the KV, mean in seconds.
    pub(super) fn store_delay_s(&self) -> f64 {
        let c = self.collector.counters();
        c.store_delay_us as f64 / 1e6 / c.stored as f64
    }

    /// What starts an invocation of it that writes to `kv`.
    pub fn deliver_to(&self, kv: &Rc<KvStore>) -> Deliver {
        let (kv, collector) = (Rc::clone(kv), Rc::clone(&self.collector));
        let sim = self.sim.clone();
        Box::new(move |queue, batch| consume(queue, batch, &kv, &collector, &sim))
    }
}

/// An invocation of the consumer: takes the batch in, and acknowledges it when it is stored.
fn consume(
    queue: &Rc<Queue>,
    batch: Vec<Message>,
    kv: &Rc<KvStore>,
    collector: &Rc<Collector<SimHandle>>,
    sim: &SimHandle,
) {
    for message in &batch {
        // What cannot be read is counted; it would be no better at another delivery.
        let _ = collector.absorb(&message.body);
    }
    let (queue, kv, collector, clock) = (
        Rc::clone(queue),
        Rc::clone(kv),
        Rc::clone(collector),
        sim.clone(),
    );
    sim.spawn(async move {
        let mut pause = PAUSE;
        while collector.store_absorbed(&kv.invocation()).await.is_err() {
            clock.sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        queue.acknowledge(&batch);
    });
}
