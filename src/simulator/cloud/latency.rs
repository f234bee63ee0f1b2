//! Latency profiles of the KV: data in `models/latency`.

use super::kv::KvLatency;
use crate::models::dist::Dist;
use crate::models::{FieldError, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long each kind of operation takes, as its caller sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyProfile {
    /// What it is, in one line.
    pub title: String,
    /// A read, wherever it is answered.
    pub read: Dist,
    /// A read that the point of presence answers from its cache, and one that it cannot, where
    /// those caches are simulated.
    pub hot_read: Dist,
    /// A read that the point of presence cannot answer from its cache.
    pub cold_read: Dist,
    /// A request to a Durable Object, and one to R2.
    pub object: Dist,
    /// A request to R2.
    pub archive: Dist,
    /// A write to the KV.
    pub write: Dist,
    /// A delete in the KV.
    pub delete: Dist,
    /// A list of keys in the KV.
    pub list: Dist,
}

impl Model for LatencyProfile {
    const FOLDER: &'static str = "latency";

    fn validate(&self) -> Result<(), FieldError> {
        for (name, dist) in [
            ("read", &self.read),
            ("hot_read", &self.hot_read),
            ("cold_read", &self.cold_read),
            ("object", &self.object),
            ("archive", &self.archive),
            ("write", &self.write),
            ("delete", &self.delete),
            ("list", &self.list),
        ] {
            dist.validate().map_err(|e| e.within(name))?;
        }
        Ok(())
    }

    fn distributions(&mut self) -> Vec<&mut Dist> {
        vec![
            &mut self.read,
            &mut self.hot_read,
            &mut self.cold_read,
            &mut self.object,
            &mut self.archive,
            &mut self.write,
            &mut self.delete,
            &mut self.list,
        ]
    }
}

impl LatencyProfile {
    /// What draws the latencies.
    pub fn samplers(&self) -> KvLatency {
        KvLatency {
            read: self.read.sampler(),
            write: self.write.sampler(),
            delete: self.delete.sampler(),
            list: self.list.sampler(),
        }
    }
}
