//! Usage from answers of GraphQL.
//!
//! <https://developers.cloudflare.com/kv/observability/metrics-analytics/>,
//! <https://developers.cloudflare.com/analytics/graphql-api/features/confidence-intervals/>

use super::graphql::{Group, datasets, groups};
use super::{DAY_S, Dataset, Entry, Source, Wanted, between_dates, seconds};
use crate::models::ConfigError;
use crate::pricing::MeterItem;
use serde_json::Value;
use std::collections::BTreeSet;

const OPERATIONS: &str = "kvOperationsAdaptiveGroups";
const STORAGE: &str = "kvStorageAdaptiveGroups";
const INVOCATIONS: &str = "workersInvocationsAdaptive";

/// Times of groups, with what each covers. Of rows by second nobody says when the next would have been: a
/// day is whole if there are some within five minutes of its ends.
const TIMES: [(&str, i64); 6] = [
    ("date", DAY_S),
    ("datetimeHour", 3_600),
    ("datetimeFifteenMinutes", 900),
    ("datetimeFiveMinutes", 300),
    ("datetimeMinute", 60),
    ("datetime", 300),
];

const ACTIONS: [(&str, MeterItem); 4] = [
    ("read", MeterItem::KvReads),
    ("write", MeterItem::KvWrites),
    ("delete", MeterItem::KvDeletes),
    ("list", MeterItem::KvLists),
];

/// The datasets of an answer.
pub(super) fn read(
    label: &str,
    answer: &Value,
    wanted: &Wanted,
    said: &mut BTreeSet<String>,
) -> Result<Vec<Dataset>, ConfigError> {
    let groups = groups(label, answer)?;
    let mut names = datasets(answer);
    names.sort_unstable();
    names.dedup();
    let mut sets = Vec::new();
    for name in names {
        let of_set = groups.iter().filter(|g| g.dataset == name);
        match name {
            OPERATIONS | STORAGE | INVOCATIONS => {
                sets.push(dataset((label, name), of_set, wanted, said)?)
            }
            _ => _ = said.insert(format!("Dataset {name} is not known and left out.")),
        }
    }
    for name in [OPERATIONS, STORAGE, INVOCATIONS] {
        if !groups.iter().any(|g| g.dataset == name) {
            said.insert(format!("{label}: no rows of {name}."));
        }
    }
    Ok(sets)
}

fn dataset<'a>(
    (label, name): (&str, &str),
    groups: impl Iterator<Item = &'a Group<'a>>,
    wanted: &Wanted,
    said: &mut BTreeSet<String>,
) -> Result<Dataset, ConfigError> {
    let mut entries = Vec::new();
    let mut by_date = false;
    let mut scripts = BTreeSet::new();
    let mut others = BTreeSet::new();
    for group in groups {
        let namespace = group.text("dimensions.namespaceId");
        match (&wanted.namespace, namespace) {
            (Some(one), Some(other)) if one != other => {
                others.insert(other);
                continue;
            }
            (Some(_), None) if name != INVOCATIONS => {
                said.insert(format!(
                    "Rows of {name} without namespaceId are taken to be of the namespace."
                ));
            }
            _ => {}
        }
        let (start_s, length_s) = time(group)?;
        by_date |= length_s == DAY_S;
        let entry = |meter, quantity, interval| Entry {
            meter,
            start_s,
            end_s: start_s + length_s,
            quantity,
            interval,
            level_of: None,
        };
        if name == STORAGE {
            let part = namespace.unwrap_or("all").to_owned();
            let level = group.required("max.byteCount")?;
            entries.push(Entry {
                level_of: Some(part),
                ..entry(MeterItem::KvStorage, level, Some((level, level)))
            });
            continue;
        }
        let requests = group.required("sum.requests")?;
        let interval = interval(group, "requests", requests)?;
        if name == INVOCATIONS {
            scripts.extend(group.text("dimensions.scriptName"));
            entries.push(entry(MeterItem::WorkersRequests, requests, interval));
            match group.number("sum.cpuTimeUs")? {
                Some(us) => {
                    let ends = self::interval(group, "cpuTimeUs", us)?;
                    let ends = ends.map(|(low, high)| (low / 1e3, high / 1e3));
                    entries.push(entry(MeterItem::WorkersCpuMs, us / 1e3, ends));
                }
                None => {
                    let told = "workers.cpu_ms: the data have no sum of CPU time; quantiles do not give one.";
                    said.insert(told.to_owned());
                }
            }
            continue;
        }
        let action = group.text("dimensions.actionType");
        match ACTIONS.iter().find(|a| Some(a.0) == action) {
            Some((_, meter)) => entries.push(entry(*meter, requests, interval)),
            None => {
                let action = action.unwrap_or("none");
                said.insert(format!("actionType {action} is not known and left out."));
            }
        }
    }
    if scripts.len() > 1 {
        said.insert(format!(
            "workers.requests are those of {} scripts together.",
            scripts.len()
        ));
    }
    if let Some(wanted) = &wanted.namespace
        && entries.is_empty()
        && !others.is_empty()
    {
        let others: Vec<&str> = others.into_iter().collect();
        return Err(ConfigError::new(
            label,
            format!(
                "found no row of {name} of namespace {wanted}, expected some: its rows are of {}",
                others.join(", ")
            ),
        ));
    }
    let covers = match by_date {
        true => between_dates(&entries),
        false => {
            let first = entries.iter().map(|e| e.start_s).min();
            let last = entries.iter().map(|e| e.end_s).max();
            first.zip(last).map(|(f, l)| near_midnight(&entries, f, l))
        }
    };
    Ok(Dataset {
        source: Source::Analytics,
        covers,
        complete_for: match name {
            // Whether nothing was used or nobody looked is not known.
            _ if entries.is_empty() => Vec::new(),
            OPERATIONS => ACTIONS.map(|a| a.1).to_vec(),
            INVOCATIONS => vec![MeterItem::WorkersRequests],
            _ => Vec::new(),
        },
        entries,
    })
}

/// Rows by second: the first within five minutes after midnight is the day's first.
fn near_midnight(entries: &[Entry], first: i64, last: i64) -> (i64, i64) {
    let by_second = entries.iter().any(|e| e.start_s % 60 != 0);
    let within = first.rem_euclid(DAY_S);
    match by_second && within < 300 {
        true => (first - within, last),
        false => (first, last),
    }
}

/// When a group begins, and how long it is.
fn time(group: &Group) -> Result<(i64, i64), ConfigError> {
    for (name, length_s) in TIMES {
        let path = format!("dimensions.{name}");
        let Some(text) = group.text(&path) else {
            continue;
        };
        let start = seconds(text).ok_or_else(|| {
            group.error(
                &path,
                format!("found \"{text}\", expected a date or a time"),
            )
        })?;
        return Ok((start.0, length_s));
    }
    let names = TIMES.map(|t| t.0).join(", ");
    Err(group.error(
        "dimensions",
        format!("found no time, expected one of {names}: usage is compared by day"),
    ))
}

/// The interval of a sum: of a sampled one what the answer says, if it does.
fn interval(group: &Group, field: &str, quantity: f64) -> Result<Option<(f64, f64)>, ConfigError> {
    let of = |end: &str| group.number(&format!("confidence.sum.{field}.{end}"));
    if let (Some(low), Some(high)) = (of("lower")?, of("upper")?) {
        return Ok(Some((low, high)));
    }
    let one_in = group.number("avg.sampleInterval")?.unwrap_or(1.0);
    Ok((one_in <= 1.0).then_some((quantity, quantity)))
}
