//! Measured latencies of all kinds, from whatever holds them.

use super::quantiles::{LEVELS, Quantiles};
use crate::models::ConfigError;
use crate::study::fit::latency::Operation;
use crate::study::usage::graphql;
use serde_json::Value;
use std::collections::BTreeMap;

/// What was measured, by kind of operation (see [`Operation::ALL`]).
#[derive(Debug, Clone, Default)]
pub struct Measured {
    samples_ms: BTreeMap<usize, Vec<f64>>,
    quantiles: BTreeMap<usize, Vec<Quantiles>>,
    /// What was left out or stays unknown, with how often.
    left_out: BTreeMap<String, u64>,
}

/// Operations of a CSV file, of analytics and of spans, with what each is in a profile.
const NAMES: [(&str, &str, Operation); 4] = [
    ("read", "kv_get", Operation::Read),
    ("write", "kv_put", Operation::Write),
    ("delete", "kv_delete", Operation::Delete),
    ("list", "kv_list", Operation::List),
];

/// Where a span says how the cache answered.
const CACHE_STATUS: &str = "cloudflare.kv.response.cache_status";

impl Measured {
    /// Adds what a file holds: CSV with the columns `operation` and `latency_ms` (and `cache_status`,
    /// and `outcome` if some have failed), spans as OTLP/JSON, or an answer of GraphQL with quantiles.
    ///
    /// # Errors
    /// If it is none of them, or a value cannot be used.
    pub fn add(&mut self, label: &str, text: &str) -> Result<(), ConfigError> {
        let text = text.trim_start_matches('\u{feff}');
        if !text.trim_start().starts_with(['{', '[']) {
            return self.add_csv(label, text);
        }
        // A collector writes one document a line.
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let document = document.map_err(|e| ConfigError {
                line: Some(e.line()),
                ..ConfigError::new(label, e.to_string())
            })?;
            if graphql::is_answer(&document) {
                self.add_quantiles(label, &document)?;
            } else if let Some(spans) = document.get("resourceSpans") {
                self.add_spans(label, spans)?;
            } else {
                return Err(ConfigError::new(
                    label,
                    "found JSON with neither resourceSpans nor data.viewer, expected spans as OTLP/JSON or an answer of GraphQL",
                ));
            }
        }
        Ok(())
    }

    /// The kinds that something was measured of.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        let has = |(i, _): &(usize, &(Operation, &str))| {
            self.samples_ms.contains_key(i) || self.quantiles.contains_key(i)
        };
        let all = Operation::ALL.iter().enumerate();
        all.filter(has)
            .map(|(_, o)| o.0)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The measured values of a kind, in milliseconds.
    pub fn samples_ms(&self, operation: Operation) -> &[f64] {
        let values = self.samples_ms.get(&(operation as usize));
        values.map_or(&[], Vec::as_slice)
    }

    /// The measured quantiles of a kind, of each group that has them.
    pub fn quantiles(&self, operation: Operation) -> &[Quantiles] {
        let all = self.quantiles.get(&(operation as usize));
        all.map_or(&[], Vec::as_slice)
    }

    /// What was left out or stays unknown, with how often.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, u64)> {
        self.left_out.iter().map(|(what, n)| (what.as_str(), *n))
    }

    fn leave_out(&mut self, what: String) {
        *self.left_out.entry(what).or_default() += 1;
    }

    fn push(&mut self, operation: Operation, ms: f64) {
        self.samples_ms
            .entry(operation as usize)
            .or_default()
            .push(ms);
    }

    /// A value of an operation; a read counts as hot or cold too, if the cache says which.
    fn observe(&mut self, operation: Operation, cache_status: Option<&str>, ms: f64) {
        self.push(operation, ms);
        if operation != Operation::Read {
            return;
        }
        match cache_status.map(str::to_ascii_uppercase).as_deref() {
            None | Some("") => {}
            Some("HIT") => self.push(Operation::HotRead, ms),
            Some("MISS") => self.push(Operation::ColdRead, ms),
            Some(other) => self.leave_out(format!(
                "reads with cache status {other} are neither hot nor cold"
            )),
        }
    }

    fn add_csv(&mut self, label: &str, text: &str) -> Result<(), ConfigError> {
        let fail = |line: Option<u64>, field: Option<&str>, message: String| ConfigError {
            line: line.map(|l| l as usize),
            field: field.map(str::to_owned),
            ..ConfigError::new(label, message)
        };
        let broken =
            |e: csv::Error| fail(e.position().map(csv::Position::line), None, e.to_string());
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let headers = reader.headers().map_err(broken)?.clone();
        let column = |name: &str| headers.iter().position(|h| h.trim() == name);
        let needed = |name: &str| {
            let found: Vec<&str> = headers.iter().collect();
            let message = format!(
                "found columns {}, expected operation and latency_ms",
                found.join(", ")
            );
            column(name).ok_or_else(|| fail(Some(1), Some(name), message))
        };
        let (operation, latency) = (needed("operation")?, needed("latency_ms")?);
        let (cache, outcome) = (column("cache_status"), column("outcome"));
        for row in reader.records() {
            let row = row.map_err(broken)?;
            let line = row.position().map(csv::Position::line);
            let cell = |at: usize| row.get(at).unwrap_or_default().trim();
            let name = cell(operation);
            let known = NAMES.iter().find(|n| n.0 == name).ok_or_else(|| {
                let message = format!("found \"{name}\", expected read, write, delete or list");
                fail(line, Some("operation"), message)
            })?;
            let ms = cell(latency).parse().ok().filter(|v| is_latency(*v));
            let ms = ms.ok_or_else(|| {
                let message = format!(
                    "found \"{}\", expected milliseconds of 0 or more, up to a day",
                    cell(latency)
                );
                fail(line, Some("latency_ms"), message)
            })?;
            match outcome.map(cell) {
                None | Some("" | "ok") => self.observe(known.2, cache.map(cell), ms),
                Some(_) => self.leave_out(format!("{name} operations that failed are left out")),
            }
        }
        Ok(())
    }

    fn add_spans(&mut self, label: &str, resources: &Value) -> Result<(), ConfigError> {
        let list = |value: &Value, name: &str| {
            let found = value.get(name).and_then(Value::as_array);
            found.cloned().unwrap_or_default()
        };
        let resources = resources.as_array().cloned().unwrap_or_default();
        for (r, resource) in resources.iter().enumerate() {
            for (s, scope) in list(resource, "scopeSpans").iter().enumerate() {
                for (i, span) in list(scope, "spans").iter().enumerate() {
                    let place = format!("resourceSpans[{r}].scopeSpans[{s}].spans[{i}]");
                    self.add_span(label, &place, span)?;
                }
            }
        }
        Ok(())
    }

    fn add_span(&mut self, label: &str, place: &str, span: &Value) -> Result<(), ConfigError> {
        let name = span.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(known) = NAMES.iter().find(|n| n.1 == name) else {
            if name.starts_with("kv_") {
                self.leave_out(format!("spans called {name} are of no known operation"));
            }
            return Ok(());
        };
        let time = |field: &str| -> Result<u64, ConfigError> {
            let value = span.get(field).unwrap_or(&Value::Null);
            // 64 bits are text in OTLP's JSON; some write numbers.
            let time = value.as_str().and_then(|t| t.parse().ok());
            time.or_else(|| value.as_u64()).ok_or_else(|| ConfigError {
                field: Some(format!("{place}.{field}")),
                ..ConfigError::new(
                    label,
                    format!("found {value}, expected nanoseconds since 1970"),
                )
            })
        };
        let (start, end) = (time("startTimeUnixNano")?, time("endTimeUnixNano")?);
        let Some(ns) = end.checked_sub(start) else {
            return Err(ConfigError {
                field: Some(format!("{place}.endTimeUnixNano")),
                ..ConfigError::new(label, format!("found {end}, before the start at {start}"))
            });
        };
        let attribute = |key: &str| {
            let all = span.get("attributes").and_then(Value::as_array)?;
            let of_key = all
                .iter()
                .find(|a| a.get("key").and_then(Value::as_str) == Some(key))?;
            of_key.pointer("/value/stringValue")?.as_str()
        };
        let failed = span.pointer("/status/code").and_then(Value::as_u64) == Some(2);
        if failed || attribute("error.type").is_some() {
            self.leave_out(format!("{name} spans that failed are left out"));
            return Ok(());
        }
        let ms = ns as f64 / 1e6;
        if !is_latency(ms) {
            return Err(ConfigError {
                field: Some(format!("{place}.endTimeUnixNano")),
                ..ConfigError::new(
                    label,
                    format!("found {ms} ms after the start, expected a day at most"),
                )
            });
        }
        self.observe(known.2, attribute(CACHE_STATUS), ms);
        Ok(())
    }

    fn add_quantiles(&mut self, label: &str, answer: &Value) -> Result<(), ConfigError> {
        for group in graphql::groups(label, answer)? {
            if group.dataset != "kvOperationsAdaptiveGroups" || group.get("quantiles").is_none() {
                self.leave_out(format!("groups of {} have no latencies", group.dataset));
                continue;
            }
            let action = group.text("dimensions.actionType").unwrap_or_default();
            let Some(known) = NAMES.iter().find(|n| n.0 == action) else {
                let message = format!("found \"{action}\", expected read, write, delete or list");
                return Err(group.error("dimensions.actionType", message));
            };
            let mut at_ms = [0.0; LEVELS.len()];
            let mut before = 0.0;
            for (ms, (_, field)) in at_ms.iter_mut().zip(LEVELS) {
                let path = format!("quantiles.{field}");
                *ms = group.required(&path)?;
                if *ms < before {
                    let message = format!("found {ms}, below the quantile before it, {before}");
                    return Err(group.error(&path, message));
                }
                if !is_latency(*ms) {
                    let message =
                        format!("found {ms}, expected milliseconds of 0 or more, up to a day");
                    return Err(group.error(&path, message));
                }
                before = *ms;
            }
            let requests = match group.number("sum.requests")? {
                None => group.number("count")?,
                some => some,
            };
            let interval = group.number("avg.sampleInterval")?.unwrap_or(1.0).max(1.0);
            self.quantiles
                .entry(known.2 as usize)
                .or_default()
                .push(Quantiles {
                    at_ms,
                    requests,
                    sampled: requests.map(|n| n / interval),
                });
        }
        Ok(())
    }
}

