//! A workload as its file has it.

use super::arrivals::{Bursts, Shape, Spacing};
use crate::models::dist::Dist;
use crate::models::quantity::{Probability, Rate};
use crate::models::{FieldError, Model};
use crate::telemetry::field::within;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What arrives and how; the rate of recorded requests is given apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// How requests follow each other.
    #[serde(default)]
    pub spacing: Spacing,
    /// Daily and weekly shape; none is a constant rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Bursts; none is a rate without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bursts: Option<Bursts>,
    /// The providers that requests go to.
    pub providers: Vec<Providers>,
    /// Reads of the metrics endpoint.
    #[serde(default)]
    pub metrics_reads: Secondary,
    /// Analytics queries.
    #[serde(default)]
    pub analytics_queries: Secondary,
    /// System health reports.
    #[serde(default)]
    pub health_checks: Secondary,
}

/// One provider's part of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Providers {
    /// The provider's name.
    pub name: String,
    /// Share of the requests; the shares of all providers add up to 1.
    pub share: Probability,
    /// Share of its requests that succeed.
    pub success: Probability,
    /// Time the provider takes.
    pub latency: Dist,
    /// Tokens that a request uses.
    pub tokens: Tokens,
}

/// Tokens used by a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tokens {
    /// Always the same.
    Constant {
        /// Tokens of each request.
        value: u32,
    },
    /// Whole numbers, each as likely.
    Uniform {
        /// The fewest.
        low: u32,
        /// The most.
        high: u32,
    },
    /// Lognormal, rounded down.
    Lognormal {
        /// The median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

/// Calls that come beside the recorded requests: with them, or at a rate of their own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secondary {
    /// Calls that come with each recorded request, at the same instant; a fraction is a chance.
    pub per_request: f64,
    /// Calls that come on their own, as a Poisson process.
    pub rate: Rate,
}

impl Model for WorkloadSpec {
    const FOLDER: &'static str = "workloads";

    fn validate(&self) -> Result<(), FieldError> {
        if let Some(shape) = &self.shape {
            shape.validate().map_err(|e| e.within("shape"))?;
        }
        if let Some(b) = &self.bursts {
            for (field, mean) in [("mean_on", b.mean_on), ("mean_off", b.mean_off)] {
                let seconds = mean.as_secs_f64();
                within(
                    field,
                    seconds,
                    1e-3,
                    1e9,
                    "seconds; each change is an event",
                )
                .map_err(|e| e.within("bursts"))?;
            }
        }
        let sum: f64 = self.providers.iter().map(|p| p.share.get()).sum();
        if self.providers.is_empty() || (sum - 1.0).abs() > 1e-9 {
            return Err(FieldError::new(
                "providers",
                format!("found shares that add up to {sum}, expected 1"),
            ));
        }
        for (i, p) in self.providers.iter().enumerate() {
            let at = format!("providers[{i}]");
            p.latency
                .validate()
                .map_err(|e| e.within("latency").within(&at))?;
            p.tokens.validate().map_err(|e| e.within(&at))?;
            let formula = p.name.starts_with(['=', '+', '-', '@', ' ']);
            if formula || p.name.contains(char::is_control) {
                let message = format!(
                    "found {:?}, expected a name that no spreadsheet takes for a formula, without control characters",
                    p.name
                );
                return Err(FieldError::new("name", message).within(&at));
            }
            if p.name.is_empty() || self.providers[..i].iter().any(|q| q.name == p.name) {
                return Err(FieldError::new(
                    "name",
                    format!("found \"{}\", expected a name of its own", p.name),
                )
                .within(&at));
            }
        }
        for (name, s) in [
            ("metrics_reads", self.metrics_reads),
            ("analytics_queries", self.analytics_queries),
            ("health_checks", self.health_checks),
        ] {
            let rate = s.rate.as_per_second();
            let reason = "a million a second is 2,592B a month";
            within("rate", rate, 0.0, 1e6, reason).map_err(|e| e.within(name))?;
            if !(s.per_request.is_finite() && (0.0..=1_000.0).contains(&s.per_request)) {
                return Err(FieldError::new(
                    "per_request",
                    format!("found {}, expected a number from 0 to 1000", s.per_request),
                )
                .within(name));
            }
        }
        Ok(())
    }

    fn distributions(&mut self) -> Vec<&mut Dist> {
        self.providers.iter_mut().map(|p| &mut p.latency).collect()
    }
}

impl Tokens {
    fn validate(&self) -> Result<(), FieldError> {
        match *self {
            Tokens::Uniform { low, high } if low > high => Err(FieldError::new(
                "tokens.low",
                format!("found {low}, expected no more than high = {high}"),
            )),
            Tokens::Lognormal { median, sigma } if !(median > 0.0 && sigma >= 0.0) => {
                Err(FieldError::new(
                    "tokens",
                    format!(
                        "found median {median} and sigma {sigma}, expected a median above 0 and a sigma of 0 or more"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}
