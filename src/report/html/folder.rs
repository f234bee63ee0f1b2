//! What a folder of results holds.

use super::figure::{self, Figure};
use crate::models::ConfigError;
use serde::Deserialize;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;

/// Most rows of a table that a page shows; the rest stays in its file.
pub const SHOWN_ROWS: usize = 200;

/// A file that kvplan writes, with what a page calls it.
pub struct Known {
    pub file: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// Folded at first: raw data that few read.
    pub raw: bool,
}

const fn known(file: &'static str, title: &'static str, about: &'static str) -> Known {
    Known {
        file,
        title,
        about,
        raw: false,
    }
}

const fn raw(file: &'static str, title: &'static str, about: &'static str) -> Known {
    Known {
        raw: true,
        ..known(file, title, about)
    }
}

/// Every table that kvplan writes, in the order of a page; raw data last.
pub const KNOWN: [Known; 23] = [
    known(
        "sweep.csv",
        "All measures by traffic level and policy",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(
        "measures.csv",
        "All measures by policy",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(
        "invoice.csv",
        "Invoices",
        "Line by line, for the mean usage of all replications.",
    ),
    known(
        "plan.csv",
        "Candidates for the plan",
        "Settings that were tried, with what each would cost.",
    ),
    known(
        "pareto.csv",
        "Best trade-offs",
        "Candidates that no other one beats in cost, staleness and loss at once.",
    ),
    known(
        "breakeven.csv",
        "Break-even points",
        "Where, as traffic grows, one choice begins to pay.",
    ),
    known(
        "breakeven_cost.csv",
        "Costs between which is compared",
        "What each policy costs at each level, and what is refused and lost.",
    ),
    known(
        "forecast.csv",
        "Forecast",
        "What the coming months would cost as traffic grows.",
    ),
    known(
        "forecast_limits.csv",
        "When limits are reached",
        "The month in which it happens, over all futures.",
    ),
    known(
        "sensitivity.csv",
        "Sensitivity",
        "How far each assumption moves the result.",
    ),
    known(
        "claims.csv",
        "Claims",
        "Every statement that was checked, with verdict and evidence.",
    ),
    known(
        "savings_surface.csv",
        "Claims by traffic and isolates",
        "Where each claim would hold.",
    ),
    known(
        "stores.csv",
        "Stores compared",
        "The same load on other stores.",
    ),
    raw(
        "stores_invoices.csv",
        "Invoices of the stores",
        "Line by line, of the first replication.",
    ),
    known(
        "replay.csv",
        "Replayed log",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known("fit.csv", "Fit", "Models fitted to measured data."),
    known(
        "rehearsal.csv",
        "Rehearsed checklist",
        "Each item with its verdict and what was found.",
    ),
    known(
        "alerts.csv",
        "Alerts",
        "When a threshold was crossed, and for how long.",
    ),
    known(
        "recovery.csv",
        "Recovery",
        "How long it took until all was well again.",
    ),
    known(
        "warm_up.csv",
        "Warm-up",
        "When the samples no longer depended on the start.",
    ),
    raw("series.csv", "Time series", "The run, sample by sample."),
    raw(
        "replay_series.csv",
        "Time series of the replay",
        "The log, sample by sample.",
    ),
    raw(
        "replications.csv",
        "Replications",
        "The raw values that the means and intervals come from.",
    ),
];

/// A CSV file.
#[derive(Debug, Clone, Default)]
pub struct Csv {
    pub file: String,
    pub header: Vec<String>,
    /// All rows of a known table, the first [`SHOWN_ROWS`] of raw data and of others.
    pub rows: Vec<Vec<String>>,
    pub total_rows: usize,
}

/// A folder of results.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Its name, without what it lies in.
    pub name: String,
    pub tables: Vec<Csv>,
    pub figures: Vec<Figure>,
    /// What the commands say of themselves: `run.json`, then `claims.json` and the like.
    pub runs: Vec<Run>,
}

/// What a command says of itself, to repeat it.
#[derive(Debug, Clone)]
pub struct Run {
    pub file: String,
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
            if name.ends_with(".json") {
                folder.runs.extend(read_run(&path, name)?);
            } else if name.ends_with(".csv") {
                folder.tables.push(read_csv(&path, name)?);
            } else if name.ends_with(".svg") {
                let figure = figure::of_svg(name, &read_text(&path)?);
                folder
                    .figures
                    .push(figure.map_err(|(line, what)| at_line(&path, line.into(), what))?);
            }
        }
        if !folder.is_of_kvplan() {
            return Err(not_ours(dir, &names));
        }
        folder.runs.sort_by_key(|r| r.file != "run.json");
        folder
            .tables
            .sort_by_key(|t| (rank(&t.file), t.file.clone()));
        Ok(folder)
    }

    /// The table of that file.
    pub fn table(&self, file: &str) -> Option<&Csv> {
        self.tables.iter().find(|t| t.file == file)
    }

    fn is_of_kvplan(&self) -> bool {
        !self.runs.is_empty() || self.tables.iter().any(|t| find_known(&t.file).is_some())
    }
}

