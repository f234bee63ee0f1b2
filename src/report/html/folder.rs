//! What a folder of results holds.

use super::csv_file::{self, Csv, at_line, cut_off, not_read};
use super::figure::{self, Figure};
use super::known::{find_known, rank};
use super::order;
use crate::models::ConfigError;
use crate::models::files::{self, FILE_BYTES, reason, words};
use crate::report::artefacts;
use crate::study::answers::Answers;
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A folder of results.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Its name, without what it lies in.
    pub name: String,
    /// The CSV files in it.
    pub tables: Vec<Csv>,
    /// The drawings in it.
    pub figures: Vec<Figure>,
    /// What the commands say of themselves: `run.json`, then `claims.json` and the like.
    pub runs: Vec<Run>,
    /// Files of others, which cannot be read.
    pub left_out: Vec<ConfigError>,
    /// Of a sweep; none if it was made by a kvplan that did not write them.
    pub answers: Option<Answers>,
}

/// What a command says of itself, to repeat it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name in the folder.
    pub file: String,
    /// The JSON in it.
    pub said: Value,
}

/// Enough of a JSON file to see whether a command of kvplan left it to say what it did.
#[derive(Deserialize)]
struct Signature {
    #[serde(rename = "kvplan")]
    _version: String,
    #[serde(rename = "command")]
    _command: String,
}

impl Folder {
    /// Reads the tables (`*.csv`), drawings (`*.svg`) and `run.json` of a folder.
    ///
    /// # Errors
    /// A message that names the folder, or the file and line: what was found and what was expected.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        let mut folder = Folder {
            name: dir
                .canonicalize()
                .ok()
                .and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()))
                .unwrap_or_else(|| "results".into()),
            ..Folder::default()
        };
        let names = file_names(dir)?;
        for name in &names {
            let path = dir.join(name);
            if name == artefacts::ANSWERS_JSON {
                folder.answers = Some(read_answers(&path)?);
            } else if name.ends_with(".json") {
                folder.runs.extend(read_run(&path, name)?);
            } else if name.ends_with(".csv") {
                match csv_file::read(&path, name) {
                    Ok(table) => folder.tables.push(table),
                    Err(e) if find_known(name).is_none() => folder.left_out.push(e),
                    Err(e) => return Err(e),
                }
            } else if name.ends_with(".svg") {
                match read_text(&path).and_then(|text| {
                    let figure = figure::of_svg(name, &text);
                    figure.map_err(|(line, what)| at_line(&path, line.into(), what))
                }) {
                    Ok(figure) => folder.figures.push(figure),
                    Err(e) => folder.left_out.push(e),
                }
            }
        }
        if !folder.is_of_kvplan() {
            return Err(not_ours(dir, &names));
        }
        folder.check_whole(dir)?;
        folder.runs.sort_by_key(|r| r.file != artefacts::RUN_JSON);
        // What the last command says of itself may stand in a file of its own too, or have been kept of an earlier time.
        let last = folder
            .runs
            .first()
            .filter(|r| r.file == artefacts::RUN_JSON);
        if let Some(command) = last.map(|r| r.said["command"].clone()) {
            let is_last = |r: &Run| r.file == artefacts::RUN_JSON;
            folder
                .runs
                .retain(|r| is_last(r) || r.said["command"] != command);
        }
        folder
            .tables
            .sort_by_key(|t| (rank(&t.file), t.file.clone()));
        folder
            .figures
            .sort_by_key(|f| (order::rank(&f.file), f.file.clone()));
        Ok(folder)
    }

    /// Whether the table of a sweep has the rows that its answers are about.
    fn check_whole(&self, dir: &Path) -> Result<(), ConfigError> {
        let (Some(answers), Some(table)) = (&self.answers, self.table(artefacts::SWEEP_CSV)) else {
            return Ok(());
        };
        let expected: usize = answers.levels.iter().map(|l| l.costs.len()).sum();
        match table.total_rows < expected {
            true => {
                let what = format!("found {} rows, expected {expected}", table.total_rows);
                Err(cut_off(&dir.join(artefacts::SWEEP_CSV), &what))
            }
            false => Ok(()),
        }
    }

    /// The table of that file.
    pub fn table(&self, file: &str) -> Option<&Csv> {
        self.tables.iter().find(|t| t.file == file)
    }

    fn is_of_kvplan(&self) -> bool {
        !self.runs.is_empty() || self.tables.iter().any(|t| find_known(&t.file).is_some())
    }
}

/// Names of the visible files, sorted.
fn file_names(dir: &Path) -> Result<Vec<String>, ConfigError> {
    let fail = |e: std::io::Error| {
        let reason = match e.kind() {
            std::io::ErrorKind::NotFound => "no such folder".into(),
            std::io::ErrorKind::NotADirectory => "not a folder".into(),
            _ => words(&e),
        };
        let message =
            format!("cannot be read ({reason}); expected a folder that a command of kvplan wrote");
        ConfigError::new(dir.display().to_string(), message)
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn not_ours(dir: &Path, names: &[String]) -> ConfigError {
    let found = match names {
        [] => "no files".to_owned(),
        _ if names.len() > 5 => format!("{} and {} more", names[..5].join(", "), names.len() - 5),
        _ => names.join(", "),
    };
    let message = format!(
        "holds no results of kvplan (found {found}); expected run.json, sweep.csv or another file that a command of kvplan wrote"
    );
    ConfigError::new(dir.display().to_string(), message)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    files::read_text(path, FILE_BYTES).map_err(|e| not_read(path, &reason(&e)))
}

fn read_answers(path: &Path) -> Result<Answers, ConfigError> {
    let wrong = |e: serde_json::Error| {
        let line = e.line() as u64;
        at_line(path, line, format!("{e}; expected the answers of a sweep"))
    };
    serde_json::from_str(&read_text(path)?).map_err(wrong)
}

/// What a command says of itself; none if the file says something else.
fn read_run(path: &Path, name: &str) -> Result<Option<Run>, ConfigError> {
    let text = read_text(path)?;
    if name != artefacts::RUN_JSON && serde_json::from_str::<Signature>(&text).is_err() {
        return Ok(None);
    }
    let wrong = |e: serde_json::Error| at_line(path, e.line() as u64, e.to_string());
    let said: Value = serde_json::from_str(&text).map_err(wrong)?;
    let is_ours = said.get("kvplan").is_some();
    let file = name.to_owned();
    Ok(is_ours.then_some(Run { file, said }))
}
