//! Runs over time: series, alerts, recoveries, warm-up and traces as CSV, JSON, charts and tables.

use crate::cloud::failure::Window;
use crate::models::quantity::format_duration;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::run::scenario::Scenario;
use crate::run::series::{COLUMNS, Recovery, column};
use crate::run::spans::otlp_json;
use crate::study::stats::Estimate;
use crate::study::timeline::{Step, Timeline};
use crate::telemetry::alerts::{AlertMetric, AlertRule};
use std::time::Duration;

/// Writes the series, alerts, recoveries and warm-up of all policies, their traces and charts, which
/// tell the settings in force.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(
    scenario: &Scenario,
    settings: &str,
    timelines: &[&Timeline],
    out: &OutputDir,
) -> Result<(), WriteError> {
    out.write(artefacts::SERIES_CSV, &series_csv(timelines))?;
    out.write(artefacts::ALERTS_CSV, &alerts_csv(scenario, timelines))?;
    out.write(artefacts::WARM_UP_CSV, &warm_up_csv(scenario, timelines))?;
    if !scenario.failures.windows.is_empty() {
        out.write(artefacts::RECOVERY_CSV, &recovery_csv(scenario, timelines))?;
    }
    for t in timelines {
        let spans = t.observed.first().map_or(&[][..], |o| &o.traces);
        if !spans.is_empty() {
            let trace = otlp_json(spans, &scenario.title, &t.policy);
            out.write(
                &format!("trace-{}.json", t.policy),
                trace.to_string().as_bytes(),
            )?;
        }
    }
    for (name, chart) in charts(scenario, settings, timelines) {
        out.draw(&name, &chart)?;
    }
    Ok(())
}

/// One row per policy and interval: the mean over replications of each column, with its 95%
/// half-width in `<name>_ci95`.
fn series_csv(timelines: &[&Timeline]) -> Vec<u8> {
    let header = ["policy", "start_s", "end_s", "replications"].map(str::to_owned);
    let columns = COLUMNS
        .iter()
        .flat_map(|c| [c.name.to_owned(), format!("{}_ci95", c.name)]);
    let rows = timelines.iter().flat_map(|t| {
        t.steps.iter().map(|step| {
            let point = [
                t.policy.clone(),
                format::csv_number(step.start_s),
                format::csv_number(step.end_s),
                t.observed.len().to_string(),
            ];
            let numbers = step
                .estimates
                .iter()
                .flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
            point.into_iter().chain(numbers).collect()
        })
    });
    csv_bytes(header.into_iter().chain(columns).collect(), rows)
}

