//! What a command says of itself: `run.json`, which a page tells and whoever wants repeats.
//!
//! A folder may hold results of several commands. The record of the last is `run.json`; that of another command, which it
//! would replace, stays beside it under that command's name.

use super::artefacts::{RUN_JSON, run_json_of};
use super::error::WriteError;
use super::output::{OutputDir, json};
use crate::run::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a command says of itself.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    kvplan: &'static str,
    /// The command's name.
    pub command: &'a str,
    /// Its arguments as they can be given again: those on which results depend.
    pub arguments: &'a [String],
    /// What the page is called; a scenario has a title of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Seed of all random streams; none where nothing is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The settings in force, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// What was simulated, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<&'a Scenario>,
}

/// Enough of a record to see whose it is, and which files came with it.
#[derive(Deserialize)]
struct Signature {
    #[serde(rename = "kvplan")]
    _version: String,
    command: String,
    #[serde(default)]
    files: Vec<String>,
}

impl<'a> Record<'a> {
    /// A command that simulates nothing, so far.
    pub fn new(command: &'a str, arguments: &'a [String]) -> Self {
        Record {
            kvplan: env!("CARGO_PKG_VERSION"),
            command,
            arguments,
            title: None,
            seed: None,
            settings: None,
            scenario: None,
        }
    }

    /// With a title, and the seed of what it draws.
    pub fn titled(self, title: impl Into<String>, seed: Option<u64>) -> Self {
        let title = Some(title.into());
        Record {
            title,
            seed,
            ..self
        }
    }

    /// Of a scenario with these settings in force.
    pub fn of(self, scenario: &'a Scenario, settings: impl Into<String>) -> Self {
        Record {
            seed: Some(scenario.seed),
            settings: Some(settings.into()),
            scenario: Some(scenario),
            ..self
        }
    }

    /// The record as JSON.
    ///
    /// # Errors
    /// If it cannot be written as such.
    pub fn json(&self) -> Result<Vec<u8>, WriteError> {
        json(RUN_JSON, self)
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        write(out, &self.json()?)
    }
}

/// Writes a record, and what another command had said there beside it.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(out: &OutputDir, record: &[u8]) -> Result<(), WriteError> {
    let old = out.earlier(RUN_JSON);
    let others = old.as_deref().and_then(command_of);
    if let (Some(old), Some(other)) = (
        &old,
        others.filter(|o| command_of(record).as_ref() != Some(o)),
    ) {
        out.write(&run_json_of(&other), old)?;
    }
    out.write(RUN_JSON, record)
}

/// Completes the record of a command that has written all: how its pictures look, if not as usual, and which files it
/// wrote. Pictures that its last run in the folder made and this one did not are to go: they show what is no more.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn complete(out: &mut OutputDir) -> Result<(), WriteError> {
    let Some(record) = out.written(RUN_JSON) else {
        return Ok(());
    };
    let Some(command) = command_of(&record) else {
        return Ok(());
    };
    let names = out.names().map_err(WriteError::of_writing(RUN_JSON))?;
    let files: Vec<String> = names
        .iter()
        .map(|n| n.to_string_lossy().into_owned())
        .collect();
    let earlier = [RUN_JSON.to_owned(), run_json_of(&command)].into_iter();
    let earlier = earlier.filter_map(|file| signature(&out.earlier(&file)?));
    let mut stale: Vec<String> = earlier
        .filter(|old| old.command == command)
        .flat_map(|old| old.files)
        .filter(|file| is_picture(file) && !files.contains(file))
        .collect();
    stale.dedup();
    let mut more = serde_json::Map::new();
    let look = out.look().options();
    if !look.is_empty() {
        more.insert("look".into(), look.into());
    }
    more.insert("files".into(), files.into());
    out.write(RUN_JSON, &joined(&record, &json(RUN_JSON, &more)?))?;
    out.drop_stale(stale);
    Ok(())
}

/// One object with the fields of both, as they are written.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let end = first.iter().rposition(|b| *b == b'}').unwrap_or(0);
    let start = second.iter().position(|b| *b == b'{').map_or(0, |i| i + 1);
    [first[..end].trim_ascii_end(), b",", &second[start..]].concat()
}

