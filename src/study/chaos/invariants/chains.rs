//! What keeps an entry fresh ends when its policy says.

use crate::cloud::kv::Operation;
use crate::cloud::spans::Span;
use crate::study::chaos::invariant::{Case, Invariant};
use crate::units::Timestamp;
use std::time::Duration;

pub(super) const CHAINS: Invariant = Invariant {
    name: "chains",
    promise: "no read that keeps an entry fresh begins later than max_chain after the query that began it",
    check,
};

/// The operations of one read of the KV follow each other at once; between reads of a chain lies what the TTL is
/// longer than their lead.
const PAUSE: Duration = Duration::from_millis(20);

/// For what a query does before its chain begins: it puts its answer into a shared cache.
const SLACK: Duration = Duration::from_secs(2);

fn check(case: &Case) -> Result<(), String> {
    let cache = &case.point.policy.cache;
    let Some(prewarm) = &cache.prewarm else {
        return Ok(());
    };
    if cache.ttl.saturating_sub(prewarm.lead) <= PAUSE {
        return Ok(());
    }
    // Where something fails, retries are part of a read.
    let well = |s: &&Span| s.operations.iter().all(|o| o.error.is_none());
    for span in case.spans().iter().filter(well) {
        let reads = reads(&span.operations);
        let (Some(first), Some(last)) = (reads.first(), reads.last()) else {
            continue;
        };
        let latest = first.1 + prewarm.max_chain + SLACK;
        if last.0 > latest {
            return Err(format!(
                "a {} kept its entry fresh for {:.1} s, where {:.1} s are allowed",
                span.name,
                last.0.since(first.1).as_secs_f64(),
                prewarm.max_chain.as_secs_f64()
            ));
        }
    }
    Ok(())
}

/// Beginning and end of each read: operations with no pause between them.
fn reads(operations: &[Operation]) -> Vec<(Timestamp, Timestamp)> {
    let mut times: Vec<_> = operations.iter().map(|o| (o.start, o.end)).collect();
    times.sort();
    let mut reads: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (start, end) in times {
        match reads.last_mut() {
            Some(last) if start <= last.1 + PAUSE => last.1 = last.1.max(end),
            _ => reads.push((start, end)),
        }
    }
    reads
}
