//! The system health report.

use super::metrics::{Figures, ProviderMetrics};
use crate::units::quantity::{self, Probability};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// From where on a provider, or the whole, counts as degraded or down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HealthThresholds {
    /// Share of failures from which on it is degraded.
    pub degraded_error_rate: Probability,
    /// Share of failures from which on it is down.
    pub down_error_rate: Probability,
    /// 95th percentile from which on it is degraded.
    #[serde(with = "quantity::duration")]
    pub degraded_p95: Duration,
    /// 95th percentile from which on it is down.
    #[serde(with = "quantity::duration")]
    pub down_p95: Duration,
    /// With fewer requests in the window the status is unknown.
    pub min_requests: u64,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        let share = |p| Probability::new(p).expect("a literal between 0 and 1");
        HealthThresholds {
            degraded_error_rate: share(0.01),
            down_error_rate: share(0.05),
            degraded_p95: Duration::from_secs(5),
            down_p95: Duration::from_secs(30),
            min_requests: 1,
        }
    }
}

/// How well a provider, or the whole, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Too few requests to tell.
    Unknown,
    /// Below all thresholds.
    Healthy,
    /// Above a threshold for it.
    Degraded,
    /// Above a threshold for it, or all providers are.
    Down,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Unknown => "unknown",
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Down => "down",
        })
    }
}

/// Status per provider, in the order of names, and overall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// Of the whole, see [`health_report`].
    pub overall: Status,
    /// By name.
    pub providers: Vec<(String, Status)>,
}

/// Judges metrics by thresholds. The whole is down when all providers are, and
/// degraded when any is not healthy or the overall figures say so.
pub fn health_report(metrics: &Figures, thresholds: &HealthThresholds) -> HealthReport {
    let providers: Vec<(String, Status)> = metrics
        .providers
        .iter()
        .map(|p| (p.name.clone(), status(p, thresholds)))
        .collect();
    let mut overall = status(&metrics.overall, thresholds);
    let known = || {
        providers
            .iter()
            .map(|p| p.1)
            .filter(|s| *s != Status::Unknown)
    };
    if known().next().is_some() && known().all(|s| s == Status::Down) {
        overall = Status::Down;
    } else if overall == Status::Healthy && known().any(|s| s > Status::Healthy) {
        overall = Status::Degraded;
    }
    HealthReport { overall, providers }
}

fn status(m: &ProviderMetrics, t: &HealthThresholds) -> Status {
    let p95_above = |limit: std::time::Duration| m.p95_ms > limit.as_secs_f64() * 1e3;
    if m.count < t.min_requests {
        Status::Unknown
    } else if m.error_rate > t.down_error_rate.get() || p95_above(t.down_p95) {
        Status::Down
    } else if m.error_rate > t.degraded_error_rate.get() || p95_above(t.degraded_p95) {
        Status::Degraded
    } else {
        Status::Healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: &str, count: u64, error_rate: f64, p95_ms: f64) -> ProviderMetrics {
        ProviderMetrics {
            name: name.into(),
            count,
            errors: (count as f64 * error_rate) as u64,
            error_rate,
            mean_ms: p95_ms / 2.0,
            p50_ms: p95_ms / 2.0,
            p95_ms,
            p99_ms: p95_ms,
            tokens: 0,
        }
    }

    fn report(overall: ProviderMetrics, providers: Vec<ProviderMetrics>) -> (Status, Vec<Status>) {
        let r = health_report(
            &Figures { overall, providers },
            &HealthThresholds::default(),
        );
        (r.overall, r.providers.into_iter().map(|p| p.1).collect())
    }

    #[test]
    fn each_threshold_decides() {
        use Status::*;
        for (count, errors, p95, expected) in [
            (0, 0.0, f64::NAN, Unknown),
            (10, 0.0, 100.0, Healthy),
            (10, 0.01, 5_000.0, Healthy),
            (10, 0.02, 100.0, Degraded),
            (10, 0.0, 6_000.0, Degraded),
            (10, 0.06, 100.0, Down),
            (10, 0.0, 31_000.0, Down),
        ] {
            let p = provider("a", count, errors, p95);
            assert_eq!(status(&p, &HealthThresholds::default()), expected, "{p:?}");
        }
    }

    #[test]
    fn the_whole_is_down_only_if_all_are() {
        use Status::*;
        let (ok, down) = (provider("a", 99, 0.0, 10.0), provider("b", 1, 1.0, 10.0));
        assert_eq!(
            report(provider("overall", 100, 0.01, 10.0), vec![ok, down.clone()]),
            (Degraded, vec![Healthy, Down])
        );
        assert_eq!(report(down.clone(), vec![down]).0, Down);
        assert_eq!(
            report(provider("overall", 0, 0.0, f64::NAN), vec![]).0,
            Unknown
        );
    }
}
