//! How much of a log is behind a fitted workload.

/// Number of observations behind each part of the workload; none if it is the base's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origins {
    /// Requests behind the shares of the providers.
    pub providers: Option<u64>,
    /// For each provider: of success, latencies (and how many of those were used), tokens.
    pub each: Vec<ProviderOrigin>,
    /// Whether the calls beside recorded requests come from the log.
    pub other_calls: bool,
}

/// Number of observations behind a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderOrigin {
    /// Requests to it.
    pub requests: u64,
    /// Requests with a known outcome.
    pub success: u64,
    /// Requests with a known latency.
    pub latency: u64,
    /// Requests with known tokens.
    pub tokens: u64,
}
