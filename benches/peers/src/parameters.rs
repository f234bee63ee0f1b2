//! What is simulated, as `compare.py` has read it from kvplan's own models: seconds, milliseconds, shares.

use crate::Random;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The whole model.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Parameters {
    pub(crate) warm_up_s: f64,
    pub(crate) seconds: f64,
    pub(crate) requests_per_s: f64,
    pub(crate) queries_per_s: f64,
    pub(crate) health_per_s: f64,
    pub(crate) batch_records: usize,
    pub(crate) batch_age_s: f64,
    pub(crate) cache_ttl_s: f64,
    /// Keys that a read of the metrics looks up, and an analytics query.
    pub(crate) keys: [u64; 2],
    pub(crate) providers: Vec<Provider>,
    pub(crate) read: Vec<Part>,
    pub(crate) write: Vec<Part>,
}

/// Somebody who answers requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Provider {
    pub(crate) share: f64,
    pub(crate) success: f64,
    pub(crate) latency: Lognormal,
    pub(crate) tokens: Lognormal,
}

/// A lognormal distribution.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Lognormal {
    median: f64,
    sigma: f64,
}

impl Lognormal {
    pub(crate) fn draw(&self, random: &mut Random) -> f64 {
        let z: f64 = StandardNormal.sample(random);
        self.median * (self.sigma * z).exp()
    }
}

/// Part of a mixture of latencies, in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    share: f64,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Kind {
    Lognormal(Lognormal),
    Uniform { low: f64, high: f64 },
}

/// How long an operation takes: of one of the parts, by their shares.
pub(crate) fn draw(parts: &[Part], random: &mut Random) -> Duration {
    let mut u: f64 = if parts.len() > 1 { random.random() } else { 0.0 };
    let mut chosen = &parts[parts.len() - 1];
    for part in parts {
        if u < part.share {
            chosen = part;
            break;
        }
        u -= part.share;
    }
    let ms = match &chosen.kind {
        Kind::Lognormal(lognormal) => lognormal.draw(random),
        Kind::Uniform { low, high } => low + (high - low) * random.random::<f64>(),
    };
    at_least_a_tick(ms / 1e3)
}

/// Events cannot be scheduled for now.
pub(crate) fn at_least_a_tick(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))
}
