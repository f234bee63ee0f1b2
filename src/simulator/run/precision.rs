//! How precise the estimates of a scenario are to be: data; the rule is in `kvplan::study::stats::stopping`.

use super::metric::{self, METRICS};
use crate::models::FieldError;
use crate::models::nearest::nearest;
use crate::models::quantity::Probability;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Replications that a sequential procedure starts with at least: fewer would often stop
/// on an interval that is narrow by chance.
pub const LEAST_START: u32 = 10;

/// What has to be reached before no more replications are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// Largest half-width of a 95% interval, as a share of the mean.
    pub relative: Probability,
    /// Names of the measures that it is asked of; one that a policy does not have is met.
    #[serde(default = "default_measures")]
    pub measures: Vec<String>,
    /// Replications at which a point is given up.
    #[serde(default = "default_max_replications")]
    pub max_replications: u32,
}

/// The measures that decisions are taken on.
fn default_measures() -> Vec<String> {
    [
        "cost_usd",
        "hit_ratio",
        "operations_per_request",
        "metrics_p95_ms",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Most replications of a point: what is known of each is kept.
pub const MOST_REPLICATIONS: u32 = 1_000_000;

/// Replications at which a point is given up if nothing else is said.
fn default_max_replications() -> u32 {
    1_000
}

impl Precision {
    /// The default measures to this precision.
    pub fn of(relative: Probability) -> Self {
        Precision {
            relative,
            measures: default_measures(),
            max_replications: default_max_replications(),
        }
    }

    /// Checks what the types cannot.
    pub fn validate(&self) -> Result<(), FieldError> {
        if self.relative.get() <= 0.0 {
            return Err(FieldError::new(
                "relative",
                "found 0, expected a share of the mean of more than 0, such as \"2%\"",
            ));
        }
        if self.measures.is_empty() {
            return Err(FieldError::new(
                "measures",
                "found none, expected at least one measure",
            ));
        }
        for (i, name) in self.measures.iter().enumerate() {
            if metric::index_of(name).is_none() {
                return Err(FieldError::new(
                    format!("measures[{i}]"),
                    format!(
                        "found \"{name}\"{}, expected a measure's name: a column of sweep.csv, such as {}",
                        nearest(name, METRICS.iter().map(|m| m.name)),
                        default_measures().join(", ")
                    ),
                ));
            }
        }
        if !(2..=MOST_REPLICATIONS).contains(&self.max_replications) {
            return Err(FieldError::new(
                "max_replications",
                format!(
                    "found {}, expected 2 to {MOST_REPLICATIONS}",
                    self.max_replications
                ),
            ));
        }
        Ok(())
    }
}
