//! One row of a trace and the forms its values may have.

use super::super::arrival::ArrivalKind;
use super::super::mix::Known;
use crate::models::ValueError;
use crate::units::Timestamp;
use std::str::FromStr;
use std::time::Duration;

/// The columns that a trace may have; only the first must be there.
pub const FIELDS: [&str; 7] = [
    "timestamp",
    "kind",
    "provider",
    "latency_ms",
    "success",
    "tokens",
    "location",
];

/// A call as the log has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// When the call came.
    pub at: Timestamp,
    /// What was called.
    pub kind: RowKind,
    /// Number of the place in [`super::TraceReader::locations`].
    pub location: Option<u16>,
    /// What the log says of a request; the provider by its number in
    /// [`super::TraceReader::providers`].
    pub known: Known,
}

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowKind {
    /// A request that is recorded.
    #[default]
    Record,
    /// A request of its own.
    MetricsRead,
    /// An analytics query.
    AnalyticsQuery,
    /// A health report.
    HealthCheck,
    /// Part of the request that was recorded last.
    MetricsWithRecord,
}

impl RowKind {
    /// The kinds with the names that they have in a trace.
    pub const ALL: [(RowKind, &'static str); 5] = [
        (RowKind::Record, "record"),
        (RowKind::MetricsRead, "metrics_read"),
        (RowKind::AnalyticsQuery, "analytics_query"),
        (RowKind::HealthCheck, "health_check"),
        (RowKind::MetricsWithRecord, "metrics_with_record"),
    ];

    /// The kind of an arrival.
    pub fn of(kind: &ArrivalKind) -> Self {
        match kind {
            ArrivalKind::Record { .. } => RowKind::Record,
            ArrivalKind::MetricsRead => RowKind::MetricsRead,
            ArrivalKind::AnalyticsQuery => RowKind::AnalyticsQuery,
            ArrivalKind::HealthCheck => RowKind::HealthCheck,
            ArrivalKind::MetricsWithRecord => RowKind::MetricsWithRecord,
        }
    }

    /// Its name in a trace.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The unit of a column of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    #[default]
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    const ALL: [(Unit, &'static str, f64); 4] = [
        (Unit::Nanoseconds, "ns", 1.0),
        (Unit::Microseconds, "us", 1e3),
        (Unit::Milliseconds, "ms", 1e6),
        (Unit::Seconds, "s", 1e9),
    ];

    /// Nanoseconds in one of it.
    pub fn nanos(self) -> f64 {
        Self::ALL[self as usize].2
    }

    /// Its sign.
    pub fn sign(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl FromStr for Unit {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let known = Self::ALL.iter().find(|u| u.1 == text);
        known
            .map(|u| u.0)
            .ok_or_else(|| ValueError::new(format!("found \"{text}\", expected ns, us, ms or s")))
    }
}

/// Reads a time: RFC 3339 (`2026-11-02T09:30:00.250Z`, or with an offset), or a number since the
/// Unix epoch: seconds below 10^11, milliseconds below 10^14, microseconds below 10^17, else
/// nanoseconds (each reaches from 1973 to 5138).
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let time: jiff::Timestamp = text.parse().ok()?;
        let nanos = u64::try_from(time.as_nanosecond()).ok()?;
        return Some(Timestamp::from_nanos(nanos));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: u64 = whole.parse().ok()?;
    let digits = match number {
        0..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        _ => 0,
    };
    // Digits beyond the nanosecond are cut off.
    let mut nanos = number.checked_mul(10_u64.pow(digits))?;
    let mut place = 10_u64.pow(digits);
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(place * u64::from(digit.checked_sub(b'0')?))?;
    }
    Some(Timestamp::from_nanos(nanos))
}

/// Reads a duration of 0 or more, to the nanosecond.
pub(super) fn parse_latency(text: &str, unit: Unit) -> Option<Duration> {
    let value: f64 = text.trim().parse().ok()?;
    let nanos = (value * unit.nanos()).round();
    // A century is longer than any call.
    (0.0..3.2e18)
        .contains(&nanos)
        .then(|| Duration::from_nanos(nanos as u64))
}

/// Reads `true`, `false`, `1` or `0`.
pub(super) fn parse_success(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        t if t.eq_ignore_ascii_case("true") => Some(true),
        t if t.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        let t = |text| parse_time(text).map(Timestamp::as_nanos);
        let noon = 1_793_620_800_000_000_000;
        for text in [
            "2026-11-02T12:00:00Z",
            "2026-11-02T13:00:00+01:00",
            "2026-11-02 12:00:00Z",
            "1793620800",
            "1793620800000",
            "1793620800000000",
            "1793620800000000000",
            " 1793620800.0 ",
        ] {
            assert_eq!(t(text), Some(noon), "{text}");
        }
        assert_eq!(
            t("2026-11-02T12:00:00.123456789Z"),
            Some(noon + 123_456_789)
        );
        assert_eq!(t("1793620800.123456789"), Some(noon + 123_456_789));
        assert_eq!(t("1793620800000.25"), Some(noon + 250_000));
        assert_eq!(t("1.5"), Some(1_500_000_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            ".",
            "1.2.3",
            "-5",
            "1e9",
            "noon",
            "2026-11-02",
            "2026-11-02T12:00:00",
            "2026-13-02T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "99999999999999999999999",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn durations_keep_their_nanoseconds() {
        let d = parse_latency("123.456789", Unit::Milliseconds);
        assert_eq!(d, Some(Duration::from_nanos(123_456_789)));
        assert_eq!(
            parse_latency("2", Unit::Seconds),
            Some(Duration::from_secs(2))
        );
        for text in ["-1", "inf", "NaN", "", "1 ms"] {
            assert_eq!(parse_latency(text, Unit::Milliseconds), None, "{text}");
        }
    }
}
