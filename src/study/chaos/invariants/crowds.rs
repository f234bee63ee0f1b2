//! No isolate takes a request while it has as many as it may.

use crate::study::chaos::invariant::{Case, Invariant};
use crate::units::Timestamp;
use std::collections::BTreeMap;

pub(super) const CROWDS: Invariant = Invariant {
    name: "crowds",
    promise: "no isolate is given a request while as many as it may have wait for its start or are under way",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let Ok((_, observed)) = &case.evidence.rest.books else {
        return Ok(());
    };
    let Some(life) = &case.point.scenario.fleet.life else {
        return Ok(());
    };
    let most = life.max_concurrency as usize;
    let mut under_way: BTreeMap<u64, Vec<Timestamp>> = BTreeMap::new();
    for served in &observed.served {
        let until = under_way.entry(served.isolate).or_default();
        until.retain(|until| *until > served.at);
        let n = until.len();
        if n >= most {
            let at = served.at.since(case.evidence.rest.start).as_secs_f64();
            return Err(format!(
                "isolate {} was given a request after {at:.1} s, when {n} were waiting or under way, of {most} that it may have",
                served.isolate
            ));
        }
        until.push(served.until);
    }
    Ok(())
}
