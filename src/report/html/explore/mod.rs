//! An explored grid as one page, whose sliders stop at the points that were simulated and nowhere else.

pub mod data;

use super::policy;
use crate::report::explored::{Commands, SHOWN, Shown};
use crate::report::format;
use crate::report::reason::reason_words;
use crate::report::shell;
use crate::run::scenario::Scenario;
use crate::study::explore::points::Explored;
use crate::study::explore::setting::{Choice, Setting};
use askama::Template;

/// That of every page, and what is of this one.
const STYLE: [&str; 2] = [include_str!("../style.css"), include_str!("explore.css")];
const SCRIPT: &str = include_str!("explore.js");

/// Most points whose table goes onto paper.
const MOST_ON_PAPER: usize = 60;

/// The page, complete in itself.
#[derive(Debug)]
pub struct Page {
    /// What the file holds.
    pub html: String,
}

impl Page {
    /// How large its file is: `84 kB`.
    pub fn size(&self) -> String {
        size(self.html.len())
    }
}

/// A page as its template has it.
#[derive(Template)]
#[template(path = "grid.html")]
struct Form<'a> {
    style: &'a str,
    script: &'a str,
    policy: &'a str,
    title: &'a str,
    lead: &'a str,
    controls: &'a [Control<'a>],
    measures: &'a [Shown],
    rows: &'a [Row<'a>],
    long: bool,
    compared: &'a str,
    data: &'a str,
    facts: &'a [(&'a str, String)],
    command: &'a str,
    size: &'a str,
}

/// A slider.
struct Control<'a> {
    name: &'a str,
    hint: &'a str,
    values: Vec<&'a str>,
    at: usize,
}

impl Control<'_> {
    fn last(&self) -> usize {
        self.values.len() - 1
    }

    fn text(&self) -> &str {
        self.values[self.at]
    }

    /// Whether all values have room beneath the slider.
    fn is_short(&self) -> bool {
        let letters: usize = self.values.iter().map(|v| v.chars().count() + 2).sum();
        letters <= 44
    }
}

/// A point in the table.
struct Row<'a> {
    at: Vec<&'a str>,
    /// By measure; none where the point cannot be.
    values: Vec<String>,
    /// Why it cannot be, or why its bill is not for the whole work.
    why: String,
}

/// The page of a grid. `commands` give its points again, `settings` is the line that says what is in
/// force. The same grid and results give the same bytes.
pub fn page(
    scenario: &Scenario,
    explored: &Explored,
    commands: &Commands,
    settings: String,
) -> Page {
    let grid = explored.grid;
    let n = scenario.replications;
    let start = start(explored);
    let places = grid.places(start);
    let controls: Vec<Control> = grid.settings.iter().zip(places).map(control).collect();
    let rows: Vec<Row> = (0..grid.points.len()).map(|i| row(explored, i)).collect();
    let names: Vec<&str> = grid.settings.iter().map(|s| s.name.as_str()).collect();
    let lead = format!(
        "{} points: every combination of {}. Each stop of a slider was simulated, {n} replication{}; between the stops nothing is known, and nothing is drawn.",
        grid.points.len(),
        names.join(", "),
        if n == 1 {
            ""
        } else {
            "s with the same random numbers at all points"
        },
    );
    let compared = match (n, data::is_paired(explored, n)) {
        (1, _) => {
            "One replication: no interval is known, and no difference can be told from chance."
        }
        (_, true) => {
            "± is a 95% confidence half-width. Differences are paired by replication, each at 95% by itself: of twenty that are none, one is taken for one."
        }
        (_, false) => {
            "± is a 95% confidence half-width. Too many replications to carry here, so that differences are not paired: points are compared by whether their intervals overlap."
        }
    };
    let words: Vec<String> = ["kvplan".to_owned(), "explore".to_owned()]
        .into_iter()
        .chain(scenario.arguments.iter().cloned())
        .collect();
    let facts = [
        ("Settings", settings),
        ("Scenario", scenario.name.clone()),
        ("Replications", n.to_string()),
        ("Seed", scenario.seed.to_string()),
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    // A page of CRLF would have other hashes than its browser sees.
    let style = STYLE.concat().replace('\r', "");
    let script = SCRIPT.replace('\r', "");
    let form = |size: &str| {
        let form = Form {
            style: &style,
            script: &script,
            policy: &policy::of(&style, &script),
            title: &scenario.title,
            lead: &lead,
            controls: &controls,
            measures: &SHOWN,
            rows: &rows,
            long: rows.len() > MOST_ON_PAPER,
            compared,
            data: &data::json(explored, commands, n, start),
            facts: &facts,
            command: &shell::command(&words),
            size,
        };
        form.render().expect("writing to a string does not fail")
    };
    // It says its own size; a longer number may make it longer once more.
    let mut said = size(form("").len());
    let mut html = form(&said);
    while size(html.len()) != said {
        said = size(html.len());
        html = form(&said);
    }
    Page { html }
}

/// Whole kilobytes, rounded up.
fn size(bytes: usize) -> String {
    let kilobytes = bytes.div_ceil(1_000);
    match kilobytes < 1_000 {
        true => format!("{kilobytes} kB"),
        false => format!("{} MB", format::significant(kilobytes as f64 / 1e3, 3)),
    }
}

/// Where the sliders stand at first: at what costs least in the middle of the traffic, or at the first point that can be.
fn start(explored: &Explored) -> usize {
    let levels = explored.levels();
    let middle = levels.get(levels.len() / 2).and_then(|l| l.least);
    let least = || levels.iter().find_map(|l| l.least);
    let first = || explored.simulated().next().map(|(i, _)| i);
    middle.or_else(least).or_else(first).unwrap_or_default()
}

fn control((setting, at): (&Setting, usize)) -> Control<'_> {
    Control {
        name: &setting.name,
        hint: match setting.values[0].choice {
            Choice::Traffic(_) => "requests a month",
            Choice::Field(_) if setting.name != setting.column => &setting.column,
            _ => "",
        },
        values: setting.values.iter().map(|v| v.text.as_str()).collect(),
        at,
    }
}

fn row<'a>(explored: &Explored<'a>, number: usize) -> Row<'a> {
    let grid = explored.grid;
    let at = grid.settings.iter().zip(grid.places(number));
    let (values, why) = match (&explored.results[number], &grid.points[number]) {
        (Some(result), _) => (
            SHOWN.iter().map(|m| m.text(&result.cell)).collect(),
            result.standing.excluded().map(reason_words),
        ),
        (None, Err(why)) => (Vec::new(), Some(why.clone())),
        (None, Ok(_)) => (Vec::new(), None),
    };
    Row {
        at: at.map(|(s, place)| s.values[place].text.as_str()).collect(),
        values,
        why: why.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_whole_kilobytes() {
        assert_eq!(
            [83_001, 999_000, 999_001].map(size),
            ["84 kB", "999 kB", "1 MB"]
        );
    }
}
