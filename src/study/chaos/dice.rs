//! Draws of values as a scenario file has them.

use crate::sim::random::{StreamRng, Streams};
use rand::RngExt;
use toml::Value;

/// What one seed draws from.
pub(super) struct Dice(StreamRng);

impl Dice {
    /// The dice of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Dice(Streams::new(seed, 0).stream("chaos.draw"))
    }

    /// Whether something happens that has this chance.
    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.0.random::<f64>() < share
    }

    /// One of these.
    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }

    /// A number between two, small ones as likely as large ones.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let u: f64 = self.0.random();
        (low.ln() + u * (high.ln() - low.ln())).exp()
    }

    /// A whole number from `low`, at least 1, to `high`, likewise.
    pub(super) fn whole(&mut self, low: u32, high: u32) -> i64 {
        let x = self.between(f64::from(low), f64::from(high) + 1.0);
        (x as i64).clamp(i64::from(low), i64::from(high))
    }

    /// A duration from `low_ms` to `high_ms`, in milliseconds or, where it is longer, in seconds.
    pub(super) fn time(&mut self, low_ms: f64, high_ms: f64) -> Value {
        let ms = self.between(low_ms, high_ms);
        text(match ms < 2_000.0 {
            true => format!("{} ms", ms.round().max(1.0)),
            false => format!("{} s", (ms / 1e3).round()),
        })
    }

    /// A share up to `most` percent.
    pub(super) fn percent(&mut self, most: f64) -> Value {
        let percent = self.between(0.5, most);
        text(format!("{}%", (2.0 * percent).round() / 2.0))
    }
}

/// A text value.
pub(super) fn text(t: impl Into<String>) -> Value {
    Value::String(t.into())
}

/// A table of these fields.
pub(super) fn table<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().map(|(k, v)| (k.to_owned(), v));
    Value::Table(fields.collect())
}