/// A file of the folder itself that holds a picture.
fn is_picture(file: &str) -> bool {
    let path = Path::new(file);
    let extension = path.extension().and_then(|e| e.to_str());
    path.file_name().is_some_and(|n| n == file) && matches!(extension, Some("svg" | "png"))
}

fn signature(record: &[u8]) -> Option<Signature> {
    serde_json::from_slice(record).ok()
}

/// The name of the command that a record is of; none if it is none, or no file could have that name.
fn command_of(record: &[u8]) -> Option<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let command = signature(record)?.command;
    (!command.is_empty() && command.chars().all(is_name)).then_some(command)
}

/// The file with the record of one of these commands, the first that there is: `run.json`, if it is of any of them, else
/// what was kept of them.
pub(super) fn file_of(dir: &Path, commands: &[&str], last: Option<&str>) -> String {
    if last.is_some_and(|last| commands.contains(&last)) {
        return RUN_JSON.to_owned();
    }
    let mut kept = commands.iter().map(|c| run_json_of(c));
    let found = kept.find(|file| dir.join(file).is_file());
    found.unwrap_or_else(|| RUN_JSON.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::look::{Look, Theme};
    use std::fs;

    fn record(dir: &Path, command: &str, seed: u64) {
        let out = OutputDir::prepare(dir).unwrap();
        let record = Record::new(command, &[]).titled("x", Some(seed));
        record.write(&out).unwrap();
        out.commit().unwrap();
    }

    /// Of its own pictures, and of these alone.
    #[test]
    fn what_a_later_run_does_not_draw_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let run = |command: &str, look: Look, files: &[&str]| {
            let mut out = OutputDir::prepare(dir.path()).unwrap().looking(look);
            for file in files {
                out.write(file, b"x").unwrap();
            }
            Record::new(command, &[]).write(&out).unwrap();
            complete(&mut out).unwrap();
            out.commit().unwrap();
        };
        let is_there = |name: &str| dir.path().join(name).is_file();
        fs::write(dir.path().join("mine.svg"), "x").unwrap();
        run(
            "sweep",
            Look::default(),
            &["cost.svg", "saving.svg", "a.csv"],
        );
        run("forecast", Look::default(), &["forecast.svg"]);
        run("sweep", Look::default(), &["cost.svg"]);
        let there = ["cost.svg", "forecast.svg", "mine.svg", "a.csv"];
        assert!(there.into_iter().all(is_there));
        assert!(!is_there("saving.svg"));
        let text = fs::read_to_string(dir.path().join(RUN_JSON)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["files"][0], "cost.svg", "{text}");
        assert_eq!(json["look"], serde_json::Value::Null);
        // What names a file elsewhere is not followed.
        let elsewhere = tempfile::NamedTempFile::with_suffix(".svg").unwrap();
        let forged = serde_json::json!({
            "kvplan": "1", "command": "sweep",
            "files": [elsewhere.path(), "../x.svg", "mine.svg/"],
        });
        fs::write(dir.path().join(RUN_JSON), forged.to_string()).unwrap();
        let dark = Look {
            theme: Theme::Dark,
            ..Look::default()
        };
        run("sweep", dark, &["cost.svg"]);
        assert!(elsewhere.path().is_file() && is_there("mine.svg"));
        let text = fs::read_to_string(dir.path().join(RUN_JSON)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["look"], serde_json::json!(["--theme", "dark"]));
    }

    #[test]
    fn what_another_command_has_said_stays() {
        let dir = tempfile::tempdir().unwrap();
        let seed = |name: &str| {
            let text = fs::read_to_string(dir.path().join(name)).ok()?;
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            json["seed"].as_u64()
        };
        record(dir.path(), "sweep", 1);
        record(dir.path(), "sweep", 2);
        assert_eq!((seed(RUN_JSON), seed("run-sweep.json")), (Some(2), None));
        record(dir.path(), "plan", 3);
        assert_eq!((seed(RUN_JSON), seed("run-sweep.json")), (Some(3), Some(2)));
        record(dir.path(), "sweep", 4);
        assert_eq!((seed(RUN_JSON), seed("run-plan.json")), (Some(4), Some(3)));
    }

    #[test]
    fn what_is_no_record_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for other in ["{", "{\"kvplan\": \"1\", \"command\": \"../x\"}"] {
            fs::write(dir.path().join(RUN_JSON), other).unwrap();
            record(dir.path(), "sweep", 1);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }
}
