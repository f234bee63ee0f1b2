//! One recorded request.

use crate::units::Timestamp;
use std::time::Duration;

/// A provider's number in the collector's table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(pub u16);

/// What the collector keeps of one request to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When the request was recorded.
    pub at: Timestamp,
    /// The provider asked.
    pub provider: ProviderId,
    /// How long the provider took.
    pub latency: Duration,
    /// Whether the provider answered without an error.
    pub success: bool,
    /// Tokens used by the request.
    pub tokens: u32,
}
