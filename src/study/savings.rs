//! What policies save against the first, level by level: where both do the whole work, by paired differences.

use super::cheapest::{Reason, Saved, saved, why_excluded};
use super::sweep::Cell;

/// A policy held against the first at a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held<'a> {
    /// Both do the whole work.
    Saves(Saved),
    /// This policy does not, so that nothing can be said.
    Excluded(&'a str, Reason),
}

/// What each other policy comes to against the first, in the order of the cells; levels at which the first was not
/// simulated are left out.
pub fn against_first(cells: &[Cell]) -> Vec<(&Cell, Held<'_>)> {
    let Some(first) = cells.first().map(|c| c.policy.as_str()) else {
        return Vec::new();
    };
    let others = cells.iter().filter(|c| c.policy != first);
    others
        .filter_map(|c| {
            let of_level = |b: &&Cell| b.traffic == c.traffic && b.policy == first;
            let base = cells.iter().find(of_level)?;
            let excluded = [base, c]
                .into_iter()
                .find_map(|c| Some((c, why_excluded(c)?)));
            let held = match excluded {
                Some((which, reason)) => Held::Excluded(&which.policy, reason),
                None => Held::Saves(saved(c, base)),
            };
            Some((c, held))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::fixtures::cell;

    #[test]
    fn a_policy_is_held_against_the_first_where_both_do_the_whole_work() {
        let mut cells = [
            cell(&[10.0, 20.0, 30.0], 0.0, 0.0),
            cell(&[9.0, 18.0, 27.0], 0.0, 0.0),
            cell(&[1.0, 1.0, 1.0], 0.0, 0.5),
        ];
        for (cell, name) in cells.iter_mut().zip(["naive", "lazy", "eager"]) {
            cell.policy = name.into();
        }
        let held = against_first(&cells);
        assert_eq!(held.len(), 2);
        let Held::Saves(saved) = held[0].1 else {
            panic!("{held:?}");
        };
        assert!((saved.usd.mean - 2.0).abs() < 1e-9 && (saved.share.mean - 0.1).abs() < 1e-9);
        assert_eq!(held[1].1, Held::Excluded("eager", Reason::Loses(0.5)));
        // Nothing is saved against what does not do the work.
        cells.swap(0, 2);
        let held = against_first(&cells);
        assert!(
            held.iter()
                .all(|h| h.1 == Held::Excluded("eager", Reason::Loses(0.5)))
        );
        assert!(against_first(&[]).is_empty());
    }
}
