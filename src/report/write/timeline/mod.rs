//! Runs over time: series, alerts, recoveries, warm-up and traces as CSV, JSON, charts and tables.

mod charts;

use crate::models::quantity::format_duration;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::table::{Entry, Table, table};
use crate::run::scenario::Scenario;
use crate::run::series::{COLUMNS, Recovery};
use crate::run::spans::otlp_json;
use crate::study::stats::Estimate;
use crate::study::timeline::Timeline;
use charts::{charts, describe};
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
