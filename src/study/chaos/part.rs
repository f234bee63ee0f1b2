//! A part of a case that is drawn or left as it is.

use super::dice::Dice;
use super::draft::{Draft, Setting};

/// Settings that are drawn together.
pub(super) struct Part {
    /// How often they are.
    pub(super) chance: f64,
    /// The settings, given what was drawn before.
    pub(super) draw: fn(&mut Dice, &Draft) -> Vec<Setting>,
}

/// A part with its chance.
pub(super) const fn part(chance: f64, draw: fn(&mut Dice, &Draft) -> Vec<Setting>) -> Part {
    Part { chance, draw }
}
