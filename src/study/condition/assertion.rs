//! What was asserted of the results, judged at every point.

use super::{Answer, Bound, Doubt};
use crate::models::quantity::Count;
use crate::run::metric::{self, METRICS};
use crate::study::cheapest::{BOUNDED, Reason, why};
use crate::study::stats::Estimate;
use crate::study::sweep::Cell;

/// A bound at a policy and a traffic level.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The policy's name.
    pub policy: String,
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    /// What was asserted.
    pub bound: Bound,
    /// What the measure is.
    pub found: Estimate,
    /// Whether it holds.
    pub answer: Answer,
}

impl Judged {
    /// Whether it is known to hold.
    pub fn holds(&self) -> bool {
        self.answer == Answer::Yes
    }
}

/// Judges all bounds at all points, in the order of the points.
pub fn judge(bounds: &[Bound], cells: &[Cell]) -> Vec<Judged> {
    let at = |cell: &Cell, bound: &Bound| Judged {
        policy: cell.policy.clone(),
        traffic: cell.traffic,
        bound: bound.clone(),
        found: cell.pooled.estimates[bound.metric],
        answer: answer(bound, bounds, cell),
    };
    cells
        .iter()
        .flat_map(|cell| bounds.iter().map(move |bound| at(cell, bound)))
        .collect()
}

fn answer(bound: &Bound, all: &[Bound], cell: &Cell) -> Answer {
    if cell.pooled.too_few[bound.metric] {
        return Answer::Undecided(Doubt::TooFew);
    }
    let e = cell.pooled.estimates[bound.metric];
    let answer = bound.relation.holds(e, bound.value, e.mean);
    let asked: Vec<usize> = all.iter().map(|b| b.metric).collect();
    match not_the_whole_work(&asked, |name| cell.estimate(name).mean) {
        Some(reason) if answer == Answer::Yes && is_low_bill(bound) => {
            Answer::Undecided(Doubt::NotTheWholeWork(reason))
        }
        _ => answer,
    }
}

/// A bill is easily low where work is refused or lost.
fn is_low_bill(bound: &Bound) -> bool {
    bound.relation.is_upper() && METRICS[bound.metric].name.ends_with("_usd")
}

/// Why a bill is for less than the whole work, by the means of measures; not where what is refused or lost was `asked`
/// about (positions in [`METRICS`]), as it then has its own bound.
pub(in crate::study) fn not_the_whole_work(
    asked: &[usize],
    mean: impl Fn(&str) -> f64,
) -> Option<Reason> {
    let of = |name: &str| match asked.contains(&metric::position(name)) {
        true => 0.0,
        false => mean(name),
    };
    why(BOUNDED.map(of), mean("requests_per_month") > 0.0)
}
