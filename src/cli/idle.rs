//! A `--set period.requests` that decides nothing is refused: whoever gives it expects another period.

use super::common::{Failure, SimulationArgs};
use kvplan::models::quantity::{Count, format_duration};
use kvplan::models::{self, Override};
use kvplan::report::settings::is_requests;
use kvplan::run::scenario::{Scenario, ScenarioFile};

/// Whether how long is simulated depends on a field.
pub(crate) fn decides_period(field: &str) -> bool {
    const FIELDS: [&str; 9] = [
        "traffic_per_month",
        "workload",
        "billing",
        "prices",
        "period.requests",
        "period.calls",
        "period.at_least",
        "period.at_most",
        "period.whole_days",
    ];
    let is_of = |f: &&str| {
        field
            .strip_prefix(*f)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    FIELDS.iter().any(is_of)
}

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
    /// The option among the `settings` of a scenario, if it is there.
    pub(crate) fn given(settings: &[Override], scenario: &str) -> Result<Option<Self>, Failure> {
        let is_given = |o: &&Override| is_requests(&o.path.join("."));
        let Some(last) = settings.iter().rfind(is_given) else {
            return Ok(None);
        };
        // Of the file alone: no other model has a part in it.
        let file: ScenarioFile = models::load(scenario, None, &[])?;
        Ok(Some(Requests {
            option: last.text.clone(),
            own: file.period.requests,
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
            "{}: has no effect, as {simulated} with it and without it: of period.at_least, period.at_most, period.calls and whole days (where the load or an allowance is daily) one decides",
            self.option
        )))
    }

    /// The same for a command that tries what lies between the points, too: as long is simulated at all of them. The
    /// period does not grow with traffic, or with any other number, and shrink again.
    pub(crate) fn refuse_if_idle_between<'a>(
        &self,
        points: impl IntoIterator<Item = Point<'a>>,
    ) -> Result<(), Failure> {
        let points: Vec<Point> = points.into_iter().collect();
        let mut periods = points.iter().map(|(s, level)| s.horizon(*level));
        let first = periods.next();
        match periods.all(|period| Some(period) == first) {
            true => self.refuse_if_idle(points),
            false => Ok(()),
        }
    }

    /// Refuses it in a command that it would not move.
    pub(crate) fn refuse(&self, instead: &str) -> Failure {
        Failure::usage(format!("{}: has no effect here, {instead}", self.option))
    }
}

/// What `period.requests` is where neither an option sets it nor it is varied; none if neither does.
pub(crate) fn own_requests(
    given: Option<&Requests>,
    is_varied: bool,
    scenario: &Scenario,
) -> Option<Count> {
    let of_file = is_varied.then_some(scenario.period.requests);
    given.map(|requests| requests.own).or(of_file)
}

impl SimulationArgs {
    /// The option, if it was given.
    pub(crate) fn requests(&self) -> Result<Option<Requests>, Failure> {
        Requests::given(&self.settings()?, &self.scenario)
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
