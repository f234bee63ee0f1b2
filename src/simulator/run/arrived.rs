//! What came to a run.

/// What arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Recorded requests that were served.
    pub records: u64,
    /// Requests to be recorded among the `refused`.
    pub records_refused: u64,
    /// Metrics reads, those that come with a recorded request among them.
    pub metrics_reads: u64,
    /// Metrics reads that arrived on their own: requests like any other.
    pub own_metrics_reads: u64,
    /// Analytics queries.
    pub analytics_queries: u64,
    /// Health reports asked for.
    pub health_checks: u64,
    /// Worker requests turned away because the plan's requests of the day were used up, or ended
    /// for more CPU time than the plan allows.
    pub refused: u64,
    /// Cron triggers that fired.
    pub cron: u64,
}

impl Arrived {
    /// Worker requests that were served: a metrics read that comes with a recorded request is
    /// part of its invocation, every other call is a request of its own.
    pub fn requests(&self) -> u64 {
        self.records + self.own_metrics_reads + self.analytics_queries + self.health_checks
    }
}
