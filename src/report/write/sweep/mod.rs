//! The results of a sweep as CSV and charts.

pub mod charts;
mod saving;

use super::assertions::{Assertion, for_json};
use super::precision::replications;
use crate::models::quantity::Count;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::{OutputDir, json};
use crate::report::reason::reason_words;
use crate::report::record;
use crate::report::settings::settings;
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::study::answers::answers;
use crate::study::cheapest::{Standing, standings};
use crate::study::condition::assertion::Judged;
use crate::study::sweep::Cell;
use serde::Serialize;

/// Writes everything that a sweep leaves behind into `out`.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(
    scenario: &Scenario,
    cells: &[Cell],
    judged: &[Judged],
    out: &OutputDir,
) -> Result<(), WriteError> {
    out.write(artefacts::SWEEP_CSV, &sweep_csv(scenario, cells))?;
    let answers = answers(&scenario.plan, cells);
    out.write(
        artefacts::ANSWERS_JSON,
        &json(artefacts::ANSWERS_JSON, &answers)?,
    )?;
    out.write(
        artefacts::REPLICATIONS_CSV,
        &replications_csv(scenario, cells),
    )?;
    let mut levels: Vec<Count> = cells.iter().map(|c| c.traffic).collect();
    levels.dedup();
    let settings = settings_line(scenario, cells);
    let run = run_json("sweep", scenario, &levels, settings.clone(), judged)?;
    record::write(out, &run)?;
    let savings = saving::charts(cells, &settings);
    for (name, chart) in charts::charts(scenario, cells, &settings)
        .into_iter()
        .chain(savings)
    {
        out.draw(name, &chart)?;
    }
    Ok(())
}

const POINT_COLUMNS: [&str; 10] = [
    "traffic_per_month",
    "policy",
    "plan",
    "machines",
    "simulated_hours",
    "month_scale",
    "replications",
    "precision_met",
    "cheapest",
    "too_few",
];

fn point_columns(scenario: &Scenario, cell: &Cell, standing: Standing) -> Vec<String> {
    vec![
        cell.traffic.0.to_string(),
        cell.policy.clone(),
        scenario.plan.clone(),
        scenario.fleet.isolates.to_string(),
        format::csv_number(cell.period.as_secs_f64() / 3_600.0),
        format::csv_number(cell.scale()),
        cell.replications.len().to_string(),
        cell.attained
            .map_or("", |a| if a.met() { "yes" } else { "no" })
            .to_owned(),
        standing_words(standing),
        too_few(cell),
    ]
}

/// `yes`, `tied`, `no`, or `excluded: refuses 85% of the requests`.
pub fn standing_words(standing: Standing) -> String {
    let why = match standing {
        Standing::Least => return "yes".into(),
        Standing::Tied => return "tied".into(),
        Standing::Dearer => return "no".into(),
        Standing::Excluded(reason) => reason_words(reason),
    };
    format!("excluded: {why}")
}

/// The percentiles for which too few calls came, apart by spaces: their columns are empty.
pub(super) fn too_few(cell: &Cell) -> String {
    let all = METRICS.iter().zip(&cell.pooled.too_few);
    let names: Vec<&str> = all.filter(|(_, few)| **few).map(|(m, _)| m.name).collect();
    names.join(" ")
}

/// One row per level and policy: each measure with its 95% half-width in `<name>_ci95`.
pub fn sweep_csv(scenario: &Scenario, cells: &[Cell]) -> Vec<u8> {
    let header = POINT_COLUMNS.iter().map(|c| (*c).to_owned());
    let measures = METRICS
        .iter()
        .flat_map(|m| [m.name.to_owned(), format!("{}_ci95", m.name)]);
    let standings = standings(cells);
    let rows = cells.iter().zip(standings).map(|(cell, standing)| {
        let estimates = cell.pooled.estimates.iter();
        let numbers =
            estimates.flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
        point_columns(scenario, cell, standing)
            .into_iter()
            .chain(numbers)
            .collect()
    });
    csv_bytes(header.chain(measures).collect(), rows)
}

/// One row per level, policy and replication.
pub fn replications_csv(scenario: &Scenario, cells: &[Cell]) -> Vec<u8> {
    let header = ["traffic_per_month", "policy", "plan", "replication"].map(str::to_owned);
    let measures = METRICS.iter().map(|m| m.name.to_owned());
    let rows = cells.iter().flat_map(|cell| {
        cell.replications.iter().enumerate().map(|(i, values)| {
            let point = [
                cell.traffic.0.to_string(),
                cell.policy.clone(),
                scenario.plan.clone(),
                i.to_string(),
            ];
            let numbers = values.iter().map(|v| format::csv_number(*v));
            point.into_iter().chain(numbers).collect()
        })
    });
    csv_bytes(header.into_iter().chain(measures).collect(), rows)
}

/// What `run.json` holds: enough to repeat the run.
#[derive(Serialize)]
struct Run<'a> {
    kvplan: &'static str,
    command: &'a str,
    seed: u64,
    /// The settings in force, in one line.
    settings: String,
    traffic_per_month: Vec<u64>,
    /// How the simulated period stands for a month.
    scaling: &'static str,
    /// What was asserted of the results, and whether it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assertions: Vec<Assertion<'a>>,
    scenario: &'a Scenario,
}

/// The statement about scaling that goes with every sweep.
pub const SCALING: &str = "Each level is simulated for `simulated_hours` after a warm-up; counts are multiplied by \
`month_scale` to give a month of 30 days, and fees, included amounts and prices are applied to the \
month. The error of that is the sampling error, which the 95% intervals over replications hold, \
and the edge of the period: at most one unwritten batch and one cache fill per replication. \
Storage is extrapolated to the retention time.";

/// What it takes to repeat a command on a scenario, and the settings that were in force.
pub fn run_json(
    command: &str,
    scenario: &Scenario,
    levels: &[Count],
    settings: String,
    judged: &[Judged],
) -> Result<Vec<u8>, WriteError> {
    let run = Run {
        kvplan: env!("CARGO_PKG_VERSION"),
        command,
        seed: scenario.seed,
        settings,
        traffic_per_month: levels.iter().map(|c| c.0).collect(),
        scaling: SCALING,
        assertions: for_json(judged),
        scenario,
    };
    json(artefacts::RUN_JSON, &run)
}

/// The settings in force of a sweep.
pub fn settings_line(scenario: &Scenario, cells: &[Cell]) -> String {
    let mut levels: Vec<Count> = cells.iter().map(|c| c.traffic).collect();
    levels.dedup();
    settings(scenario)
        .at(&levels)
        .replicated(replications(cells))
        .line()
}
