//! What is bad of a point, and how bad.

use crate::models::FieldError;
use crate::models::quantity::Count;
use crate::run::Point;
use crate::run::metric;
use crate::run::scenario::Scenario;
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::study::stats::Estimate;
use crate::study::sweep::Cell;
use crate::study::timeline::{fitting_interval, observe_all};

/// What is to be as bad as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The bill of a month.
    Cost,
    /// Records lost.
    Loss,
    /// The age of answers.
    Staleness,
    /// How long it takes to be well again after a failure window.
    Recovery,
}

impl Goal {
    /// The measure, as a column of sweep.csv or of recovery.csv has it.
    pub fn measure(self) -> &'static str {
        match self {
            Goal::Cost => "cost_usd",
            Goal::Loss => "loss_rate",
            Goal::Staleness => "answer_age_p99_s",
            Goal::Recovery => "recovered_after_s",
        }
    }

    /// Whether a scenario can tell.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(self, scenario: &Scenario) -> Result<(), FieldError> {
        match self == Goal::Recovery && scenario.failures.windows.is_empty() {
            true => Err(FieldError::new(
                "failures.windows",
                "found none, expected a window to recover from, such as --set 'failures.windows=[{start=\"5 min\",length=\"2 min\",error=\"100%\"}]'",
            )),
            false => Ok(()),
        }
    }
}

/// What the scenario's first policy comes to at its own traffic.
#[derive(Debug, Clone)]
pub struct Figures {
    /// All measures.
    pub cell: Cell,
    /// How long it took to be well again after the last window to be, mean over replications; where it was not by the
    /// end of the run, until then. NaN without windows.
    pub recovery: Estimate,
    /// Replications that were not well again by the end.
    pub never: usize,
}

impl Figures {
    /// What a goal is about.
    pub fn of(&self, goal: Goal) -> Estimate {
        match goal {
            Goal::Recovery => self.recovery,
            _ => self.cell.estimate(goal.measure()),
        }
    }
}

/// Simulates what a goal is about.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn figures(scenario: &Scenario, goal: Goal, work: &Work) -> Result<Figures, StudyError> {
    let traffic = scenario.traffic_per_month;
    match goal {
        Goal::Recovery => recovery(scenario, traffic, work),
        _ => {
            let replications: Vec<u64> = (0..u64::from(scenario.replications)).collect();
            let outcomes = work.map(&replications, |replication| {
                let point = Point {
                    scenario,
                    policy: &scenario.policies[0],
                    traffic,
                    replication: *replication,
                };
                let result = work.simulate(&point)?;
                Ok::<_, StudyError>(metric::outcome_of(&result))
            })?;
            let outcomes: Vec<_> = outcomes.iter().collect();
            Ok(Figures {
                cell: Cell::of(scenario, 0, traffic, &outcomes),
                recovery: Estimate::of([]),
                never: 0,
            })
        }
    }
}

fn recovery(scenario: &Scenario, traffic: Count, work: &Work) -> Result<Figures, StudyError> {
    let first = Scenario {
        policies: scenario.policies[..1].to_vec(),
        ..scenario.clone()
    };
    let period = first.horizon(traffic);
    let timelines = observe_all(&first, traffic, fitting_interval(period), 0, work)?;
    let timeline = &timelines[0];
    let all = timeline.recoveries(&first);
    let mut never = 0;
    let of_replication = |i: usize| {
        let mine: Vec<_> = all.iter().filter(|(n, _)| *n == i).collect();
        never += usize::from(mine.iter().any(|(_, r)| r.recovered_after_s.is_none()));
        let left = |end_s: f64| (period.as_secs_f64() - end_s).max(0.0);
        let after = |r: &crate::run::series::Recovery| r.recovered_after_s.unwrap_or(left(r.end_s));
        mine.iter().map(|(_, r)| after(r)).fold(f64::NAN, f64::max)
    };
    let recovery = Estimate::of((0..timeline.results.len()).map(of_replication));
    Ok(Figures {
        cell: timeline.cell(&first, traffic),
        recovery,
        never,
    })
}
