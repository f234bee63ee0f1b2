//! The projection against what was used: reconcile.csv, reconcile.json, charts by day, and tables.

use super::scenario;
use crate::pricing::Unit;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::{OutputDir, json};
use crate::report::shell;
use crate::report::table::{Answer, Entry, table};
use crate::run::scenario::Scenario;
use crate::study::reconcile::{Explained, Explanation, Meter, Reconciled, Verdict};
use serde_json::{Value, json as value};
use std::path::Path;

/// What was found, with what it was asked of.
pub struct Report<'a> {
    /// The projection beside what was used.
    pub found: &'a Reconciled,
    /// The scenario that was projected.
    pub scenario: &'a Scenario,
    /// What messages call the usage data.
    pub label: &'a str,
    /// What a reader must know of the data.
    pub said: Vec<&'a str>,
    /// The settings in one line.
    pub settings: String,
    /// The folder that the files come into.
    pub folder: &'a Path,
}

impl Report<'_> {
    /// Writes the files and the charts.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::RECONCILE_CSV, &self.csv())?;
        let all = json(artefacts::RECONCILE_JSON, &self.json())?;
        out.write(artefacts::RECONCILE_JSON, &all)?;
        let best = self.found.explained.as_ref();
        if let Some(best) = best.and_then(|e| e.ranking.first()) {
            let comment = self.comment(best);
            scenario::write(&best.scenario, artefacts::CALIBRATED_TOML, &comment, out)?;
        }
        for meter in &self.found.meters {
            let name = meter.meter.name().replace('.', "_");
            out.draw(&format!("reconcile_{name}"), &self.chart(meter))?;
        }
        Ok(())
    }

    /// A row for each meter and day; no difference for a day that is not whole.
    fn csv(&self) -> Vec<u8> {
        let header = [
            "meter",
            "date",
            "projected",
            "projected_low",
            "projected_high",
            "actual",
            "actual_low",
            "actual_high",
            "whole_day",
            "difference",
            "verdict",
        ];
        let number = format::csv_number;
        let rows = self.found.meters.iter().flat_map(|m| {
            m.days.iter().map(move |d| {
                let (low, high) = d.used.interval.unwrap_or((f64::NAN, f64::NAN));
                let difference = match d.used.whole {
                    true => d.used.quantity - m.band.mean,
                    false => f64::NAN,
                };
                vec![
                    m.meter.name().to_owned(),
                    d.date.to_string(),
                    number(m.band.mean),
                    number(m.band.low),
                    number(m.band.high),
                    number(d.used.quantity),
                    number(low),
                    number(high),
                    d.used.whole.to_string(),
                    number(difference),
                    d.verdict.words(),
                ]
            })
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    fn json(&self) -> Value {
        let meters = self.found.meters.iter().map(|m| {
            let days = m.days.iter().map(|d| {
                value!({
                    "date": d.date,
                    "actual": d.used.quantity,
                    "interval": d.used.interval.map(|(low, high)| [low, high]),
                    "whole": d.used.whole,
                    "verdict": d.verdict.words(),
                })
            });
            value!({
                "meter": m.meter.name(),
                "projected": { "mean": m.band.mean, "low": m.band.low, "high": m.band.high },
                "actual_mean": m.mean,
                "whole_days": m.whole_days,
                "verdict": m.verdict.words(),
                "days": days.collect::<Vec<_>>(),
            })
        });
        let explanation = |e: &Explanation| {
            value!({
                "assumption": e.assumption.name(),
                "factor": e.factor,
                "factor_interval": e.interval.map(|(low, high)| [low, high]),
                "traffic_per_month": e.traffic.0,
                "settings": e.settings,
                "unexplained": e.remaining,
            })
        };
        let explained = self.found.explained.as_ref().map(|e| {
            value!({
                "unexplained_before": e.before,
                "ranking": e.ranking.iter().map(explanation).collect::<Vec<_>>(),
                "untried": e.untried.iter().map(|(a, why)| value!({ "assumption": a.name(), "reason": why })).collect::<Vec<_>>(),
            })
        });
        let missing: Vec<&str> = self.found.missing.iter().map(|m| m.name()).collect();
        value!({
            "settings": self.settings,
            "policy": self.scenario.policies[0].name,
            "meters": meters.collect::<Vec<_>>(),
            "missing": missing,
            "notes": self.said,
            "actual_month": self.found.actual_month,
            "projected_month": self.found.projected_month,
            "explained": explained,
        })
    }

    /// The tables for the terminal.
    pub fn table(&self) -> Answer {
        let header = [
            "meter",
            "verdict",
            "projected a day",
            "95% of days",
            "actual a day",
            "ratio",
            "whole days",
            "outside",
        ];
        let count = format::count;
        let rows = self.found.meters.iter().map(|m| {
            let outside = |d: &&crate::study::reconcile::Day| {
                matches!(d.verdict, Verdict::Above | Verdict::Below)
            };
            vec![
                Entry::from(m.meter.name()),
                m.verdict.words().into(),
                Entry::count(m.band.mean),
                Entry::named(
                    format!("{} to {}", count(m.band.low), count(m.band.high)),
                    &[("low_a_day", m.band.low), ("high_a_day", m.band.high)],
                ),
                m.mean.map_or("-".into(), Entry::count),
                m.mean.map_or("-".into(), |a| factor(a / m.band.mean)),
                Entry::of(
                    format!("{} of {}", m.whole_days, m.days.len()),
                    "",
                    m.whole_days as f64,
                ),
                Entry::whole(m.days.iter().filter(outside).count()),
            ]
        });
        let mut answer = Answer::new().table("meters", table(&header, 2, rows));
        let mut notes: Vec<String> = self.said.iter().map(|s| (*s).to_owned()).collect();
        let missing: Vec<&str> = self.found.missing.iter().map(|m| m.name()).collect();
        if !missing.is_empty() {
            notes.push(format!("The data say nothing of {}.", missing.join(", ")));
        }
        if self
            .found
            .meters
            .iter()
            .any(|m| m.meter.unit() == Unit::Bytes)
        {
            notes.push("What is stored is projected as the level that it comes to.".into());
        }
        if self.found.of_weeks {
            notes.push("The workload has a weekly rhythm: the interval is that of mean days of a week, days differ more.".into());
        }
        if !notes.is_empty() {
            answer = answer.gap().say(notes.join("\n"));
        }
        match &self.found.explained {
            Some(explained) => answer.gap().and(self.explained(explained)),
            None => answer.gap().say("No flow has a whole day: nothing to explain. Days by date only begin and end with whole days if --since and --until say so."),
        }
    }

    fn explained(&self, explained: &Explained) -> Answer {
        let rows = explained.ranking.iter().map(|e| {
            let settings = match e.settings.as_slice() {
                [] => format!("--traffic {}", e.traffic.0),
                all => all
                    .iter()
                    .map(|s| format!("--set '{s}'"))
                    .collect::<Vec<_>>()
                    .join(" "),
            };
            vec![
                Entry::from(e.assumption.name()),
                settings.into(),
                factor(e.factor),
                e.interval.map_or("-".into(), ends).into(),
                Entry::percent(e.remaining),
            ]
        });
        let header = ["alone", "as", "times", "95%", "unexplained"];
        let before = format::percent(explained.before);
        let mut answer = Answer::new()
            .say(format!(
                "Unexplained over all meters: {before}. One assumption moved, the others kept:\n"
            ))
            .table("explained", table(&header, 2, rows));
        for (assumption, why) in &explained.untried {
            answer = answer.say(format!("Not tried: {} ({why}).", assumption.name()));
        }
        if let Some(best) = explained.ranking.first() {
            let path = self.folder.join(artefacts::CALIBRATED_TOML);
            answer = answer.gap().say(format!(
                "{}\nTo go on with the best: kvplan run --scenario {}",
                match best.interval {
                    Some(_) =>
                        "The 95% interval holds how the whole days differ, and how the simulations do.",
                    None => "One whole day: how sure a factor is cannot be said.",
                },
                path.display()
            ));
        }
        answer
    }

    /// Where the calibrated scenario comes from.
    fn comment(&self, best: &Explanation) -> String {
        let interval = best.interval.map(|i| format!(" (95%: {})", ends(i)));
        let interval = interval.unwrap_or_default();
        format!(
            "# Calibrated by kvplan reconcile from {}: {} times {}{interval}, which leaves {} unexplained.\n# As: {}\n",
            self.label.replace(['\n', '\r'], " "),
            best.assumption.name(),
            format::significant(best.factor, 3),
            format::percent(best.remaining),
            self.command(best).replace(['\n', '\r'], " ")
        )
    }

    /// The command that simulates what explains best.
    fn command(&self, best: &Explanation) -> String {
        let mut given = self.scenario.arguments.clone();
        if let Some(at) = given.iter().position(|a| a == "--traffic") {
            given.drain(at..(at + 2).min(given.len()));
        }
        if !given.iter().any(|a| a == "--policy") {
            given.extend(["--policy".into(), self.scenario.policies[0].name.clone()]);
        }
        let mut words = vec!["kvplan".to_owned(), "run".into()];
        words.extend(given);
        words.extend(["--traffic".into(), best.traffic.0.to_string()]);
        for setting in &best.settings {
            words.extend(["--set".into(), setting.clone()]);
        }
        shell::command(&words)
    }

    /// The projected band and what was used, by day.
    fn chart(&self, m: &Meter) -> Chart {
        let first = m.days.first().map_or(0, |d| d.date.days_since_1970());
        let x = |d: &crate::study::reconcile::Day| (d.date.days_since_1970() - first + 1) as f64;
        let band = |d: &crate::study::reconcile::Day| Datum {
            x: x(d),
            y: m.band.mean,
            low: m.band.low,
            high: m.band.high,
        };
        let used = |d: &crate::study::reconcile::Day| {
            let (low, high) = d.used.interval.unwrap_or((f64::NAN, f64::NAN));
            Datum {
                x: x(d),
                y: d.used.quantity,
                low: if low < high { low } else { f64::NAN },
                high: if low < high { high } else { f64::NAN },
            }
        };
        let series = |name: &str, data: Vec<Datum>, colour: usize| Series {
            name: name.to_owned(),
            data,
            colour,
            dash: 0,
            scatter: colour > 0,
        };
        let days = |whole: bool| m.days.iter().filter(move |d| d.used.whole == whole);
        let mut all = vec![
            series("projected", m.days.iter().map(band).collect(), 0),
            series("actual", days(true).map(used).collect(), 1),
        ];
        if days(false).next().is_some() {
            all.push(series(
                "not a whole day",
                days(false).map(used).collect(),
                2,
            ));
        }
        let since = m.days.first().map_or(String::new(), |d| d.date.to_string());
        Chart {
            title: format!("{}: projected and actual", m.meter),
            subtitle: format!("{}; {}", self.label, self.settings),
            x: Axis {
                label: format!("day, the first is {since}"),
                scale: Scale::Linear,
                format: format::count,
                min: None,
                max: None,
            },
            y: Axis {
                label: format!("{} a day", m.meter),
                scale: Scale::Linear,
                format: format::count,
                min: Some(0.0),
                max: None,
            },
            series: all,
            marks: Vec::new(),
            note: "Band: where 95% of days are projected to lie.".into(),
        }
    }
}

/// `0.236 to 0.238`.
fn ends((low, high): (f64, f64)) -> String {
    let end = |x| format::significant(x, 3);
    format!("{} to {}", end(low), end(high))
}

/// How many times as much.
fn factor(x: f64) -> Entry {
    Entry::of(format::significant(x, 3), "", x)
}
