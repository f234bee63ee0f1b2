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

/// Further away than any bin of a latency, empty ones included.
const FAR: i32 = 10_000;

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
        let latency = self.latency.into_new()?;
        (latency.count() == self.count).then_some(Totals {
            count: self.count,
            errors: self.errors,
            tokens: self.tokens,
            latency_sum_ms: self.latency_sum_ms,
            latency,
        })
    }
}

impl OldSketch {
    /// Other bins than ours cannot be added to ours.
    fn into_new(self) -> Option<Sketch> {
        let same = self.config.gamma == GAMMA && self.config.min_value == LEAST_MS;
        let near =
            (-FAR..=FAR).contains(&self.store.offset) && self.store.bins.len() <= FAR as usize;
        if !(same && near) || self.negative_store.count > 0 {
            return None;
        }
        let sketch = Sketch {
            least: self.zero_count,
            first: self.store.offset,
            bins: self.store.bins,
        };
        // It kept empty bins on either side, which may lie where no latency can.
        let run = sketch.trimmed();
        let last = i64::from(run.first) + run.bins.len() as i64 - 1;
        let inside = run.first >= *KEYS.start() && last <= i64::from(*KEYS.end());
        (inside || run.bins.is_empty()).then(|| Sketch {
            least: sketch.least,
            first: run.first,
            bins: run.bins.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(offset: i32, bins: Vec<u64>) -> OldSketch {
        let store = |offset, bins: Vec<u64>| Store {
            count: bins.iter().sum(),
            bins,
            _min_key: 0,
            _max_key: 0,
            offset,
            _bin_limit: 2_048,
            _is_collapsed: false,
        };
        OldSketch {
            config: Config {
                _max_num_bins: 2_048,
                gamma: GAMMA,
                _gamma_ln: GAMMA.ln(),
                min_value: LEAST_MS,
                _offset: 0,
            },
            store: store(offset, bins),
            negative_store: store(0, Vec::new()),
            _min: 0.0,
            _max: 0.0,
            _sum: 0.0,
            zero_count: 3,
        }
    }

    /// What is written there by whoever can write: no value makes bins where no latency can fall, or a sum overflow.
    #[test]
    fn bins_where_no_latency_can_fall_are_refused() {
        let read = |offset, bins: &[u64]| sketch(offset, bins.to_vec()).into_new();
        // Empty bins on either side are left out.
        let kept = read(-400, &[[0; 100].as_slice(), &[4, 0, 2], &[0; 90]].concat()).unwrap();
        assert_eq!(
            (kept.least, kept.first, kept.bins),
            (3, -300, vec![4, 0, 2])
        );
        assert_eq!(read(-400, &[1]), None);
        assert_eq!(read(1_600, &[1]).map(|s| s.count()), Some(4));
        assert_eq!(read(1_600, &[1, 1]), None);
        for offset in [i32::MIN, i32::MAX, FAR + 1] {
            assert_eq!(read(offset, &[0, 1]), None);
        }
        assert_eq!(read(0, &[0; 20_000]), None);
        // As many empty ones as are believed, and one more.
        assert_eq!(read(0, &[0; 10_000]).map(|s| s.count()), Some(3));
        assert_eq!(read(0, &[0; 10_001]), None);
        let mut other = sketch(0, vec![1]);
        other.config.gamma = 1.05;
        assert_eq!(other.into_new(), None);
        let mut negative = sketch(0, vec![1]);
        negative.negative_store.count = 1;
        assert_eq!(negative.into_new(), None);
    }
}
