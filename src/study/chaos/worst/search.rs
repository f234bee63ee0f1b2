//! Tries points of the ranges, more and more where it was worst.

use super::climb::Climb;
use super::goal::{Figures, Goal, figures};
use super::range::Range;
use crate::models::{ConfigError, Override};
use crate::run::scenario::Scenario;
use crate::study::chaos::draft::Setting;
use crate::study::error::StudyError;
use crate::study::replicate::Work;

/// Makes the scenario with settings.
pub type Load<'a> = dyn Fn(&[Override]) -> Result<Scenario, ConfigError> + Sync + 'a;

/// What is searched, and how.
pub struct Task<'a> {
    /// What is to be as bad as can be.
    pub goal: Goal,
    /// The settings with their ranges.
    pub ranges: &'a [Range],
    /// Makes the scenario.
    pub load: &'a Load<'a>,
    /// Points to try.
    pub points: usize,
    /// Replications of each point that is tried; the worst has those of the scenario.
    pub replications: u32,
    /// Chooses the points.
    pub seed: u64,
}

/// A point that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Its settings, in the order of the ranges.
    pub settings: Vec<Setting>,
    /// What it came to; NaN if too little came to tell, or its settings contradict each other.
    pub score: f64,
}

/// The worst that was found.
#[derive(Debug, Clone)]
pub struct Worst {
    /// All points, in the order in which they were tried.
    pub tried: Vec<Tried>,
    /// The settings of the worst.
    pub settings: Vec<Setting>,
    /// What it comes to under the scenario's own seed and replications, which the search has not seen: what is
    /// chosen for being bad by chance is so no more.
    pub figures: Figures,
    /// What the scenario comes to as it is.
    pub as_is: Figures,
}

/// How many replications it takes: for a bar.
pub fn steps(task: &Task, scenario: &Scenario) -> u64 {
    task.points as u64 * u64::from(task.replications) + 2 * u64::from(scenario.replications)
}

/// Searches. The points are the same on any number of threads.
///
/// # Errors
/// If an end of a range cannot be loaded, no point could be judged, it was told to stop, or an invariant
/// does not hold.
pub fn search(task: &Task, work: &Work) -> Result<Worst, StudyError> {
    let as_is = (task.load)(&[])?;
    for range in task.ranges {
        for end in [0.0, 1.0] {
            let named = |e: ConfigError| ConfigError {
                source: format!("--range {}={}", range.path, range.text),
                ..e
            };
            (task.load)(&[range.at(end).to_override()]).map_err(named)?;
        }
    }
    let mut climb = Climb::new(task.ranges.len(), task.seed);
    let mut tried = Vec::new();
    while tried.len() < task.points {
        let next = climb.next(task.points - tried.len());
        let scored = work.silently().map(&next, |at| {
            let settings = settings(task, at);
            let score = score(task, &settings, work)?;
            Ok::<_, StudyError>(Tried { settings, score })
        })?;
        for (at, one) in next.into_iter().zip(scored) {
            climb.tell(at, one.score);
            tried.push(one);
        }
    }
    let Some((_, at)) = climb.worst() else {
        let what = format!(
            "no point gave a {}: too little came in any, or its settings contradict each other",
            task.goal.measure()
        );
        return Err(ConfigError::new("--range", what).into());
    };
    let settings = settings(task, at);
    let worst = (task.load)(&overrides(&settings))?;
    Ok(Worst {
        figures: figures(&worst, task.goal, work)?,
        as_is: figures(&as_is, task.goal, work)?,
        tried,
        settings,
    })
}

fn settings(task: &Task, at: &[f64]) -> Vec<Setting> {
    let each = task.ranges.iter().zip(at);
    each.map(|(range, u)| range.at(*u)).collect()
}

fn overrides(settings: &[Setting]) -> Vec<Override> {
    settings.iter().map(Setting::to_override).collect()
}

/// What a point comes to, under another seed than the scenario's.
fn score(task: &Task, settings: &[Setting], work: &Work) -> Result<f64, StudyError> {
    let Ok(mut scenario) = (task.load)(&overrides(settings)) else {
        return Ok(f64::NAN);
    };
    scenario.seed = scenario.seed.wrapping_add(1);
    scenario.replications = task.replications;
    Ok(figures(&scenario, task.goal, work)?.of(task.goal).mean)
}
