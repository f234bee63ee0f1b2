//! How late a write becomes visible elsewhere: data in `models/consistency`.

use crate::models::dist::Dist;
use crate::models::quantity;
use crate::models::{FieldError, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Read caches at the points of presence in front of the central store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencySpec {
    /// What it is, in one line.
    pub title: String,
    /// From a write until a read that leaves its point of presence can see it. Writes of a key
    /// become visible in the order in which they were made; the last one wins.
    pub propagation: Dist,
    /// How long a point of presence answers from its cache if the read does not say.
    #[serde(with = "quantity::duration")]
    pub default_cache_ttl: Duration,
    /// Whether the absence of a key is cached too.
    pub negative_caching: bool,
    /// A read that its place's cache answers so shortly before the entry expires makes the place
    /// fetch the key anew in the background; 0 s is never. What is read often so stays in the
    /// cache. Nobody waits for a refresh and it is not metered.
    #[serde(default, with = "quantity::duration")]
    pub refresh_window: Duration,
}

impl Model for ConsistencySpec {
    const FOLDER: &'static str = "consistency";

    fn validate(&self) -> Result<(), FieldError> {
        if !self.refresh_window.is_zero() && self.refresh_window >= self.default_cache_ttl {
            return Err(FieldError::new(
                "refresh_window",
                format!(
                    "found {}, expected less than default_cache_ttl = {}",
                    quantity::format_duration(self.refresh_window),
                    quantity::format_duration(self.default_cache_ttl)
                ),
            ));
        }
        self.propagation
            .validate()
            .map_err(|e| e.within("propagation"))
    }

    fn distributions(&mut self) -> Vec<&mut Dist> {
        vec![&mut self.propagation]
    }
}
