//! Keys and values behind a latency, with a count of what was done: what a Durable Object's cache and an
//! archive in R2 have in common.

use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Clock, Value};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Values with the time at which they die.
pub(super) struct Shelf {
    pub(super) clock: SimHandle,
    latency: Sampler,
    state: RefCell<State>,
}

struct State {
    rng: StreamRng,
    entries: BTreeMap<String, (Value, Option<Timestamp>)>,
    usage: Usage,
}

impl Shelf {
    /// An empty shelf.
    pub(super) fn new(clock: SimHandle, latency: Sampler, rng: StreamRng) -> Self {
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
    pub(super) fn begin(&self, items: &[MeterItem]) -> Duration {
        let s = &mut *self.state.borrow_mut();
        for item in items {
            s.usage.add(*item, 1);
        }
        self.latency.sample(&mut s.rng)
    }

    /// The value under a key, if it is alive.
    pub(super) fn find(&self, key: &str) -> Option<Value> {
        let s = self.state.borrow();
        let (value, dies) = s.entries.get(key)?;
        let alive = dies.is_none_or(|d| self.clock.now() < d);
        alive.then(|| Rc::clone(value))
    }

    /// Keeps a value until it dies, if it does.
    pub(super) fn keep(&self, key: &str, value: Vec<u8>, dies: Option<Timestamp>) {
        let entry = (value.into(), dies);
        let s = &mut *self.state.borrow_mut();
        s.entries.insert(key.to_owned(), entry);
    }

    /// What was used so far, without storage.
    pub(super) fn usage(&self) -> Usage {
        self.state.borrow().usage.clone()
    }

    /// Bytes held now.
    pub(super) fn bytes(&self) -> u128 {
        let s = self.state.borrow();
        let sizes = s.entries.iter().map(|(k, (v, _))| k.len() + v.len());
        sizes.sum::<usize>() as u128
    }
}
