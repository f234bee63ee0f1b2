//! Real time.

use kvplan_telemetry::ports::Clock;
use kvplan_telemetry::units::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's clock: Unix time, as `Date.now` is in a Worker, and tokio's timers.
///
/// It goes back when somebody sets it back; what is measured with it is then too short, not negative
/// ([`Timestamp::since`]).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A system that believes to be before 1970 is at its beginning.
        Timestamp::EPOCH + since.unwrap_or_default()
    }

    async fn sleep(&self, delay: Duration) {
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    #[test]
    fn it_is_after_2026_began_and_a_sleep_takes_its_time() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let start = SystemClock.now();
        assert!(start > Timestamp::from_secs(1_767_225_600), "{start:?}");
        runtime.block_on(SystemClock.sleep(Duration::from_millis(20)));
        // Timers run on another clock than `now`, which may be set meanwhile by a little.
        assert!(SystemClock.now().since(start) >= Duration::from_millis(15));
    }
}
