//! What each address answers.

use crate::clock::Timers;
use crate::isolate::{self, Isolate};
use crate::ports::{Extends, Ports};
use crate::settings;
use kvplan_telemetry::host::{NotRecorded, Query};
use kvplan_telemetry::metrics::{Figures, Metrics};
use kvplan_telemetry::ports::{Clock, KvError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;
use worker::{Context, Env, Method, Request, Response};

/// A request as the gateway reports it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    provider: String,
    latency_ms: f64,
    success: bool,
    tokens: u32,
}

/// Longest latency that is taken for one, in milliseconds: a day.
const LONGEST_MS: f64 = 86_400_000.0;
/// Longest name of a provider.
const LONGEST_NAME: usize = 64;

impl Recorded {
    fn check(&self) -> Result<(), Refusal> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = self.provider.len();
        if !(1..=LONGEST_NAME).contains(&length) || !self.provider.chars().all(is_name) {
            // It becomes part of a key.
            return Err(Refusal::new(
                400,
                "provider: expected 1 to 64 letters, digits, `-`, `_` or `.`",
            ));
        }
        if !(0.0..=LONGEST_MS).contains(&self.latency_ms) {
            return Err(Refusal::new(400, "latency_ms: expected 0 to a day"));
        }
        Ok(())
    }
}

/// An answer that is none, and why.
pub(crate) struct Refusal {
    status: u16,
    error: String,
}

impl Refusal {
    fn new(status: u16, error: impl Into<String>) -> Self {
        Refusal {
            status,
            error: error.into(),
        }
    }

    /// As a response.
    pub(crate) fn response(self) -> worker::Result<Response> {
        let response = Response::from_json(&json!({ "error": self.error }))?;
        Ok(response.with_status(self.status))
    }
}

/// What the Worker itself lacks: its settings.
impl From<String> for Refusal {
    fn from(error: String) -> Self {
        Refusal::new(500, error)
    }
}

impl From<worker::Error> for Refusal {
    fn from(error: worker::Error) -> Self {
        Refusal::new(500, error.to_string())
    }
}

/// The store's answer, told on; whoever asked may ask again.
impl From<KvError> for Refusal {
    fn from(error: KvError) -> Self {
        Refusal::new(503, error.to_string())
    }
}

type Answer = Result<Response, Refusal>;

/// Answers a request.
pub(crate) async fn answer(mut request: Request, env: &Env, context: Context) -> Answer {
    let (method, path) = (request.method(), request.path());
    let is_open = matches!(path.as_str(), "/metrics" | "/analytics" | "/health");
    if !is_open && !settings::is_operator(&request, env) {
        return Err(Refusal::new(
            401,
            "the header x-operator-secret is missing or wrong",
        ));
    }
    let isolate = isolate::this(env)?;
    let ports = Ports::new(env, Extends::Request(context), &isolate.meter)?;
    match (method, path.as_str()) {
        (Method::Post, "/record") => record(&mut request, &isolate, &ports).await,
        (Method::Get, "/metrics") => metrics(Query::Metrics, &isolate, &ports).await,
        (Method::Get, "/analytics") => metrics(Query::Analytics, &isolate, &ports).await,
        (Method::Get, "/health") => {
            let metrics = isolate.host.query(Query::Health, &ports).wait().await?;
            Ok(Response::from_json(&isolate.host.judge(&metrics))?)
        }
        (Method::Get, "/counters") => Ok(Response::from_json(&counters(&isolate))?),
        (Method::Post, "/flush") => {
            use kvplan_telemetry::host::Invocation;
            isolate.host.collector().flush(ports.kv()).await?;
            Ok(Response::from_json(&counters(&isolate))?)
        }
        _ => Err(Refusal::new(
            404,
            format!("nothing here answers {} {path}", request.method()),
        )),
    }
}

async fn record(request: &mut Request, isolate: &Rc<Isolate>, ports: &Ports) -> Answer {
    let text = request.text().await?;
    let record: Recorded =
        serde_json::from_str(&text).map_err(|e| Refusal::new(400, format!("the body: {e}")))?;
    record.check()?;
    let host = &isolate.host;
    let provider = host.collector().provider(&record.provider);
    let latency = Duration::from_secs_f64(record.latency_ms / 1e3);
    let (number, at) = (isolate.next_record(), Timers.now());
    let recorded = host.record(provider, latency, record.success, record.tokens, ports);
    let status = match recorded.wait().await {
        Ok(()) => 200,
        // It is in memory, and goes with the next write.
        Err(NotRecorded::Unwritten(_)) => 202,
        Err(e) => return Err(Refusal::new(503, e.to_string())),
    };
    let at_ms = at.as_nanos() / 1_000_000;
    let response = Response::from_json(&json!({ "number": number, "at_ms": at_ms }))?;
    Ok(response.with_status(status))
}

/// Metrics as they are told.
#[derive(Serialize)]
struct Told<'a> {
    as_of_ms: u64,
    #[serde(flatten)]
    figures: &'a Figures,
}

async fn metrics(query: Query, isolate: &Isolate, ports: &Ports) -> Answer {
    let metrics = isolate.host.query(query, ports).wait().await?;
    let metrics: &Metrics = &metrics;
    Ok(Response::from_json(&Told {
        as_of_ms: metrics.as_of.as_nanos() / 1_000_000,
        figures: metrics.deref(),
    })?)
}

fn counters(isolate: &Isolate) -> serde_json::Value {
    let collector = isolate.host.collector();
    let conservation = collector.check_conservation();
    json!({
        "policy": collector.policy().name,
        "writer": isolate.writer,
        "counters": collector.counters(),
        "in_memory": collector.records_in_memory(),
        // Null if it holds: every accepted record is stored, in memory or lost with its cause.
        "conservation": conservation.err().map(|defect| defect.to_string()),
        "kv": *isolate.meter.borrow(),
    })
}
