//! What is known of a case: the scenario's ordinary run, the same again, and a run brought to rest.

use crate::Defect;
use crate::run::Observed;
use crate::run::result::RunResult;
use crate::units::Timestamp;
use std::time::Duration;

/// What is known of a case. Invariants look at nothing else.
pub struct Evidence {
    /// The ordinary run, every invocation of its period traced; or what its own books do not agree on.
    pub ordinary: Result<(RunResult, Observed), Defect>,
    /// The same once more, with nobody looking on.
    pub again: Result<RunResult, Defect>,
    /// The run that is brought to rest.
    pub rest: Rest,
}

/// A run from nothing whose traffic and faults end, and which then is given time, with a probe now and then.
pub struct Rest {
    /// What came, counted by who sent it.
    pub came: Came,
    /// When the measurement started, and nothing had come before.
    pub start: Timestamp,
    /// When traffic and faults ended.
    pub faults_end: Timestamp,
    /// Records in memory after each round of probes: one for every machine several times, each with time
    /// enough to write everything.
    pub backlog: Vec<u64>,
    /// Single probes after that, where nothing was left.
    pub probes: Vec<Probe>,
    /// When all was over.
    pub end: Timestamp,
    /// The run with the period itself on its bill, every invocation traced.
    pub books: Result<(RunResult, Observed), Defect>,
    /// What is told of it: the value of each measure, in their order; none if its books do not agree.
    pub told: Vec<f64>,
}

/// What came to a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// Requests to be recorded, the probes among them.
    pub records: u64,
    /// Requests of any other kind.
    pub queries: u64,
}

/// A record that came alone to a system at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// How long it was waited for.
    pub waited: Duration,
    /// Records in memory then.
    pub left: u64,
}
