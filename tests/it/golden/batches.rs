//! Batches, and records that are lost, told from the times at which requests come.

use super::world::{Compared, at, drawn, play, request, scenario};
use kvplan::run::scenario::Scenario;
use kvplan::telemetry::ports::OpKind;
use kvplan::workload::Arrival;
use std::time::Duration;

/// Batches of five, or of what came in 4 s from the first on, which may be that one alone. Each is written in 10 ms, in
/// which none is full.
pub(super) fn batches_by_number_and_age(c: &mut Compared) {
    let settings = [
        "policy.batch.max_records=5",
        "policy.batch.max_age=\"4 s\"",
        "policy.batch.min_interval=\"0 s\"",
        "limits.same_key_write_interval=\"0 s\"",
    ];
    let s = scenario("optimised", "paid", &settings);
    let seen = play(&s, drawn(&s, 1.0, 1_780), 1_800);
    let (mut batches, mut alone, mut delay_s) = (0.0, 0, 0.0);
    let mut left = &seen.arrivals[..];
    while let Some(first) = left.first() {
        let old = first.at + Duration::from_secs(4);
        let young = left.iter().take_while(|a| a.at < old).count();
        let (batch, rest) = left.split_at(young.min(5));
        let full = batch.len() == 5;
        let begun = if full { batch[4].at } else { old };
        let stored = begun + Duration::from_millis(10);
        delay_s += batch
            .iter()
            .map(|a| stored.since(a.at).as_secs_f64())
            .sum::<f64>();
        batches += 1.0;
        alone += u32::from(batch.len() == 1);
        left = rest;
    }
    let records = seen.records();
    assert!(alone > 3 && records / batches < 4.9);
    c.is(&seen, "batch_records", records / batches);
    c.is(&seen, "kv_writes_per_month", seen.monthly(batches));
    // Each batch's delay is cut to whole microseconds, of about 2 s for each of its records.
    c.is_about(&seen, "store_delay_mean_s", delay_s / records, 1e-6);
}

/// Eighty requests, ten a second, under a policy of batches of ten with keys of their own and room for fifty, none of
/// which is ever written: thirty have no room.
fn full(overflow: &str) -> (Scenario, Vec<Arrival>) {
    let overflow = format!("policy.batch.overflow=\"{overflow}\"");
    let settings = [
        "policy.batch.max_records=10",
        "policy.batch.buffer_capacity=50",
        "policy.batch.min_interval=\"0 s\"",
        "policy.batch.max_wait=\"2 s\"",
        "policy.retry={backoff=\"none\",max_attempts=1}",
        "failures.write.error=\"100%\"",
        &overflow,
    ];
    let requests = (0..80).map(|i| request(100 * i, 0)).collect();
    (scenario("batch-keys", "paid", &settings), requests)
}

pub(super) fn a_full_buffer_gives_up_the_newest(c: &mut Compared) {
    let (s, requests) = full("drop_newest");
    let seen = play(&s, requests, 60);
    c.is(&seen, "loss_rate", 30.0 / 80.0);
    c.is(&seen, "lost_overflow_newest_rate", 30.0 / 80.0);
    c.is(&seen, "record_error_rate", 30.0 / 80.0);
    c.is(&seen, "buffer_high_water_records", 50.0);
}

/// All is in batches when there is no room: the oldest of them gives way as a whole, for the 51st, 61st and 71st.
pub(super) fn a_full_buffer_gives_up_the_oldest(c: &mut Compared) {
    let (s, requests) = full("drop_oldest");
    let seen = play(&s, requests, 60);
    c.is(&seen, "loss_rate", 30.0 / 80.0);
    c.is(&seen, "lost_overflow_oldest_rate", 30.0 / 80.0);
    c.is(&seen, "buffer_high_water_records", 50.0);
}

pub(super) fn a_full_buffer_lets_requests_wait(c: &mut Compared) {
    let (s, requests) = full("wait");
    let seen = play(&s, requests, 60);
    c.is(&seen, "loss_rate", 30.0 / 80.0);
    c.is(&seen, "lost_waited_rate", 30.0 / 80.0);
    c.is(&seen, "record_error_rate", 30.0 / 80.0);
}

/// Two places write one key: the first reads at 1 s and writes 10 ms later, the second reads 5 ms after the first
/// and so does not see what that writes before its own. Of three records and two each time, the three are lost.
pub(super) fn of_two_writers_of_a_key_one_loses(c: &mut Compared) {
    let settings = [
        "fleet.isolates=2",
        "fleet.place=[{name=\"A\",share=\"50%\"},{name=\"B\",share=\"50%\"}]",
        "limits.same_key_write_interval=\"0 s\"",
        "policy.batch.max_age=\"1 s\"",
        "policy.batch.min_interval=\"0 s\"",
    ];
    let s = scenario("shared-key", "paid", &settings);
    let from = |place, ms| Arrival {
        place: Some(place),
        ..request(ms, 0)
    };
    let round = |i: u64| {
        let t = 20_000 * i;
        let places = [(0, t), (1, t + 5), (0, t + 20), (1, t + 25), (0, t + 40)];
        places.map(|(place, ms)| from(place, ms))
    };
    let mut requests: Vec<Arrival> = (0..12).flat_map(round).collect();
    // Still in memory at the end: came, but not thought to be stored.
    requests.extend((0..4).map(|i| from(0, 299_500 + i)));
    let seen = play(&s, requests, 300);
    assert_eq!(seen.keys(OpKind::Write), 24.0);
    let second = seen.operations(OpKind::Write).all(|o| o.start > at(1_000));
    assert!(second);
    c.is(&seen, "lost_update_share", 36.0 / 60.0);
    c.is(&seen, "lost_update_rate", 36.0 / 64.0);
    c.is(&seen, "loss_rate", 36.0 / 64.0);
}
