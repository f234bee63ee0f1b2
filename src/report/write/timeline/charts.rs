//! A run over time as charts.

use super::super::axes;
use crate::cloud::failure::Window;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::format;
use crate::run::scenario::Scenario;
use crate::run::series::column;
use crate::study::timeline::{Step, Timeline};
use crate::telemetry::alerts::{AlertMetric, AlertRule};

/// What a failure window does, in a few words.
pub(super) fn describe(window: &Window) -> String {
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

struct Plotter<'a> {
    scenario: &'a Scenario,
    /// Those in force, in one line.
    settings: String,
    policies: Vec<(&'a str, &'a [Step])>,
    /// Seconds in a unit of the time axis, and what the unit is called.
    unit: (f64, &'static str),
}

/// Names and charts of everything that changes over time.
pub(super) fn charts(
    scenario: &Scenario,
    settings: &str,
    timelines: &[&Timeline],
) -> Vec<(String, Chart)> {
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
                self.latency("Latency of the metrics endpoint", "metrics"),
            ),
            (
                "time_latency_analytics",
                self.latency("Latency of analytics queries", "analytics"),
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

    /// Latencies by magnitude: a band from the median to the 95th percentile of each policy, and for one or two of
    /// them above it one to the 99th. Lines of all would hide each other.
    fn latency(&self, title: &str, call: &str) -> Chart {
        let percentiles = ["p50", "p95", "p99"];
        let most = if self.policies.len() <= 2 { 3 } else { 2 };
        let bands = percentiles.windows(2).take(most - 1).enumerate();
        let series = self
            .policies
            .iter()
            .enumerate()
            .flat_map(|(i, (policy, _))| {
                bands.clone().map(move |(dash, pair)| {
                    let [below, above] =
                        [0, 1].map(|k| self.series(i, &format!("{call}_{}_ms", pair[k])));
                    let band = below.into_iter().zip(above).map(|(below, above)| Datum {
                        low: below.y,
                        high: above.y,
                        ..above
                    });
                    Series {
                        name: format!("{policy} {} to {}", pair[0], pair[1]),
                        data: band.collect(),
                        colour: i,
                        dash,
                        scatter: false,
                    }
                })
            });
        let series: Vec<Series> = series.collect();
        let axis = axes::latency(&series);
        let mut chart = self.frame(title, axis, series);
        for rule in &self.scenario.alerts.rules {
            if watched(rule) == format!("{call}_p95_ms") {
                chart.marks.extend(threshold_marks(rule));
            }
        }
        let n = self.scenario.replications;
        let together = if n > 1 {
            format!("{n} replications together in each interval. ")
        } else {
            String::new()
        };
        chart.note = format!(
            "Lines: the upper percentile; bands: from the lower one to it. {together}Percentiles of fewer than ten calls beyond are left out; their 95% confidence is in series.csv. Before 0: warm-up."
        );
        chart
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
            y: match y.scale {
                Scale::Linear => Axis {
                    min: Some(0.0),
                    ..y
                },
                Scale::Log | Scale::Floored => y,
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
    let show = match rule.metric {
        AlertMetric::MetricsP95Ms | AlertMetric::AnalyticsP95Ms => format::milliseconds,
        AlertMetric::ErrorRate | AlertMetric::CacheHitRatio => format::percent,
        AlertMetric::KvOperationsPerDay => format::count,
    };
    [("warning", rule.warning), ("critical", rule.critical)].map(|(level, at)| Mark {
        at,
        label: format!("{level}: {}", show(at)),
        vertical: false,
        colour: None,
    })
}
