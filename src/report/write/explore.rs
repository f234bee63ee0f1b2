//! An explored grid: its page, a row of CSV for each point, and what stands out.

use super::sweep::{SCALING, standing_words, too_few};
use crate::models::quantity::Count;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::explored::{Commands, SHOWN, point_words};
use crate::report::format;
use crate::report::html::explore::{Page, page};
use crate::report::output::{OutputDir, json};
use crate::report::reason::reason_words;
use crate::report::record;
use crate::report::settings::settings;
use crate::report::table::{Answer, Entry, Table, table};
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::study::cheapest::BOUNDED;
use crate::study::explore::points::{Explored, Level};
use crate::study::explore::setting::{Choice, Setting};
use crate::study::sweep::Cell;
use serde::Serialize;

/// What was explored, and what came out.
pub struct ExploreReport<'a> {
    /// The scenario before anything is varied, with the arguments that give all of it again.
    pub scenario: &'a Scenario,
    /// The points.
    pub explored: &'a Explored<'a>,
    /// What gives a point again.
    pub commands: &'a Commands,
}

/// What `run.json` holds: enough to repeat the command.
#[derive(Serialize)]
struct Run<'a> {
    kvplan: &'static str,
    command: &'static str,
    seed: u64,
    /// The settings in force, in one line.
    settings: String,
    /// How the simulated period stands for a month.
    scaling: &'static str,
    /// What was varied, as `--vary` takes it.
    varied: Vec<String>,
    scenario: &'a Scenario,
}

/// The points that are named one by one, of those that are left out.
const MOST_NAMED: usize = 6;

