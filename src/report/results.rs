//! A folder of results as one side of a comparison: what its files state, to the digits that they have.

use super::artefacts;
use super::html::csv_file::{self, Csv, Row, at_line, not_read};
use super::record::file_of;
use crate::models::ConfigError;
use crate::models::files::{self, FILE_BYTES, reason};
use crate::models::quantity::Count;
use crate::run::metric::METRICS;
use crate::study::diff::{Figure, Side};
use crate::study::stats::Estimate;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a folder states.
#[derive(Debug, Clone)]
pub struct Results {
    /// Its points.
    pub sides: Vec<Side>,
    /// The settings in force, in one line; none if they are not stated.
    pub settings: Option<String>,
}

/// Most rows of a table that are read: ten times as many as a large sweep has.
const MOST_ROWS: usize = 200_000;

/// Traffic and policy of a row.
type Point = (u64, String);

/// Reads what `kvplan sweep`, `kvplan merge` or `kvplan run --out` has left in a folder.
///
/// # Errors
/// A message that names the folder, or the file and line: what was found and what was expected.
pub fn read(dir: &Path) -> Result<Results, ConfigError> {
    let run = read_run(dir)?;
    let (sweep, measures) = (
        dir.join(artefacts::SWEEP_CSV),
        dir.join(artefacts::MEASURES_CSV),
    );
    let command = run
        .as_ref()
        .map_or("", |r| r["command"].as_str().unwrap_or_default());
    // Where a folder has results of both, run.json is of the later one.
    let sides = match (sweep.is_file(), measures.is_file()) {
        (true, false) => of_sweep(dir, &sweep, run.as_ref())?,
        (true, true) if command != "run" => of_sweep(dir, &sweep, run.as_ref())?,
        (_, true) => of_run(&measures, run.as_ref())?,
        (false, false) => {
            let message = "holds no results of kvplan sweep or kvplan run --out, expected sweep.csv or measures.csv (with run.json)";
            return Err(ConfigError::new(dir.display().to_string(), message));
        }
    };
    let mut seen = BTreeSet::new();
    for side in &sides {
        if !seen.insert((side.traffic, side.policy.clone())) {
            return Err(ConfigError::new(
                dir.display().to_string(),
                format!(
                    "found policy \"{}\" at {} requests a month twice, expected it once",
                    side.policy, side.traffic
                ),
            ));
        }
    }
    let settings = run.and_then(|r| Some(r["settings"].as_str()?.to_owned()));
    Ok(Results { sides, settings })
}

/// What the command says of itself; none if the file is not there.
fn read_run(dir: &Path) -> Result<Option<Value>, ConfigError> {
    let last = read_record(dir, artefacts::RUN_JSON)?;
    let command = last.as_ref().and_then(|r| r["command"].as_str());
    // Another command may have come after; what it is about is not in these tables.
    match file_of(dir, &["sweep", "run"], command) {
        file if file == artefacts::RUN_JSON => Ok(last),
        file => read_record(dir, &file),
    }
}

fn read_record(dir: &Path, file: &str) -> Result<Option<Value>, ConfigError> {
    let path = dir.join(file);
    if !path.is_file() {
        return Ok(None);
    }
    let text = files::read_text(&path, FILE_BYTES).map_err(|e| not_read(&path, &reason(&e)))?;
    let run: Value =
        serde_json::from_str(&text).map_err(|e| at_line(&path, e.line() as u64, e.to_string()))?;
    match run.get("kvplan") {
        Some(_) => Ok(Some(run)),
        None => Err(at_line(
            &path,
            1,
            "found no field kvplan, expected what a command of kvplan says of itself".into(),
        )),
    }
}

/// A file being read, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    line: u64,
}

impl Place<'_> {
    fn wrong(self, column: &str, found: &str, expected: &str) -> ConfigError {
        ConfigError {
            field: Some(column.to_owned()),
            ..at_line(
                self.path,
                self.line,
                format!("found \"{found}\", expected {expected}"),
            )
        }
    }

    /// A number; NaN for an empty cell, and for a column that an earlier kvplan did not write.
    fn number(self, row: Row, column: &str) -> Result<f64, ConfigError> {
        let text = row.get(column);
        if text.is_empty() {
            return Ok(f64::NAN);
        }
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| self.wrong(column, text, "a number, or nothing"))
    }

    /// An interval's half: a number of 0 or more.
    fn half_width(self, row: Row, column: &str) -> Result<f64, ConfigError> {
        let half = self.number(row, column)?;
        match half < 0.0 {
            true => Err(self.wrong(column, row.get(column), "0 or more")),
            false => Ok(half),
        }
    }

    fn whole(self, row: Row, column: &str) -> Result<u64, ConfigError> {
        let text = row.get(column);
        text.parse()
            .map_err(|_| self.wrong(column, text, "a whole number"))
    }
}

