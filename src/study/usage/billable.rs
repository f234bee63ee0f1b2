//! Usage from the billable-usage API, whose fields are those of FOCUS.
//!
//! <https://developers.cloudflare.com/api/resources/billing/subresources/usage/>

use super::MOST_USED;
use super::graphql::errors;
use super::{DAY_S, Dataset, Entry, Source, Wanted, seconds};
use crate::models::ConfigError;
use crate::pricing::{MeterItem, Unit};
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields that may name what is billed, the most exact first.
const NAMES: [&str; 7] = [
    "SkuId",
    "SkuMeter",
    "BillableMetricId",
    "BillableMetricName",
    "x_BillableMetricName",
    "ChargeDescription",
    "ServiceName",
];

/// The records of an answer, or of a list.
pub(super) fn read(
    label: &str,
    answer: &Value,
    wanted: &Wanted,
    said: &mut BTreeSet<String>,
) -> Result<Dataset, ConfigError> {
    let at = |field: String, message: String| ConfigError {
        field: Some(field),
        ..ConfigError::new(label, message)
    };
    let wrong = errors(answer);
    if !wrong.is_empty() {
        let message = format!("found \"{}\", expected records", wrong.join("; "));
        return Err(at("errors".into(), message));
    }
    let records = answer.get("result").unwrap_or(answer);
    let records = records.as_array().ok_or_else(|| {
        ConfigError::new(
            label,
            "found JSON with neither data.viewer nor a list result, expected an answer of GraphQL or of the billable-usage API",
        )
    })?;
    let mut entries = Vec::new();
    for (i, record) in records.iter().enumerate() {
        let place = |field: &str| format!("result[{i}].{field}");
        let text = |field: &str| record.get(field).and_then(Value::as_str);
        let time = |field: &str| {
            let found = record.get(field).unwrap_or(&Value::Null);
            let seconds = found.as_str().and_then(seconds);
            seconds.map(|s| s.0).ok_or_else(|| {
                at(
                    place(field),
                    format!("found {found}, expected a time in RFC 3339"),
                )
            })
        };
        let (start_s, end_s) = (time("ChargePeriodStart")?, time("ChargePeriodEnd")?);
        let found = record.get("ConsumedQuantity").unwrap_or(&Value::Null);
        let number = found.as_str().and_then(|t| t.parse().ok());
        let quantity: f64 = number
            .or_else(|| found.as_f64())
            .filter(|q: &f64| (0.0..=MOST_USED).contains(q))
            .ok_or_else(|| {
                let message = format!("found {found}, expected a number from 0 to 10^18");
                at(place("ConsumedQuantity"), message)
            })?;
        let names: Vec<&str> = NAMES.iter().filter_map(|n| text(n)).collect();
        let Some(meter) = meter_of(&names) else {
            said.insert(format!(
                "Billed as \"{}\": no meter of kvplan's, left out.",
                names.join(" / ")
            ));
            continue;
        };
        let unit = text("ConsumedUnit").unwrap_or_default();
        let Some(factor) = factor_of(meter, unit) else {
            said.insert(format!(
                "{meter} in \"{unit}\" cannot be compared by day and is left out."
            ));
            continue;
        };
        if wanted.namespace.is_some() && meter.name().starts_with("kv.") {
            said.insert(format!(
                "{meter}: what is billed is that of all namespaces, left out."
            ));
            continue;
        }
        if end_s - start_s > DAY_S {
            said.insert(format!(
                "{meter}: a charge period of {:.1} days cannot be compared by day and is left out.",
                (end_s - start_s) as f64 / DAY_S as f64
            ));
            continue;
        }
        let quantity = quantity * factor;
        entries.push(Entry {
            meter,
            start_s,
            end_s,
            quantity,
            interval: Some((quantity, quantity)),
            level_of: (meter.unit() == Unit::Bytes).then(|| "all".to_owned()),
        });
    }
    Ok(Dataset {
        source: Source::Billable,
        entries,
        covers: None,
        complete_for: Vec::new(),
    })
}

/// The meter that names stand for: kvplan's own name, or words that leave one only.
fn meter_of(names: &[&str]) -> Option<MeterItem> {
    if let Some(meter) = names.iter().find_map(|n| n.parse().ok()) {
        return Some(meter);
    }
    let all = names.join(" ").to_lowercase();
    let words: Vec<&str> = all.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |any: &[&str]| words.iter().any(|w| any.contains(w));
    let kv: [(&[&str], MeterItem); 5] = [
        (&["read", "reads"], MeterItem::KvReads),
        (&["write", "writes", "written"], MeterItem::KvWrites),
        (&["delete", "deletes", "deleted"], MeterItem::KvDeletes),
        (&["list", "lists", "listed"], MeterItem::KvLists),
        (&["storage", "stored"], MeterItem::KvStorage),
    ];
    let workers: [(&[&str], MeterItem); 2] = [
        (
            &["requests", "request", "invocations"],
            MeterItem::WorkersRequests,
        ),
        (&["cpu"], MeterItem::WorkersCpuMs),
    ];
    let only = |table: &[(&[&str], MeterItem)]| {
        let mut found = table.iter().filter(|t| has(t.0)).map(|t| t.1);
        let first = found.next();
        first.filter(|_| found.next().is_none())
    };
    if has(&["kv"]) {
        only(&kv)
    } else if has(&["workers"]) && !has(&["durable", "objects", "queues", "logs", "ai", "d1"]) {
        only(&workers)
    } else {
        None
    }
}

/// What one of a unit is in the meter's own; `None` if it cannot be told.
fn factor_of(meter: MeterItem, unit: &str) -> Option<f64> {
    let unit = unit.to_lowercase();
    match meter.unit() {
        Unit::Count => match unit.as_str() {
            "" | "count" | "requests" | "request" | "operations" | "reads" | "writes"
            | "deletes" | "lists" | "invocations" | "units" => Some(1.0),
            _ => None,
        },
        Unit::Bytes => match unit.as_str() {
            "bytes" | "byte" | "b" => Some(1.0),
            "gb" | "gigabytes" => Some(1e9),
            _ => None,
        },
        Unit::Milliseconds => match unit.as_str() {
            "milliseconds" | "ms" | "cpu ms" => Some(1.0),
            "seconds" | "s" => Some(1e3),
            _ => None,
        },
        Unit::MegabyteMs => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_leave_one_meter_are_taken() {
        assert_eq!(meter_of(&["kv.writes"]), Some(MeterItem::KvWrites));
        assert_eq!(
            meter_of(&["Workers KV", "Read operations"]),
            Some(MeterItem::KvReads)
        );
        assert_eq!(
            meter_of(&["Workers Standard Requests"]),
            Some(MeterItem::WorkersRequests)
        );
        assert_eq!(meter_of(&["Workers KV reads and writes"]), None);
        assert_eq!(meter_of(&["R2 Class A"]), None);
        assert_eq!(meter_of(&["Workers Logs requests"]), None);
        assert_eq!(factor_of(MeterItem::KvStorage, "GB-Months"), None);
    }
}
