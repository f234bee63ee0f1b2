//! What is known of the records of one provider.

use super::sketch::{Counted, Sketch};

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
        self.add(&other.read());
    }

    /// The same, of totals that are read where they lie.
    pub(super) fn add(&mut self, other: &Read) {
        // The counts of both are those of their sketches.
        let fits = self.count.checked_add(other.count).is_some();
        self.latency.add_counted(&other.latency, fits);
        self.count = self.count.saturating_add(other.count);
        self.errors = self.errors.saturating_add(other.errors);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.latency_sum_ms += other.latency_sum_ms;
    }

    /// They themselves, where they lie.
    pub(super) fn read(&self) -> Read<'_> {
        Read {
            count: self.count,
            errors: self.errors,
            tokens: self.tokens,
            latency_sum_ms: self.latency_sum_ms,
            latency: self.latency.counted(),
        }
    }
}

/// Totals that are read where they lie; the fields are those of [`Totals`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub count: u64,
    pub errors: u64,
    pub tokens: u64,
    pub latency_sum_ms: f64,
    pub latency: Counted<'a>,
}

impl Read<'_> {
    /// A copy of them.
    pub(super) fn to_totals(self) -> Totals {
        Totals {
            count: self.count,
            errors: self.errors,
            tokens: self.tokens,
            latency_sum_ms: self.latency_sum_ms,
            latency: self.latency.to_sketch(),
        }
    }
}

/// A stored value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;
