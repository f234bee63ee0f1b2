//! An R2 bucket as the archive of old days, metered as Cloudflare bills it.

use crate::cloud::shelf::Shelf;
use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Archive, Clock, KvError, Value};
use std::rc::Rc;

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
        self.0.usage()
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
