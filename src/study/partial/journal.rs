//! Journals: the units of a sweep that is under way, so that it can go on after an interruption.

use super::error::PartialError;
use super::lines::Lines;
use super::record::{Header, entry_line, parse_entry};
use crate::run::measure::Outcome;
use crate::study::grid::{Measured, Part, Unit};
use std::path::Path;

/// The name of the journal of a sweep, or of a part of it.
pub fn file_name(part: Option<Part>) -> String {
    match part {
        Some(part) => format!("shard-{}-of-{}.kvjournal", part.index, part.of),
        None => "sweep.kvjournal".into(),
    }
}

/// The file to which every finished unit is added. It is locked as long as this lives.
#[derive(Debug)]
pub struct Journal {
    sweep_sha256: String,
    lines: Lines,
}

/// A journal with what was in it.
#[derive(Debug)]
pub struct Opened {
    /// Open at its end, for more lines.
    pub journal: Journal,
    /// Units that need not be simulated again.
    pub known: Measured,
    /// Lines that are damaged: their units are simulated again.
    pub damaged: usize,
    /// Units that were thrown away, because the sweep starts over.
    pub discarded: usize,
}

impl Journal {
    /// Opens the journal of a sweep, or begins one. Unless the sweep is resumed, it is emptied.
    ///
    /// A last line that is not complete was being written at the interruption; it is dropped.
    ///
    /// # Errors
    /// If it cannot be written, another kvplan is writing it, or it is that of another sweep, which is
    /// left as it is.
    pub fn open(path: &Path, header: &Header, resume: bool) -> Result<Opened, PartialError> {
        let (lines, bytes) = Lines::open(path)?;
        let content = read(&bytes);
        let mut opened = Opened {
            known: Measured::new(),
            damaged: 0,
            discarded: 0,
            journal: Journal {
                sweep_sha256: header.sweep_sha256.clone(),
                lines,
            },
        };
        match content {
            Some(Ok(content)) if resume => {
                if let Some(difference) = content.header.difference(header) {
                    return Err(PartialError::journal(
                        path,
                        format!(
                            "is the journal of another sweep: {difference}; without --resume the sweep starts over"
                        ),
                    ));
                }
                opened.journal.lines.cut(content.length)?;
                (opened.known, opened.damaged) = (content.units, content.damaged);
                return Ok(opened);
            }
            Some(Err(message)) if resume => {
                return Err(PartialError::journal(
                    path,
                    format!("{message}; without --resume the sweep starts over"),
                ));
            }
            Some(Ok(content)) => opened.discarded = content.units.len(),
            Some(Err(_)) | None => {}
        }
        opened.journal.lines.cut(0)?;
        opened.journal.lines.add(&header.line(), true)?;
        Ok(opened)
    }

    /// Adds a unit.
    ///
    /// # Errors
    /// If the file system refuses it.
    pub fn add(&self, unit: Unit, outcome: &Outcome) -> Result<(), PartialError> {
        let line = entry_line(&self.sweep_sha256, unit, outcome);
        self.lines.add(&line, false)
    }

    /// Removes the file, as its sweep is complete.
    ///
    /// # Errors
    /// If the file system refuses it.
    pub fn remove(self) -> Result<(), PartialError> {
        self.lines.remove()
    }
}

/// What a journal holds.
struct Content {
    header: Header,
    units: Measured,
    damaged: usize,
    /// Bytes up to the end of the last complete line.
    length: u64,
}

