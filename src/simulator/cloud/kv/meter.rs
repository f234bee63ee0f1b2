//! Counting what is done to a KV: every operation once, with its outcome.

use crate::Defect;
use crate::pricing::Catalog;
use crate::telemetry::ports::{KvError, OpKind};
use serde::{Deserialize, Serialize};

/// How an operation ended, as the service sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpOutcome {
    /// Done and answered.
    Ok,
    /// A read that found nothing; billed like any other.
    NotFound,
    /// Done, but the answer did not arrive: the caller saw a timeout.
    AnswerLost,
    /// Not done; the caller saw a timeout.
    Timeout,
    /// Not done; 5xx.
    Unavailable,
    /// Not done; 429: more than one write a second to one key, or a storm of refusals.
    RateLimited,
    /// Not done; the plan's daily quota is used up.
    QuotaExceeded,
    /// Not done; outside the documented limits.
    Invalid,
}

impl OpOutcome {
    /// All outcomes, in the order of the meter's columns.
    pub const ALL: [OpOutcome; 8] = [
        OpOutcome::Ok,
        OpOutcome::NotFound,
        OpOutcome::AnswerLost,
        OpOutcome::Timeout,
        OpOutcome::Unavailable,
        OpOutcome::RateLimited,
        OpOutcome::QuotaExceeded,
        OpOutcome::Invalid,
    ];

    /// The outcome that a refused operation is metered with.
    pub fn of_error(e: &KvError) -> Self {
        match e {
            KvError::RateLimited => OpOutcome::RateLimited,
            KvError::QuotaExceeded => OpOutcome::QuotaExceeded,
            KvError::Timeout => OpOutcome::Timeout,
            KvError::Unavailable => OpOutcome::Unavailable,
            KvError::Invalid(_)
            | KvError::InvocationLimit
            | KvError::CircuitOpen
            // Of a real service; the virtual one has no words.
            | KvError::Answered { .. } => OpOutcome::Invalid,
        }
    }
}

/// What else is billed of what the seller does not say; see the catalog's settings of these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingRules {
    /// Operations refused with 429.
    pub rate_limited: bool,
    /// Reads that the cache of their place answered.
    pub hot_reads: bool,
}

impl BillingRules {
    /// Everything that was done, and nothing that was refused.
    pub const DONE: BillingRules = BillingRules {
        rate_limited: false,
        hot_reads: true,
    };
}

impl From<&Catalog> for BillingRules {
    fn from(catalog: &Catalog) -> Self {
        BillingRules {
            rate_limited: catalog.bill_rate_limited,
            hot_reads: catalog.bill_hot_reads,
        }
    }
}

/// What was done to a KV namespace over some time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvMeter {
    by_outcome: [[u64; OpOutcome::ALL.len()]; OpKind::ALL.len()],
    /// Operations issued, counted apart from their outcomes as a check.
    issued: [u64; OpKind::ALL.len()],
    /// Keys read that the cache of their place answered, found or not; none without such caches.
    #[serde(default)]
    pub hot_reads: u64,
    /// Bytes of the values read.
    pub read_bytes: u64,
    /// Bytes of the keys, values and metadata written.
    pub write_bytes: u64,
    /// Stored bytes (keys, values, metadata) integrated over time, in byte-nanoseconds.
    pub storage_byte_ns: u128,
}

impl KvMeter {
    pub(super) fn issue(&mut self, kind: OpKind, units: u64) {
        self.issued[kind as usize] += units;
    }

    pub(super) fn settle(&mut self, kind: OpKind, outcome: OpOutcome, units: u64) {
        self.by_outcome[kind as usize][outcome as usize] += units;
    }

    /// Operations of a kind that ended so.
    pub fn count(&self, kind: OpKind, outcome: OpOutcome) -> u64 {
        self.by_outcome[kind as usize][outcome as usize]
    }

    /// Operations of a kind, however they ended.
    pub fn issued(&self, kind: OpKind) -> u64 {
        self.issued[kind as usize]
    }

    /// Operations of all kinds, however they ended.
    pub fn operation_count(&self) -> u64 {
        self.issued.iter().sum()
    }

    /// Operations of a kind that go on the bill: those that were done (hot reads only if the rules
    /// say so), and, if the rules say so, those refused with 429. What failed inside the service or
    /// was refused for a used-up quota is not billed.
    pub fn billed(&self, kind: OpKind, rules: BillingRules) -> u64 {
        let count = |o| self.count(kind, o);
        let mut billed =
            count(OpOutcome::Ok) + count(OpOutcome::NotFound) + count(OpOutcome::AnswerLost);
        if kind == OpKind::Read && !rules.hot_reads {
            billed -= self.hot_reads;
        }
        if rules.rate_limited {
            billed += count(OpOutcome::RateLimited);
        }
        billed
    }

    /// What has been added since `earlier`, a former state of the same meter.
    pub fn since(&self, earlier: &KvMeter) -> KvMeter {
        let mut d = self.clone();
        for k in 0..OpKind::ALL.len() {
            d.issued[k] -= earlier.issued[k];
            for o in 0..OpOutcome::ALL.len() {
                d.by_outcome[k][o] -= earlier.by_outcome[k][o];
            }
        }
        d.hot_reads -= earlier.hot_reads;
        d.read_bytes -= earlier.read_bytes;
        d.write_bytes -= earlier.write_bytes;
        d.storage_byte_ns -= earlier.storage_byte_ns;
        d
    }

    /// The invariant of conservation: every operation issued has exactly one outcome, and no more
    /// reads were hot than were answered.
    pub fn check(&self) -> Result<(), Defect> {
        for kind in OpKind::ALL {
            let outcomes: u64 = self.by_outcome[kind as usize].iter().sum();
            if outcomes != self.issued(kind) {
                return Err(Defect::new(format!(
                    "{} {} issued, but {outcomes} outcomes metered",
                    self.issued(kind),
                    kind.plural()
                )));
            }
        }
        let answered = [OpOutcome::Ok, OpOutcome::NotFound].map(|o| self.count(OpKind::Read, o));
        let answered: u64 = answered.iter().sum();
        if self.hot_reads > answered {
            return Err(Defect::new(format!(
                "{} hot reads, but only {answered} reads answered",
                self.hot_reads
            )));
        }
        Ok(())
    }
}