/// The entry of a file in [`KNOWN`].
pub fn find_known(file: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.file == file)
}

/// Known tables in their order, then the others, raw data last.
fn rank(file: &str) -> usize {
    match KNOWN.iter().position(|k| k.file == file) {
        Some(i) if KNOWN[i].raw => KNOWN.len() + 1 + i,
        Some(i) => i,
        None => KNOWN.len(),
    }
}

/// Names of the visible files, sorted.
fn file_names(dir: &Path) -> Result<Vec<String>, ConfigError> {
    let fail = |e: std::io::Error| {
        let reason = match e.kind() {
            std::io::ErrorKind::NotFound => "no such folder".into(),
            std::io::ErrorKind::NotADirectory => "not a folder".into(),
            _ => e.to_string(),
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
    let bytes = fs::read(path).map_err(|e| not_read(path, &e))?;
    String::from_utf8(bytes).map_err(|_| not_read(path, &"not UTF-8 text"))
}

fn not_read(path: &Path, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new(
        path.display().to_string(),
        format!("cannot be read ({why})"),
    )
}

fn at_line(path: &Path, line: u64, message: String) -> ConfigError {
    ConfigError {
        line: Some(line as usize),
        ..ConfigError::new(path.display().to_string(), message)
    }
}

/// What a command says of itself; none if the file says something else.
fn read_run(path: &Path, name: &str) -> Result<Option<Run>, ConfigError> {
    let text = read_text(path)?;
    if name != "run.json" && serde_json::from_str::<Signature>(&text).is_err() {
        return Ok(None);
    }
    let wrong = |e: serde_json::Error| at_line(path, e.line() as u64, e.to_string());
    let said: Value = serde_json::from_str(&text).map_err(wrong)?;
    let is_ours = said.get("kvplan").is_some();
    let file = name.to_owned();
    Ok(is_ours.then_some(Run { file, said }))
}

fn read_csv(path: &Path, name: &str) -> Result<Csv, ConfigError> {
    let at = |line: u64, what: String| at_line(path, line, what);
    let file = File::open(path).map_err(|e| not_read(path, &e))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let wrong = |e: csv::Error| {
        let line = e.position().map_or(1, csv::Position::line);
        let what = match e.kind() {
            csv::ErrorKind::Utf8 { .. } => "found bytes that are not UTF-8 text".into(),
            _ => e.to_string(),
        };
        at(line, what)
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(str::to_owned)
        .collect();
    if header.is_empty() {
        return Err(at(1, "found nothing, expected a header".into()));
    }
    let keep = if find_known(name).is_some_and(|k| !k.raw) {
        usize::MAX
    } else {
        SHOWN_ROWS
    };
    let mut table = Csv {
        file: name.to_owned(),
        ..Csv::default()
    };
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(wrong)? {
        if record.len() != header.len() {
            let line = record.position().map_or(1, csv::Position::line);
            let what = format!("found {} columns, expected {}", record.len(), header.len());
            return Err(at(line, what));
        }
        table.total_rows += 1;
        if table.rows.len() < keep {
            table.rows.push(record.iter().map(str::to_owned).collect());
        }
    }
    table.header = header;
    Ok(table)
}
