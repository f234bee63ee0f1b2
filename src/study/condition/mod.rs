//! Conditions on measures, `cost<20USD`, and on how they change, `cost>+10%`; and what an interval says of one.

pub mod assertion;
mod parse;

pub use parse::{parse_bounds, parse_change};

use crate::study::stats::Estimate;

/// How a figure is to stand to a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A bound on a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// As it was written.
    pub text: String,
    /// Position in [`METRICS`](crate::run::metric::METRICS).
    pub metric: usize,
    /// How the measure is to stand to it.
    pub relation: Relation,
    /// In the measure's unit.
    pub value: f64,
}

/// A threshold for the change of a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// As it was written.
    pub text: String,
    /// Position in [`METRICS`](crate::run::metric::METRICS).
    pub metric: usize,
    /// How the change is to stand to it.
    pub relation: Relation,
    /// How large it is.
    pub by: By,
}

/// How large a change is: negative of what falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum By {
    /// A share of the old value.
    Share(f64),
    /// In the measure's unit.
    Amount(f64),
}

/// What an interval says of a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// The whole interval meets it.
    Yes,
    /// The whole interval does not.
    No,
    /// It is not known.
    Undecided(Doubt),
}

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// The threshold is within the interval.
    WithinInterval,
    /// One replication has no interval.
    OneReplication,
    /// No interval is stated: of a level, or where less time is simulated than queries look back.
    NoInterval,
    /// Too few values for this percentile.
    TooFew,
    /// There is nothing of the kind, or it cannot be known.
    NoValue,
    /// The bill is for less than the whole work, and nothing else was asked for.
    NotTheWholeWork(crate::study::cheapest::Reason),
}

/// How near a threshold is, as a share of the larger of both, is it: what is left of rounding.
const NEAR: f64 = 1e-9;

impl Relation {
    /// Whether the condition is that something is not too much.
    pub fn is_upper(self) -> bool {
        matches!(self, Relation::Below | Relation::AtMost)
    }

    /// What an interval says of being so to `threshold`; `size` is how large the numbers are that it was computed
    /// from.
    pub fn holds(self, e: Estimate, threshold: f64, size: f64) -> Answer {
        if let Some(doubt) = doubt_of(e) {
            return Answer::Undecided(doubt);
        }
        let snap = |x: f64| {
            let near = NEAR * size.abs().max(threshold.abs());
            if (x - threshold).abs() <= near {
                threshold
            } else {
                x
            }
        };
        let (low, high) = (snap(e.low()), snap(e.high()));
        let (yes, no) = match self {
            Relation::Below => (high < threshold, low >= threshold),
            Relation::AtMost => (high <= threshold, low > threshold),
            Relation::Above => (low > threshold, high <= threshold),
            Relation::AtLeast => (low >= threshold, high < threshold),
        };
        match (yes, no) {
            (true, _) => Answer::Yes,
            (_, true) => Answer::No,
            _ => Answer::Undecided(Doubt::WithinInterval),
        }
    }
}

/// Why an estimate says nothing; none if it has an interval.
pub fn doubt_of(e: Estimate) -> Option<Doubt> {
    if e.n == 0 || !e.mean.is_finite() {
        Some(Doubt::NoValue)
    } else if e.half_width.is_finite() {
        None
    } else if e.n == 1 {
        Some(Doubt::OneReplication)
    } else {
        Some(Doubt::NoInterval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e(mean: f64, half_width: f64) -> Estimate {
        Estimate {
            mean,
            half_width,
            n: 10,
        }
    }

    #[test]
    fn only_a_whole_interval_decides() {
        let within = Answer::Undecided(Doubt::WithinInterval);
        let holds = |r: Relation, mean, half| r.holds(e(mean, half), 10.0, 10.0);
        assert_eq!(holds(Relation::Below, 8.0, 1.0), Answer::Yes);
        assert_eq!(holds(Relation::Below, 9.5, 1.0), within);
        assert_eq!(holds(Relation::Below, 12.0, 1.0), Answer::No);
        assert_eq!(holds(Relation::Above, 12.0, 1.0), Answer::Yes);
        assert_eq!(holds(Relation::Above, 8.0, 1.0), Answer::No);
        assert_eq!(holds(Relation::AtLeast, 10.5, 1.0), within);
        // The threshold itself, to what is left of rounding.
        let at = 10.0 + 1e-12;
        assert_eq!(holds(Relation::Above, at, 0.0), Answer::No);
        assert_eq!(holds(Relation::AtMost, at, 0.0), Answer::Yes);
        assert_eq!(holds(Relation::Below, at, 0.0), Answer::No);
        assert_eq!(holds(Relation::AtLeast, at, 0.0), Answer::Yes);
    }

    #[test]
    fn without_an_interval_nothing_is_decided() {
        let of = |e: Estimate| Relation::Below.holds(e, 10.0, 10.0);
        let one = Estimate {
            n: 1,
            ..e(1.0, f64::NAN)
        };
        assert_eq!(of(one), Answer::Undecided(Doubt::OneReplication));
        assert_eq!(of(e(1.0, f64::NAN)), Answer::Undecided(Doubt::NoInterval));
        assert_eq!(of(e(f64::NAN, f64::NAN)), Answer::Undecided(Doubt::NoValue));
    }
}
