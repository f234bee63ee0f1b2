//! The results of a replay as CSV, charts and text.

use super::assertions::for_json;
use crate::models::quantity::format_duration;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::output::json;
use crate::report::record;
use crate::report::settings::settings;
use crate::run::Billed;
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::run::series::{COLUMNS, column as position_of};
use crate::study::condition::assertion::Judged;
use crate::study::replay::{Replay, ReplaySpec};
use crate::study::timeline::Step;
use crate::units::Timestamp;
use crate::workload::trace::{BadReason, FIELDS, rfc3339};
use serde_json::json;
use std::time::Duration;

/// A replay with what it was made of.
pub struct Report<'a> {
    /// What was simulated.
    pub scenario: &'a Scenario,
    /// How the log was replayed.
    pub spec: &'a ReplaySpec,
    /// What was measured.
    pub replay: &'a Replay,
    /// What became of what was asserted.
    pub judged: &'a [Judged],
    /// What messages call the log.
    pub label: &'a str,
}

impl Report<'_> {
    /// Writes replay.csv, replay_series.csv, run.json and the charts.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::REPLAY_CSV, &self.csv())?;
        out.write(artefacts::REPLAY_SERIES_CSV, &self.series_csv())?;
        record::write(out, &self.run_json()?)?;
        for (name, chart) in self.charts() {
            out.draw(name, &chart)?;
        }
        Ok(())
    }

    fn billed(&self) -> &'static str {
        match self.spec.billed {
            Billed::Month => "month",
            Billed::Period => "period",
        }
    }

    /// One row per policy: each measure with its 95% half-width in `<name>_ci95`.
    fn csv(&self) -> Vec<u8> {
        let header = [
            "policy",
            "plan",
            "machines",
            "speed",
            "amplify",
            "calls",
            "replayed_hours",
            "month_scale",
            "billed",
            "replications",
        ];
        let measures = METRICS
            .iter()
            .flat_map(|m| [m.name.to_owned(), format!("{}_ci95", m.name)]);
        let rows = self.replay.cells.iter().map(|cell| {
            let point = [
                cell.policy.clone(),
                self.scenario.plan.clone(),
                self.scenario.fleet.isolates.to_string(),
                format::csv_number(self.spec.speed),
                format::csv_number(self.spec.amplify),
                self.replay.counts.calls.to_string(),
                format::csv_number(cell.period.as_secs_f64() / 3_600.0),
                format::csv_number(cell.scale()),
                self.billed().to_owned(),
                cell.replications.len().to_string(),
            ];
            let numbers = cell.pooled.estimates.iter();
            let numbers = numbers
                .flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
            point.into_iter().chain(numbers).collect()
        });
        csv_bytes(
            header
                .map(str::to_owned)
                .into_iter()
                .chain(measures)
                .collect(),
            rows,
        )
    }

    /// One row per policy and interval.
    fn series_csv(&self) -> Vec<u8> {
        let header = ["policy", "start_s", "end_s"].map(str::to_owned);
        let columns = COLUMNS
            .iter()
            .flat_map(|c| [c.name.to_owned(), format!("{}_ci95", c.name)]);
        let policies = self.replay.cells.iter().zip(&self.replay.series);
        let rows = policies.flat_map(|(cell, points)| {
            points.iter().map(|p| {
                let head = [
                    cell.policy.clone(),
                    format::csv_number(p.start_s),
                    format::csv_number(p.end_s),
                ];
                let values = p.estimates.iter();
                let values = values
                    .flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
                head.into_iter().chain(values).collect()
            })
        });
        csv_bytes(header.into_iter().chain(columns).collect(), rows)
    }

    fn run_json(&self) -> Result<Vec<u8>, WriteError> {
        let c = self.replay.counts;
        let mut run = json!({
            "kvplan": env!("CARGO_PKG_VERSION"),
            "command": "replay",
            "seed": self.scenario.seed,
            "log": self.label,
            "columns": self.replay.columns,
            "rows": self.replay.stats.rows,
            "bad_rows": self.replay.stats.bad_rows(),
            "reordered_rows": self.replay.stats.mended,
            "calls": c.calls,
            "settings": self.settings(),
            "speed": self.spec.speed,
            "amplify": self.spec.amplify,
            "jitter": format_duration(self.spec.jitter),
            "warm_up": format_duration(self.spec.warm_up),
            "measured_from": rfc3339(self.replay.timeline.origin),
            "measured_to": rfc3339(self.replay.end),
            "billed": self.billed(),
            "scenario": self.scenario,
        });
        if !self.judged.is_empty() {
            run["assertions"] = json!(for_json(self.judged));
        }
        json(artefacts::RUN_JSON, &run)
    }

    /// What was read and replayed, and what that says.
    pub fn summary(&self) -> String {
        let (stats, counts) = (&self.replay.stats, self.replay.counts);
        let period = self.replay.end.since(self.replay.timeline.origin);
        let mut lines = vec![format!(
            "{}: {} rows, {} calls replayed ({} recorded requests); measured for {} from {} to {}",
            self.label,
            stats.rows,
            counts.calls,
            counts.records,
            format::span(period),
            rfc3339(self.replay.timeline.origin),
            rfc3339(self.replay.end)
        )];
        for (n, what) in [
            (counts.early, "rows before the start of the replay"),
            (counts.unused, "rows read past its end"),
            (counts.thinned, "rows left out by thinning"),
            (counts.copies, "copies added"),
            (counts.late, "copies past the end left out"),
            (stats.mended, "rows out of order put in their place"),
            (
                counts.elsewhere,
                "calls from a location that is none of the fleet's places: given one by its shares",
            ),
        ] {
            if n > 0 {
                lines.push(format!("  {n} {what}"));
            }
        }
        let has = |field| self.replay.columns.contains(&field);
        if has("location") && self.scenario.fleet.places.is_empty() {
            lines.push("  the column location has no effect: the fleet has no named places".into());
        }
        if stats.bad_rows() > 0 {
            let reasons = BadReason::ALL
                .iter()
                .zip(stats.bad)
                .filter(|(_, n)| *n > 0)
                .map(|((_, name), n)| format!("{n} for {name}"));
            let reasons: Vec<String> = reasons.collect();
            lines.push(format!(
                "  {} rows left out because they cannot be used: {}",
                stats.bad_rows(),
                reasons.join(", ")
            ));
            for bad in &stats.first_bad {
                lines.push(format!(
                    "    {}:{}: field `{}`: {}",
                    self.label, bad.line, bad.field, bad.message
                ));
            }
        }
        let missing: Vec<&str> = FIELDS[2..6].iter().copied().filter(|f| !has(f)).collect();
        let mut drawn = missing.join(", ");
        if !has("kind") {
            let calls = "calls beside the recorded requests";
            drawn = match drawn.is_empty() {
                true => calls.to_owned(),
                false => format!("{drawn}, {calls}"),
            };
        }
        if !drawn.is_empty() {
            lines.push(format!("  from the scenario's workload: {drawn}"));
        }
        lines.join("\n")
    }

    /// What the intervals and the scaling mean.
    pub fn caveat(&self) -> String {
        let scale = self.replay.cells.first().map_or(f64::NAN, |c| c.scale());
        let billed = match self.spec.billed {
            Billed::Month => "the invoice is that of such a month",
            Billed::Period => {
                "the invoice is that of a month with the measured period and nothing else"
            }
        };
        format!(
            "Flows are given for a month of 30 days, {} times the measured period; {billed}.\n\
             {} replications, seed {}; ± is a 95% confidence half-width. Replications differ in what the log does\n\
             not say and in the KV's latencies and failures; the arrivals are the same in all, so that the\n\
             intervals do not cover how other days may differ from those of the log.",
            format::count(scale),
            self.scenario.replications,
            self.scenario.seed
        )
    }

    fn charts(&self) -> Vec<(&'static str, Chart)> {
        let one = |c| [(c, 0, "")];
        vec![
            (
                "replay_traffic",
                Chart {
                    series: self.series(&one("requests_per_s"), 1, None),
                    ..self.chart(
                        "Recorded requests of the log",
                        axis(
                            "recorded requests per second",
                            Scale::Linear,
                            format::count,
                            0.0,
                        ),
                    )
                },
            ),
            (
                "replay_operations",
                self.log_chart(
                    "KV operations while the log is replayed",
                    "KV operations per second",
                    format::count,
                    &[
                        ("kv_reads_per_s", 0, "reads"),
                        ("kv_writes_per_s", 1, "writes"),
                    ],
                    1e-3,
                ),
            ),
            ("replay_hit_ratio", self.hit_ratio()),
            (
                "replay_latency",
                self.log_chart(
                    "Latency while the log is replayed",
                    "95th percentile of latency (ms)",
                    |v| format!("{} ms", format::count(v)),
                    &[
                        ("metrics_p95_ms", 0, "metrics"),
                        ("analytics_p95_ms", 1, "analytics"),
                    ],
                    0.1,
                ),
            ),
        ]
    }

    /// The log and the settings in force.
    pub fn settings(&self) -> String {
        let spec = self.spec;
        let time = |t: Option<Timestamp>| t.map(rfc3339).unwrap_or_default();
        settings(self.scenario)
            .of_log(self.label)
            .with_if(spec.speed != 1.0, "--speed", spec.speed)
            .with_if(spec.amplify != 1.0, "--amplify", spec.amplify)
            // Only copies come later.
            .with_if(spec.amplify > 1.0, "--jitter", format_duration(spec.jitter))
            .with_if(spec.from.is_some(), "--from", time(spec.from))
            .with_if(spec.to.is_some(), "--to", time(spec.to))
            .with_if(
                !spec.warm_up.is_zero(),
                "--warm-up",
                format_duration(spec.warm_up),
            )
            .with_if(spec.billed == Billed::Period, "--bill", self.billed())
            .line()
    }

    /// Of the policies that look anything up in a cache.
    fn hit_ratio(&self) -> Chart {
        let axis = Axis {
            max: Some(1.0),
            ..axis("hits / lookups", Scale::Linear, format::percent, 0.0)
        };
        let mut chart = self.chart("Cache hit ratio while the log is replayed", axis);
        let all = self.series(&[("hit_ratio", 0, "")], usize::MAX, None);
        let has_any = |s: &Series| s.data.iter().any(|d| d.y.is_finite());
        let (some, none): (Vec<Series>, Vec<Series>) = all.into_iter().partition(has_any);
        if !none.is_empty() {
            let names: Vec<String> = none.into_iter().map(|s| s.name).collect();
            let note = format!(" Without lookups: {}.", names.join(", "));
            chart.note.push_str(&note);
        }
        chart.series = some;
        chart
    }

    fn log_chart(
        &self,
        title: &str,
        label: &str,
        format: fn(f64) -> String,
        columns: &[(&str, usize, &str)],
        least: f64,
    ) -> Chart {
        let mut chart = self.chart(title, axis(label, Scale::Log, format, least));
        chart.y.min = None;
        chart.series = self.series(columns, usize::MAX, Some(least));
        let mut drawn = chart.series.iter().flat_map(|s| &s.data);
        if drawn.any(|d| d.y <= least) {
            let note = format!(" Less than {} is drawn there.", format(least));
            chart.note.push_str(&note);
        }
        chart
    }

    /// Lines of the columns for the first `most` policies; values below `least` are drawn there.
    fn series(
        &self,
        columns: &[(&str, usize, &str)],
        most: usize,
        least: Option<f64>,
    ) -> Vec<Series> {
        let policies = self.replay.cells.iter().zip(&self.replay.series);
        let mut series = Vec::new();
        for (colour, (cell, points)) in policies.take(most).enumerate() {
            for (column, dash, what) in columns {
                let index = position_of(column);
                let name = match (most, *what) {
                    (1, _) => "requests".to_owned(),
                    (_, "") => cell.policy.clone(),
                    (_, what) => format!("{}: {what}", cell.policy),
                };
                let datum = |p: &Step| {
                    let e = p.estimates[index];
                    let floor = least.unwrap_or(f64::NEG_INFINITY);
                    // NaN (nothing came in the interval) stays.
                    let raised = |v: f64| if v < floor { floor } else { v };
                    Datum {
                        x: p.end_s / 3_600.0,
                        y: raised(e.mean),
                        low: raised(e.low()),
                        high: raised(e.high()),
                    }
                };
                let data: Vec<Datum> = points.iter().map(datum).collect();
                series.push(Series {
                    name,
                    data,
                    colour,
                    dash: *dash,
                    scatter: false,
                });
            }
        }
        series
    }

    fn chart(&self, title: &str, y: Axis) -> Chart {
        let n = self.scenario.replications;
        Chart {
            title: title.to_owned(),
            subtitle: self.settings(),
            x: Axis {
                label: format!(
                    "hours from {}",
                    rfc3339(self.replay.timeline.origin.floor_to(Duration::from_secs(1)))
                ),
                scale: Scale::Linear,
                format: format::count,
                min: Some(0.0),
                max: None,
            },
            y,
            series: Vec::new(),
            marks: Vec::new(),
            note: format!(
                "Intervals of {}. {}",
                format_duration(self.replay.interval),
                if n > 1 {
                    format!(
                        "Bands: 95% confidence over {n} replications with the same arrivals (Student's t)."
                    )
                } else {
                    "One replication: no confidence interval.".into()
                }
            ),
        }
    }
}

fn axis(label: &str, scale: Scale, format: fn(f64) -> String, min: f64) -> Axis {
    Axis {
        label: label.to_owned(),
        scale,
        format,
        min: Some(min),
        max: None,
    }
}
