//! Alerts: thresholds on the metrics of the metrics system itself.

use crate::field::FieldError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a rule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertMetric {
    /// 95th percentile of reads of the metrics, in milliseconds.
    MetricsP95Ms,
    /// 95th percentile of analytics queries, in milliseconds.
    AnalyticsP95Ms,
    /// Share of the calls that failed, 0 to 1.
    ErrorRate,
    /// KV operations of all kinds in a day.
    KvOperationsPerDay,
    /// 0 to 1.
    CacheHitRatio,
}

impl fmt::Display for AlertMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AlertMetric::MetricsP95Ms => "metrics_p95_ms",
            AlertMetric::AnalyticsP95Ms => "analytics_p95_ms",
            AlertMetric::ErrorRate => "error_rate",
            AlertMetric::KvOperationsPerDay => "kv_operations_per_day",
            AlertMetric::CacheHitRatio => "cache_hit_ratio",
        })
    }
}

/// On which side of its thresholds a value is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Above them.
    Above,
    /// Below them.
    Below,
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To be looked at.
    Warning,
    /// To be acted on.
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Warning => "warning",
            Level::Critical => "critical",
        })
    }
}

/// One line of a threshold table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// What it watches.
    pub metric: AlertMetric,
    /// On which side of the thresholds it fires.
    pub direction: Direction,
    /// Beyond this it warns, in the unit of the metric.
    pub warning: f64,
    /// Beyond this it is critical, likewise.
    pub critical: f64,
}

/// A threshold table; data in `models/alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertRules {
    /// The rules, in the order of reports.
    #[serde(rename = "rule")]
    pub rules: Vec<AlertRule>,
}

/// The figures that rules watch; NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlertInputs {
    /// 95th percentile of reads of the metrics, in milliseconds.
    pub metrics_p95_ms: f64,
    /// 95th percentile of analytics queries, in milliseconds.
    pub analytics_p95_ms: f64,
    /// Share of the calls that failed, 0 to 1.
    pub error_rate: f64,
    /// KV operations of all kinds in a day.
    pub kv_operations_per_day: f64,
    /// Share of the queries that a cache answered, 0 to 1.
    pub cache_hit_ratio: f64,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// What is watched.
    pub metric: AlertMetric,
    /// How bad it is.
    pub level: Level,
    /// The value, in the unit of the metric.
    pub value: f64,
    /// The threshold that it is beyond.
    pub threshold: f64,
}

impl AlertRules {
    /// Critical must be no milder than warning.
    ///
    /// # Errors
    /// The threshold at fault.
    pub fn validate(&self) -> Result<(), FieldError> {
        for (i, r) in self.rules.iter().enumerate() {
            let ordered = match r.direction {
                Direction::Above => r.critical >= r.warning,
                Direction::Below => r.critical <= r.warning,
            };
            if !ordered {
                return Err(FieldError::new(
                    format!("rule[{i}].critical"),
                    format!(
                        "found {}, expected a threshold no milder than warning = {}",
                        r.critical, r.warning
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl AlertRules {
    /// The rules that fire on these figures, each at its worst level.
    pub fn evaluate(&self, inputs: &AlertInputs) -> Vec<Alert> {
        self.rules
            .iter()
            .filter_map(|r| r.evaluate(inputs))
            .collect()
    }
}

impl AlertRule {
    fn evaluate(&self, inputs: &AlertInputs) -> Option<Alert> {
        let value = match self.metric {
            AlertMetric::MetricsP95Ms => inputs.metrics_p95_ms,
            AlertMetric::AnalyticsP95Ms => inputs.analytics_p95_ms,
            AlertMetric::ErrorRate => inputs.error_rate,
            AlertMetric::KvOperationsPerDay => inputs.kv_operations_per_day,
            AlertMetric::CacheHitRatio => inputs.cache_hit_ratio,
        };
        let beyond = |threshold: f64| match self.direction {
            Direction::Above => value > threshold,
            Direction::Below => value < threshold,
        };
        let (level, threshold) = if beyond(self.critical) {
            (Level::Critical, self.critical)
        } else if beyond(self.warning) {
            (Level::Warning, self.warning)
        } else {
            return None;
        };
        Some(Alert {
            metric: self.metric,
            level,
            value,
            threshold,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> AlertRules {
        toml::from_str(include_str!("../../models/alerts/seed.toml")).unwrap()
    }

    const QUIET: AlertInputs = AlertInputs {
        metrics_p95_ms: 500.0,
        analytics_p95_ms: 3_000.0,
        error_rate: 0.01,
        kv_operations_per_day: 800_000.0,
        cache_hit_ratio: 0.7,
    };

    #[test]
    fn on_the_threshold_nothing_fires() {
        seed().validate().unwrap();
        assert_eq!(seed().evaluate(&QUIET), []);
    }

    #[test]
    fn each_rule_fires_at_its_level() {
        use Level::*;
        for (inputs, level) in [
            (
                AlertInputs {
                    metrics_p95_ms: 501.0,
                    ..QUIET
                },
                Warning,
            ),
            (
                AlertInputs {
                    metrics_p95_ms: 1_001.0,
                    ..QUIET
                },
                Critical,
            ),
            (
                AlertInputs {
                    analytics_p95_ms: 3_001.0,
                    ..QUIET
                },
                Warning,
            ),
            (
                AlertInputs {
                    analytics_p95_ms: 5_001.0,
                    ..QUIET
                },
                Critical,
            ),
            (
                AlertInputs {
                    error_rate: 0.011,
                    ..QUIET
                },
                Warning,
            ),
            (
                AlertInputs {
                    error_rate: 0.051,
                    ..QUIET
                },
                Critical,
            ),
            (
                AlertInputs {
                    kv_operations_per_day: 800_001.0,
                    ..QUIET
                },
                Warning,
            ),
            (
                AlertInputs {
                    kv_operations_per_day: 950_001.0,
                    ..QUIET
                },
                Critical,
            ),
            (
                AlertInputs {
                    cache_hit_ratio: 0.69,
                    ..QUIET
                },
                Warning,
            ),
            (
                AlertInputs {
                    cache_hit_ratio: 0.49,
                    ..QUIET
                },
                Critical,
            ),
        ] {
            let alerts = seed().evaluate(&inputs);
            assert_eq!(alerts.len(), 1, "{inputs:?}");
            assert_eq!(alerts[0].level, level, "{inputs:?}");
        }
    }

    #[test]
    fn a_missing_figure_raises_no_alert() {
        assert_eq!(
            seed().evaluate(&AlertInputs {
                cache_hit_ratio: f64::NAN,
                ..QUIET
            }),
            []
        );
    }
}
