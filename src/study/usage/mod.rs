//! What was really used, day by day, as Cloudflare tells it.
//!
//! `answers` reads what GraphQL answers, `billable` what the billable-usage API does, `table` a plain CSV file;
//! all of them as entries. What cannot be told from them stays unknown and is said.

mod answers;
mod billable;
pub mod graphql;
mod table;

use crate::models::ConfigError;
use crate::pricing::{Date, MeterItem};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds in a day.
pub(crate) const DAY_S: i64 = 86_400;

/// The longest span of usage, in days: ten years.
const MOST_DAYS: i64 = 3_660;

/// Most of a meter that may be stated, as for what people write; with it, no sum of a bill overflows.
pub(crate) const MOST_USED: f64 = 1e18;

/// What is wanted of the data.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only this namespace, where the data tell namespaces apart.
    pub namespace: Option<String>,
    /// The days that the data were asked for: the first, and the one after the last. They are whole.
    pub since: Option<Date>,
    /// Days before this one.
    pub until: Option<Date>,
}

/// Where a figure comes from; a later one has precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A table of dates, meters and quantities.
    Table,
    /// Cloudflare's GraphQL datasets.
    Analytics,
    /// Cloudflare's billable usage.
    Billable,
}

/// What one row of the data says.
#[derive(Debug, Clone)]
struct Entry {
    meter: MeterItem,
    /// Seconds since 1970.
    start_s: i64,
    end_s: i64,
    quantity: f64,
    /// Ends of the interval of a sampled value; `None` of a sampled value without one.
    interval: Option<(f64, f64)>,
    /// Of what a level is one part, such as a namespace: levels of a day are the largest of each part, and
    /// added up over the parts. `None` is a flow.
    level_of: Option<String>,
}

/// The rows of a dataset of a file.
#[derive(Debug, Clone)]
struct Dataset {
    source: Source,
    entries: Vec<Entry>,
    /// The stretch of time that the rows tell everything of, in seconds since 1970.
    covers: Option<(i64, i64)>,
    /// Meters of which no row means that nothing was used.
    complete_for: Vec<MeterItem>,
}

/// What a day used of a meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    /// In the meter's own unit.
    pub quantity: f64,
    /// The 95% interval of a sampled value, both ends the quantity itself where all was counted.
    /// `None` if it was sampled and has none.
    pub interval: Option<(f64, f64)>,
    /// Whether the day is whole.
    pub whole: bool,
    /// Where it comes from.
    pub source: Source,
    file: String,
    /// Not told of, where all that was used would have been.
    nothing_told: bool,
}

/// All that was read.
#[derive(Debug, Clone, Default)]
pub struct Actual {
    days: BTreeMap<(MeterItem, i64), Used>,
    said: BTreeSet<String>,
}

impl Actual {
    /// Adds what a file holds.
    ///
    /// # Errors
    /// If it is none of the known kinds, a value cannot be used, or it tells again what another has told.
    pub fn add(&mut self, label: &str, text: &str, wanted: &Wanted) -> Result<(), ConfigError> {
        let text = text.trim_start_matches('\u{feff}');
        let mut said = BTreeSet::new();
        let sets = if text.trim_start().starts_with(['{', '[']) {
            let value: Value = serde_json::from_str(text).map_err(|e| ConfigError {
                line: Some(e.line()),
                ..ConfigError::new(label, e.to_string())
            })?;
            if graphql::is_answer(&value) {
                answers::read(label, &value, wanted, &mut said)?
            } else {
                vec![billable::read(label, &value, wanted, &mut said)?]
            }
        } else {
            vec![table::read(label, text, &mut said)?]
        };
        self.said.extend(said);
        for set in sets {
            self.merge(label, set, wanted)?;
        }
        Ok(())
    }

    /// The meters that something is known of.
    pub fn meters(&self) -> Vec<MeterItem> {
        let mut meters: Vec<MeterItem> = self.days.keys().map(|k| k.0).collect();
        meters.dedup();
        meters
    }

    /// What is known of a meter, by day.
    pub fn days(&self, meter: MeterItem) -> impl Iterator<Item = (Date, &Used)> {
        let of_meter = self.days.iter().filter(move |(k, _)| k.0 == meter);
        of_meter.filter_map(|(k, used)| Some((Date::of_days_since_1970(k.1)?, used)))
    }

