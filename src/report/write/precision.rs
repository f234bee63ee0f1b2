//! What a sweep with a wanted precision has reached.

use crate::report::format;
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::study::stats::stopping::Attained;
use crate::study::sweep::Cell;

/// The number of replications of the points: `10`, or `10 to 84`.
pub fn replications(cells: &[Cell]) -> String {
    let counts = || cells.iter().map(|c| c.replications.len());
    match (counts().min(), counts().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (_, most) => most.unwrap_or(0).to_string(),
    }
}

/// For a table: how many replications the point needed of those that its level has.
pub fn needed(cell: &Cell) -> String {
    let n = cell.replications.len();
    match cell.attained.and_then(|a| a.needed) {
        Some(needed) => format!("{needed} of {n}"),
        None => format!("more than {n}"),
    }
}

/// For a table: the largest relative half-width, and of which measure; whether that is enough.
pub fn attained(cell: &Cell) -> String {
    let Some(attained) = cell.attained else {
        return "-".into();
    };
    let unmet = if attained.met() { "" } else { "NOT MET: " };
    format!("{unmet}{}", widest(&attained))
}

/// The measure with the largest relative half-width, and that.
fn widest(attained: &Attained) -> String {
    match attained.worst {
        Some((measure, share)) => {
            format!("{} {}", METRICS[measure].name, format::percent(share))
        }
        None => "nothing to measure".into(),
    }
}

/// What was asked for and whether it was reached; `None` if nothing was asked for.
pub fn precision_note(scenario: &Scenario, cells: &[Cell]) -> Option<String> {
    let precision = scenario.precision.as_ref()?;
    let asked = format!(
        "95% half-widths of at most {} of the mean for {}",
        format::percent(precision.relative.get()),
        precision.measures.join(", ")
    );
    let unmet: Vec<(&Cell, Attained)> = cells
        .iter()
        .filter_map(|c| Some((c, c.attained.filter(|a| !a.met())?)))
        .collect();
    let most = cells.iter().map(|c| c.replications.len()).max()?;
    if unmet.is_empty() {
        return Some(format!(
            "Precision: {asked} are reached, with {most} replications at most."
        ));
    }
    let list: Vec<String> = unmet
        .iter()
        .map(|(c, attained)| format!("  {} {}: {}", c.traffic, c.policy, widest(attained)))
        .collect();
    Some(format!(
        "Precision: {asked} are NOT reached by {} of {} points within {} replications:\n{}",
        unmet.len(),
        cells.len(),
        precision.max_replications,
        list.join("\n")
    ))
}
