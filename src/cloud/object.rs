//! Durable Objects and R2, as far as the metrics system uses them: keys and values behind a
//! latency, metered as Cloudflare bills them.

use super::active::ActiveTime;
use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Archive, Clock, KvError, SharedCache, Value};
use crate::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Values with the time at which they die.
struct Shelf {
    clock: SimHandle,
    latency: Sampler,
    state: RefCell<State>,
}

struct State {
    rng: StreamRng,
    entries: BTreeMap<String, (Value, Option<Timestamp>)>,
    usage: Usage,
}

impl Shelf {
    fn new(clock: SimHandle, latency: Sampler, rng: StreamRng) -> Self {
        Shelf {
            clock,
            latency,
            state: RefCell::new(State {
                rng,
                entries: BTreeMap::new(),
                usage: Usage::default(),
            }),
        }
    }

    /// Meters an operation; returns how long it takes.
    fn begin(&self, items: &[MeterItem]) -> Duration {
        let s = &mut *self.state.borrow_mut();
        for item in items {
            s.usage.add(*item, 1);
        }
        self.latency.sample(&mut s.rng)
    }

    fn find(&self, key: &str) -> Option<Value> {
        let s = self.state.borrow();
        let (value, dies) = s.entries.get(key)?;
        let alive = dies.is_none_or(|d| self.clock.now() < d);
        alive.then(|| Rc::clone(value))
    }

    fn keep(&self, key: &str, value: Vec<u8>, dies: Option<Timestamp>) {
        let entry = (value.into(), dies);
        let s = &mut *self.state.borrow_mut();
        s.entries.insert(key.to_owned(), entry);
    }

    fn bytes(&self) -> u128 {
        let s = self.state.borrow();
        let sizes = s.entries.iter().map(|(k, (v, _))| k.len() + v.len());
        sizes.sum::<usize>() as u128
    }
}

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
        let mut usage = self.shelf.state.borrow().usage.clone();
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

/// An R2 bucket; cheap to clone.
#[derive(Clone)]
pub struct R2Bucket(Rc<Shelf>);

impl R2Bucket {
    /// An empty bucket.
    pub fn new(clock: SimHandle, latency: Sampler, rng: StreamRng) -> Self {
        R2Bucket(Rc::new(Shelf::new(clock, latency, rng)))
    }

    /// What was used so far, without storage.
    pub fn usage(&self) -> Usage {
        self.0.state.borrow().usage.clone()
    }

    /// Bytes stored now.
    pub fn bytes(&self) -> u128 {
        self.0.bytes()
    }
}

impl Archive for R2Bucket {
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        let took = self.0.begin(&[MeterItem::R2ClassB]);
        self.0.clock.sleep(took).await;
        Ok(self.0.find(key))
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), KvError> {
        let took = self.0.begin(&[MeterItem::R2ClassA]);
        self.0.keep(key, value, None);
        self.0.clock.sleep(took).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::executor::Executor;
    use crate::sim::random::Streams;
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
