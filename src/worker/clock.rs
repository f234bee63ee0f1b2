//! Time in a Worker.

use kvplan_telemetry::ports::Clock;
use kvplan_telemetry::units::Timestamp;
use std::time::Duration;
use worker::{Date, Delay};

/// `Date.now`, which stands still while code runs, and `setTimeout`, which belongs to the invocation that calls it.
pub(crate) struct Timers;

impl Clock for Timers {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH + Duration::from_millis(Date::now().as_millis())
    }

    async fn sleep(&self, delay: Duration) {
        // Whole milliseconds, and not too short.
        let ms = delay.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
        Delay::from(Duration::from_millis(ms as u64)).await;
    }
}
