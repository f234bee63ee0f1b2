//! A `--set period.requests` that decides nothing is refused: whoever gives it expects another period.

use super::common::{Failure, SimulationArgs};
use kvplan::models::Override;
use kvplan::models::quantity::{Count, format_duration};
use kvplan::report::settings::is_requests;
use kvplan::run::scenario::Scenario;

/// A point that is simulated: its scenario, and recorded requests a month.
pub(crate) type Point<'a> = (&'a Scenario, Count);

/// The option that sets `period.requests`.
pub(crate) struct Requests {
    /// As it was given, the last time.
    option: String,
    /// What the number is without it.
    pub own: Count,
}

impl Requests {
    /// The option among `settings`, if it is there; `load` gives the scenario with other settings.
    pub(crate) fn given(
        settings: &[Override],
        load: impl FnOnce(&[Override]) -> Result<Scenario, Failure>,
    ) -> Result<Option<Self>, Failure> {
        let is_given = |o: &&Override| is_requests(&o.path.join("."));
        let Some(last) = settings.iter().rfind(is_given) else {
            return Ok(None);
        };
        let others: Vec<Override> = settings.iter().filter(|o| !is_given(o)).cloned().collect();
        Ok(Some(Requests {
            option: last.text.clone(),
            own: load(&others)?.period.requests,
        }))
    }

    /// Whether it makes no difference at a point.
    pub(crate) fn is_idle(&self, (scenario, level): Point) -> bool {
        scenario.is_idle(self.own, level)
    }

    /// Refuses it where it makes no difference at any of the points.
    pub(crate) fn refuse_if_idle<'a>(
        &self,
        points: impl IntoIterator<Item = Point<'a>>,
    ) -> Result<(), Failure> {
        let mut periods = Vec::new();
        for point in points {
            if !self.is_idle(point) {
                return Ok(());
            }
            periods.push(point.0.horizon(point.1));
        }
        let (Some(least), Some(most)) = (periods.iter().min(), periods.iter().max()) else {
            return Ok(());
        };
        let [low, high] = [least, most].map(|d| format_duration(*d));
        let simulated = match least == most {
            true => format!("{low} is simulated"),
            false => format!("{low} to {high} are simulated"),
        };
        Err(Failure::usage(format!(
            "{}: has no effect, as {simulated} with it and without it: period.at_least and period.at_most decide, and whole days where the load or an allowance is daily",
            self.option
        )))
    }

    /// Refuses it in a command that it would not move.
    pub(crate) fn refuse(&self, instead: &str) -> Failure {
        Failure::usage(format!("{}: has no effect here, {instead}", self.option))
    }
}

impl SimulationArgs {
    /// The option, if it was given.
    pub(crate) fn requests(&self) -> Result<Option<Requests>, Failure> {
        Requests::given(&self.settings()?, |others| {
            let plan = self.plan.as_deref();
            Ok(Scenario::load(
                &self.scenario,
                &self.policies,
                plan,
                others,
            )?)
        })
    }

    /// Refuses the option where it makes no difference at any of the points.
    pub(crate) fn refuse_idle_requests<'a>(
        &self,
        points: impl IntoIterator<Item = Point<'a>>,
    ) -> Result<(), Failure> {
        match self.requests()? {
            None => Ok(()),
            Some(requests) => requests.refuse_if_idle(points),
        }
    }

    /// Refuses the option of a command that it would not move.
    pub(crate) fn without_requests(&self, instead: &str) -> Result<(), Failure> {
        match self.requests()? {
            None => Ok(()),
            Some(requests) => Err(requests.refuse(instead)),
        }
    }
}
