//! Thresholds for changes, judged at every point.
//!
//! A threshold is crossed if the whole 95% interval of the change is beyond it. If the interval holds it, or there
//! is none, that is undecided: what chance may have done alone is no reason to stop a change, and no reason to
//! call it good.

use super::{Diff, Pair, Side, Verdict};
use crate::run::metric::{METRICS, position};
use crate::study::cheapest::{BOUNDED, Reason};
use crate::study::condition::assertion::not_the_whole_work;
use crate::study::condition::{Answer, By, Change, Doubt};
use crate::study::stats::Estimate;

/// A threshold at a point.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The threshold.
    pub change: Change,
    /// Number of the point among the pairs.
    pub pair: usize,
    /// What the measure is more after than before.
    pub found: Estimate,
    /// Whether it is beyond the threshold.
    pub crossed: Answer,
}

/// Judges all thresholds at all points, in the order of the points.
pub fn check(changes: &[Change], diff: &Diff) -> Vec<Checked> {
    let asked: Vec<usize> = changes.iter().map(|c| c.metric).collect();
    let pairs = diff.pairs.iter().enumerate();
    pairs
        .flat_map(|(at, pair)| {
            let asked = &asked;
            changes.iter().map(move |change| Checked {
                change: change.clone(),
                pair: at,
                found: pair.changes[change.metric].estimate,
                crossed: crossed(change, asked, pair),
            })
        })
        .collect()
}

fn crossed(change: &Change, asked: &[usize], pair: &Pair) -> Answer {
    let metric = change.metric;
    let (old, new) = (&pair.old.figures[metric], &pair.new.figures[metric]);
    if old.too_few || new.too_few {
        return Answer::Undecided(Doubt::TooFew);
    }
    let size = old.estimate.mean.abs().max(new.estimate.mean.abs());
    let (factor, threshold) = match change.by {
        // A share of nothing is nothing: any rise from it is more.
        By::Share(share) => (1.0 + share, 0.0),
        By::Amount(amount) => (1.0, amount),
    };
    let beyond = pair.beyond(metric, factor);
    let answer = change.relation.holds(beyond, threshold, size);
    match loses_more(asked, pair) {
        // A bill does not grow where the work is refused or lost.
        Some(reason)
            if answer == Answer::No
                && !change.relation.is_upper()
                && METRICS[metric].name.ends_with("_usd") =>
        {
            Answer::Undecided(Doubt::NotTheWholeWork(reason))
        }
        _ => answer,
    }
}

/// Why the new bill is for less of the work than the old one was; none where that was `asked` about.
fn loses_more(asked: &[usize], pair: &Pair) -> Option<Reason> {
    let reason = |side: &Side| {
        let mean = |name: &str| side.figure(name).estimate.mean;
        not_the_whole_work(asked, mean)
    };
    let rises = |name: &&str| {
        let change = &pair.changes[position(name)];
        change.verdict == Verdict::Higher
    };
    let new = reason(&pair.new)?;
    let more = reason(&pair.old).is_none() || BOUNDED.iter().any(rises);
    more.then_some(new)
}
