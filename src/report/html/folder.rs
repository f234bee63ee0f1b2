//! What a folder of results holds.

use super::figure::{self, Figure};
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

/// Every table that kvplan writes, in the order of a page.
pub const KNOWN: [Known; 17] = [
    known(
        "sweep.csv",
        "All measures by traffic level and policy",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(
        "plan.csv",
        "Candidates for the plan",
        "Settings that were tried, with what each would cost.",
    ),
    known(
        "pareto.csv",
        "Best trade-offs",
        "Settings that no other one beats in every objective.",
    ),
    known(
        "breakeven.csv",
        "Break-even points",
        "Where one choice begins to cost less than another.",
    ),
    known(
        "forecast.csv",
        "Forecast",
        "What the coming months would cost as traffic grows.",
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
        "Savings by traffic and cache lifetime",
        "Where the documented savings would hold.",
    ),
    known(
        "stores.csv",
        "Stores compared",
        "The same load on other stores.",
    ),
    Known {
        raw: true,
        ..known(
            "stores_invoices.csv",
            "Invoices of the stores compared",
            "The lines of the first replication's invoices.",
        )
    },
    known("fit.csv", "Fit", "Models fitted to measured data."),
    known(
        "rehearsal.csv",
        "Rehearsal",
        "Steps of the rehearsal, with what they did.",
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
    Known {
        raw: true,
        ..known("series.csv", "Time series", "The run, sample by sample.")
    },
    Known {
        raw: true,
        ..known("trace.csv", "Trace", "Operations of the run, one by one.")
    },
    Known {
        raw: true,
        ..known(
            "replications.csv",
            "Replications",
            "The raw values that the means and intervals come from.",
        )
    },
];

/// A CSV file.
#[derive(Debug, Clone, Default)]
pub struct Csv {
    pub file: String,
    pub header: Vec<String>,
    /// The first rows; all of them where the summary needs them.
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
    /// `run.json`.
    pub run: Option<Value>,
}

impl Folder {
    /// Reads the tables (`*.csv`), drawings (`*.svg`) and `run.json` of a folder.
    ///
    /// # Errors
    /// A message that names the folder, or the file and line: what was found and what was expected.
    pub fn read(dir: &Path) -> Result<Self, String> {
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
            if name == "run.json" {
                folder.run = Some(read_json(&path)?);
            } else if name.ends_with(".csv") {
                folder.tables.push(read_csv(&path, name)?);
            } else if name.ends_with(".svg") {
                let figure = figure::of_svg(name, &read_text(&path)?);
                folder.figures.push(
                    figure.map_err(|(line, what)| format!("{}:{line}: {what}", path.display()))?,
                );
            }
        }
        if !folder.is_of_kvplan() {
            return Err(not_ours(dir, &names));
        }
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
        let run = self.run.as_ref().is_some_and(|r| r.get("kvplan").is_some());
        run || self.tables.iter().any(|t| find_known(&t.file).is_some())
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
fn file_names(dir: &Path) -> Result<Vec<String>, String> {
    let fail = |e: std::io::Error| {
        let reason = match e.kind() {
            std::io::ErrorKind::NotFound => "no such folder".into(),
            std::io::ErrorKind::NotADirectory => "not a folder".into(),
            _ => e.to_string(),
        };
        format!(
            "{}: cannot be read ({reason}); expected a folder that a command of kvplan wrote",
            dir.display()
        )
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

fn not_ours(dir: &Path, names: &[String]) -> String {
    let found = match names {
        [] => "no files".to_owned(),
        _ if names.len() > 5 => format!("{} and {} more", names[..5].join(", "), names.len() - 5),
        _ => names.join(", "),
    };
    format!(
        "{}: holds no results of kvplan (found {found}); expected run.json, sweep.csv or another file that a command of kvplan wrote",
        dir.display()
    )
}

fn read_text(path: &Path) -> Result<String, String> {
    let fail = |e: String| format!("{}: cannot be read ({e})", path.display());
    let bytes = fs::read(path).map_err(|e| fail(e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| fail("not UTF-8 text".into()))
}

fn read_json(path: &Path) -> Result<Value, String> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|e| format!("{}:{}: {e}", path.display(), e.line()))
}

fn read_csv(path: &Path, name: &str) -> Result<Csv, String> {
    let at = |line: u64, what: String| format!("{}:{line}: {what}", path.display());
    let file = File::open(path).map_err(|e| format!("{}: cannot be read ({e})", path.display()))?;
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
    let keep = if matches!(name, "sweep.csv" | "claims.csv") {
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
