//! No answer of the KV is older than its reader allows.

use crate::cloud::consistency::ConsistencySpec;
use crate::models::dist::Dist;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::telemetry::policy::KeyLayout;
use std::time::Duration;

pub(super) const FRESHNESS: Invariant = Invariant {
    name: "freshness",
    promise: "no answer is outdated for longer than its cacheTtl and the way of a write allow",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let Some(consistency) = &case.point.scenario.consistency else {
        return Ok(());
    };
    let Some(way) = longest_way(consistency) else {
        return Ok(());
    };
    let policy = case.point.policy;
    let default = consistency.default_cache_ttl;
    let asked = policy.queries.cache_ttl.unwrap_or(default);
    // Who adds to a shared key reads it as the service caches it.
    let ttl = match policy.layout.keys {
        KeyLayout::Shared => asked.max(default),
        KeyLayout::Rollup | KeyLayout::BatchKeys => asked,
    };
    let most = ttl + way;
    for (name, r) in case.results() {
        let oldest_ms = r.read_ages.as_ref().map(|a| a.ages().quantile_ms(1.0));
        // Within the width of a histogram's bin.
        let oldest_ms = oldest_ms.filter(|ms| *ms > 1.002 * most.as_secs_f64() * 1e3 + 1.0);
        if let Some(oldest_ms) = oldest_ms {
            return Err(format!(
                "{name}: an answer was outdated for {:.1} s, where {:.1} s may be",
                oldest_ms / 1e3,
                most.as_secs_f64()
            ));
        }
    }
    Ok(())
}

/// The longest that a write may take to be seen elsewhere; most distributions have none.
pub(super) fn longest_way(consistency: &ConsistencySpec) -> Option<Duration> {
    match consistency.propagation {
        Dist::Constant { value } => Some(value),
        Dist::Uniform { high, .. } => Some(high),
        _ => None,
    }
}
