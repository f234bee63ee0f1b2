//! What an invariant is: a promise, and who looks whether it was kept.

use super::evidence::Evidence;
use crate::cloud::spans::Span;
use crate::run::Point;
use crate::run::metric::position;
use crate::run::result::RunResult;

/// A promise that every scenario is given.
pub struct Invariant {
    /// Its name in reports.
    pub name: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// Says what breaks it.
    pub check: fn(&Case) -> Result<(), String>,
}

/// What an invariant looks at.
pub struct Case<'a> {
    /// The scenario as it is stated, with its policy.
    pub point: Point<'a>,
    /// What was seen of it.
    pub evidence: &'a Evidence,
}

impl Case<'_> {
    /// Every invocation of the run at rest; none if its books do not agree.
    pub fn spans(&self) -> &[Span] {
        let books = self.evidence.rest.books.as_ref();
        books.map_or(&[], |(_, observed)| &observed.traces)
    }

    /// What is told of a measure of the run at rest.
    pub fn told(&self, name: &str) -> f64 {
        let told = &self.evidence.rest.told;
        told.get(position(name)).copied().unwrap_or(f64::NAN)
    }

    /// The results there are, each with its name.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, &RunResult)> {
        let ordinary = self.evidence.ordinary.as_ref().ok();
        let rest = self.evidence.rest.books.as_ref().ok();
        let ordinary = ordinary.map(|o| ("the ordinary run", &o.0));
        ordinary
            .into_iter()
            .chain(rest.map(|r| ("the run at rest", &r.0)))
    }
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The name of the invariant.
    pub invariant: &'static str,
    /// What breaks it, with the figures.
    pub what: String,
}
