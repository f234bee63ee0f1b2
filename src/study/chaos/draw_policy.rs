//! Draws of the policy: batches, retries, layout, cache, queries, and what stands beside them.

use super::dice::{Dice, table, text};
use super::draft::{Draft, Setting};
use super::part::{Part, part};
use toml::Value;

/// Parts of the policy, in the order in which they are drawn.
pub(super) const POLICY: &[Part] = &[
    part(0.4, layout),
    part(0.5, batch_size),
    part(0.5, batch_age),
    part(0.3, interval),
    part(0.3, overflow),
    part(0.25, adaptive),
    part(0.3, |_, _| {
        vec![Setting::new("policy.batch.write", "await")]
    }),
    part(0.5, |dice, _| vec![retry(dice, "policy.retry", 0.4)]),
    part(0.3, buckets),
    part(0.15, |_, draft| match draft.get("policy.layout.keys") {
        None => vec![Setting::new("policy.layout.per_provider", true)],
        Some(_) => Vec::new(),
    }),
    part(0.5, cache),
    part(0.2, |dice, _| {
        let lead = dice.time(10.0, 900.0);
        let chain = dice.time(1_000.0, 25_000.0);
        let least = Value::Float(dice.between(0.2, 5.0));
        vec![
            Setting::new("policy.cache.ttl", text("1 s")),
            Setting::new(
                "policy.cache.prewarm",
                table([
                    ("lead", lead),
                    ("min_expected", least),
                    ("max_chain", chain),
                ]),
            ),
        ]
    }),
    part(0.25, |_, _| {
        vec![Setting::new("policy.queries.aggregate", "on_write")]
    }),
    part(0.25, |dice, _| {
        let ttl = dice.time(30_000.0, 120_000.0);
        vec![Setting::new("policy.queries.cache_ttl", ttl)]
    }),
    part(0.35, |dice, _| {
        vec![retry(dice, "policy.queries.retry", 0.3)]
    }),
    part(0.35, breaker),
    part(0.2, |dice, _| {
        let ttl = dice.time(200.0, 30_000.0);
        vec![Setting::new("policy.tiers", table([("shared_ttl", ttl)]))]
    }),
    part(0.2, |dice, _| {
        let every = dice.time(60_000.0, 200_000.0);
        vec![Setting::new("policy.cron", table([("every", every)]))]
    }),
];

fn layout(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let keys = dice.of(&["batch_keys", "batch_keys", "shared"]);
    vec![Setting::new("policy.layout.keys", keys)]
}

fn batch_size(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let most = dice.whole(1, 200);
    let spare = dice.whole(1, 100) - 1;
    vec![
        Setting::new("policy.batch.buffer_capacity", most + spare),
        Setting::new("policy.batch.max_records", most),
    ]
}

fn batch_age(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let (any, long) = (dice.time(50.0, 25_000.0), dice.time(10_000.0, 28_000.0));
    let age = if dice.chance(0.3) { long } else { any };
    vec![Setting::new("policy.batch.max_age", age)]
}

fn interval(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let drawn = dice.time(100.0, 4_000.0);
    let none = dice.chance(0.4);
    let interval = if none { text("0 s") } else { drawn };
    vec![Setting::new("policy.batch.min_interval", interval)]
}

fn overflow(dice: &mut Dice, draft: &Draft) -> Vec<Setting> {
    let wait = dice.time(100.0, 10_000.0);
    // Totals never fill the buffer.
    match dice.chance(0.6) && draft.get("policy.layout.keys").is_some() {
        true => vec![
            Setting::new("policy.batch.overflow", "wait"),
            Setting::new("policy.batch.max_wait", wait),
        ],
        false => vec![Setting::new("policy.batch.overflow", "drop_oldest")],
    }
}

fn adaptive(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let adaptive = table([
        ("min_records", Value::Integer(1)),
        ("target_age", dice.time(50.0, 5_000.0)),
    ]);
    vec![Setting::new("policy.batch.adaptive", adaptive)]
}

fn retry(dice: &mut Dice, path: &str, budgets: f64) -> Setting {
    let backoff = dice.of(&["none", "fixed", "exponential", "exponential_full_jitter"]);
    let Value::Table(mut retry) = table([
        ("backoff", text(backoff)),
        ("max_attempts", Value::Integer(dice.whole(1, 8))),
        ("base", dice.time(10.0, 2_000.0)),
        ("cap", dice.time(100.0, 8_000.0)),
    ]) else {
        return Setting::new(path, table([]));
    };
    let budget = table([
        ("per_attempt", dice.percent(50.0)),
        ("capacity", Value::Integer(dice.whole(1, 20))),
    ]);
    if dice.chance(budgets) {
        retry.insert("budget".into(), budget);
    }
    Setting::new(path, Value::Table(retry))
}

/// Buckets so short that some end within the run, and windows of a few of them.
fn buckets(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let bucket = dice.of(&[60, 120, 600]);
    let window = |n: i64| text(format!("{} s", n * bucket));
    let (metrics, analytics) = (dice.whole(1, 5), dice.whole(1, 15));
    vec![
        Setting::new("policy.layout.bucket", window(1)),
        Setting::new("policy.queries.metrics_window", window(metrics)),
        Setting::new("policy.queries.analytics_window", window(analytics)),
    ]
}

fn cache(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let ttl = dice.time(50.0, 60_000.0);
    let mut settings = vec![Setting::new("policy.cache.ttl", ttl)];
    for (field, chance) in [("coalesce", 0.5), ("per_provider", 0.3)] {
        if dice.chance(chance) {
            settings.push(Setting::new(&format!("policy.cache.{field}"), true));
        }
    }
    if dice.chance(0.3) {
        settings.push(Setting::new("policy.cache.max_entries", 1));
    }
    if dice.chance(0.2) {
        settings.push(Setting::new("policy.cache.enabled", false));
    }
    settings
}

fn breaker(dice: &mut Dice, _: &Draft) -> Vec<Setting> {
    let breaker = table([
        ("failure_threshold", Value::Integer(dice.whole(1, 10))),
        ("open_for", dice.time(500.0, 20_000.0)),
        ("half_open_probes", Value::Integer(dice.whole(1, 3))),
    ]);
    vec![Setting::new("policy.breaker", breaker)]
}
