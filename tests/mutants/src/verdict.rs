//! What came of it, held against the survivors that are known.

use crate::trial::Outcome;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// The list of survivors that are known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    mutant: String,
    reason: String,
}

/// Prints what came of it; whether nothing survived that is not listed.
pub(crate) fn print(outcomes: &[Outcome], list: &Path) -> io::Result<bool> {
    let known: Known = toml::from_str(&fs::read_to_string(list)?).map_err(io::Error::other)?;
    let mut reasons = BTreeMap::new();
    for s in known.survivor {
        if reasons.insert(s.mutant.clone(), s.reason).is_some() {
            return Err(io::Error::other(format!("listed twice: {}", s.mutant)));
        }
    }
    let survivors: Vec<_> = outcomes.iter().filter(|o| o.killed_by.is_none()).collect();
    let names: BTreeSet<&str> = survivors.iter().map(|o| o.name.as_str()).collect();
    let killed = outcomes.len() - survivors.len();
    let share = killed as f64 / outcomes.len().max(1) as f64 * 100.0;
    let (new, old): (Vec<_>, Vec<_>) = survivors
        .into_iter()
        .partition(|o| !reasons.contains_key(&o.name));
    for outcome in &old {
        println!(
            "survives, as listed: {}\n    {}",
            outcome.name, reasons[&outcome.name]
        );
    }
    for o in &new {
        println!(
            "SURVIVES: {} (line {}, {} tests reach it)",
            o.name, o.line, o.tests
        );
    }
    for name in reasons.keys().filter(|n| !names.contains(n.as_str())) {
        println!("listed, but killed or not among those tried: {name}");
    }
    let n = outcomes.len();
    println!(
        "{killed} of {n} mutants killed ({share:.1}%); {} survivors listed, {} new",
        old.len(),
        new.len()
    );
    Ok(new.is_empty())
}
