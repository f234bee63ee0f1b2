//! The isolates that serve the requests.

use crate::config::FieldError;
use serde::{Deserialize, Serialize};

/// How many isolates share the traffic. Each has a cache, a buffer and a writer's name of its
/// own; requests are spread over them evenly at random, and none of them ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    pub isolates: u32,
}

impl Default for FleetSpec {
    fn default() -> Self {
        FleetSpec { isolates: 1 }
    }
}

impl FleetSpec {
    /// Checks what the types cannot.
    pub fn validate(&self) -> Result<(), FieldError> {
        if !(1..=100_000).contains(&self.isolates) {
            return Err(FieldError::new(
                "isolates",
                format!("found {}, expected 1 to 100000", self.isolates),
            ));
        }
        Ok(())
    }
}
