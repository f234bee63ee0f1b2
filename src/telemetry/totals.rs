//! What is known of the records of one provider.

use super::sketch::Sketch;

/// Totals of one provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub count: u64,
    pub errors: u64,
    pub tokens: u64,
    pub latency_sum_ms: f64,
    pub latency: Sketch,
}

impl Totals {
    /// Adds those of other records.
    pub(super) fn merge(&mut self, other: &Totals) {
        self.latency.merge(&other.latency);
        self.count = self.count.saturating_add(other.count);
        self.errors = self.errors.saturating_add(other.errors);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.latency_sum_ms += other.latency_sum_ms;
    }
}

/// A stored value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;
