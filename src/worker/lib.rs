//! The metrics system as a Cloudflare Worker: what kvplan simulates, to be deployed (`wrangler.toml`).
//!
//! ```text
//! POST /record     {"provider": "acme", "latency_ms": 120, "success": true, "tokens": 250}
//! GET  /metrics    metrics per provider over the policy's `metrics_window`
//! GET  /analytics  the same over its `analytics_window`
//! GET  /health     status per provider, by the policy's thresholds
//! GET  /counters   what this isolate has done: records, what is in its memory, KV operations
//! POST /flush      writes what this isolate has in memory
//! ```
//!
//! Reading metrics is open to all; the rest asks for the header `x-operator-secret` (`settings`). The policy is
//! the variable `POLICY`, a table in the form of the files in `models/policies`. A cron trigger does what
//! the policy's own would: it warms the caches, and `5 0 * * *` moves a day to the archive.
//!
//! An isolate has one [`Host`](kvplan_telemetry::host::Host), made at its first request; each invocation
//! has ports of its own (`ports`). Of the tiers there is the archive, an R2 bucket bound as `ARCHIVE`. The
//! shared cache, a Durable Object in the simulation, is not served: every lookup there is a miss.

mod binding;
mod clock;
mod isolate;
mod meter;
mod ports;
mod routes;
mod settings;

use ports::{Extends, Ports};
use worker::{
    Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, console_error, event,
};

/// A request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let answer = routes::answer(request, &env, context).await;
    answer.or_else(|refusal| refusal.response())
}

/// A cron trigger. What goes wrong in it nobody waits for: it is written to the log.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
    let result = run_trigger(&event.cron(), &env, context).await;
    if let Err(message) = result {
        console_error!("{message}");
    }
}

/// When a day is moved to the archive: after midnight, UTC.
const ARCHIVE_CRON: &str = "5 0 * * *";

async fn run_trigger(
    cron: &str,
    env: &Env,
    context: ScheduleContext,
) -> std::result::Result<(), String> {
    let isolate = isolate::this(env)?;
    let ports = Ports::new(env, Extends::Trigger(context), &isolate.meter)?;
    let (host, policy) = (isolate.host.clone(), isolate.host.collector().policy());
    let archives = policy
        .tiers
        .as_ref()
        .is_some_and(|t| t.archive_after.is_some());
    if cron == ARCHIVE_CRON {
        if archives {
            let archived = host.archive_day(ports).await;
            return archived.map_err(|e| format!("no day archived: {e}"));
        }
    } else if policy.cron.is_some() {
        host.warm_up(ports).await;
    }
    Ok(())
}
