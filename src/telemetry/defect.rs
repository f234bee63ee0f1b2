//! What ought never to be.

use std::error::Error;
use std::fmt;

/// An invariant that does not hold: a defect of the program, not of what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    what: String,
}

impl Defect {
    /// `what` says what does not agree, with the figures.
    pub fn new(what: impl Into<String>) -> Self {
        Defect { what: what.into() }
    }

    /// The same, found in this part of the whole.
    pub fn within(self, part: &str) -> Self {
        Defect::new(format!("{part}: {}", self.what))
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Defect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_says_where_it_is() {
        let defect = Defect::new("2 sent, 1 found").within("queue");
        assert_eq!(defect.to_string(), "queue: 2 sent, 1 found");
    }
}
