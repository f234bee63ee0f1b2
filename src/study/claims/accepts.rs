//! What a value must be for a claim to hold.

use super::parsed::Parsed;
use crate::models::ValueError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// `value <comparator> stated` is what makes a claim hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Comparator {
    /// It is what is stated.
    #[default]
    #[serde(rename = "=")]
    Equal,
    /// It is less.
    #[serde(rename = "<")]
    Below,
    /// It is that or less.
    #[serde(rename = "<=")]
    AtMost,
    /// It is more.
    #[serde(rename = ">")]
    Above,
    /// It is that or more.
    #[serde(rename = ">=")]
    AtLeast,
}

/// How far off a value may be: in the claim's unit, or a share of what is stated (`"5%"`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tolerance {
    /// In the claim's unit.
    Absolute(f64),
    /// A share of what is stated.
    Relative(Parsed<Share>),
}

/// A share of what is stated, from 0 to below 1.
#[derive(Debug, Clone, Copy)]
pub struct Share(f64);

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance::Absolute(0.0)
    }
}

impl Tolerance {
    /// In the claim's unit.
    pub fn of(&self, stated: f64) -> f64 {
        match self {
            Tolerance::Absolute(t) => *t,
            Tolerance::Relative(share) => share.get().0 * stated.abs(),
        }
    }

    /// Whether it is one.
    ///
    /// # Errors
    /// What was found, if it is no tolerance, and what was expected.
    pub fn check(&self) -> Result<(), ValueError> {
        match self {
            Tolerance::Absolute(t) if !(t.is_finite() && *t >= 0.0) => {
                Err(ValueError::new(format!(
                    "found {t}, expected 0 or more in the claim's unit, or a share such as \"5%\""
                )))
            }
            Tolerance::Absolute(_) => Ok(()),
            Tolerance::Relative(share) => share.check().map(|_| ()),
        }
    }
}

impl FromStr for Share {
    type Err = ValueError;

    /// The share that is written in percent.
    ///
    /// # Errors
    /// What was found and what was expected.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let number = text.trim().strip_suffix('%').map(str::trim);
        let percent = number.and_then(|n| n.parse::<f64>().ok());
        let percent = percent.filter(|p| (0.0..100.0).contains(p));
        percent.map(|p| Share(p / 100.0)).ok_or_else(|| {
            ValueError::new(format!(
                "found \"{text}\", expected a share from 0% to below 100%, such as \"5%\""
            ))
        })
    }
}

impl Comparator {
    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::Below => "<",
            Comparator::AtMost => "<=",
            Comparator::Above => ">",
            Comparator::AtLeast => ">=",
        }
    }
}

/// What a value may be: the stated figure or range, with its comparator and tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accepts {
    low: f64,
    high: f64,
    /// Whether the ends themselves are accepted.
    closed: bool,
}

impl Accepts {
    /// What `comparator` makes of a stated figure, or of the range from it `to` another.
    pub fn new(
        comparator: Comparator,
        stated: f64,
        to: Option<f64>,
        tolerance: &Tolerance,
    ) -> Self {
        let slack = tolerance.of(stated);
        let (low, high) = (stated - slack, to.unwrap_or(stated) + slack);
        let (low, high, closed) = match comparator {
            Comparator::Equal => (low, high, true),
            Comparator::AtMost => (f64::NEG_INFINITY, high, true),
            Comparator::Below => (f64::NEG_INFINITY, high, slack > 0.0),
            Comparator::AtLeast => (low, f64::INFINITY, true),
            Comparator::Above => (low, f64::INFINITY, slack > 0.0),
        };
        Accepts { low, high, closed }
    }

    /// Whether a value makes the claim hold; rounding errors of calculation do not count.
    pub fn holds(&self, value: f64) -> bool {
        let slack = |end: f64| 1e-9 * end.abs();
        if self.closed {
            value >= self.low - slack(self.low) && value <= self.high + slack(self.high)
        } else {
            value > self.low && value < self.high
        }
    }

    /// Whether all of an interval is on one side of the boundary.
    pub fn is_sure(&self, low: f64, high: f64) -> bool {
        self.holds(low) == self.holds(high)
            && (self.holds(low) || high < self.low || low > self.high)
    }

    /// The boundary between holding and not that lies between two values.
    pub fn boundary(&self, a: f64, b: f64) -> Option<f64> {
        let (low, high) = (a.min(b), a.max(b));
        let ends = [self.low, self.high].into_iter();
        ends.filter(|e| e.is_finite())
            .find(|e| (low..=high).contains(e))
    }
}