fn rows<'a>(path: &'a Path, table: &'a Csv) -> impl Iterator<Item = (Place<'a>, Row<'a>)> {
    let place = move |i: usize| Place {
        path,
        line: i as u64 + 2,
    };
    table
        .rows()
        .enumerate()
        .map(move |(i, row)| (place(i), row))
}

fn table(path: &Path) -> Result<Csv, ConfigError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let table = csv_file::read_rows(path, &name, MOST_ROWS)?;
    match table.total_rows > MOST_ROWS {
        true => Err(ConfigError::new(
            path.display().to_string(),
            format!(
                "found {} rows, expected at most {MOST_ROWS}",
                table.total_rows
            ),
        )),
        false => Ok(table),
    }
}

fn of_sweep(dir: &Path, path: &Path, run: Option<&Value>) -> Result<Vec<Side>, ConfigError> {
    let values = replications(&dir.join(artefacts::REPLICATIONS_CSV))?;
    let seed = run.and_then(|r| r["seed"].as_u64());
    let table = table(path)?;
    let side = |(at, row): (Place, Row)| {
        let traffic = at.whole(row, "traffic_per_month")?;
        let policy = row.get("policy").to_owned();
        let n = at.whole(row, "replications")? as usize;
        let few: Vec<&str> = row.get("too_few").split(' ').collect();
        let of_point = values.get(&(traffic, policy.clone()));
        let figure = |i: usize| {
            let name = METRICS[i].name;
            let mean = at.number(row, name)?;
            let estimate = Estimate {
                mean,
                half_width: at.half_width(row, &format!("{name}_ci95"))?,
                n: if mean.is_nan() { 0 } else { n },
            };
            let values: Vec<f64> = of_point
                .iter()
                .flat_map(|v| v.iter().map(|r| r[i]))
                .collect();
            Ok(Figure::stated(estimate, few.contains(&name), &values))
        };
        let hours = at.number(row, "simulated_hours")?;
        Ok(Side {
            policy,
            traffic: Count(traffic),
            plan: row.get("plan").to_owned(),
            period_hours: Some(hours).filter(|h| h.is_finite()),
            seed,
            replications: n,
            figures: (0..METRICS.len())
                .map(figure)
                .collect::<Result<_, ConfigError>>()?,
        })
    };
    rows(path, &table).map(side).collect()
}

/// The values of every replication by point, in the order of the replications; none if the file is not there.
fn replications(path: &Path) -> Result<BTreeMap<Point, Vec<Vec<f64>>>, ConfigError> {
    let mut values: BTreeMap<Point, Vec<Vec<f64>>> = BTreeMap::new();
    if !path.is_file() {
        return Ok(values);
    }
    let table = table(path)?;
    for (at, row) in rows(path, &table) {
        let traffic = at.whole(row, "traffic_per_month")?;
        let number = at.whole(row, "replication")?;
        let point = (traffic, row.get("policy").to_owned());
        let of_point = values.entry(point).or_default();
        if number != of_point.len() as u64 {
            let expected = format!("{}, the next one of its point", of_point.len());
            return Err(at.wrong("replication", &number.to_string(), &expected));
        }
        let all = METRICS.iter().map(|m| at.number(row, m.name));
        of_point.push(all.collect::<Result<_, _>>()?);
    }
    Ok(values)
}

fn of_run(path: &Path, run: Option<&Value>) -> Result<Vec<Side>, ConfigError> {
    let stated = run.and_then(|r| {
        let traffic = r["traffic_per_month"].get(0)?.as_u64()?;
        Some((traffic, r["scenario"]["plan"].as_str()?.to_owned()))
    });
    let Some((traffic, plan)) = stated else {
        return Err(ConfigError::new(
            path.display().to_string(),
            "found no run.json of kvplan run beside it, expected one that states traffic and plan",
        ));
    };
    let table = table(path)?;
    let mut sides: Vec<Side> = Vec::new();
    for (at, row) in rows(path, &table) {
        let policy = row.get("policy");
        let found = sides.iter().position(|s| s.policy == policy);
        let side = found.unwrap_or_else(|| {
            sides.push(Side {
                policy: policy.to_owned(),
                traffic: Count(traffic),
                plan: plan.clone(),
                period_hours: None,
                seed: run.and_then(|r| r["seed"].as_u64()),
                replications: 0,
                figures: vec![Figure::none(); METRICS.len()],
            });
            sides.len() - 1
        });
        let n = at.whole(row, "replications")? as usize;
        sides[side].replications = sides[side].replications.max(n);
        // What another kvplan measures and this one does not is not compared.
        if let Some(i) = METRICS.iter().position(|m| m.name == row.get("measure")) {
            let estimate = Estimate {
                mean: at.number(row, "mean")?,
                half_width: at.half_width(row, "ci95")?,
                n,
            };
            sides[side].figures[i] = Figure::stated(estimate, false, &[]);
        }
    }
    Ok(sides)
}
