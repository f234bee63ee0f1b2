//! What is found of a provider in a stored value.

use crate::sketch::Counted;
use crate::totals::Read;
use std::ops::Range;

/// The totals of a provider but for its bins, and where those are among all.
pub(super) struct Found {
    pub count: u64,
    pub errors: u64,
    pub tokens: u64,
    pub latency_sum_ms: f64,
    pub least: u64,
    pub first: i32,
    pub bins: Range<usize>,
}

impl Found {
    /// They with their bins among all.
    pub(super) fn read<'a>(&self, bins: &'a [u64]) -> Read<'a> {
        Read {
            count: self.count,
            errors: self.errors,
            tokens: self.tokens,
            latency_sum_ms: self.latency_sum_ms,
            latency: Counted {
                least: self.least,
                first: self.first,
                bins: &bins[self.bins.clone()],
            },
        }
    }
}
