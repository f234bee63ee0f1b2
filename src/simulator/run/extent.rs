//! How much a scenario may ask to be simulated.

use super::precision::{MOST_REPLICATIONS, Precision};
use crate::cloud::failure::FailureSpec;
use crate::models::FieldError;
use crate::models::quantity::{self, Count};
use crate::telemetry::field::within;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a stretch of the month is simulated before it is scaled to 30 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Period {
    /// Simulate until about so many requests have come ...
    pub requests: Count,
    /// ... and until about so many calls have come of each kind that comes at all, for percentiles
    /// of rare calls need them, or four times as many requests ...
    pub calls: Count,
    /// ... but no less than this ...
    #[serde(with = "quantity::duration")]
    pub at_least: Duration,
    /// ... and no more than this. Workloads with a daily shape are simulated
    /// for whole days, those with a weekly shape for whole weeks.
    #[serde(with = "quantity::duration")]
    pub at_most: Duration,
    /// Simulated before the warm-up with recordings only: the keys that queries will find.
    #[serde(with = "quantity::duration")]
    pub history: Duration,
    /// How what comes before the warm-up gets into the store.
    #[serde(skip_serializing_if = "HistoryAs::is_batches")]
    pub history_as: HistoryAs,
    /// Simulated before the measurement starts, and not counted.
    #[serde(with = "quantity::duration")]
    pub warm_up: Duration,
    /// Whether a daily or weekly shape, or daily limits, make it whole days or weeks.
    pub whole_days: bool,
}

/// How what comes before the warm-up gets into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryAs {
    /// As at any other time.
    #[default]
    Batches,
    /// Added up in the isolates and stored at once, some at a time and whenever a time bucket ends: the same keys and
    /// totals in a fraction of the time. The time in which the keys of a bucket are filled is not counted to that
    /// for which they are stored: storage may come out lower by `bucket / (bucket + retention)`. What the KV would
    /// have refused for coming too fast is stored. Where more than the records decides (a key for each
    /// batch, provider or fleet, adaptive batches, breakers, retry budgets, aggregates on write, isolates that end, failures,
    /// daily limits, late visibility, a history of a few batches), batches are written all the same.
    Totals,
}

impl HistoryAs {
    fn is_batches(&self) -> bool {
        *self == HistoryAs::Batches
    }
}

impl Default for Period {
    fn default() -> Self {
        Period {
            requests: Count(50_000),
            calls: Count(60),
            at_least: Duration::from_secs(3_600),
            at_most: Duration::from_secs(7 * 86_400),
            history: Duration::ZERO,
            history_as: HistoryAs::Batches,
            warm_up: Duration::from_secs(60),
            whole_days: true,
        }
    }
}

impl Period {
    /// What is simulated before the measurement starts.
    pub fn before(&self) -> Duration {
        self.history + self.warm_up
    }
}

/// Most requests in a month.
pub const MOST_TRAFFIC: Count = Count(2_500_000_000_000);

/// What a scenario asks to be simulated, as its file has it or as it was read from elsewhere.
pub(super) struct Extent<'a> {
    pub(super) replications: u32,
    pub(super) traffic: Count,
    pub(super) levels: &'a [Count],
    pub(super) period: &'a Period,
    pub(super) precision: Option<&'a Precision>,
    pub(super) failures: &'a FailureSpec,
}

impl Extent<'_> {
    /// Checks every number of it.
    pub(super) fn validate(&self) -> Result<(), FieldError> {
        let (n, most) = (self.replications, MOST_REPLICATIONS);
        within("replications", n, 1, most, "what is known of each is kept")?;
        let traffic = "requests a month; more would be a million a second";
        for (field, level) in self
            .levels
            .iter()
            .map(|level| ("sweep_per_month", level))
            .chain([("traffic_per_month", &self.traffic)])
        {
            within(field, level.0, 0, MOST_TRAFFIC.0, traffic)?;
        }
        if self.levels.is_empty() || self.levels.contains(&Count(0)) {
            return Err(FieldError::new(
                "sweep_per_month",
                "found no level or a level of 0, expected requests per month of 1 or more",
            ));
        }
        if self.period.at_least.is_zero() || self.period.at_least > self.period.at_most {
            return Err(FieldError::new(
                "period.at_least",
                format!(
                    "found {}, expected more than 0 s and no more than period.at_most = {}",
                    quantity::format_duration(self.period.at_least),
                    quantity::format_duration(self.period.at_most)
                ),
            ));
        }
        let p = self.period;
        for (field, time) in [
            ("period.at_most", p.at_most),
            ("period.history", p.history),
            ("period.warm_up", p.warm_up),
        ] {
            let days = time.as_secs_f64() / 86_400.0;
            within(
                field,
                days,
                0.0,
                3_650.0,
                "days; it is simulated, all of it",
            )?;
        }
        if let Some(precision) = self.precision {
            precision.validate().map_err(|e| e.within("precision"))?;
        }
        self.failures.validate().map_err(|e| e.within("failures"))
    }
}
