//! CPU time of requests and queries.

use super::arrived::Arrived;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU time that the metrics system takes from a Worker invocation, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CpuCost {
    /// A recorded request, with the gateway's own work and the metrics read that may come with it.
    pub request_us: u64,
    /// A request that only queries (analytics query, health check, metrics read on its own), or a
    /// cron trigger.
    pub query_us: u64,
}

impl Default for CpuCost {
    fn default() -> Self {
        CpuCost {
            request_us: 1_000,
            query_us: 5_000,
        }
    }
}

impl CpuCost {
    /// CPU time of what arrived, in microseconds.
    pub fn of(&self, arrived: &Arrived) -> u64 {
        let queries = arrived.requests() - arrived.records + arrived.cron;
        arrived.records * self.request_us + queries * self.query_us
    }
}
