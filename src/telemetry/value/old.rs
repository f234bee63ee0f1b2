//! The forms of values that earlier editions stored: what the serde implementation of the crate sketches-ddsketch 0.4
//! gave to postcard, at first as it was, later as base64 behind a `B`.

use crate::sketch::{GAMMA, KEYS, LEAST_MS, Sketch};
use crate::totals::Totals;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct OldTotals {
    count: u64,
    errors: u64,
    tokens: u64,
    latency_sum_ms: f64,
    latency: OldSketch,
}

#[derive(Deserialize)]
struct OldSketch {
    config: Config,
    store: Store,
    negative_store: Store,
    _min: f64,
    _max: f64,
    _sum: f64,
    zero_count: u64,
}

#[derive(Deserialize)]
struct Config {
    _max_num_bins: u32,
    gamma: f64,
    _gamma_ln: f64,
    min_value: f64,
    _offset: i32,
}

#[derive(Deserialize)]
struct Store {
    bins: Vec<u64>,
    count: u64,
    _min_key: i32,
    _max_key: i32,
    offset: i32,
    _bin_limit: usize,
    _is_collapsed: bool,
}

/// The totals of each provider; `None` if the value is of none of these forms, or damaged.
pub(super) fn read(value: &[u8]) -> Option<Vec<(String, Totals)>> {
    let text = value.strip_prefix(b"B");
    let binary = text.and_then(|t| STANDARD_NO_PAD.decode(t).ok());
    let named = binary
        .as_deref()
        .and_then(|b| postcard::from_bytes(b).ok())
        .or_else(|| postcard::from_bytes(value).ok());
    let named: Vec<(String, OldTotals)> = named?;
    let totals = named
        .into_iter()
        .map(|(name, t)| Some((name, t.into_new()?)));
    totals.collect()
}

impl OldTotals {
    fn into_new(self) -> Option<Totals> {
        Some(Totals {
            count: self.count,
            errors: self.errors,
            tokens: self.tokens,
            latency_sum_ms: self.latency_sum_ms,
            latency: self.latency.into_new()?,
        })
    }
}

impl OldSketch {
    /// Other bins than ours cannot be added to ours.
    fn into_new(self) -> Option<Sketch> {
        let same = self.config.gamma == GAMMA && self.config.min_value == LEAST_MS;
        if !same || self.negative_store.count > 0 {
            return None;
        }
        let mut sketch = Sketch {
            least: self.zero_count,
            first: self.store.offset,
            bins: self.store.bins,
        };
        // It kept empty bins on either side, which may lie where no latency can.
        let run = sketch.trimmed();
        let last = i64::from(run.first) + run.bins.len() as i64 - 1;
        let inside = |key: i64| (i64::from(*KEYS.start())..=i64::from(*KEYS.end())).contains(&key);
        if !run.bins.is_empty() && !(inside(i64::from(run.first)) && inside(last)) {
            return None;
        }
        let (first, bins) = (run.first, run.bins.to_vec());
        (sketch.first, sketch.bins) = (first, bins);
        Some(sketch)
    }
}
