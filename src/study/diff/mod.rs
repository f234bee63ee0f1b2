//! What changes from an old model, or an old folder of results, to a new one: measure by measure, at every point that
//! both have.
//!
//! Where both met the same arrivals, replication by replication, differences are those of the pairs
//! (Law, "Simulation Modeling and Analysis", 5th ed., 10.2.1 and 11.2); else Welch's, of two means
//! that know nothing of each other.

pub mod judge;
pub mod side;
pub mod simulate;
pub mod subject;

pub use judge::{Checked, check};
pub use side::{Figure, Side};
pub use subject::Kind;

use super::condition::{Doubt, assertion, doubt_of};
use crate::run::metric::METRICS;
use crate::study::cheapest::Reason;
use crate::study::stats::{Estimate, t_quantile};

/// Both sides at all points.
#[derive(Debug, Clone)]
pub struct Diff {
    /// Points that both have, in the order of the new side.
    pub pairs: Vec<Pair>,
    /// Points that only the old or only the new side has, as policy and traffic.
    pub alone: [Vec<Side>; 2],
}

/// The same point on both sides.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Before.
    pub old: Side,
    /// After.
    pub new: Side,
    /// Whether replications with the same number met the same arrivals and failures.
    pub pairing: Pairing,
    /// By measure, in the order of [`METRICS`].
    pub changes: Vec<Difference>,
    /// Why the bill of a side is for less than the whole work.
    pub partial: [Option<Reason>; 2],
}

/// How the replications of both sides belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// One by one: same seed, same period, as many of them.
    Paired,
    /// Not at all, for this reason.
    Unpaired(&'static str),
}

/// What a measure is more after than before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// With its interval; NaN where it is not known.
    pub estimate: Estimate,
    /// What the interval says.
    pub verdict: Verdict,
}

/// What the interval of a difference says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It holds 0.
    NotSignificant,
    /// The new value is higher.
    Higher,
    /// The new value is lower.
    Lower,
    /// It cannot be told.
    Unknown(Doubt),
}

/// What is left of rounding, as a share of what was subtracted.
const NOTHING: f64 = 1e-12;

impl Pair {
    /// Both sides, compared.
    pub fn of(old: Side, new: Side) -> Self {
        let pairing = pairing(&old, &new);
        let changes = (0..METRICS.len()).map(|i| difference(&old, &new, pairing, i));
        let partial = [&old, &new].map(|side| {
            let mean = |name: &str| side.figure(name).estimate.mean;
            assertion::not_the_whole_work(&[], mean)
        });
        Pair {
            changes: changes.collect(),
            pairing,
            partial,
            old,
            new,
        }
    }

    /// What a measure (a position in [`METRICS`]) is more after than `factor` times what it was before.
    pub fn beyond(&self, metric: usize, factor: f64) -> Estimate {
        combined(&self.old, &self.new, self.pairing, metric, factor)
    }
}

/// Compares the points that belong together: those of one policy at one level. Names do not matter where each side has one
/// policy, nor levels where each has one.
pub fn diff(old: Vec<Side>, new: Vec<Side>) -> Diff {
    let one = |of: &dyn Fn(&Side, &Side) -> bool| {
        let alike = |sides: &[Side]| sides.iter().all(|s| of(s, &sides[0]));
        alike(&old) && alike(&new)
    };
    let one_policy = one(&|a, b| a.policy == b.policy);
    let one_level = one(&|a, b| a.traffic == b.traffic);
    let mut old: Vec<Option<Side>> = old.into_iter().map(Some).collect();
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for side in new {
        let belongs = |other: &Option<Side>| {
            other.as_ref().is_some_and(|o| {
                (one_policy || o.policy == side.policy) && (one_level || o.traffic == side.traffic)
            })
        };
        match old.iter_mut().find(|o| belongs(o)).and_then(Option::take) {
            Some(before) => pairs.push(Pair::of(before, side)),
            None => alone.push(side),
        }
    }
    Diff {
        pairs,
        alone: [old.into_iter().flatten().collect(), alone],
    }
}

fn pairing(old: &Side, new: &Side) -> Pairing {
    if old.seed.is_none() || old.seed != new.seed {
        Pairing::Unpaired("the seeds differ or are not stated")
    } else if old.period_hours.is_none() || old.period_hours != new.period_hours {
        Pairing::Unpaired("the simulated periods differ or are not stated")
    } else if old.replications != new.replications {
        Pairing::Unpaired("the numbers of replications differ")
    } else if !(old.has_replications() && new.has_replications()) {
        Pairing::Unpaired("no values of single replications are stated")
    } else {
        Pairing::Paired
    }
}

fn difference(old: &Side, new: &Side, pairing: Pairing, metric: usize) -> Difference {
    let few = [old, new].map(|s| s.figures[metric].too_few);
    let estimate = combined(old, new, pairing, metric, 1.0);
    let doubt = match few.contains(&true) {
        true => Some(Doubt::TooFew),
        false => doubt_of(estimate),
    };
    let verdict = match doubt {
        Some(doubt) => Verdict::Unknown(doubt),
        None if estimate.low() > 0.0 => Verdict::Higher,
        None if estimate.high() < 0.0 => Verdict::Lower,
        None => Verdict::NotSignificant,
    };
    Difference { estimate, verdict }
}

