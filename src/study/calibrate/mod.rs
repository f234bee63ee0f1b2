//! A latency profile from what was measured: every kind of operation by itself, and each told how far it
//! can be trusted.

mod measured;
mod quantiles;

pub use measured::Measured;
pub use quantiles::{LEVELS, QuantileFit, Quantiles};

use super::fit::latency::{Choice, LatencyFit, Operation};
use crate::models::ConfigError;
use crate::models::dist::Dist;
use quantiles::fit_quantiles;
use std::time::Duration;

/// Fewer values than this are no ground for a distribution.
pub const FEWEST: f64 = 30.0;
/// Values that must lie beyond a quantile before anything is said of it.
const BEYOND: f64 = 10.0;
/// A family that would be as far off in fewer samples than this share is refused.
pub const LEVEL: f64 = 0.01;
/// A family fitted to quantiles may be off by this share of each.
pub const WORST_MISS: f64 = 0.1;

/// What was found of a kind of operation.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The kind of operation.
    pub operation: Operation,
    /// Values, or requests that were looked at; unknown of quantiles that do not say it.
    pub n: Option<f64>,
    /// What its values follow.
    pub finding: Finding,
}

/// What a kind's distribution rests on.
#[derive(Debug, Clone)]
pub enum Finding {
    /// A family, the values do not speak against it: its place among the candidates.
    Family {
        /// All families, fitted.
        fit: LatencyFit,
        /// Which of them is taken.
        accepted: usize,
    },
    /// No family; the observed values themselves.
    Empirical {
        /// All families, fitted and refused.
        fit: LatencyFit,
    },
    /// All values are the same.
    Constant {
        /// In milliseconds.
        ms: f64,
    },
    /// A family fits the quantiles well enough: the first.
    QuantileFamily {
        /// The service's quantiles.
        measured: Quantiles,
        /// The families fitted to them, the nearest first.
        fits: Vec<QuantileFit>,
    },
    /// No family does; a distribution through the quantiles.
    Piecewise {
        /// The service's quantiles.
        measured: Quantiles,
        /// The families fitted to them, the nearest first.
        fits: Vec<QuantileFit>,
    },
    /// Too few values.
    TooFew,
}

/// Fits every kind that was measured. Values have precedence over quantiles, unless
/// they are too few. `seed` drives the bootstrap.
///
/// # Errors
/// If nothing was measured, or groups of quantiles cannot be put together.
pub fn calibrate(measured: &Measured, seed: u64) -> Result<Vec<Calibrated>, ConfigError> {
    let all: Vec<Calibrated> = measured
        .operations()
        .map(|operation| of_operation(measured, operation, seed))
        .collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(ConfigError::new(
            "the measurements",
            "found no latency of a read, write, delete or list, expected some",
        ));
    }
    Ok(all)
}

fn of_operation(
    measured: &Measured,
    operation: Operation,
    seed: u64,
) -> Result<Calibrated, ConfigError> {
    let values = measured.samples_ms(operation);
    let groups = measured.quantiles(operation);
    // A handful of values says less than the quantiles of many.
    let enough = values.len() as f64 >= FEWEST || groups.is_empty();
    if !values.is_empty() && enough {
        let n = values.len() as f64;
        return Ok(Calibrated {
            operation,
            n: Some(n),
            finding: of_values(values, seed),
        });
    }
    let together = Quantiles::together(groups).ok_or_else(|| {
        ConfigError::new(
            "kvOperationsAdaptiveGroups",
            format!(
                "found {} groups of {} without sum.requests or count, expected them, as quantiles are put together by their weight",
                groups.len(),
                operation.name()
            ),
        )
    })?;
    Ok(Calibrated {
        operation,
        n: together.sampled,
        finding: of_quantiles(together),
    })
}

fn of_values(values: &[f64], seed: u64) -> Finding {
    if (values.len() as f64) < FEWEST {
        return Finding::TooFew;
    }
    match LatencyFit::new(values.to_vec(), seed) {
        Err(_) => Finding::Constant { ms: values[0] },
        Ok(fit) => match fit.candidates.iter().position(|c| c.ks_p >= LEVEL) {
            Some(accepted) => Finding::Family { fit, accepted },
            None => Finding::Empirical { fit },
        },
    }
}

