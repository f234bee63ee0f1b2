//! A trace of a bounded number of invocations, in OpenTelemetry's JSON form.

use crate::cloud::kv::{KvHandle, KvStore, OpLog, Operation};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// An invocation with its operations on the KV.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub name: &'static str,
    pub place: Option<usize>,
    pub start: Timestamp,
    pub operations: Vec<Operation>,
}

impl Span {
    /// When the last operation ended.
    pub fn end(&self) -> Timestamp {
        let ends = self.operations.iter().map(|o| o.end);
        ends.max().unwrap_or(self.start)
    }
}

/// Writes down the first so many invocations.
#[derive(Default)]
pub struct Tracer {
    left: usize,
    open: Vec<(Span, OpLog)>,
}

impl Tracer {
    /// A tracer for `limit` invocations.
    pub fn new(limit: usize) -> Self {
        Tracer {
            left: limit,
            open: Vec::new(),
        }
    }

    /// Access to the KV for an invocation that starts now, traced if there is room.
    pub fn trace(&mut self, name: &'static str, store: &Rc<KvStore>, place: usize) -> KvHandle {
        let kv = store.invocation_at(place);
        if self.left == 0 {
            return kv;
        }
        self.left -= 1;
        let log: OpLog = Rc::new(RefCell::new(Vec::new()));
        let span = Span {
            name,
            place: Some(place),
            start: store.clock().now(),
            operations: Vec::new(),
        };
        self.open.push((span, Rc::clone(&log)));
        kv.log_into(log)
    }

    /// Notes an invocation that was answered from the cache.
    #[inline]
    pub fn note_cached(&mut self, name: &'static str, now: Timestamp) {
        if self.left > 0 {
            self.left -= 1;
            let span = Span {
                name,
                place: None,
                start: now,
                operations: Vec::new(),
            };
            self.open.push((span, OpLog::default()));
        }
    }

    /// What was written down, in the order of the starts.
    pub fn take_spans(&mut self) -> Vec<Span> {
        let open = std::mem::take(&mut self.open);
        let with_operations = |(span, log): (Span, OpLog)| Span {
            operations: log.take(),
            ..span
        };
        open.into_iter().map(with_operations).collect()
    }
}

/// The spans as an OTLP/JSON export request: a trace for each invocation, with a child span for
/// each operation. Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
pub fn otlp_json(spans: &[Span], scenario: &str, policy: &str) -> Value {
    let nanos = |t: Timestamp| t.as_nanos().to_string();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let number =
        |key: &str, value: usize| json!({"key": key, "value": {"intValue": value.to_string()}});
    let mut all = Vec::new();
    for (i, span) in spans.iter().enumerate() {
        // Ids are positions: unique, and the same in every run.
        let trace_id = format!("{:032x}", i + 1);
        let root = format!("{:016x}", (i as u64 + 1) << 20);
        let mut attributes = vec![text("kvplan.policy", policy)];
        match span.place {
            Some(place) => attributes.push(number("kvplan.place", place)),
            None => attributes.push(text("kvplan.cache", "hit")),
        }
        all.push(json!({
            "traceId": trace_id, "spanId": root, "name": span.name, "kind": 2,
            "startTimeUnixNano": nanos(span.start), "endTimeUnixNano": nanos(span.end()),
            "attributes": attributes, "status": {},
        }));
        for (j, op) in span.operations.iter().enumerate() {
            let status = match op.error {
                Some(e) => json!({"code": 2, "message": e.to_string()}),
                None => json!({}),
            };
            all.push(json!({
                "traceId": trace_id, "spanId": format!("{:016x}", ((i as u64 + 1) << 20) + j as u64 + 1),
                "parentSpanId": root, "name": format!("kv {}", op.kind.plural().trim_end_matches('s')), "kind": 3,
                "startTimeUnixNano": nanos(op.start), "endTimeUnixNano": nanos(op.end),
                "attributes": [number("kv.keys", op.keys)], "status": status,
            }));
        }
    }
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "kvplan"), text("kvplan.scenario", scenario)]},
        "scopeSpans": [{
            "scope": {"name": "kvplan", "version": env!("CARGO_PKG_VERSION")},
            "spans": all,
        }],
    }]})
}
