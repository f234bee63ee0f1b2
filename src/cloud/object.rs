//! Durable Objects and R2, as far as the metrics system uses them: keys and values behind a
//! latency, metered as Cloudflare bills them.

use crate::pricing::{MeterItem, Usage};
use crate::sim::dist::Sampler;
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Archive, Clock, KvError, SharedCache, Value};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Memory that is billed while a Durable Object is active: 128 MB.
/// Source: <https://developers.cloudflare.com/durable-objects/platform/pricing/>
const OBJECT_MB: u128 = 128;

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
pub struct DurableObject(Rc<Shelf>);

impl DurableObject {
    /// An empty object. Its requests take `latency`, during which it is active (an upper bound:
    /// the way there is not billed).
    pub fn new(clock: SimHandle, latency: Sampler, rng: StreamRng) -> Self {
        DurableObject(Rc::new(Shelf::new(clock, latency, rng)))
    }

    /// What was used so far, without storage.
    pub fn usage(&self) -> Usage {
        self.0.state.borrow().usage.clone()
    }

    /// Bytes stored now.
    pub fn bytes(&self) -> u128 {
        self.0.bytes()
    }

    async fn request(&self, row: MeterItem) {
        let took = self.0.begin(&[MeterItem::DoRequests, row]);
        let active = OBJECT_MB * took.as_millis().max(1);
        self.0
            .state
            .borrow_mut()
            .usage
            .add(MeterItem::DoDurationMbMs, active);
        self.0.clock.sleep(took).await;
    }
}

impl SharedCache for DurableObject {
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        self.request(MeterItem::DoRowsRead).await;
        Ok(self.0.find(key))
    }

    async fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), KvError> {
        let dies = self.0.clock.now() + ttl;
        self.0.keep(key, value, Some(dies));
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
