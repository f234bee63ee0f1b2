//! Something that arrives.

use crate::units::Timestamp;
use std::time::Duration;

/// Something that arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When it arrives.
    pub at: Timestamp,
    /// The place of the fleet where it comes in, by number; if not known, the fleet draws one.
    pub place: Option<u16>,
    /// What arrives.
    pub kind: ArrivalKind,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrivalKind {
    /// A request to a provider that is to be recorded.
    Record {
        /// Position in [`WorkloadSpec::providers`](super::WorkloadSpec::providers).
        provider: u16,
        /// How long the provider takes.
        latency: Duration,
        /// Whether the provider answers without an error.
        success: bool,
        /// Tokens used.
        tokens: u32,
    },
    /// A read of the metrics endpoint: a request of its own.
    MetricsRead,
    /// A read of the metrics as part of the request that was recorded last.
    MetricsWithRecord,
    /// An analytics query over its default window.
    AnalyticsQuery,
    /// A system health report.
    HealthCheck,
}

impl ArrivalKind {
    /// Whether it is a read of the metrics, on its own or as part of a request.
    #[inline]
    pub fn is_metrics_read(self) -> bool {
        matches!(
            self,
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord
        )
    }
}
