//! A Durable Object as the cache that all isolates share, metered as Cloudflare bills it.

use super::active::ActiveTime;
use crate::cloud::shelf::Shelf;
use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Clock, KvError, SharedCache, Value};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// One Durable Object that all isolates ask; cheap to clone.
#[derive(Clone)]
pub struct DurableObject {
    shelf: Rc<Shelf>,
    active: Rc<Cell<ActiveTime>>,
}

impl DurableObject {
    /// An empty object. Its requests take `latency`, during which it is active (an upper bound:
    /// the way there is not billed). Without requests it is taken to hibernate, which is free.
    pub fn new(clock: SimHandle, latency: Sampler, rng: StreamRng) -> Self {
        DurableObject {
            shelf: Rc::new(Shelf::new(clock, latency, rng)),
            active: Rc::default(),
        }
    }

    /// What was used so far, without storage.
    pub fn usage(&self) -> Usage {
        let mut usage = self.shelf.usage();
        let active = self.active.get().mb_ms(self.shelf.clock.now());
        usage.add(MeterItem::DoDurationMbMs, active);
        usage
    }

    /// Bytes stored now.
    pub fn bytes(&self) -> u128 {
        self.shelf.bytes()
    }

    async fn request(&self, row: MeterItem) {
        let took = self.shelf.begin(&[MeterItem::DoRequests, row]);
        let start = self.shelf.clock.now();
        let mut active = self.active.get();
        active.add(start, start + took);
        self.active.set(active);
        self.shelf.clock.sleep(took).await;
    }
}

impl SharedCache for DurableObject {
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        self.request(MeterItem::DoRowsRead).await;
        Ok(self.shelf.find(key))
    }

    async fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), KvError> {
        let dies = self.shelf.clock.now() + ttl;
        self.shelf.keep(key, value, Some(dies));
        self.request(MeterItem::DoRowsWritten).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::executor::Executor;
    use crate::sim::random::Streams;
    use crate::units::Timestamp;
    use rand_distr::{Distribution, Exp1};

    /// Overlapping requests share their duration: at a rate `l` and a time `s`, the object is active
    /// for `1 - e^(-l s)` of the time, not for `l s` of it. The bound is derived in `active.rs`.
    #[test]
    fn an_object_is_billed_for_the_time_in_which_it_is_active() {
        let executor = Executor::new(Timestamp::EPOCH);
        let (l, s, n) = (20.0_f64, 0.05_f64, 50_000);
        let streams = Streams::new(5, 0);
        let latency = Sampler::constant(Duration::from_secs_f64(s));
        let object = DurableObject::new(executor.handle(), latency, streams.stream("object"));
        let (sim, asked) = (executor.handle(), object.clone());
        let mut rng = streams.stream("arrivals");
        executor.block_on(async move {
            for _ in 0..n {
                let gap: f64 = Exp1.sample(&mut rng);
                sim.sleep(Duration::from_secs_f64(gap / l)).await;
                let object = asked.clone();
                sim.spawn(async move {
                    let _ = object.get("k").await;
                });
            }
        });
        let elapsed = executor.handle().now().as_secs_f64();
        let usage = object.usage();
        assert_eq!(usage.get(MeterItem::DoRequests), n);
        let share = usage.get(MeterItem::DoDurationMbMs) as f64 / (128e3 * elapsed);
        let idle = (-l * s).exp();
        let variance = 2.0 / elapsed * (idle * (1.0 - idle) / l - s * idle * idle);
        let bound = 4.0 * variance.sqrt();
        assert!(
            (share - (1.0 - idle)).abs() < bound,
            "{share} vs {} ± {bound}",
            1.0 - idle
        );
    }
}
