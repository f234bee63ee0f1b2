//! Traced invocations in OpenTelemetry's JSON form.

use crate::cloud::kv::Found;
use crate::cloud::spans::Span;
use crate::units::Timestamp;
use serde_json::{Value, json};

/// The spans as an OTLP/JSON export request: a trace for each invocation, with a child span for
/// each operation. Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
pub fn otlp_json(spans: &[Span], scenario: &str, policy: &str) -> Value {
    let nanos = |t: Timestamp| t.as_nanos().to_string();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let number =
        |key: &str, value: usize| json!({"key": key, "value": {"intValue": value.to_string()}});
    let truth = |key: &str, value: bool| json!({"key": key, "value": {"boolValue": value}});
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
            let status = match &op.error {
                Some(e) => json!({"code": 2, "message": e.to_string()}),
                None => json!({}),
            };
            let mut attributes = vec![number("kv.keys", op.keys)];
            if !op.found.is_empty() {
                let found = |is: fn(&Found) -> bool| op.found.iter().filter(|f| is(f)).count();
                attributes.push(number("kv.keys_found", found(|f| f.there)));
                attributes.push(number("kv.keys_cached", found(|f| f.cached)));
                attributes.push(number("kv.keys_outdated", found(|f| !f.outdated.is_zero())));
            }
            if let Some(page) = &op.page {
                attributes.push(number("kv.keys_listed", page.keys));
                attributes.push(truth("kv.list_complete", page.next.is_none()));
            }
            all.push(json!({
                "traceId": trace_id, "spanId": format!("{:016x}", ((i as u64 + 1) << 20) + j as u64 + 1),
                "parentSpanId": root, "name": format!("kv {}", op.kind.plural().trim_end_matches('s')), "kind": 3,
                "startTimeUnixNano": nanos(op.start), "endTimeUnixNano": nanos(op.end),
                "attributes": attributes, "status": status,
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
