//! Draws of the world: fleet, consistency, failures, limits, plan and what arrives.

use super::dice::{Dice, table, text};
use super::draft::{Draft, Setting};
use super::part::{Part, part};
use toml::Value;

/// Parts of the world, in the order in which they are drawn.
pub(super) const WORLD: &[Part] = &[
    part(0.6, lives),
    part(0.6, machines),
    part(0.5, ends),
    part(0.3, waits),
    part(0.3, |_, draft| {
        let lives = draft.get("fleet").is_some();
        let routing = lives.then(|| Setting::new("fleet.routing", "independent"));
        routing.into_iter().collect()
    }),
    part(0.3, |dice, draft| {
        let spill = Setting::new("fleet.life.spill_at", dice.whole(1, 5));
        let most = Setting::new("fleet.life.max_concurrency", dice.whole(1, 10));
        match draft.get("fleet") {
            Some(_) => vec![spill, most],
            None => Vec::new(),
        }
    }),
    part(0.1, |_, _| {
        vec![Setting::new("fleet.request_contexts", false)]
    }),
    part(0.5, consistency),
    part(0.4, |dice, _| vec![operations(dice, "write")]),
    part(0.3, |dice, _| vec![operations(dice, "read")]),
    part(0.2, |dice, _| vec![operations(dice, "list")]),
    part(0.3, |dice, _| {
        let timeout = dice.time(200.0, 20_000.0);
        vec![Setting::new("failures.timeout", timeout)]
    }),
    part(0.2, |dice, _| {
        let outages = table([
            ("mean_up", dice.time(5_000.0, 200_000.0)),
            ("mean_down", dice.time(1_000.0, 60_000.0)),
        ]);
        vec![Setting::new("failures.outages", outages)]
    }),
    part(0.2, |dice, _| {
        let capacity = table([
            (
                "per_second",
                Value::Float(dice.between(0.5, 50.0).round().max(1.0)),
            ),
            ("collapse", Value::Float(f64::from(dice.of(&[1_u8, 2, 3])))),
        ]);
        vec![Setting::new("failures.capacity", capacity)]
    }),
    part(0.6, windows),
    part(0.2, |_, _| {
        vec![Setting::new("limits.same_key_excess", "overwrite")]
    }),
    part(0.2, |dice, _| {
        let most = dice.whole(10, 200);
        vec![Setting::new("limits.operations_per_invocation", most)]
    }),
    part(0.2, |dice, _| {
        let most = dice.whole(1, 6);
        vec![Setting::new("limits.connections_per_invocation", most)]
    }),
    part(0.5, |dice, _| {
        let names = ["constant-10ms", "in-memory", "kv-2024", "kv-2026"];
        vec![Setting::new("latency", dice.of(&names))]
    }),
    part(0.2, |_, _| vec![Setting::new("billing.plan", "free")]),
    part(0.3, |_, _| vec![Setting::new("workload", "gateway-bursty")]),
    part(0.5, |dice, _| {
        let per_request = Value::Float(dice.of(&[0.0, 0.1, 2.0]));
        let rate = text(format!(
            "{}/s",
            (100.0 * dice.between(0.02, 2.0)).round() / 100.0
        ));
        let reads = table([("per_request", per_request), ("rate", rate)]);
        vec![Setting::new("workload.metrics_reads", reads)]
    }),
    part(0.4, |dice, _| {
        let rate = text(format!("{}/min", dice.whole(1, 20)));
        vec![Setting::new("workload.analytics_queries.rate", rate)]
    }),
    part(0.3, uneven_ways),
    part(0.2, |dice, draft| {
        let start = table([
            ("kind", text("constant")),
            ("value", dice.time(50.0, 3_000.0)),
        ]);
        let lives = draft.get("fleet").is_some();
        let start = lives.then(|| Setting::new("fleet.life.cold_start", start));
        start.into_iter().collect()
    }),
    part(0.08, many_keys),
    part(0.1, many_calls),
];

/// Isolates that come and go instead of one for ever.
fn lives(_: &mut Dice, _: &Draft) -> Vec<Setting> {
    vec![Setting::new("fleet", "slow-start")]
}

fn machines(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let places = dice.whole(1, 3);
    let machines = places + dice.whole(1, 3) - 1;
    let mut settings = vec![Setting::new("fleet.isolates", machines)];
    if places > 1 {
        let exponent = Value::Float(dice.of(&[0.0, 1.0, 2.0]));
        let zipf = table([("places", Value::Integer(places)), ("exponent", exponent)]);
        settings.push(Setting::new("fleet.zipf", zipf));
    }
    settings
}

