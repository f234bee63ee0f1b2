//! A real KV beside the simulations: validate.csv, operations.csv, the distributions of latencies, a table.

use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::sim::latencies::Bins;
use crate::study::validate::{Compared, Distribution, Row, Seen, Verdict};
use crate::telemetry::ports::OpKind;
use crate::workload::trace::rfc3339;

/// Both sides, with what they were made with.
pub struct Report<'a> {
    /// What was compared.
    pub compared: &'a Compared,
    /// What was seen of the real KV.
    pub seen: &'a Seen,
    /// The settings in one line.
    pub settings: String,
}

/// Timers later than this tell of a machine that is busy with something else.
const BUSY_MS: f64 = 5.0;
/// Points of a line of the chart.
const POINTS: usize = 120;

impl Report<'_> {
    /// Writes the files and the chart.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::VALIDATE_CSV, &self.csv())?;
        out.write(artefacts::OPERATIONS_CSV, &self.operations())?;
        if let Some(chart) = self.chart() {
            out.draw("validate", &chart)?;
        }
        Ok(())
    }

    /// A row for each measure.
    fn csv(&self) -> Vec<u8> {
        let header = [
            "measure",
            "unit",
            "real",
            "simulated",
            "simulated_least",
            "simulated_most",
            "simulations",
            "verdict",
        ];
        let rows = self.compared.rows.iter().map(|r| {
            let unit = if r.is_latency { "ms" } else { "count" };
            let mut row = vec![r.measure.clone(), unit.to_owned()];
            let numbers = [r.real].into_iter().chain(r.simulated);
            row.extend(numbers.map(|x| number(x, r.is_latency)));
            row.push(self.compared.simulations.to_string());
            row.push(r.verdict.words().to_owned());
            row
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    /// A row for each operation, by its start: what `kvplan calibrate` reads.
    fn operations(&self) -> Vec<u8> {
        let header = ["operation", "start", "latency_ms", "keys", "outcome"];
        let rows = self.seen.operations.iter().map(|o| {
            let operation = match o.kind {
                OpKind::Read => "read",
                OpKind::Write => "write",
                OpKind::Delete => "delete",
                OpKind::List => "list",
            };
            vec![
                operation.to_owned(),
                rfc3339(o.start),
                (o.took.as_secs_f64() * 1e3).to_string(),
                o.keys.to_string(),
                o.outcome.to_owned(),
            ]
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    /// The table for the terminal.
    pub fn table(&self) -> Table {
        let range = format!("least to most of {}", self.compared.simulations);
        let header = ["measure", "verdict", "real", "simulated", &range];
        let rows = self.compared.rows.iter().map(|r| {
            let words = |x: f64| match r.is_latency {
                _ if x.is_nan() => "-".to_owned(),
                true => format::milliseconds(x),
                false => format::grouped(&number(x, false)),
            };
            let unit = if r.is_latency { "ms" } else { "" };
            let value = |x: f64| Entry::of(words(x), unit, x);
            let [middle, low, high] = r.simulated;
            let range = match low == high || low.is_nan() {
                true => "-".into(),
                false => {
                    let text = format!("{} to {}", words(low), words(high));
                    Entry::named(text, &[("least", low), ("most", high)])
                }
            };
            vec![
                Entry::from(r.measure.as_str()),
                r.verdict.words().into(),
                value(r.real),
                value(middle),
                range,
            ]
        });
        table(&header, 2, rows)
    }

    /// What came out, in a sentence or two.
    pub fn verdict(&self) -> String {
        let rows = &self.compared.rows;
        let with = |verdict: Verdict| rows.iter().filter(move |r| r.verdict == verdict);
        let names = |rows: &mut dyn Iterator<Item = &Row>| {
            let names: Vec<&str> = rows.map(|r| r.measure.as_str()).collect();
            names.join(", ")
        };
        let counts = rows.iter().filter(|r| !r.is_latency).count();
        let mut said = match self.compared.agrees() {
            true => {
                let same = with(Verdict::Equal).filter(|r| !r.is_latency).count();
                match counts - same {
                    0 => format!("Agrees: all {counts} counts are equal."),
                    n => format!(
                        "Agrees: {same} counts are equal in the real run and all simulations, {n} differ between the simulations and are within theirs."
                    ),
                }
            }
            false => format!("Does not agree: {}.", names(&mut with(Verdict::Differs))),
        };
        if with(Verdict::Beyond).next().is_some() {
            said.push_str(&format!(
                "\nLatencies beyond those of all simulations, which decides nothing: {}.",
                names(&mut with(Verdict::Beyond))
            ));
        }
        if self.compared.paces_differ {
            said.push_str("\nThe simulated KV refuses a second write to a key within a second and this one does not, as Miniflare does not: --set 'limits.same_key_excess=\"overwrite\"' simulates that.");
        }
        said
    }

    /// What the latencies hold.
    pub fn caveat(&self) -> String {
        let mut late = self.seen.played.late.clone();
        late.sort();
        let at = late.get(late.len() * 95 / 100);
        let late = at.map_or(f64::NAN, |d| d.as_secs_f64() * 1e3);
        let busy = match late > BUSY_MS {
            true => {
                "\nThat is much: this machine is too busy for reads and lists to say anything. Try again when it is not, or with less traffic."
            }
            false => "",
        };
        format!(
            "Latencies are those seen from here, the way over HTTP among them; the simulations draw theirs from the operations of this run, of those near in time.\nTimers here are late by up to {} (95%), which the simulations have as well.{busy}",
            format::milliseconds(late)
        )
    }

    /// How long calls waited that had to, real and simulated; none if all were answered at once.
    fn chart(&self) -> Option<Chart> {
        let waited: Vec<&Distribution> = self
            .compared
            .distributions
            .iter()
            .filter(|d| d.real.range_ms().is_some())
            .collect();
        let ends = waited.iter().flat_map(|d| {
            let all = d.simulated.iter().chain([&d.real]);
            all.filter_map(|b| b.range_ms())
        });
        let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        // A little to both sides, so that no line begins or ends at the frame.
        let (low, high) = (low / 1.1, high * 1.1);
        let at = |i: usize| low * (high / low).powf(i as f64 / (POINTS - 1) as f64);
        let series = waited.iter().enumerate().flat_map(|(colour, d)| {
            let n = d.real.above_ms(0.0);
            let line = |which: &str, dash: usize, point: &dyn Fn(f64) -> [f64; 3]| Series {
                name: format!("{} ({n} calls), {which}", d.name),
                data: (0..POINTS)
                    .map(|i| {
                        let [y, low, high] = point(at(i));
                        let x = at(i);
                        Datum { x, y, low, high }
                    })
                    .collect(),
                colour,
                dash,
                scatter: false,
            };
            let real = |ms: f64| [waited_up_to(&d.real, ms), f64::NAN, f64::NAN];
            let simulated = |ms: f64| {
                let shares = d.simulated.iter().map(|b| waited_up_to(b, ms));
                let mut shares: Vec<f64> = shares.filter(|s| !s.is_nan()).collect();
                shares.sort_by(f64::total_cmp);
                match shares.as_slice() {
                    [] => [f64::NAN; 3],
                    [low, ..] => [
                        shares[(shares.len() - 1) / 2],
                        *low,
                        shares[shares.len() - 1],
                    ],
                }
            };
            [line("real", 0, &real), line("simulated", 1, &simulated)]
        });
        Some(Chart {
            title: "Latencies on a real KV and in simulations of the same arrivals".into(),
            subtitle: self.settings.clone(),
            x: Axis {
                label: "latency (ms)".into(),
                scale: Scale::Log,
                format: |v| format::significant(v, 3),
                min: None,
                max: None,
            },
            y: Axis {
                label: "share of the calls that waited, up to so long".into(),
                scale: Scale::Linear,
                format: format::percent,
                min: Some(0.0),
                max: Some(1.0),
            },
            series: series.collect(),
            marks: Vec::new(),
            note: format!(
                "Band: least to most of {} simulations; dashed: their median. Calls that memory answered at once are not shown.",
                self.compared.simulations
            ),
        })
    }
}

/// Of the values that are not 0, the share of those up to `ms`; NaN if there are none.
fn waited_up_to(latencies: &Bins, ms: f64) -> f64 {
    let at_once = latencies.share_up_to(0.0);
    (latencies.share_up_to(ms) - at_once) / (1.0 - at_once)
}

/// A count in full, a latency to six digits.
fn number(x: f64, is_latency: bool) -> String {
    match is_latency || x.is_nan() {
        true => format::csv_number(x),
        false => format!("{x:.0}"),
    }
}
