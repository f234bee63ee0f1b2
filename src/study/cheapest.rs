//! Which policy costs least at a traffic level, of those that do the work.

use super::sweep::{Cell, paired_difference};
use crate::models::quantity::Count;
use crate::run::metric;
use crate::study::stats::Estimate;
use serde::{Deserialize, Serialize};

/// Share of requests or operations that a plan may refuse, and of records that may be lost, where
/// nothing else is asked for.
pub const TOLERATED: f64 = 0.001;

/// Measures of which no more than [`TOLERATED`] is borne where no objective says otherwise.
pub const BOUNDED: [&str; 3] = [
    "requests_refused_share",
    "kv_quota_exceeded_share",
    "loss_rate",
];

/// Why a bill stands for less than the work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The plan refuses this share of the requests.
    RefusesRequests(f64),
    /// The plan refuses this share of the KV operations.
    RefusesOperations(f64),
    /// This share of the records is lost.
    Loses(f64),
    /// How many records are lost cannot be known.
    LossUnknown,
    /// Less time was simulated than its queries look back, so that they read too few keys.
    ShortHistory,
}

/// How a policy's cost compares with that of the others at its traffic level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// It costs least of those that do the work.
    Least,
    /// It cannot be told from another that costs least.
    Tied,
    /// Another costs less.
    Dearer,
    /// It does not do the work, so that its bill says nothing.
    Excluded(Reason),
}

impl Standing {
    /// Why its bill does not count.
    pub fn excluded(self) -> Option<Reason> {
        match self {
            Standing::Excluded(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why a policy's bill does not count, by the means of the measures [`BOUNDED`].
pub fn why_excluded(cell: &Cell) -> Option<Reason> {
    let came = cell.estimate("requests_per_month").mean > 0.0;
    let why = why(BOUNDED.map(|name| cell.estimate(name).mean), came);
    why.or(cell.pooled.short_history.then_some(Reason::ShortHistory))
}

/// Why a bill does not count, by the measures [`BOUNDED`], and whether there was any work.
pub fn why([requests, operations, loss]: [f64; 3], came: bool) -> Option<Reason> {
    if requests > TOLERATED {
        Some(Reason::RefusesRequests(requests))
    } else if operations > TOLERATED {
        Some(Reason::RefusesOperations(operations))
    } else if loss > TOLERATED {
        Some(Reason::Loses(loss))
    } else if loss.is_nan() && came {
        Some(Reason::LossUnknown)
    } else {
        None
    }
}

/// The standing of every cell among those of its level, in their order. Costs are told apart by the
/// paired differences of the replications, at 95% for each pair by itself; of one replication alone
/// by what it cost.
pub fn standings(cells: &[Cell]) -> Vec<Standing> {
    let mut levels: Vec<Count> = cells.iter().map(|c| c.traffic).collect();
    levels.sort();
    levels.dedup();
    let mut all = vec![Standing::Dearer; cells.len()];
    for level in levels {
        let of_level = (0..cells.len()).filter(|i| cells[*i].traffic == level);
        let mut able = Vec::new();
        for i in of_level {
            match why_excluded(&cells[i]) {
                Some(reason) => all[i] = Standing::Excluded(reason),
                None => able.push(i),
            }
        }
        let least = least(cells, &able);
        let winner = if least.len() > 1 {
            Standing::Tied
        } else {
            Standing::Least
        };
        least.into_iter().for_each(|i| all[i] = winner);
    }
    all
}

/// The one with the least mean cost, and those that cannot be told from it.
fn least(cells: &[Cell], able: &[usize]) -> Vec<usize> {
    let cost = metric::position("cost_usd");
    let mean = |i: &usize| cells[*i].pooled.estimates[cost].mean;
    let Some(first) = able.iter().min_by(|a, b| mean(a).total_cmp(&mean(b))) else {
        return Vec::new();
    };
    let is_least = |i: &usize| i == first || !is_dearer(&cells[*i], &cells[*first]);
    able.iter().copied().filter(is_least).collect()
}

/// Whether a policy costs more than another at the same level, by their paired differences; of one
/// replication alone by what it cost.
pub fn is_dearer(cell: &Cell, than: &Cell) -> bool {
    let cost = metric::position("cost_usd");
    let more = paired_difference(than, cell, cost);
    let margin = if more.half_width.is_nan() {
        0.0
    } else {
        more.half_width
    };
    more.mean - margin > 0.0
}

/// What a policy saves against another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saved {
    /// Dollars a month, by the paired differences; below 0 where it costs more.
    pub usd: Estimate,
    /// The same as a share of the other one's bill; without a value if that is nothing.
    pub share: Estimate,
}

/// What a policy saves against another at the same level.
pub fn saved(cell: &Cell, against: &Cell) -> Saved {
    let cost = metric::position("cost_usd");
    let [mine, other] = [cell, against].map(|c| c.pooled.column(cost));
    let less = other.less(&mine);
    Saved {
        usd: less.estimate(),
        share: less.ratio(&other).estimate(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::fixtures::cell;

    #[test]
    fn costs_are_told_apart_in_pairs_though_their_intervals_overlap() {
        let cheap = cell(&[10.0, 20.0, 30.0], 0.0, 0.0);
        let dear = cell(&[10.9, 21.0, 31.1], 0.0, 0.0);
        let cost = |c: &Cell| c.estimate("cost_usd");
        assert!(cost(&cheap).high() > cost(&dear).low());
        assert_eq!(
            standings(&[dear.clone(), cheap.clone()]),
            [Standing::Dearer, Standing::Least]
        );
        let alike = cell(&[10.9, 19.0, 30.2], 0.0, 0.0);
        assert_eq!(standings(&[cheap, alike]), [Standing::Tied; 2]);
    }

    /// By hand: differences 1, 2, 3, their mean 2 and half-width t(0.975, 2) / sqrt(3); the share is 10% of each bill, so
    /// that its interval is nothing.
    #[test]
    fn a_saving_is_told_in_pairs_in_dollars_and_as_a_share() {
        let base = cell(&[10.0, 20.0, 30.0], 0.0, 0.0);
        let saved = saved(&cell(&[9.0, 18.0, 27.0], 0.0, 0.0), &base);
        assert_eq!(saved.usd.mean, 2.0);
        assert!((saved.usd.half_width - 4.302_652_73 / 3_f64.sqrt()).abs() < 1e-6);
        assert!((saved.share.mean - 0.1).abs() < 1e-12);
        assert!(saved.share.half_width < 1e-9);
    }

    #[test]
    fn what_refuses_or_loses_is_not_the_cheapest() {
        let honest = cell(&[5.0, 5.1], 0.0, 0.0005);
        let refuses = cell(&[0.0, 0.0], 0.85, 0.0);
        let loses = cell(&[1.0, 1.0], 0.0, 0.67);
        let unknown = cell(&[1.0, 1.0], 0.0, f64::NAN);
        let all = [refuses, loses, unknown, honest];
        assert_eq!(
            standings(&all),
            [
                Standing::Excluded(Reason::RefusesRequests(0.85)),
                Standing::Excluded(Reason::Loses(0.67)),
                Standing::Excluded(Reason::LossUnknown),
                Standing::Least
            ]
        );
        assert!(!standings(&all[..3]).contains(&Standing::Least));
    }
}