fn of_quantiles(measured: Quantiles) -> Finding {
    if measured.sampled.is_some_and(|n| n < FEWEST) {
        return Finding::TooFew;
    }
    let fits = fit_quantiles(&measured);
    match fits.first() {
        Some(best) if best.worst_miss <= WORST_MISS => Finding::QuantileFamily { measured, fits },
        _ => Finding::Piecewise { measured, fits },
    }
}

impl Calibrated {
    /// The distribution for the profile; an empirical one names `values_csv`. `None` if it is to be taken
    /// from the base.
    pub fn dist(&self, values_csv: &str) -> Option<Dist> {
        match &self.finding {
            Finding::Family { fit, accepted } => Some(fit.candidates[*accepted].fitted.dist()),
            Finding::Empirical { fit } => fit.chosen(Choice::Empirical, values_csv),
            Finding::Constant { ms } => Some(Dist::Constant {
                value: Duration::from_nanos((ms * 1e6).round() as u64),
            }),
            Finding::QuantileFamily { fits, .. } => fits.first().map(|f| f.fitted.dist()),
            Finding::Piecewise { measured, .. } => Some(measured.piecewise()),
            Finding::TooFew => None,
        }
    }

    /// Whether enough values lie beyond a quantile to say anything of it; taken to be so where it is
    /// unknown how many there are.
    pub fn judges(&self, level: f64) -> bool {
        // 1 - 0.99 is a little above 0.01.
        self.n.is_none_or(|n| n * (1.0 - level) >= BEYOND - 1e-9)
    }

    /// A measured quantile in milliseconds: 0.5, 0.95 or 0.99. `None` if it cannot be known.
    pub fn measured_ms(&self, level: f64) -> Option<f64> {
        match &self.finding {
            Finding::TooFew => None,
            _ if !self.judges(level) => None,
            Finding::Family { fit, .. } | Finding::Empirical { fit } => {
                Some(fit.quantile_ms(level))
            }
            Finding::Constant { ms } => Some(*ms),
            Finding::QuantileFamily { measured, .. } | Finding::Piecewise { measured, .. } => {
                let at = LEVELS.iter().position(|l| l.0 == level)?;
                Some(measured.at_ms[at])
            }
        }
    }

    /// The quantile of what goes into the profile, in milliseconds.
    pub fn fitted_ms(&self, level: f64) -> Option<f64> {
        match &self.finding {
            Finding::TooFew => None,
            Finding::Family { fit, accepted } => {
                Some(fit.candidates[*accepted].fitted.quantile(level))
            }
            Finding::Empirical { fit } => Some(fit.quantile_ms(level)),
            Finding::Constant { ms } => Some(*ms),
            Finding::QuantileFamily { fits, .. } => fits.first().map(|f| f.fitted.quantile(level)),
            Finding::Piecewise { measured, .. } => Some(measured.between(level)),
        }
    }
}

impl Quantiles {
    /// The quantile of [`Quantiles::piecewise`], from the first level on.
    fn between(&self, level: f64) -> f64 {
        let mut pairs = LEVELS.iter().zip(self.at_ms).map(|(l, ms)| (l.0, ms));
        let mut before = pairs.next().unwrap_or_default();
        for next in pairs {
            if level <= next.0 {
                let share = (level - before.0) / (next.0 - before.0);
                return before.1 + share.max(0.0) * (next.1 - before.1);
            }
            before = next;
        }
        before.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_of_too_few_is_not_judged() {
        let with = |n: usize| {
            let values: String = (1..=n).map(|i| format!("write,{i}\n")).collect();
            let mut m = Measured::default();
            m.add("x", &format!("operation,latency_ms\n{values}"))
                .unwrap();
            calibrate(&m, 1).unwrap().remove(0)
        };
        assert!(matches!(with(29).finding, Finding::TooFew));
        assert_eq!(with(29).dist("x.csv"), None);
        let few = with(999);
        assert_eq!(few.measured_ms(0.95), Some(950.0));
        assert_eq!(few.measured_ms(0.99), None);
        assert_eq!(with(1_000).measured_ms(0.99), Some(990.0));
    }

    #[test]
    fn values_that_are_all_the_same_are_a_constant() {
        let mut m = Measured::default();
        m.add(
            "x",
            &format!("operation,latency_ms\n{}", "read,5\n".repeat(40)),
        )
        .unwrap();
        let found = calibrate(&m, 1).unwrap();
        assert_eq!(
            found[0].dist("x.csv"),
            Some(Dist::Constant {
                value: Duration::from_millis(5)
            })
        );
    }
}
