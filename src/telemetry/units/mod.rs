//! Time stamps and quantities, shared by production code and simulator.

pub mod quantity;
#[cfg(feature = "schema")]
mod schema;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: nanoseconds since 1970-01-01 00:00 UTC.
///
/// In production it comes from the system clock, in a simulation from the
/// virtual one. Covers the years 1970 to 2554.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(u64);

/// Nanoseconds in one UTC day (no leap seconds, as in Unix time).
pub const DAY: Duration = Duration::from_secs(86_400);

impl Timestamp {
    /// The Unix epoch, which was a Thursday.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Timestamp(secs * 1_000_000_000)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the Unix epoch, with fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Time since `earlier`; zero if `earlier` is later than `self`.
    #[inline]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds.
    #[inline]
    pub const fn nanos_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The start of the interval of length `width` (aligned to the epoch) that holds `self`.
    pub fn floor_to(self, width: Duration) -> Timestamp {
        let width = width.as_nanos() as u64;
        Timestamp(self.0 - self.0 % width)
    }

    /// The UTC day this falls on, counted from the epoch.
    pub fn utc_day(self) -> u64 {
        self.0 / DAY.as_nanos() as u64
    }
}

/// The nanoseconds of a duration, at most as many as there are.
#[inline]
pub fn nanos(d: Duration) -> u64 {
    let whole = d.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::from(d.subsec_nanos()))
}

/// Whole nanoseconds, rounded down; 0 of what is less, and at most the 292 years that a signed count holds, which is
/// converted in half the time of an unsigned one.
#[inline]
pub fn whole_nanos(ns: f64) -> u64 {
    (ns as i64).max(0) as u64
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    #[inline]
    fn add(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos(d)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    #[inline]
    fn sub(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(nanos(d)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_rounded_down_and_stay_within_what_there_is() {
        assert_eq!([1.99, 0.0, -5.0, f64::NAN].map(whole_nanos), [1, 0, 0, 0]);
        assert_eq!(whole_nanos(3.155_76e18), 3_155_760_000_000_000_000);
        assert_eq!(whole_nanos(f64::INFINITY), i64::MAX as u64);
    }
}