/// Reads a journal; `None` if there is nothing in it, not even a complete first line.
fn read(bytes: &[u8]) -> Option<Result<Content, PartialError>> {
    let length = bytes.iter().rposition(|b| *b == b'\n')? + 1;
    let text = String::from_utf8_lossy(&bytes[..length]);
    let mut lines = text.lines();
    let header = match Header::parse(lines.next()?) {
        Ok(header) => header,
        Err(message) => return Some(Err(message)),
    };
    let mut content = Content {
        units: Measured::new(),
        damaged: 0,
        length: length as u64,
        header,
    };
    for line in lines {
        match parse_entry(&content.header.sweep_sha256, line) {
            Ok((unit, outcome)) => _ = content.units.insert(unit, outcome),
            Err(_) => content.damaged += 1,
        }
    }
    Some(Ok(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;
    use crate::models::quantity::Count;
    use crate::run::metric::METRICS;
    use crate::run::scenario::Scenario;
    use crate::study::fixtures;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn header(seed: u64) -> Header {
        let mut scenario = Scenario::load("default", &[], None, &[]).unwrap();
        scenario.seed = seed;
        Header::new(&scenario, &[Count(10)], Part::WHOLE)
    }

    fn unit(replication: u32) -> Unit {
        Unit {
            level: 0,
            policy: 0,
            replication,
        }
    }

    fn outcome(replication: u32) -> Outcome {
        let values = vec![f64::from(replication); METRICS.len()];
        fixtures::outcome(&values)
    }

    /// A journal with three units.
    fn journal(dir: &TempDir) -> PathBuf {
        let path = dir.path().join("sweep.kvjournal");
        let opened = Journal::open(&path, &header(7), true).unwrap();
        assert!(opened.known.is_empty());
        for i in 0..3 {
            opened.journal.add(unit(i), &outcome(i)).unwrap();
        }
        path
    }

    #[test]
    fn what_was_finished_is_there_again_wherever_the_file_is_cut_off() {
        let dir = TempDir::new().unwrap();
        let path = journal(&dir);
        let bytes = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i] == b'\n').collect();
        assert_eq!(ends.len(), 4);
        for length in (0..=bytes.len()).step_by(97).chain([bytes.len()]) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let complete = ends.iter().filter(|e| **e < length).count();
            let opened = Journal::open(&path, &header(7), true).unwrap();
            assert_eq!(opened.known.len(), complete.saturating_sub(1), "{length}");
            assert_eq!(opened.damaged, 0);
            opened.journal.add(unit(9), &outcome(9)).unwrap();
            drop(opened);
            let again = Journal::open(&path, &header(7), true).unwrap();
            assert_eq!(again.known.len(), complete.saturating_sub(1) + 1);
            assert_eq!(again.known[&unit(9)], outcome(9));
        }
    }

    /// Whichever call fails: what was finished before is there again, and what is said names the file.
    #[test]
    fn a_disk_that_fails_at_any_call_keeps_what_was_finished() {
        let mut calls = 0;
        loop {
            let dir = TempDir::new().unwrap();
            let path = journal(&dir);
            let (added, failed) = disk::failing::at(calls, || {
                let opened = Journal::open(&path, &header(7), true)?;
                opened.journal.add(unit(3), &outcome(3))?;
                opened.journal.add(unit(4), &outcome(4))
            });
            if let Err(e) = &added {
                let said = e.to_string();
                assert!(
                    said.contains("sweep.kvjournal: cannot be written ("),
                    "{said}"
                );
            }
            let opened = Journal::open(&path, &header(7), true).unwrap();
            let known: Vec<Unit> = opened.known.into_keys().collect();
            assert_eq!(opened.damaged, 0, "call {calls}");
            assert!((3..=5).contains(&known.len()), "call {calls}: {known:?}");
            assert_eq!(known[..], [0, 1, 2, 3, 4].map(unit)[..known.len()]);
            if !failed {
                assert!(added.is_ok() && known.len() == 5);
                break;
            }
            calls += 1;
        }
        assert!(calls >= 4, "{calls}");
    }

    #[test]
    fn a_damaged_line_costs_its_unit_only() {
        let dir = TempDir::new().unwrap();
        let path = journal(&dir);
        let text = std::fs::read_to_string(&path).unwrap();
        let damaged = text.replacen("\"unit\":[0,0,1]", "\"unit\":[0,1,1]", 1);
        assert_ne!(damaged, text);
        std::fs::write(&path, damaged).unwrap();
        let opened = Journal::open(&path, &header(7), true).unwrap();
        assert_eq!(opened.damaged, 1);
        let units: Vec<Unit> = opened.known.into_keys().collect();
        assert_eq!(units, [unit(0), unit(2)]);
    }

    #[test]
    fn another_sweep_and_another_process_are_refused() {
        let dir = TempDir::new().unwrap();
        let path = journal(&dir);
        let before = std::fs::read(&path).unwrap();
        let message = Journal::open(&path, &header(8), true)
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("is the journal of another sweep: `scenario.seed`: found 7, expected 8; without --resume the sweep starts over"),
            "{message}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let open = Journal::open(&path, &header(7), true).unwrap();
        let message = Journal::open(&path, &header(7), true)
            .unwrap_err()
            .to_string();
        assert!(message.contains("another kvplan is at work"), "{message}");
        drop(open);
        // Whoever does not ask to resume starts over.
        let opened = Journal::open(&path, &header(8), false).unwrap();
        assert_eq!((opened.known.len(), opened.discarded), (0, 3));
        drop(opened);
        let opened = Journal::open(&path, &header(8), true).unwrap();
        assert_eq!(opened.known.len(), 0);
        opened.journal.remove().unwrap();
        assert!(!path.exists());
    }
}