/// New less `factor` times old.
fn combined(old: &Side, new: &Side, pairing: Pairing, metric: usize, factor: f64) -> Estimate {
    let (old, new) = (&old.figures[metric], &new.figures[metric]);
    if old.too_few || new.too_few {
        return Estimate::of([]);
    }
    let mut e = match (pairing, &old.column, &new.column) {
        (Pairing::Paired, Some(a), Some(b)) => b.less(&a.affine(0.0, factor)).estimate(),
        _ => unpaired(old.estimate, new.estimate, factor),
    };
    let size = (factor * old.estimate.mean)
        .abs()
        .max(new.estimate.mean.abs());
    if e.mean.abs() <= NOTHING * size {
        e.mean = 0.0;
    }
    e
}

/// Welch's interval for new less `factor` times old, of means that are independent of each other.
fn unpaired(old: Estimate, new: Estimate, factor: f64) -> Estimate {
    let mean = new.mean - factor * old.mean;
    let n = old.n.min(new.n);
    // The variance of a mean, and what Welch and Satterthwaite divide its square by.
    let of = |e: Estimate, factor: f64| {
        let error = factor * e.half_width / t_quantile(e.n.max(2) - 1);
        (error * error, (e.n.max(2) - 1) as f64)
    };
    let ((a, of_a), (b, of_b)) = (of(old, factor), of(new, 1.0));
    let half_width = if n < 2 {
        f64::NAN
    } else if a + b == 0.0 {
        0.0
    } else {
        let degrees = (a + b).powi(2) / (a * a / of_a + b * b / of_b);
        // Fewer degrees of freedom are on the safe side.
        t_quantile((degrees.floor() as usize).max(1)) * (a + b).sqrt()
    };
    Estimate {
        mean,
        half_width,
        n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::quantity::Count;

    /// A side of which each measure has these values.
    fn side(policy: &str, traffic: u64, values: &[f64]) -> Side {
        let figure = Figure::stated(Estimate::of(values.iter().copied()), false, values);
        Side {
            policy: policy.into(),
            traffic: Count(traffic),
            plan: "paid".into(),
            period_hours: Some(24.0),
            seed: Some(7),
            replications: values.len(),
            figures: vec![figure; METRICS.len()],
        }
    }

    /// By hand: s² = 1 and 1 of three values each, so that s.e. = sqrt(2/3) on 4 degrees of freedom, t = 2.776445.
    #[test]
    fn what_is_not_paired_is_welchs() {
        let old = Estimate::of([1.0, 2.0, 3.0]);
        let new = Estimate::of([5.0, 6.0, 7.0]);
        let e = unpaired(old, new, 1.0);
        assert_eq!((e.mean, e.n), (4.0, 3));
        let expected = 2.776_445 * (2.0_f64 / 3.0).sqrt();
        assert!((e.half_width - expected).abs() < 1e-5, "{}", e.half_width);
        let one = unpaired(Estimate::of([1.0]), new, 1.0);
        assert!(one.half_width.is_nan());
        let still = Estimate::of([2.0, 2.0]);
        assert_eq!(unpaired(still, still, 1.0).half_width, 0.0);
    }

    #[test]
    fn pairs_tell_what_means_do_not() {
        let old = side("a", 1, &[1.0, 5.0, 9.0]);
        let mut new = side("b", 1, &[2.0, 6.1, 9.9]);
        let paired = Pair::of(old.clone(), new.clone());
        assert_eq!(paired.pairing, Pairing::Paired);
        assert_eq!(paired.changes[0].verdict, Verdict::Higher);
        assert!((paired.changes[0].estimate.mean - 1.0).abs() < 1e-12);
        new.seed = Some(8);
        let apart = Pair::of(old.clone(), new.clone());
        assert!(matches!(apart.pairing, Pairing::Unpaired(why) if why.contains("seeds")));
        assert_eq!(apart.changes[0].verdict, Verdict::NotSignificant);
        new.seed = Some(7);
        new.period_hours = Some(25.0);
        let apart = Pair::of(old, new).pairing;
        assert!(matches!(apart, Pairing::Unpaired(why) if why.contains("periods")));
    }

    #[test]
    fn a_side_and_itself_differ_by_nothing() {
        let a = side("a", 1, &[0.1, 0.7, 0.3]);
        let pair = Pair::of(a.clone(), a);
        for change in pair.changes {
            assert_eq!(
                (change.estimate.mean, change.estimate.half_width),
                (0.0, 0.0)
            );
            assert_eq!(change.verdict, Verdict::NotSignificant);
        }
    }

    #[test]
    fn points_meet_by_name_and_level_where_there_are_several() {
        let of = |points: &[(&str, u64)]| -> Vec<Side> {
            points
                .iter()
                .map(|(p, t)| side(p, *t, &[1.0, 2.0]))
                .collect()
        };
        let met = |old: &[(&str, u64)], new: &[(&str, u64)]| {
            let d = diff(of(old), of(new));
            let pairs = d
                .pairs
                .iter()
                .map(|p| (p.old.policy.clone(), p.new.policy.clone(), p.new.traffic.0));
            (pairs.collect::<Vec<_>>(), d.alone.map(|a| a.len()))
        };
        let pair = |a: &str, b: &str, t| (a.to_owned(), b.to_owned(), t);
        assert_eq!(
            met(&[("a", 1)], &[("b", 2)]),
            (vec![pair("a", "b", 2)], [0, 0])
        );
        assert_eq!(
            met(&[("a", 1), ("b", 1)], &[("b", 5), ("c", 5)]),
            (vec![pair("b", "b", 5)], [1, 1])
        );
        assert_eq!(
            met(&[("a", 1), ("a", 2)], &[("z", 2), ("z", 3)]),
            (vec![pair("a", "z", 2)], [1, 1])
        );
        assert_eq!(met(&[], &[("b", 2)]), (vec![], [0, 1]));
    }
}