/// From 0 or a nanosecond to a day: what is less or more is no latency of an operation.
fn is_latency(ms: f64) -> bool {
    ms == 0.0 || (1e-6..=86_400_000.0).contains(&ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_hot_or_cold_where_the_cache_says_so() {
        let mut m = Measured::default();
        m.add("a.csv", "operation,latency_ms,cache_status\nread,1,HIT\nread,9,miss\nread,2,\nread,3,STALE\nlist,7,HIT\n")
            .unwrap();
        assert_eq!(m.samples_ms(Operation::Read), [1.0, 9.0, 2.0, 3.0]);
        assert_eq!(m.samples_ms(Operation::HotRead), [1.0]);
        assert_eq!(m.samples_ms(Operation::ColdRead), [9.0]);
        assert_eq!(m.samples_ms(Operation::List), [7.0]);
        let left: Vec<_> = m.left_out().collect();
        assert_eq!(
            left,
            [("reads with cache status STALE are neither hot nor cold", 1)]
        );
    }

    #[test]
    fn what_failed_has_no_latency() {
        let mut m = Measured::default();
        let text = "operation,latency_ms,outcome\nread,1,ok\nread,900,timeout\nread,2,\n";
        m.add("a.csv", text).unwrap();
        assert_eq!(m.samples_ms(Operation::Read), [1.0, 2.0]);
        let left: Vec<_> = m.left_out().collect();
        assert_eq!(left, [("read operations that failed are left out", 1)]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = |text: &str| Measured::default().add("x", text).unwrap_err().to_string();
        assert_eq!(
            error("operation,latency_ms\nread,1\nget,2\n"),
            "x:3: field `operation`: found \"get\", expected read, write, delete or list"
        );
        assert_eq!(
            error("operation,latency_ms\nread,-1\n"),
            "x:2: field `latency_ms`: found \"-1\", expected milliseconds of 0 or more, up to a day"
        );
        assert!(error("op,ms\n").starts_with("x:1: field `operation`: found columns op, ms"));
        assert!(error("{}").starts_with("x: found JSON with neither"));
        assert!(error("{\"data\":").starts_with("x:1: EOF"));
        let late = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"kv_get","startTimeUnixNano":"5","endTimeUnixNano":"4"}]}]}]}"#;
        assert_eq!(
            error(late),
            "x: field `resourceSpans[0].scopeSpans[0].spans[0].endTimeUnixNano`: found 4, before the start at 5"
        );
    }
}
