//! Tries seeds, and makes small what breaks a promise.

use super::draft::Draft;
use super::draw::draw;
use super::invariant::Broken;
use super::look::Subject;
use super::shrink::shrink;
use super::trial::first_broken;
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use std::ops::Range;

/// A seed whose case breaks a promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// What its case breaks, as it was drawn.
    pub broken: Broken,
    /// The case as it was drawn.
    pub drawn: Draft,
    /// The smallest case found that breaks the same invariant.
    pub small: Draft,
    /// What that breaks.
    pub small_broken: Broken,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Seeds that were tried.
    pub seeds: Range<u64>,
    /// Those that break a promise, in their order, and no more than were asked for.
    pub findings: Vec<Finding>,
    /// How many break one.
    pub broken: usize,
}

/// Tries the seeds, and makes the first `most` small that break a promise.
///
/// # Errors
/// If it was told to stop.
pub fn search(
    seeds: Range<u64>,
    most: usize,
    subject: &dyn Subject,
    work: &Work,
) -> Result<Found, StudyError> {
    let jobs: Vec<u64> = seeds.clone().collect();
    let tried = work.map(&jobs, |seed| {
        let drawn = draw(*seed);
        let broken = broken_by(&drawn, subject, work)?;
        Ok::<_, StudyError>(broken.map(|broken| (*seed, drawn, broken)))
    })?;
    let failed: Vec<_> = tried.into_iter().flatten().collect();
    let broken = failed.len();
    let first: Vec<_> = failed.into_iter().take(most).collect();
    let findings = work.silently().map(&first, |(seed, drawn, broken)| {
        let small = made_small(drawn, broken, subject, work)?;
        let small_broken = broken_by(&small, subject, work)?;
        Ok::<_, StudyError>(Finding {
            seed: *seed,
            broken: broken.clone(),
            drawn: drawn.clone(),
            small_broken: small_broken.unwrap_or_else(|| broken.clone()),
            small,
        })
    })?;
    Ok(Found {
        seeds,
        findings,
        broken,
    })
}

/// The smallest case found that breaks the same invariant.
fn made_small(
    drawn: &Draft,
    broken: &Broken,
    subject: &dyn Subject,
    work: &Work,
) -> Result<Draft, StudyError> {
    shrink(drawn, |candidate| {
        let found = broken_by(candidate, subject, work)?;
        Ok(found.is_some_and(|b| b.invariant == broken.invariant))
    })
}

/// What a case breaks; nothing if its settings contradict each other.
fn broken_by(
    draft: &Draft,
    subject: &dyn Subject,
    work: &Work,
) -> Result<Option<Broken>, StudyError> {
    match draft.scenario() {
        Ok(scenario) => first_broken(&scenario, subject, work.stop()),
        Err(_) => Ok(None),
    }
}