impl ExploreReport<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        let settings = self.settings();
        page(self.scenario, self.explored, self.commands, settings)
    }

    /// Writes the page, the points as CSV and what it takes to repeat it.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, page: &Page, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::EXPLORE_HTML, page.html.as_bytes())?;
        out.write(artefacts::EXPLORE_CSV, &self.csv())?;
        let run = Run {
            kvplan: env!("CARGO_PKG_VERSION"),
            command: "explore",
            seed: self.scenario.seed,
            settings: self.settings(),
            scaling: SCALING,
            varied: self.settings_varied().map(Setting::argument).collect(),
            scenario: self.scenario,
        };
        record::write(out, &json(artefacts::RUN_JSON, &run)?)
    }

    fn settings_varied(&self) -> impl Iterator<Item = &Setting> {
        self.explored.grid.settings.iter()
    }

    /// The settings in force, with what is varied.
    pub fn settings(&self) -> String {
        let mut levels: Vec<Count> = self.explored.grid.able().map(|(_, p)| p.traffic).collect();
        levels.sort();
        levels.dedup();
        let base = settings(self.scenario).at(&levels);
        let all = self.settings_varied();
        all.fold(base, |line, s| line.varied(&s.column, &s.argument()))
            .line()
    }

    /// One row per point: its settings, what it came to with the ends of its intervals, and the command that gives it
    /// again.
    pub fn csv(&self) -> Vec<u8> {
        let grid = self.explored.grid;
        let own = ["traffic_per_month", "policy", "plan"];
        let fields: Vec<&Setting> = self
            .settings_varied()
            .filter(|s| !own.contains(&s.column.as_str()))
            .collect();
        let rest = [
            "machines",
            "simulated_hours",
            "month_scale",
            "replications",
            "cheapest",
            "cannot_be",
            "too_few",
        ];
        let mut header: Vec<String> = own.map(str::to_owned).into();
        header.extend(fields.iter().map(|s| s.column.clone()));
        header.extend(rest.map(str::to_owned));
        let measures = METRICS.iter();
        header.extend(
            measures.flat_map(|m| ["", "_low", "_high"].map(|end| format!("{}{end}", m.name))),
        );
        header.push("command".into());
        let rows = grid.points.iter().enumerate().map(|(number, point)| {
            let of = |column: &str| self.value(number, column);
            let result = self.explored.results[number].as_ref();
            let mut row = match (result, point) {
                (Some(r), Ok(p)) => vec![
                    p.traffic.0.to_string(),
                    r.cell.policy.clone(),
                    p.scenario.plan.clone(),
                ],
                _ => own.map(of).into(),
            };
            row.extend(fields.iter().map(|s| of(&s.column)));
            let mut rest = vec![String::new(); rest.len()];
            if let (Some(r), Ok(p)) = (result, point) {
                rest = vec![
                    p.scenario.fleet.isolates.to_string(),
                    format::csv_number(r.cell.period.as_secs_f64() / 3_600.0),
                    format::csv_number(r.cell.scale()),
                    r.cell.replications.len().to_string(),
                    standing_words(r.standing),
                    String::new(),
                    too_few(&r.cell),
                ];
            } else if let Err(why) = point {
                rest[5].clone_from(why);
            }
            row.extend(rest);
            match result {
                Some(r) => row.extend(measures_of(&r.cell)),
                None => row.extend(vec![String::new(); 3 * METRICS.len()]),
            }
            row.push(match result {
                Some(_) => self.commands.of(grid, number),
                None => String::new(),
            });
            row
        });
        csv_bytes(header, rows)
    }

    /// What a point has in the column of a setting; nothing if that is not varied.
    fn value(&self, number: usize, column: &str) -> String {
        let places = self.explored.grid.places(number);
        let mut settings = self.settings_varied().zip(places);
        let found = settings.find(|(s, _)| s.column == column);
        found.map_or_else(String::new, |(s, place)| match &s.values[place].choice {
            Choice::Traffic(level) => level.0.to_string(),
            _ => s.values[place].text.clone(),
        })
    }

    /// What stands out, for the terminal.
    pub fn summary(&self) -> Answer {
        let levels = self.explored.levels();
        let mut answer = Answer::new()
            .say("What costs least at each traffic, of the points that do the whole work:")
            .table("cheapest", self.cheapest(&levels));
        if levels.iter().any(|l| l.whole > 0) {
            answer = answer
                .gap()
                .say("Where each measure is least and most, of the points that do the whole work:")
                .table("ranges", self.ranges());
        }
        let grid = self.explored.grid;
        let excluded = self
            .explored
            .simulated()
            .filter_map(|(i, r)| Some((i, reason_words(r.standing.excluded()?))));
        answer = self.named(
            answer,
            "Not compared by cost, because the bill is not for the whole work:",
            excluded.collect(),
        );
        let cannot = grid.points.iter().enumerate();
        let cannot = cannot.filter_map(|(i, p)| Some((i, p.as_ref().err()?.clone())));
        answer = self.named(answer, "Cannot be:", cannot.collect());
        if let Some(least) = levels.iter().rev().find_map(|l| l.least) {
            answer = answer.gap().say(format!(
                "The cheapest at the highest traffic again, with its invoice:\n  {}",
                self.commands.of(grid, least)
            ));
        }
        answer
    }

    /// Points with what is to be said of each, the first of them by name.
    fn named(&self, answer: Answer, title: &str, points: Vec<(usize, String)>) -> Answer {
        if points.is_empty() {
            return answer;
        }
        let line = |(i, why): &(usize, String)| {
            format!("  {}: {why}", point_words(self.explored.grid, *i))
        };
        let mut lines: Vec<String> = points.iter().take(MOST_NAMED).map(line).collect();
        if points.len() > MOST_NAMED {
            lines.push(format!(
                "  and {} more, see {}",
                points.len() - MOST_NAMED,
                artefacts::EXPLORE_CSV
            ));
        }
        answer.gap().say(title).say(lines.join("\n"))
    }

    /// The cheapest point of each level, with what it comes to beside its cost.
    fn cheapest(&self, levels: &[Level]) -> Table {
        let others: Vec<&Setting> = self
            .settings_varied()
            .filter(|s| !matches!(s.values[0].choice, Choice::Traffic(_)))
            .collect();
        let mut header = vec!["requests/month"];
        header.extend(others.iter().map(|s| s.name.as_str()));
        let left = header.len();
        header.extend([
            "cost/month",
            "hit ratio",
            "query p95",
            "lost",
            "refused requests / operations",
            "as cheap",
            "do the whole work",
        ]);
        let rows = levels.iter().map(|level| {
            let mut row = vec![Entry::level(level.traffic)];
            match level
                .least
                .and_then(|i| Some((i, self.explored.results[i].as_ref()?)))
            {
                Some((i, result)) => {
                    row.extend(others.iter().map(|s| self.value(i, &s.column).into()));
                    row.extend(figures(&result.cell));
                    row.push(Entry::of(
                        format!("{} more", level.tied),
                        "",
                        level.tied as f64,
                    ));
                }
                None => {
                    let none = vec![Entry::from("-"); header.len() - 2];
                    row.extend(none);
                }
            }
            row.push(format!("{} of {}", level.whole, level.simulated).into());
            row
        });
        table(&header, left, rows)
    }

    /// Each measure's least and greatest value, with their points.
    fn ranges(&self) -> Table {
        let measures = SHOWN.iter().filter(|m| !BOUNDED.contains(&m.name));
        let rows = measures.filter_map(|m| {
            let extremes = self.explored.extremes(m.name)?;
            let side = |i: usize| {
                let cell = &self.explored.results[i].as_ref()?.cell;
                let value = Entry::of(m.text(cell), "", cell.estimate(m.name).mean);
                Some([value, point_words(self.explored.grid, i).into()])
            };
            let [least, at_least] = side(extremes.least)?;
            let [most, at_most] = side(extremes.most)?;
            let label = Entry::from(m.label);
            let blank = || Entry::from("");
            Some(match (extremes.apart, least.text == most.text) {
                (true, _) => vec![label, least, at_least, most, at_most],
                (false, true) => vec![label, least, "everywhere".into(), blank(), blank()],
                // Which of them is the least is not known.
                (false, false) => vec![label, least, "no two told apart".into(), most, blank()],
            })
        });
        let mut table = table(&["measure", "least", "at", "most", "at"], 1, rows)
            .naming(2, "least_at")
            .naming(4, "most_at");
        for column in [2, 4] {
            table.columns[column].is_text = true;
        }
        table
    }
}

/// Cost, hit ratio, latency, loss and refusals of a point.
fn figures(cell: &Cell) -> [Entry; 5] {
    let mean = |name: &str| cell.estimate(name).mean;
    [
        Entry::usd_estimate(cell.estimate("cost_usd")),
        Entry::percent(mean("hit_ratio")),
        match cell.is_too_few("query_p95_ms") {
            true => format::TOO_FEW.into(),
            false => Entry::milliseconds_estimate(cell.estimate("query_p95_ms")),
        },
        Entry::share_or_unknown(mean("loss_rate")),
        Entry::refused(
            mean("requests_refused_share"),
            mean("kv_quota_exceeded_share"),
        ),
    ]
}

/// Each measure with the ends of its interval, where there is one. What is counted is never below 0.
fn measures_of(cell: &Cell) -> Vec<String> {
    let estimates = cell.pooled.estimates.iter();
    let ends = estimates.flat_map(|e| {
        // Not `max`, which makes a number of what is unknown.
        let low = if e.low() < 0.0 { 0.0 } else { e.low() };
        [e.mean, low, e.high()]
    });
    ends.map(format::csv_number).collect()
}
