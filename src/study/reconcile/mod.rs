//! The projection against what was really used.

mod certainty;
pub mod explain;
mod project;

pub use explain::{Assumption, Explained, Explanation};
pub use project::{Band, Projected, project};

use super::error::StudyError;
use super::replicate::Work;
use super::usage::{Actual, Used};
use crate::models::ConfigError;
use crate::models::quantity::Count;
use crate::pricing::{Date, MeterItem, Unit, Usage};
use crate::run::scenario::Scenario;
use explain::{explain, is_flow};

/// How what was used lies to what was projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What was used lies within the projected interval.
    Within,
    /// More was used.
    Above,
    /// Less was used.
    Below,
    /// With the reason.
    CannotTell(&'static str),
}

impl Verdict {
    /// In a word or a few.
    pub fn words(self) -> String {
        match self {
            Verdict::Within => "within".into(),
            Verdict::Above => "above".into(),
            Verdict::Below => "below".into(),
            Verdict::CannotTell(why) => format!("cannot tell: {why}"),
        }
    }

    fn of(band: Band, interval: Option<(f64, f64)>) -> Self {
        let Some((low, high)) = interval else {
            return Verdict::CannotTell("sampled, without interval");
        };
        if low > band.high {
            Verdict::Above
        } else if high < band.low {
            Verdict::Below
        } else if low >= band.low && high <= band.high {
            Verdict::Within
        } else {
            Verdict::CannotTell("sampled, its interval crosses the band's end")
        }
    }
}

/// A day of a meter.
#[derive(Debug, Clone)]
pub struct Day {
    /// The UTC day.
    pub date: Date,
    /// What was used on it.
    pub used: Used,
    /// What that says of the projection.
    pub verdict: Verdict,
}

/// A meter on all its days.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The meter.
    pub meter: MeterItem,
    /// For a day.
    pub band: Band,
    /// Its days, in order.
    pub days: Vec<Day>,
    /// What the whole days used on average, how many there are, and the verdict on that mean.
    pub mean: Option<f64>,
    /// Days that the data hold from end to end.
    pub whole_days: usize,
    /// The verdict over the whole days.
    pub verdict: Verdict,
}

/// Projection and use side by side.
#[derive(Debug, Clone)]
pub struct Reconciled {
    /// By meter.
    pub meters: Vec<Meter>,
    /// Meters that are projected and billed, and of which the data say nothing.
    pub missing: Vec<MeterItem>,
    /// A month of 30 days at the rate of the whole days, as used and as projected, of the meters that have such days.
    pub actual_month: Usage,
    /// The mean usage of a simulated month.
    pub projected_month: Usage,
    /// `None` if no flow has a whole day.
    pub explained: Option<Explained>,
    /// Whether the band is that of mean days of a week.
    pub of_weeks: bool,
}

/// Compares, and looks for what explains the difference.
///
/// # Errors
/// If the data have no meter, it was told to stop, or an invariant does not hold.
pub fn reconcile(
    scenario: &Scenario,
    traffic: Count,
    actual: &Actual,
    work: &Work,
) -> Result<Reconciled, StudyError> {
    let known = actual.meters();
    if known.is_empty() {
        return Err(StudyError::Input(ConfigError::new(
            "the usage data",
            "found no day of any meter, expected some",
        )));
    }
    let projected = project(scenario, traffic, work)?;
    let meters: Vec<Meter> = known
        .iter()
        .map(|m| meter(*m, actual, &projected))
        .collect();
    let missing = projected.meters().into_iter();
    let missing = missing
        .filter(|m| !known.contains(m) && scenario.plan().item(*m).is_some())
        .collect();
    let mut actual_month = Usage::default();
    let mut projected_month = Usage::default();
    for m in &meters {
        let Some(mean) = m.mean else { continue };
        let month = |day: f64| match m.meter.unit() {
            Unit::Bytes => day.round() as u128,
            _ => (day * 30.0).round() as u128,
        };
        actual_month.add(m.meter, month(mean));
        projected_month.add(m.meter, month(m.band.mean));
    }
    // What is neither projected nor used agrees, and is no evidence.
    let flows = meters.iter().filter(|m| {
        m.is_counted()
            && is_flow(m.meter)
            && (m.band.mean > 0.0 || m.mean.is_some_and(|mean| mean > 0.0))
    });
    let flows: Vec<(MeterItem, f64)> = flows.filter_map(|m| Some((m.meter, m.mean?))).collect();
    let explained = match flows.is_empty() {
        true => None,
        false => {
            let days = whole_days(&meters, &flows);
            Some(explain(scenario, traffic, &flows, &days, work)?)
        }
    };
    Ok(Reconciled {
        meters,
        missing,
        actual_month,
        projected_month,
        explained,
        of_weeks: projected.of_weeks,
    })
}

fn meter(meter: MeterItem, actual: &Actual, projected: &Projected) -> Meter {
    let band = projected.band(meter, 1);
    let days: Vec<Day> = actual
        .days(meter)
        .map(|(date, used)| Day {
            date,
            verdict: match () {
                () if !used.whole => Verdict::CannotTell("not a whole day"),
                () if !meter.is_simulated() => Verdict::CannotTell("not simulated"),
                () => Verdict::of(band, used.interval),
            },
            used: used.clone(),
        })
        .collect();
    let whole: Vec<&Day> = days.iter().filter(|d| d.used.whole).collect();
    let n = whole.len() as f64;
    let ends = whole.iter().try_fold((0.0, 0.0), |(low, high), d| {
        d.used.interval.map(|(l, h)| (low + l / n, high + h / n))
    });
    let verdict = match whole.len() {
        0 => Verdict::CannotTell("no whole day"),
        _ if !meter.is_simulated() => Verdict::CannotTell("not simulated"),
        // What is stored does not start anew each day.
        _ if meter.unit() == Unit::Bytes => Verdict::of(band, ends),
        days => Verdict::of(projected.band(meter, days), ends),
    };
    Meter {
        meter,
        band,
        mean: actual.daily_mean(meter),
        whole_days: whole.len(),
        days,
        verdict,
    }
}

/// What these meters used on each of the days that are whole for all of them.
fn whole_days(meters: &[Meter], of: &[(MeterItem, f64)]) -> Vec<Vec<f64>> {
    let of_meter = |wanted: MeterItem| {
        let meter = meters.iter().find(|m| m.meter == wanted);
        let days = meter.iter().flat_map(|m| &m.days).filter(|d| d.used.whole);
        days.map(|d| (d.date, d.used.quantity)).collect::<Vec<_>>()
    };
    let columns: Vec<Vec<(Date, f64)>> = of.iter().map(|(m, _)| of_meter(*m)).collect();
    let dates = columns.first().into_iter().flatten().map(|d| d.0);
    let row = |date: Date| {
        let cells = columns.iter().map(|c| c.iter().find(|d| d.0 == date));
        cells.map(|d| d.map(|d| d.1)).collect::<Option<Vec<f64>>>()
    };
    dates.filter_map(row).collect()
}

impl Meter {
    /// Whether it is known how well its whole days are known: sampled values without an interval explain nothing.
    pub fn is_counted(&self) -> bool {
        let mut whole = self.days.iter().filter(|d| d.used.whole);
        whole.all(|d| d.used.interval.is_some())
    }
}

impl Reconciled {
    /// Whether the mean of some meter is outside.
    pub fn is_outside(&self) -> bool {
        let outside = |m: &Meter| matches!(m.verdict, Verdict::Above | Verdict::Below);
        self.meters.iter().any(outside)
    }
}