    /// What a meter used on its whole days, on average; `None` if no day is.
    pub fn daily_mean(&self, meter: MeterItem) -> Option<f64> {
        let whole = self.days(meter).filter(|(_, u)| u.whole);
        let values: Vec<f64> = whole.map(|(_, u)| u.quantity).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// What a reader must know of the data.
    pub fn said(&self) -> impl Iterator<Item = &str> {
        self.said.iter().map(String::as_str)
    }

    /// Adds something that a reader must know.
    pub fn say(&mut self, what: String) {
        self.said.insert(what);
    }

    fn merge(&mut self, label: &str, set: Dataset, wanted: &Wanted) -> Result<(), ConfigError> {
        // Days of which nothing is told are noted, too.
        let span = set.asked(wanted);
        let days = span.map_or(0, |(from, to)| to.saturating_sub(from) / DAY_S);
        if days > MOST_DAYS {
            return Err(ConfigError::new(
                label,
                format!("found a span of {days} days, expected {MOST_DAYS} at most"),
            ));
        }
        for ((meter, day), mut used) in set.by_day(label, wanted) {
            let asked = |at: Option<Date>, good: fn(i64, i64) -> bool| {
                at.is_none_or(|d| good(day, d.days_since_1970()))
            };
            if !asked(wanted.since, |d, s| d >= s) || !asked(wanted.until, |d, u| d < u) {
                continue;
            }
            used.whole |= wanted.since.is_some() && wanted.until.is_some();
            match self.days.get(&(meter, day)) {
                Some(other) if other.nothing_told && used.source >= other.source => {}
                Some(other) if used.nothing_told && other.source >= used.source => continue,
                Some(other) if other.source == used.source => {
                    let date = Date::of_days_since_1970(day);
                    let date = date.map_or(String::new(), |d| d.to_string());
                    let first = &other.file;
                    return Err(ConfigError::new(
                        label,
                        format!(
                            "found {meter} of {date} a second time (first: {first}), expected each day of a meter once"
                        ),
                    ));
                }
                Some(other) => {
                    let (kept, left) = match other.source > used.source {
                        true => (other.file.clone(), label.to_owned()),
                        false => (label.to_owned(), other.file.clone()),
                    };
                    self.said
                        .insert(format!("{meter} is taken from {kept}, not from {left}."));
                    if other.source > used.source {
                        continue;
                    }
                }
                None => {}
            }
            self.days.insert((meter, day), used);
        }
        Ok(())
    }
}

impl Dataset {
    /// The rows added up by meter and day.
    fn by_day(&self, label: &str, wanted: &Wanted) -> BTreeMap<(MeterItem, i64), Used> {
        let mut flows: BTreeMap<(MeterItem, i64), Vec<&Entry>> = BTreeMap::new();
        let mut levels: BTreeMap<(MeterItem, i64), BTreeMap<&str, f64>> = BTreeMap::new();
        for e in &self.entries {
            let key = (e.meter, e.start_s.div_euclid(DAY_S));
            match &e.level_of {
                None => flows.entry(key).or_default().push(e),
                Some(part) => {
                    let level = levels.entry(key).or_default().entry(part).or_default();
                    *level = level.max(e.quantity);
                }
            }
        }
        if let Some((from, to)) = self.asked(wanted) {
            for meter in &self.complete_for {
                for day in from.div_euclid(DAY_S)..to.div_euclid(DAY_S) {
                    flows.entry((*meter, day)).or_default();
                }
            }
        }
        let used = |(meter, day): (MeterItem, i64), quantity, interval, nothing_told| {
            let used = Used {
                quantity,
                interval,
                whole: self.is_whole(meter, day),
                source: self.source,
                file: label.to_owned(),
                nothing_told,
            };
            ((meter, day), used)
        };
        // Ends of intervals are added up as if all missed on the same side: no interval is too narrow.
        let flows = flows.into_iter().map(|(key, entries)| {
            let nothing_told = entries.is_empty();
            let quantity = entries.iter().map(|e| e.quantity).sum();
            let ends = entries.iter().try_fold((0.0, 0.0), |(low, high), e| {
                e.interval.map(|(l, h)| (low + l, high + h))
            });
            used(key, quantity, ends, nothing_told)
        });
        let levels = levels.into_iter().map(|(key, parts)| {
            let level = parts.values().sum();
            used(key, level, Some((level, level)), false)
        });
        flows.chain(levels).collect()
    }

    /// The stretch of time in which a missing row means that nothing was used.
    fn asked(&self, wanted: &Wanted) -> Option<(i64, i64)> {
        match (wanted.since, wanted.until) {
            (Some(since), Some(until)) if !self.complete_for.is_empty() => Some((
                since.days_since_1970() * DAY_S,
                until.days_since_1970() * DAY_S,
            )),
            _ => self.covers,
        }
    }

    fn is_whole(&self, meter: MeterItem, day: i64) -> bool {
        let (from, to) = (day * DAY_S, (day + 1) * DAY_S);
        match self.covers {
            Some((first, last)) => first <= from && to <= last,
            // Each row covers what it says.
            None => {
                let of_meter = self.entries.iter().filter(|e| e.meter == meter);
                let mut rows: Vec<(i64, i64)> = of_meter.map(|e| (e.start_s, e.end_s)).collect();
                rows.sort_unstable();
                let reached = rows.into_iter().fold(from, |reached, (start, end)| {
                    if start <= reached {
                        reached.max(end)
                    } else {
                        reached
                    }
                });
                reached >= to
            }
        }
    }
}

/// What rows by date only cover: not their first and last day, of which nobody says that they are whole.
fn between_dates(entries: &[Entry]) -> Option<(i64, i64)> {
    let first = entries.iter().map(|e| e.start_s).min()?;
    let last = entries.iter().map(|e| e.start_s).max()?;
    Some((first + DAY_S, last))
}

/// A time in RFC 3339, or a date, in seconds since 1970; whether it is a date only.
fn seconds(text: &str) -> Option<(i64, bool)> {
    if let Ok(date) = text.parse::<Date>() {
        return Some((date.days_since_1970() * DAY_S, true));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some((time.as_second(), false))
}
