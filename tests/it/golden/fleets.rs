//! Isolates that come and go, counted by hand.

use super::world::{Compared, at, call, every, play, quantile, request, scenario};
use kvplan::cloud::spans::Span;
use kvplan::run::scenario::Scenario;
use kvplan::workload::ArrivalKind;
use std::time::Duration;

/// A place with machines whose isolates end by what the settings ask for and otherwise never.
fn mortal(settings: &[&str]) -> Scenario {
    let never = [
        "fleet=\"slow-start\"",
        "fleet.life.mean_life=\"36500 d\"",
        "fleet.life.deploy_every=\"36500 d\"",
        // No work in the background, which would keep an isolate alive.
        "fleet.life.wait_until=\"0 s\"",
        "fleet.life.grace=\"0 s\"",
        "policy.cache.enabled=false",
    ];
    scenario("optimised-fleet", "paid", &[&never, settings].concat())
}

/// Isolates take 5 s to start, requests 1 s, and a machine is full with two; an isolate ends after 60 s of idleness.
///
/// | at s | machine | isolate | waits s | until s |
/// |---|---|---|---|---|
/// | 0 | 1 | A starts | 5 | 6 |
/// | 2 | 1 | A | 3 | 6 |
/// | 3 | 2, spilled | B starts | 5 | 9 |
/// | 4 | 2, spilled | B | 4 | 9 |
/// | 5.5 | 3, spilled | C starts | 5 | 11.5 |
/// | 5.7 | 3, spilled | C | 4.8 | 11.5 |
/// | 5.9 | 1, as all are full | D starts | 5 | 11.9 |
/// | 7 | 1 | A | 0 | 8 |
/// | 80 | 1 | E starts | 5 | 86 |
/// | 81 | 1 | E | 4 | 86 |
/// | 82 | 2, spilled | F starts | 5 | 88 |
///
/// So A ends at 68 s, B at 69 s, C at 71.5 s and D at 71.9 s, with three, two, two and one record in their memory.
pub(super) fn a_place_spills_over(c: &mut Compared) {
    let s = mortal(&[
        "fleet.isolates=3",
        "fleet.life.cold_start={kind=\"constant\",value=\"5 s\"}",
        "fleet.life.idle=\"1 min\"",
        "fleet.life.max_concurrency=2",
        "fleet.life.spill_at=2",
    ]);
    let times = [
        0, 2_000, 3_000, 4_000, 5_500, 5_700, 5_900, 7_000, 80_000, 81_000, 82_000,
    ];
    let seen = play(&s, times.map(|t| request(t, 1_000)).to_vec(), 100);
    let n = 11.0;
    c.is(&seen, "isolates", 2.0);
    let alive = 68.0 + (69.0 - 3.0) + (71.5 - 5.5) + (71.9 - 5.9) + 20.0 + 18.0;
    c.is(&seen, "isolates_mean", alive / 100.0);
    c.is(&seen, "isolates_peak", 4.0);
    c.is(&seen, "spilled_share", 5.0 / n);
    c.is(&seen, "cold_starts_per_month", seen.monthly(6.0));
    c.is(&seen, "cold_start_share", 10.0 / n);
    c.is(&seen, "isolates_ended_idle_per_month", seen.monthly(4.0));
    c.is(&seen, "lost_evicted_rate", 8.0 / n);
    c.is(&seen, "loss_rate", 8.0 / n);
    c.is(&seen, "buffer_high_water_records", 3.0);
}

/// Two queries 8 s apart, each 60 s: the first starts an isolate, which ends 30 s after the second's answer. What the
/// first waits is the time until its first operation.
pub(super) fn isolates_start_for_each_pair_of_queries(c: &mut Compared) {
    let s = mortal(&["fleet.life.idle=\"30 s\""]);
    let pair = |i: u64| [0, 8_000].map(|ms| call(60_000 * i + ms, ArrivalKind::MetricsRead));
    let n = 1_200;
    let seen = play(&s, (0..n).flat_map(pair).collect(), 60 * n);
    let waits: Vec<f64> = seen
        .spans
        .iter()
        .map(|s| s.operations[0].start.since(s.start))
        .filter(|wait| !wait.is_zero())
        .map(|wait| wait.as_secs_f64() * 1e3)
        .collect();
    assert_eq!((waits.len() as u64, seen.spans.len() as u64), (n, 2 * n));
    let p95 = quantile(&waits, 0.95);
    c.is_about(&seen, "cold_start_p95_ms", p95, 5e-4);
    c.is(&seen, "cold_start_share", 0.5);
    let ended = seen.monthly(n as f64);
    c.is(&seen, "isolates_ended_idle_per_month", ended);
    let lives = seen.spans.chunks(2);
    let lives = lives.map(|pair| (pair[1].end() + Duration::from_secs(30)).since(pair[0].start));
    let alive: Duration = lives.sum();
    let mean = alive.as_secs_f64() / seen.period_s;
    // Sums of seconds against whole nanoseconds.
    c.is_about(&seen, "isolates_mean", mean, 1e-9);
}

/// A query each 10 s keeps an isolate alive. Wherever in the first ten minutes the first deployment comes, there are
/// six in an hour; each ends the isolate, and the next query starts another.
pub(super) fn each_deployment_ends_the_isolate(c: &mut Compared) {
    let s = mortal(&["fleet.life.deploy_every=\"10 min\""]);
    let seen = play(&s, every(10_000, 360, ArrivalKind::MetricsRead), 3_600);
    let waited = |s: &&Span| s.operations[0].start > s.start;
    let started = seen.spans.iter().filter(waited).count() as f64;
    assert!((6.0..=7.0).contains(&started));
    c.is(&seen, "isolates_ended_deploy_per_month", seen.monthly(6.0));
    c.is(&seen, "cold_starts_per_month", seen.monthly(started));
}

/// The same with isolates that the platform ends. A start for each isolate, of which all but the last have ended.
pub(super) fn the_platform_ends_isolates(c: &mut Compared) {
    let s = mortal(&["fleet.life.mean_life=\"3 min\""]);
    let seen = play(&s, every(2_000, 1_800, ArrivalKind::MetricsRead), 3_599);
    let waited = |s: &&Span| s.operations[0].start > s.start;
    let starts: Vec<_> = seen.spans.iter().filter(waited).collect();
    let last = at(3_598_000);
    assert!(starts.len() > 10 && starts.last().unwrap().start < last);
    assert_eq!(seen.result.isolates, 1);
    let ended = starts.len() as f64 - 1.0;
    c.is(
        &seen,
        "isolates_ended_random_per_month",
        seen.monthly(ended),
    );
}

/// An isolate of 10 MB, and 10 MB for each request under way: the third at once makes it 40 MB, and 35 MB end it. Nothing
/// else is in its memory. Fifty times three, and as often two.
pub(super) fn requests_take_memory(c: &mut Compared) {
    let s = mortal(&[
        "fleet.memory={limit=\"35 MB\",base=\"10 MB\",per_request=\"10 MB\"}",
        "fleet.life.cold_start={kind=\"constant\",value=\"0 s\"}",
    ]);
    let queries = (0..100_u64).flat_map(|i| {
        let n = if i % 2 == 0 { 3 } else { 2 };
        (0..n).map(move |j| call(5_000 * i + j, ArrivalKind::MetricsRead))
    });
    let seen = play(&s, queries.collect(), 600);
    let ended = seen.monthly(50.0);
    c.is(&seen, "isolates_ended_memory_per_month", ended);
    c.is(&seen, "memory_peak_mb", 40.0);
}
