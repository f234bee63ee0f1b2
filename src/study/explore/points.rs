//! The points of a grid, simulated: what each comes to, and which stand out.

use super::grid::{Grid, Point};
use crate::models::quantity::Count;
use crate::run;
use crate::run::measure::Outcome;
use crate::run::metric;
use crate::study::cheapest::{Standing, standings};
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::study::sweep::{Cell, paired_difference};

/// A grid with what its points came to.
#[derive(Debug)]
pub struct Explored<'a> {
    /// What was asked for.
    pub grid: &'a Grid,
    /// By point; none where it cannot be.
    pub results: Vec<Option<Result>>,
}

/// What a point came to.
#[derive(Debug)]
pub struct Result {
    /// Its measures.
    pub cell: Cell,
    /// How its cost compares with that of all points at its traffic.
    pub standing: Standing,
}

/// Simulates so many replications of every point that can be. Replications with the same number take their random
/// numbers from the same streams at all points, so that differences between points are paired.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn explore<'a>(
    grid: &'a Grid,
    replications: u32,
    work: &Work,
) -> std::result::Result<Explored<'a>, StudyError> {
    let able: Vec<(usize, &Point)> = grid.able().collect();
    let n = replications as usize;
    let outcomes = work.map(0..able.len() * n, |job| {
        let (_, point) = able[job / n];
        let point = run::Point {
            scenario: &point.scenario,
            policy: &point.scenario.policies[0],
            traffic: point.traffic,
            replication: (job % n) as u64,
        };
        work.outcome(&point)
    })?;
    let cells: Vec<Cell> = able
        .iter()
        .zip(outcomes.chunks(n))
        .map(|((_, point), outcomes)| {
            let outcomes: Vec<&Outcome> = outcomes.iter().collect();
            Cell::of(&point.scenario, 0, point.traffic, &outcomes)
        })
        .collect();
    let standings = standings(&cells);
    let mut results: Vec<Option<Result>> = grid.points.iter().map(|_| None).collect();
    let all = able.iter().zip(cells.into_iter().zip(standings));
    for ((number, _), (cell, standing)) in all {
        results[*number] = Some(Result { cell, standing });
    }
    Ok(Explored { grid, results })
}

/// The points at one traffic.
#[derive(Debug, PartialEq)]
pub struct Level {
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    /// The point that costs least of those that do the whole work, and has the least mean cost where several
    /// cannot be told apart; none if no point does the work.
    pub least: Option<usize>,
    /// Points that cannot be told from it by their cost.
    pub tied: usize,
    /// Points that do the whole work.
    pub whole: usize,
    /// Points that were simulated.
    pub simulated: usize,
}

/// Where a measure is least and most, of the points that do the whole work and of which it is known.
#[derive(Debug, PartialEq)]
pub struct Extremes {
    /// The point of the least mean, the first where several have it.
    pub least: usize,
    /// The point of the greatest.
    pub most: usize,
    /// Whether the paired difference of the two is more than chance makes; of one replication whatever differs.
    pub apart: bool,
}

impl Explored<'_> {
    /// The points that were simulated, with their numbers.
    pub fn simulated(&self) -> impl Iterator<Item = (usize, &Result)> {
        let all = self.results.iter().enumerate();
        all.filter_map(|(i, result)| Some((i, result.as_ref()?)))
    }

    /// Those among them that do the whole work.
    fn whole(&self) -> impl Iterator<Item = (usize, &Result)> {
        self.simulated()
            .filter(|(_, r)| r.standing.excluded().is_none())
    }

    /// By traffic, rising.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<_> = self.simulated().map(|(_, r)| r.cell.traffic).collect();
        levels.sort();
        levels.dedup();
        let of_level = |level| {
            let here = |(_, r): &(usize, &Result)| r.cell.traffic == level;
            let cost = |r: &Result| r.cell.estimate("cost_usd").mean;
            let is_least = |r: &Result| matches!(r.standing, Standing::Least | Standing::Tied);
            let least: Vec<(usize, &Result)> = self
                .whole()
                .filter(here)
                .filter(|(_, r)| is_least(r))
                .collect();
            let first = least.iter().min_by(|a, b| cost(a.1).total_cmp(&cost(b.1)));
            Level {
                traffic: level,
                least: first.map(|(i, _)| *i),
                tied: least.len().saturating_sub(1),
                whole: self.whole().filter(here).count(),
                simulated: self.simulated().filter(here).count(),
            }
        };
        levels.into_iter().map(of_level).collect()
    }

    /// Where a measure is least and most; none if it is known nowhere.
    pub fn extremes(&self, name: &str) -> Option<Extremes> {
        let known = || {
            let mean = |(i, r): (usize, &Result)| (i, r.cell.estimate(name).mean);
            self.whole().map(mean).filter(|(_, mean)| mean.is_finite())
        };
        let least = known().min_by(|a, b| a.1.total_cmp(&b.1))?.0;
        // Of equal ones the first, too.
        let most = known().min_by(|a, b| b.1.total_cmp(&a.1))?.0;
        let cell = |i: usize| Some(&self.results[i].as_ref()?.cell);
        let more = paired_difference(cell(least)?, cell(most)?, metric::position(name));
        let apart = match more.n {
            1 => more.mean > 0.0,
            _ => more.low() > 0.0,
        };
        Some(Extremes { least, most, apart })
    }
}
