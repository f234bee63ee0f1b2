//! Replications of a study that is under way, each under what it simulates, so that the study can go on after an
//! interruption.
//!
//! A sweep knows its units beforehand and keeps them by number (see [`super::journal`]). A search or a ledger of claims
//! decides on the way what it simulates next; so each replication is kept under the hash of all that decides
//! on its outcome. Whoever asks for the same gets it, whatever has been asked for in between, and what belongs
//! to other settings is never found.

use super::error::PartialError;
use super::lines::Lines;
use super::record::{FORMAT, bits_of, hex, json_line, outcome_of_bits, without_place};
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric::METRICS;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What was simulated so far, and the file to which every finished replication is added.
#[derive(Debug)]
pub struct Points {
    lines: Lines,
    known: HashMap<String, Outcome>,
    kept: AtomicUsize,
    /// Lines that are damaged: their replications are simulated again.
    damaged: usize,
    /// Replications that were thrown away, because the study starts over.
    discarded: usize,
}

/// The first line.
#[derive(Serialize, Deserialize, PartialEq)]
struct Header {
    kvplan_points: u32,
    kvplan: String,
}

impl Header {
    fn ours() -> Self {
        Header {
            kvplan_points: FORMAT,
            kvplan: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The line of a replication.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    point: String,
    bits: String,
    /// First digits of the SHA-256 of both.
    check: String,
}

impl Entry {
    fn check(&self) -> String {
        let mut hash = Sha256::new();
        for text in [&self.point, &self.bits] {
            hash.update(text);
        }
        hex(&hash.finalize()[..8])
    }
}

/// The hash of all that decides on the outcome of a replication.
fn key(point: &Point) -> String {
    let mut scenario = point.scenario.clone();
    // How often it is replicated, and how that was written, is not its own.
    scenario.arguments.clear();
    scenario.replications = 0;
    scenario.precision = None;
    scenario.sweep_per_month.clear();
    let measures = METRICS.iter().map(|m| m.name).collect::<Vec<_>>();
    let version = env!("CARGO_PKG_VERSION");
    let all = (FORMAT, version, measures, &scenario, point.policy);
    let all = serde_json::to_string(&(all, point.traffic, point.replication));
    hex(&Sha256::digest(
        all.expect("models are trees of text and numbers"),
    ))
}

impl Points {
    /// Opens the file of a study, or begins one. Unless the study is resumed, it is emptied.
    ///
    /// # Errors
    /// If it cannot be written, another kvplan is writing it, or it was written by another version.
    pub fn open(path: &Path, resume: bool) -> Result<Self, PartialError> {
        let (lines, bytes) = Lines::open(path)?;
        let mut points = Points {
            lines,
            known: HashMap::new(),
            kept: AtomicUsize::new(0),
            damaged: 0,
            discarded: 0,
        };
        // A last line that is not complete was being written at the interruption.
        let length = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let text = String::from_utf8_lossy(&bytes[..length]);
        let mut found = text.lines();
        let header = found.next().map(serde_json::from_str::<Header>);
        if !resume || header.is_none() {
            points.discarded = found.count();
            points.lines.cut(0)?;
            points.lines.add(&json_line(&Header::ours()), true)?;
            return Ok(points);
        }
        if !matches!(header, Some(Ok(header)) if header == Header::ours()) {
            return Err(PartialError::journal(
                path,
                format!(
                    "is no journal of replications of kvplan {}; without --resume the work starts over",
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        for line in found {
            match read(line) {
                Ok((point, outcome)) => _ = points.known.insert(point, outcome),
                Err(_) => points.damaged += 1,
            }
        }
        points.lines.cut(length as u64)?;
        Ok(points)
    }

    /// What a point gave when it was simulated before the interruption, or else what it gives now, which is kept.
    ///
    /// # Errors
    /// That of `simulate`, or if the file system refuses a line.
    pub fn outcome<E: From<PartialError>>(
        &self,
        point: &Point,
        simulate: impl FnOnce() -> Result<Outcome, E>,
    ) -> Result<Outcome, E> {
        let key = key(point);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let outcome = simulate()?;
        let mut entry = Entry {
            point: key,
            bits: bits_of(&outcome),
            check: String::new(),
        };
        entry.check = entry.check();
        self.lines.add(&json_line(&entry), false)?;
        self.kept.fetch_add(1, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Replications that are there.
    pub fn len(&self) -> usize {
        self.known.len() + self.kept.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lines that were damaged: their replications are simulated again.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// Replications that were thrown away, because the study starts over.
    pub fn discarded(&self) -> usize {
        self.discarded
    }

    /// Removes the file, as the study is complete.
    ///
    /// # Errors
    /// If the file system refuses it.
    pub fn remove(self) -> Result<(), PartialError> {
        self.lines.remove()
    }
}

fn read(line: &str) -> Result<(String, Outcome), String> {
    let entry: Entry = serde_json::from_str(line)
        .map_err(|e| format!("cannot be read ({})", without_place(&e)))?;
    if entry.check != entry.check() {
        return Err("is damaged".into());
    }
    let outcome = outcome_of_bits(&entry.bits)?;
    Ok((entry.point, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::quantity::Count;
    use crate::run::scenario::Scenario;
    use crate::study::error::StudyError;
    use crate::study::fixtures;
    use std::cell::Cell;
    use tempfile::TempDir;

    fn outcome(n: f64) -> Outcome {
        fixtures::outcome(&vec![n; METRICS.len()])
    }

    fn point(scenario: &Scenario, policy: usize, traffic: u64, replication: u64) -> Point<'_> {
        Point {
            scenario,
            policy: &scenario.policies[policy],
            traffic: Count(traffic),
            replication,
        }
    }

    /// Asks for points; gives how many had to be simulated.
    fn ask(points: &Points, wanted: &[Point]) -> usize {
        let simulated = Cell::new(0);
        for p in wanted {
            let given = points.outcome(p, || {
                simulated.set(simulated.get() + 1);
                Ok::<_, StudyError>(outcome(p.replication as f64))
            });
            assert_eq!(given, Ok(outcome(p.replication as f64)));
        }
        simulated.get()
    }

    #[test]
    fn what_was_simulated_is_there_again_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("plan.kvjournal");
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let mut other = scenario.clone();
        other.seed += 1;
        let mut more = scenario.clone();
        (more.replications, more.arguments) = (99, vec!["-n".into()]);
        let three = [0, 1, 2].map(|r| point(&scenario, 0, 1_000, r));
        assert_eq!(ask(&Points::open(&path, true).unwrap(), &three), 3);
        let resumed = Points::open(&path, true).unwrap();
        assert_eq!((resumed.len(), resumed.damaged()), (3, 0));
        assert_eq!(ask(&resumed, &three), 0);
        // The same replications, of a study of more.
        assert_eq!(
            ask(&resumed, &[0, 1, 2].map(|r| point(&more, 0, 1_000, r))),
            0
        );
        let others = [
            point(&scenario, 0, 1_000, 3),
            point(&scenario, 1, 1_000, 0),
            point(&scenario, 0, 2_000, 0),
            point(&other, 0, 1_000, 0),
        ];
        assert_eq!(ask(&resumed, &others), 4);
        assert_eq!(resumed.len(), 7);
        drop(resumed);
        let over = Points::open(&path, false).unwrap();
        assert_eq!((over.len(), over.discarded()), (0, 7));
        over.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_line_costs_its_replication_and_another_version_is_refused() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("plan.kvjournal");
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let three = [0, 1, 2].map(|r| point(&scenario, 0, 1_000, r));
        ask(&Points::open(&path, true).unwrap(), &three);
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.find("\"bits\":\"").unwrap() + 8;
        let digit = if text.as_bytes()[first] == b'0' {
            "1"
        } else {
            "0"
        };
        let mut damaged = text.clone();
        damaged.replace_range(first..=first, digit);
        // The last line was being written, too.
        std::fs::write(&path, &damaged[..damaged.len() - 5]).unwrap();
        let opened = Points::open(&path, true).unwrap();
        assert_eq!((opened.len(), opened.damaged()), (1, 1));
        assert_eq!(ask(&opened, &three), 2);
        drop(opened);
        assert_eq!(Points::open(&path, true).unwrap().len(), 3);
        let version = env!("CARGO_PKG_VERSION");
        std::fs::write(&path, text.replace(version, "0.0.9")).unwrap();
        let said = Points::open(&path, true).unwrap_err().to_string();
        assert!(said.contains("is no journal of replications"), "{said}");
    }
}