/// One row per alert that was raised, in each replication.
fn alerts_csv(scenario: &Scenario, timelines: &[&Timeline]) -> Vec<u8> {
    let header = [
        "policy",
        "replication",
        "metric",
        "level",
        "start_s",
        "end_s",
        "lasting",
        "worst_value",
        "threshold",
    ];
    let rows = timelines.iter().flat_map(|t| {
        t.alerts(scenario).into_iter().map(|(i, span)| {
            vec![
                t.policy.clone(),
                i.to_string(),
                span.worst.metric.to_string(),
                span.worst.level.to_string(),
                format::csv_number(span.start_s),
                format::csv_number(span.end_s),
                span.lasting.to_string(),
                format::csv_number(span.worst.value),
                format::csv_number(span.worst.threshold),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).into(), rows)
}

/// One row per failure window and replication.
fn recovery_csv(scenario: &Scenario, timelines: &[&Timeline]) -> Vec<u8> {
    let header = [
        "policy",
        "replication",
        "window_start_s",
        "window_end_s",
        "goodput_before_per_s",
        "goodput_least_per_s",
        "recovered_after_s",
    ];
    let rows = timelines.iter().flat_map(|t| {
        t.recoveries(scenario).into_iter().map(|(i, r)| {
            let after = r.recovered_after_s.map(format::csv_number);
            vec![
                t.policy.clone(),
                i.to_string(),
                format::csv_number(r.start_s),
                format::csv_number(r.end_s),
                format::csv_number(r.before_per_s),
                format::csv_number(r.least_per_s),
                after.unwrap_or_default(),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).into(), rows)
}

/// One row per policy and column: after how long it had settled, and whether the scenario's
/// warm-up was as long; nothing where the run is too short to tell.
fn warm_up_csv(scenario: &Scenario, timelines: &[&Timeline]) -> Vec<u8> {
    let warm_up = scenario.period.warm_up;
    let header = ["policy", "column", "settled_after_s", "warm_up_s", "enough"];
    let rows = timelines.iter().flat_map(|t| {
        t.settling(scenario).into_iter().map(|s| {
            let seconds = |d: Duration| format::csv_number(d.as_secs_f64());
            vec![
                t.policy.clone(),
                s.column.to_owned(),
                s.settled_after.map(seconds).unwrap_or_default(),
                seconds(warm_up),
                s.settled_after
                    .map(|d| (d <= warm_up).to_string())
                    .unwrap_or_default(),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).into(), rows)
}

/// What a failure window does, in a few words.
fn describe(window: &Window) -> String {
    let mut what = Vec::new();
    if window.error.get() > 0.0 {
        what.push(format!(
            "{} of operations fail",
            format::percent(window.error.get())
        ));
    }
    if window.rate_limited.get() > 0.0 {
        let share = format::percent(window.rate_limited.get());
        what.push(format!("{share} refused with 429"));
    }
    if window.latency_factor > 1.0 {
        what.push(format!("latency x{}", format::count(window.latency_factor)));
    }
    let place = window.place.map(|p| format!(" in place {p}"));
    format!("{}{}", what.join(", "), place.unwrap_or_default())
}

/// A row per policy and failure window: goodput before it and at its worst, and how long after its
/// end goodput and errors were back.
pub fn recovery_table(scenario: &Scenario, timelines: &[&Timeline]) -> Table {
    let header = [
        "window",
        "what",
        "policy",
        "goodput before/s",
        "at its worst/s",
        "back after its end (s)",
    ];
    let windows = scenario.failures.windows.iter();
    let rows = windows.flat_map(|w| {
        timelines.iter().filter_map(move |t| {
            let all = t.recoveries(scenario);
            let of_this: Vec<&Recovery> = all
                .iter()
                .map(|(_, r)| r)
                .filter(|r| r.start_s == w.start.as_secs_f64())
                .collect();
            let mean = |get: fn(&Recovery) -> f64| Estimate::of(of_this.iter().map(|r| get(r)));
            let back: Vec<f64> = of_this.iter().filter_map(|r| r.recovered_after_s).collect();
            let (n, recovered) = (of_this.len(), back.len());
            (n > 0).then(|| {
                let after = match recovered {
                    0 => "not by the end".into(),
                    _ if recovered < n => format!(
                        "{}; {} of {n} not by the end",
                        format::interval(Estimate::of(back)),
                        n - recovered
                    )
                    .into(),
                    _ => Entry::interval(Estimate::of(back)),
                };
                vec![
                    format!(
                        "{} + {}",
                        format_duration(w.start),
                        format_duration(w.length)
                    )
                    .into(),
                    describe(w).into(),
                    t.policy.as_str().into(),
                    Entry::interval(mean(|r| r.before_per_s)),
                    Entry::interval(mean(|r| r.least_per_s)),
                    after,
                ]
            })
        })
    });
    table(&header, 3, rows)
}

/// The alerts of the first replication, one line each.
pub fn alert_lines(scenario: &Scenario, timeline: &Timeline) -> String {
    let alerts = timeline.alerts(scenario);
    let first: Vec<String> = alerts
        .iter()
        .filter(|(replication, _)| *replication == 0)
        .map(|(_, a)| {
            format!(
                "  {} to {}{}: {} {}, worst {}, threshold {}",
                clock(a.start_s),
                clock(a.end_s),
                if a.lasting { " (end of run)" } else { "" },
                a.worst.level,
                a.worst.metric,
                format::csv_number(a.worst.value),
                format::csv_number(a.worst.threshold)
            )
        })
        .collect();
    if first.is_empty() {
        return "  none".into();
    }
    first.join("\n")
}

/// `1:05:00` since the start of the measurement.
fn clock(s: f64) -> String {
    let s = s.round() as i64;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// Whether the warm-up was long enough, by MSER-5: the columns for which it was not.
pub fn warm_up_lines(scenario: &Scenario, timeline: &Timeline) -> String {
    let warm_up = scenario.period.warm_up;
    let settling = timeline.settling(scenario);
    let late = settling.iter().filter_map(|s| match s.settled_after {
        Some(after) if after > warm_up => Some(format!(
            "  {} settles after {}",
            s.column,
            format_duration(after)
        )),
        None => Some(format!("  {}: the run is too short to tell", s.column)),
        Some(_) => None,
    });
    let late: Vec<String> = late.collect();
    let length = format_duration(warm_up);
    if late.is_empty() {
        return format!("  {length} are enough for every column");
    }
    format!(
        "  {length} are enough for {} of {} columns\n{}",
        settling.len() - late.len(),
        settling.len(),
        late.join("\n")
    )
}

struct Plotter<'a> {
    scenario: &'a Scenario,
    /// Those in force, in one line.
    settings: String,
    policies: Vec<(&'a str, &'a [Step])>,
    /// Seconds in a unit of the time axis, and what the unit is called.
    unit: (f64, &'static str),
}

/// Names and charts of everything that changes over time.
fn charts(scenario: &Scenario, settings: &str, timelines: &[&Timeline]) -> Vec<(String, Chart)> {
    let policies: Vec<(&str, &[Step])> = timelines
        .iter()
        .map(|t| (t.policy.as_str(), t.steps.as_slice()))
        .collect();
    let ends = policies.iter().filter_map(|p| p.1.last());
    let end_s = ends.map(|s| s.end_s).fold(0.0, f64::max);
    let plotter = Plotter {
        scenario,
        settings: settings.to_owned(),
        policies,
        unit: if end_s > 2.0 * 3_600.0 {
            (3_600.0, "h")
        } else {
            (60.0, "min")
        },
    };
    plotter.all()
}

impl Plotter<'_> {
    fn all(&self) -> Vec<(String, Chart)> {
        let rate = |what: &str| axis(&format!("{what} per second"), format::count);
        let number = |what: &str| axis(what, format::count);
        let mut charts = vec![
            (
                "time_goodput",
                self.chart("Calls that ended well", rate("calls"), &["goodput_per_s"]),
            ),
            (
                "time_requests",
                self.chart("Recorded requests", rate("requests"), &["requests_per_s"]),
            ),
            (
                "time_concurrency",
                self.chart(
                    "Invocations under way",
                    number("mean number"),
                    &["concurrency"],
                ),
            ),
            (
                "time_queue_depth",
                self.chart(
                    "Records in memory, not stored",
                    number("records"),
                    &["queue_depth_records"],
                ),
            ),
            (
                "time_hit_ratio",
                self.chart(
                    "Cache hit ratio",
                    axis("hits / lookups", format::percent),
                    &["hit_ratio"],
                ),
            ),
            (
                "time_latency_metrics",
                self.chart(
                    "Latency of the metrics endpoint",
                    axis("latency", format::milliseconds),
                    self.percentiles(&["metrics_p50_ms", "metrics_p95_ms", "metrics_p99_ms"]),
                ),
            ),
            (
                "time_latency_analytics",
                self.chart(
                    "Latency of analytics queries",
                    axis("latency", format::milliseconds),
                    self.percentiles(&["analytics_p50_ms", "analytics_p95_ms", "analytics_p99_ms"]),
                ),
            ),
            (
                "time_operations",
                self.chart(
                    "KV operations",
                    rate("operations"),
                    &["kv_reads_per_s", "kv_writes_per_s", "kv_lists_per_s"],
                ),
            ),
            (
                "time_error_rate",
                self.chart(
                    "Calls that failed",
                    axis("share of calls", format::percent),
                    &["error_rate"],
                ),
            ),
            (
                "time_retries",
                self.chart("Writes tried again", rate("retries"), &["retries_per_s"]),
            ),
            (
                "time_lost",
                self.chart("Records lost", rate("records"), &["lost_per_s"]),
            ),
            (
                "time_breakers",
                self.chart(
                    "Circuit breakers that are not closed",
                    number("isolates"),
                    &["breakers_open"],
                ),
            ),
            (
                "time_isolates",
                self.chart("Isolates alive", number("isolates"), &["isolates"]),
            ),
            (
                "time_cold_starts",
                self.chart(
                    "Isolates started",
                    rate("cold starts"),
                    &["cold_starts_per_s"],
                ),
            ),
            (
                "time_memory",
                self.chart(
                    "Memory of the largest isolate (estimated)",
                    axis("memory (MB)", format::count),
                    &["memory_mb"],
                ),
            ),
        ]
        .into_iter()
        .map(|(name, chart)| (name.to_owned(), chart))
        .collect::<Vec<_>>();
        for (i, (policy, _)) in self.policies.iter().enumerate() {
            let title = format!("KV errors by type, policy {policy}");
            let chart = self.errors_by_type(i, &title, rate("operations"));
            charts.push((format!("time_errors_by_type_{policy}"), chart));
        }
        let shows = |c: &Chart| {
            let mut all = c.series.iter().flat_map(|s| &s.data);
            all.any(|d| d.y.is_finite() && d.y != 0.0)
        };
        charts.retain(|(_, c)| shows(c));
        charts
    }

    /// All percentiles for one or two policies; of more, only the 95th can be told apart.
    fn percentiles<'c>(&self, columns: &'c [&'static str; 3]) -> &'c [&'static str] {
        if self.policies.len() <= 2 {
            columns
        } else {
            &columns[1..2]
        }
    }

    fn series(&self, policy: usize, name: &str) -> Vec<Datum> {
        let index = column(name);
        let datum = |s: &Step| {
            let e = s.estimates[index];
            Datum {
                x: s.end_s / self.unit.0,
                y: e.mean,
                low: e.low(),
                high: e.high(),
            }
        };
        self.policies[policy].1.iter().map(datum).collect()
    }

    fn chart(&self, title: &str, y: Axis, columns: &[&'static str]) -> Chart {
        let policies = self.policies.iter().enumerate();
        let series = policies.flat_map(|(i, (policy, _))| {
            columns.iter().enumerate().map(move |(dash, name)| Series {
                name: match columns.len() {
                    1 => (*policy).to_owned(),
                    _ => format!("{policy} {}", short(name)),
                },
                data: self.series(i, name),
                colour: i,
                dash,
                scatter: false,
            })
        });
        let mut chart = self.frame(title, y, series.collect());
        for rule in &self.scenario.alerts.rules {
            if columns.contains(&watched(rule)) {
                chart.marks.extend(threshold_marks(rule));
            }
        }
        chart
    }

    fn errors_by_type(&self, policy: usize, title: &str, y: Axis) -> Chart {
        let types = [
            "kv_unavailable_per_s",
            "kv_timeout_per_s",
            "kv_rate_limited_per_s",
            "kv_quota_exceeded_per_s",
        ];
        let series = types.iter().enumerate().map(|(i, name)| Series {
            name: short(name).to_owned(),
            data: self.series(policy, name),
            colour: i,
            dash: 0,
            scatter: false,
        });
        self.frame(title, y, series.collect())
    }

    fn frame(&self, title: &str, y: Axis, series: Vec<Series>) -> Chart {
        let n = self.scenario.replications;
        let (unit_s, unit) = self.unit;
        let windows = self.scenario.failures.windows.iter();
        let marks = windows.flat_map(|w| {
            let start = w.start.as_secs_f64() / unit_s;
            let end = (w.start + w.length).as_secs_f64() / unit_s;
            [(start, describe(w)), (end, String::new())].map(|(at, label)| Mark {
                at,
                label,
                vertical: true,
                colour: None,
            })
        });
        Chart {
            title: format!("{title} over time"),
            subtitle: self.settings.clone(),
            x: Axis {
                label: format!("time since the start of the measurement ({unit})"),
                ..axis("", format::count)
            },
            y: Axis {
                min: Some(0.0),
                ..y
            },
            series,
            marks: marks.collect(),
            note: if n > 1 {
                format!(
                    "{n} replications together in each interval, with the 95% confidence band; percentiles of fewer than ten calls beyond are left out. Before 0: warm-up."
                )
            } else {
                "One replication: no confidence interval. Before 0: warm-up.".into()
            },
        }
    }
}

fn axis(label: &str, format: fn(f64) -> String) -> Axis {
    Axis {
        label: label.to_owned(),
        scale: Scale::Linear,
        format,
        min: None,
        max: None,
    }
}

/// A column's name without what the axis says.
fn short(column: &str) -> &str {
    let name = column.trim_end_matches("_per_s").trim_end_matches("_ms");
    let name = name.strip_prefix("kv_").unwrap_or(name);
    let name = name.strip_prefix("metrics_").unwrap_or(name);
    name.strip_prefix("analytics_").unwrap_or(name)
}

/// The column that a rule watches.
fn watched(rule: &AlertRule) -> &'static str {
    match rule.metric {
        AlertMetric::MetricsP95Ms => "metrics_p95_ms",
        AlertMetric::AnalyticsP95Ms => "analytics_p95_ms",
        AlertMetric::ErrorRate => "error_rate",
        AlertMetric::KvOperationsPerDay => "kv_operations_per_day",
        AlertMetric::CacheHitRatio => "hit_ratio",
    }
}

fn threshold_marks(rule: &AlertRule) -> [Mark; 2] {
    [("warning", rule.warning), ("critical", rule.critical)].map(|(level, at)| Mark {
        at,
        label: format!("{level} {}", format::csv_number(at)),
        vertical: false,
        colour: None,
    })
}
