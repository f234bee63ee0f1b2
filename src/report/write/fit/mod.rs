//! Fitted models as files, CSV, charts and tables.

pub mod latency;
pub mod workload;

use crate::models::dist::{Dist, Empirical};
use crate::report::error::WriteError;
use serde::Serialize;

/// A value as it stands in a model file, on one line.
pub(super) fn inline(value: &impl Serialize) -> Result<String, WriteError> {
    let value = toml::Value::try_from(value).map_err(WriteError::of_encoding("a value"))?;
    Ok(value.to_string())
}

/// The distribution with values that were read from a CSV file listed.
pub(super) fn self_contained(dist: &Dist) -> Dist {
    match dist {
        Dist::Empirical(e) if !e.values_ms.is_empty() => Dist::Empirical(Empirical {
            csv: None,
            ..e.clone()
        }),
        Dist::Mixture { parts } => {
            let mut parts = parts.clone();
            for part in &mut parts {
                part.dist = self_contained(&part.dist);
            }
            Dist::Mixture { parts }
        }
        other => other.clone(),
    }
}
