//! Totals of records and latencies of calls, in bins of two per cent.

use crate::sources::Record;
use serde::{Deserialize, Serialize};

/// Counts by size, in bins of two per cent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Bins {
    zeros: u64,
    /// From a microsecond on.
    counts: Vec<u32>,
}

impl Bins {
    pub(crate) fn add(&mut self, ms: f64) {
        if ms <= 0.0 {
            self.zeros += 1;
            return;
        }
        let bin = ((ms * 1e3).ln() * 50.0).max(0.0) as usize;
        if self.counts.len() <= bin {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] += 1;
    }
}

/// What is stored of a provider's requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Total {
    requests: u64,
    failures: u64,
    tokens: u64,
    latency_ms: f64,
    latencies: Bins,
}

impl Total {
    pub(crate) fn add(&mut self, record: &Record) {
        self.requests += 1;
        self.failures += u64::from(!record.success);
        self.tokens += u64::from(record.tokens);
        self.latency_ms += record.latency_ms;
        self.latencies.add(record.latency_ms);
    }
}
