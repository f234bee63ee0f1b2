//! What a search found: scenario files that anyone can run, tables, CSV.

use super::scenario;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::study::chaos::draft::Draft;
use crate::study::chaos::search::{Finding, Found};
use crate::study::chaos::worst::goal::{Figures, Goal};
use crate::study::chaos::worst::range::Range;
use crate::study::chaos::worst::search::Worst;
use toml::Value;

/// The file of a finding's small case.
pub fn scenario_file(finding: &Finding) -> String {
    format!("seed-{}.toml", finding.seed)
}

/// Writes a case as the scenario `name`, with `comment` at its top; models that are not as they come with kvplan
/// stand beside it.
///
/// # Errors
/// If the settings contradict each other, or a file cannot be written.
pub fn write_case(
    draft: &Draft,
    name: &str,
    comment: &str,
    out: &OutputDir,
) -> Result<(), WriteError> {
    let scenario = draft.scenario().map_err(WriteError::of_encoding(name))?;
    scenario::write(&scenario, name, comment, out)
}

/// Writes the findings and their cases.
///
/// # Errors
/// If a file cannot be written.
pub fn write_found(found: &Found, out: &OutputDir) -> Result<(), WriteError> {
    for finding in &found.findings {
        let lines = finding_text(finding);
        let lines: Vec<&str> = lines.split(['\n', '\r']).collect();
        let comment = format!("# Found by kvplan chaos.\n# {}\n", lines.join("\n# "));
        write_case(&finding.small, &scenario_file(finding), &comment, out)?;
    }
    let header = [
        "seed",
        "invariant",
        "what",
        "settings_drawn",
        "settings_left",
        "file",
    ];
    let rows = found.findings.iter().map(|f| {
        vec![
            f.seed.to_string(),
            f.broken.invariant.to_owned(),
            f.small_broken.what.clone(),
            f.drawn.settings.len().to_string(),
            f.small.settings.len().to_string(),
            scenario_file(f),
        ]
    });
    let header = header.map(str::to_owned).to_vec();
    out.write(artefacts::CHAOS_CSV, &csv_bytes(header, rows))
}

/// A finding in a few lines.
pub fn finding_text(finding: &Finding) -> String {
    let mut lines = vec![format!(
        "Seed {} breaks \"{}\": {}",
        finding.seed, finding.small_broken.invariant, finding.small_broken.what
    )];
    let (drawn, left) = (finding.drawn.settings.len(), finding.small.settings.len());
    lines.push(format!("  {left} of {drawn} settings are left:"));
    for setting in &finding.small.settings {
        lines.push(format!("    {} = {}", setting.path, setting.value));
    }
    lines.join("\n")
}

/// Writes all points that were tried.
///
/// # Errors
/// If the file cannot be written.
pub fn write_worst(
    goal: Goal,
    ranges: &[Range],
    worst: &Worst,
    out: &OutputDir,
) -> Result<(), WriteError> {
    let fields = ranges.iter().map(|r| r.path.clone());
    let header = std::iter::once("point".to_owned()).chain(fields);
    let header = header.chain([goal.measure().to_owned()]).collect();
    let rows = worst.tried.iter().enumerate().map(|(i, tried)| {
        let mut row = vec![(i + 1).to_string()];
        row.extend(tried.settings.iter().map(|s| plain(&s.value)));
        row.push(format::csv_number(tried.score));
        row
    });
    out.write(artefacts::CHAOS_WORST_CSV, &csv_bytes(header, rows))
}

/// A value without the quotation marks of TOML.
fn plain(value: &Value) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
}

/// The settings of the worst point.
pub fn settings_table(ranges: &[Range], worst: &Worst) -> Table {
    let rows = ranges.iter().zip(&worst.settings).map(|(range, setting)| {
        vec![
            range.path.clone(),
            range.text.clone(),
            plain(&setting.value),
        ]
    });
    table(&["setting", "range", "worst found"], 1, rows)
}

/// What the worst point comes to, beside the scenario as it is.
pub fn figures_table(goal: Goal, worst: &Worst) -> Table {
    let mut measures = vec![
        "cost_usd",
        "loss_rate",
        "answer_age_p99_s",
        "error_rate",
        "metrics_p95_ms",
    ];
    if goal == Goal::Recovery {
        measures.insert(0, goal.measure());
    }
    let value = |figures: &Figures, measure: &str| match measure {
        "recovered_after_s" => Entry::interval(figures.of(Goal::Recovery)),
        "cost_usd" => Entry::usd_estimate(figures.cell.estimate(measure)),
        _ if figures.cell.is_too_few(measure) => format::TOO_FEW.into(),
        _ if measure.ends_with("_rate") => Entry::share_estimate(figures.cell.estimate(measure)),
        _ => Entry::interval(figures.cell.estimate(measure)),
    };
    let rows = measures.into_iter().map(|measure| {
        vec![
            Entry::from(measure),
            value(&worst.as_is, measure),
            value(&worst.figures, measure),
        ]
    });
    table(&["measure", "as it is", "worst found"], 1, rows)
}