/// Ends of isolates: by themselves, by deployments, for want of requests.
fn ends(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let drawn = [
        ("mean_life", dice.time(5_000.0, 300_000.0), 0.5),
        ("deploy_every", dice.time(10_000.0, 300_000.0), 0.5),
        ("grace", dice.time(1.0, 30_000.0), 0.5),
        ("idle", dice.time(30_000.0, 300_000.0), 0.5),
    ];
    let mut settings = Vec::new();
    for (field, value, chance) in drawn {
        if dice.chance(chance) && draft.get("fleet").is_some() {
            settings.push(Setting::new(&format!("fleet.life.{field}"), value));
        }
    }
    settings
}

/// `waitUntil` for less than is published.
fn waits(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let wait = dice.time(2_000.0, 30_000.0);
    match draft.get("fleet") {
        Some(_) => vec![Setting::new("fleet.life.wait_until", wait)],
        None => Vec::new(),
    }
}

fn consistency(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let delay = table([
        ("kind", text("constant")),
        ("value", dice.time(10.0, 20_000.0)),
    ]);
    let mut settings = vec![
        Setting::new("consistency", "eventual"),
        Setting::new("consistency.propagation", delay),
    ];
    if dice.chance(0.3) {
        settings.push(Setting::new("consistency.negative_caching", false));
    }
    if dice.chance(0.3) {
        settings.push(Setting::new("consistency.refresh_window", text("0 s")));
    }
    settings
}

fn operations(dice: &mut Dice, kind: &str) -> Setting {
    let failures = table([
        ("error", dice.percent(40.0)),
        ("timeout", dice.percent(20.0)),
        ("answer_lost", dice.percent(20.0)),
    ]);
    Setting::new(&format!("failures.{kind}"), failures)
}

fn windows(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let places = draft.get("fleet.zipf").is_some();
    let n = dice.whole(1, 3);
    let mut window = |_| {
        let Value::Table(mut window) = table([
            ("start", dice.time(500.0, 300_000.0)),
            ("length", dice.time(500.0, 200_000.0)),
        ]) else {
            return table([]);
        };
        let mut add = |field: &str, value| _ = window.insert(field.to_owned(), value);
        match dice.of(&[0, 1, 2, 3]) {
            0 => add("error", text("100%")),
            1 => add("error", dice.percent(90.0)),
            2 => add("rate_limited", dice.percent(90.0)),
            _ => add(
                "latency_factor",
                Value::Float(dice.between(2.0, 100.0).round()),
            ),
        }
        if places && dice.chance(0.5) {
            add("place", Value::Integer(dice.of(&[0, 1])));
        }
        Value::Table(window)
    };
    let windows: Vec<Value> = (0..n).map(&mut window).collect();
    vec![Setting::new("failures.windows", Value::Array(windows))]
}

/// Writes that overtake each other on their way.
fn uneven_ways(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let ways = table([
        ("kind", text("uniform")),
        ("low", text("1 ms")),
        ("high", dice.time(1_000.0, 20_000.0)),
    ]);
    match draft.get("consistency") {
        Some(_) => vec![Setting::new("consistency.propagation", ways)],
        None => Vec::new(),
    }
}

/// The traffic of a month in which so many requests come in the case's period.
fn traffic(draft: &Draft, records: f64) -> Option<Setting> {
    let period = draft.get("period")?.get("at_least")?.as_str()?;
    let seconds: f64 = period.strip_suffix(" s")?.parse().ok()?;
    let monthly = (records / seconds * 30.0 * 86_400.0) as i64;
    Some(Setting::new("traffic_per_month", monthly))
}

/// A key for each request, more than a page of a list holds; and few queries, each of which reads them all.
fn many_keys(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let seldom = table([
        ("per_request", Value::Float(0.0)),
        ("rate", text(format!("{}/min", dice.whole(1, 6)))),
    ]);
    let mut settings = vec![
        Setting::new("policy.layout.keys", "batch_keys"),
        Setting::new("policy.batch.max_records", 1),
        Setting::new("workload.metrics_reads", seldom),
    ];
    settings.extend(traffic(draft, dice.between(1_100.0, 2_500.0)));
    settings
}

/// So many requests and queries that their percentiles can be told apart.
fn many_calls(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let rate = text(format!("{}/min", dice.whole(30, 120)));
    let records = dice.between(1_200.0, 2_500.0);
    // Where each reads a key for each request, there are enough.
    if draft.get("policy.layout.keys") == Some(&text("batch_keys")) {
        return Vec::new();
    }
    let mut settings = vec![Setting::new("workload.analytics_queries.rate", rate)];
    settings.extend(traffic(draft, records));
    settings
}
