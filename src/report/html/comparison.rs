//! Two folders side by side: what each answers, and what `study::diff` says of their differences.

use super::figure::Figure;
use super::folder::Folder;
use super::lead::{self, Lead};
use super::table::{Cell, Column, Table, label};
use crate::report::write::diff::{NO_DIFFERENCE, title, told};
use crate::study::diff::{Diff, Pair};

/// A folder that another is held against.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What both are called: the old one, and the new one whose page this is.
    pub names: [String; 2],
    /// What each answers.
    pub answers: [String; 2],
    /// Of the old one, the chart that is the first of the new one; none if it has no such chart.
    pub figure: Option<Figure>,
    /// What is told of how they were compared, a sentence each.
    pub notes: Vec<String>,
    /// What changes, a row for each measure of a point.
    pub changes: Table,
}

impl Comparison {
    /// A new folder held against an old one, whose differences are these.
    pub fn of(old: &Folder, new: &Folder, diff: &Diff) -> Self {
        let names = match old.name == new.name {
            true => [format!("{} (old)", old.name), format!("{} (new)", new.name)],
            false => [old, new].map(|f| f.name.clone()),
        };
        let answers = [old, new].map(|f| {
            let lead = lead::of_folder(f, None);
            lead.map_or_else(|| "It states no answer.".to_owned(), |l: Lead| l.answer)
        });
        let first = new.figures.first();
        let figure = old
            .figures
            .iter()
            .find(|f| Some(&f.file) == first.map(|f| &f.file));
        Comparison {
            answers,
            figure: figure.cloned(),
            notes: notes(diff),
            changes: changes(diff, &names),
            names,
        }
    }
}

fn changes(diff: &Diff, [old, new]: &[String; 2]) -> Table {
    let columns = vec![
        Column::text("point"),
        Column::text("measure"),
        Column::number(old),
        Column::number(new),
        Column::number("difference"),
        Column::text("what the 95% interval says"),
    ];
    let rows = diff.pairs.iter().flat_map(|pair| {
        let point = point(pair);
        told(pair)
            .rows
            .into_iter()
            .map(move |[measure, old, new, difference, verdict]| {
                let number = |text: String| Cell {
                    numeric: true,
                    ..Cell::text(text)
                };
                vec![
                    Cell::text(&point),
                    Cell::text(label(&measure)),
                    number(old),
                    number(new),
                    number(difference),
                    Cell::text(verdict),
                ]
            })
    });
    let mut rows: Vec<Vec<Cell>> = rows.collect();
    // What changes comes before what does not.
    rows.sort_by_key(|row| row[5].text == NO_DIFFERENCE);
    let mut table = Table::new("changes", "What changes", columns, rows);
    table.about = format!(
        "Differences are {new} minus {old}, with 95% intervals for each measure by itself."
    );
    table
}

fn point(pair: &Pair) -> String {
    title(pair, str::to_owned)
}

/// How points were compared, those that were not, and bills that are not for the whole work.
fn notes(diff: &Diff) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for pair in &diff.pairs {
        let told = told(pair);
        let partial = told.partial.into_iter().map(|(which, reason)| {
            let point = point(pair);
            format!("{point}: the {which} bill is not for the whole work: {reason}.")
        });
        for note in [told.pairing].into_iter().chain(partial) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    for (which, sides) in ["old", "new"].iter().zip(&diff.alone) {
        let names = sides
            .iter()
            .map(|s| format!("{} at {}", s.policy, s.traffic));
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            notes.push(format!("Only {which}, not compared: {}.", names.join(", ")));
        }
    }
    notes
}
