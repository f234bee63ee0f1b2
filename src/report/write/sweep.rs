//! The results of a sweep as CSV, charts and a table.

use super::assertions::{Assertion, for_json};
use super::precision::replications;
use crate::models::quantity::Count;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::{OutputDir, json};
use crate::report::reason::reason_words;
use crate::report::record;
use crate::report::settings::settings;
use crate::run::metric::{ALLOWANCES, METRICS};
use crate::run::scenario::Scenario;
use crate::study::answers::{UsedUp, answers, used_up};
use crate::study::cheapest::{Standing, standings, why_excluded};
use crate::study::condition::assertion::Judged;
use crate::study::sweep::Cell;
use serde::Serialize;

/// Writes everything that a sweep leaves behind into `out`.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(
    scenario: &Scenario,
    cells: &[Cell],
    judged: &[Judged],
    out: &OutputDir,
) -> Result<(), WriteError> {
    out.write(artefacts::SWEEP_CSV, &sweep_csv(scenario, cells))?;
    let answers = answers(&scenario.plan, cells);
    out.write(
        artefacts::ANSWERS_JSON,
        &json(artefacts::ANSWERS_JSON, &answers)?,
    )?;
    out.write(
        artefacts::REPLICATIONS_CSV,
        &replications_csv(scenario, cells),
    )?;
    let mut levels: Vec<Count> = cells.iter().map(|c| c.traffic).collect();
    levels.dedup();
    let settings = settings_line(scenario, cells);
    let run = run_json("sweep", scenario, &levels, settings, judged)?;
    record::write(out, &run)?;
    for (name, chart) in charts(scenario, cells) {
        for extension in ["svg", "png"] {
            chart.draw(&out.staged(&format!("{name}.{extension}"))?)?;
        }
    }
    Ok(())
}

const POINT_COLUMNS: [&str; 10] = [
    "traffic_per_month",
    "policy",
    "plan",
    "machines",
    "simulated_hours",
    "month_scale",
    "replications",
    "precision_met",
    "cheapest",
    "too_few",
];

fn point_columns(scenario: &Scenario, cell: &Cell, standing: Standing) -> Vec<String> {
    vec![
        cell.traffic.0.to_string(),
        cell.policy.clone(),
        scenario.plan.clone(),
        scenario.fleet.isolates.to_string(),
        format::csv_number(cell.period.as_secs_f64() / 3_600.0),
        format::csv_number(cell.scale()),
        cell.replications.len().to_string(),
        cell.attained
            .map_or("", |a| if a.met() { "yes" } else { "no" })
            .to_owned(),
        standing_words(standing),
        too_few(cell),
    ]
}

/// `yes`, `tied`, `no`, or `excluded: refuses 85% of the requests`.
pub fn standing_words(standing: Standing) -> String {
    let why = match standing {
        Standing::Least => return "yes".into(),
        Standing::Tied => return "tied".into(),
        Standing::Dearer => return "no".into(),
        Standing::Excluded(reason) => reason_words(reason),
    };
    format!("excluded: {why}")
}

/// The percentiles for which too few calls came, apart by spaces: their columns are empty.
fn too_few(cell: &Cell) -> String {
    let all = METRICS.iter().zip(&cell.pooled.too_few);
    let names: Vec<&str> = all.filter(|(_, few)| **few).map(|(m, _)| m.name).collect();
    names.join(" ")
}

/// One row per level and policy: each measure with its 95% half-width in `<name>_ci95`.
pub fn sweep_csv(scenario: &Scenario, cells: &[Cell]) -> Vec<u8> {
    let header = POINT_COLUMNS.iter().map(|c| (*c).to_owned());
    let measures = METRICS
        .iter()
        .flat_map(|m| [m.name.to_owned(), format!("{}_ci95", m.name)]);
    let standings = standings(cells);
    let rows = cells.iter().zip(standings).map(|(cell, standing)| {
        let estimates = cell.pooled.estimates.iter();
        let numbers =
            estimates.flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
        point_columns(scenario, cell, standing)
            .into_iter()
            .chain(numbers)
            .collect()
    });
    csv_bytes(header.chain(measures).collect(), rows)
}

/// One row per level, policy and replication.
pub fn replications_csv(scenario: &Scenario, cells: &[Cell]) -> Vec<u8> {
    let header = ["traffic_per_month", "policy", "plan", "replication"].map(str::to_owned);
    let measures = METRICS.iter().map(|m| m.name.to_owned());
    let rows = cells.iter().flat_map(|cell| {
        cell.replications.iter().enumerate().map(|(i, values)| {
            let point = [
                cell.traffic.0.to_string(),
                cell.policy.clone(),
                scenario.plan.clone(),
                i.to_string(),
            ];
            let numbers = values.iter().map(|v| format::csv_number(*v));
            point.into_iter().chain(numbers).collect()
        })
    });
    csv_bytes(header.into_iter().chain(measures).collect(), rows)
}

/// What `run.json` holds: enough to repeat the run.
#[derive(Serialize)]
struct Run<'a> {
    kvplan: &'static str,
    command: &'a str,
    seed: u64,
    /// The settings in force, in one line.
    settings: String,
    traffic_per_month: Vec<u64>,
    /// How the simulated period stands for a month.
    scaling: &'static str,
    /// What was asserted of the results, and whether it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assertions: Vec<Assertion<'a>>,
    scenario: &'a Scenario,
}

/// The statement about scaling that goes with every sweep.
pub const SCALING: &str = "Each level is simulated for `simulated_hours` after a warm-up; counts are multiplied by \
`month_scale` to give a month of 30 days, and fees, included amounts and prices are applied to the \
month. The error of that is the sampling error, which the 95% intervals over replications hold, \
and the edge of the period: at most one unwritten batch and one cache fill per replication. \
Storage is extrapolated to the retention time.";

/// What it takes to repeat a command on a scenario, and the settings that were in force.
pub fn run_json(
    command: &str,
    scenario: &Scenario,
    levels: &[Count],
    settings: String,
    judged: &[Judged],
) -> Result<Vec<u8>, WriteError> {
    let run = Run {
        kvplan: env!("CARGO_PKG_VERSION"),
        command,
        seed: scenario.seed,
        settings,
        traffic_per_month: levels.iter().map(|c| c.0).collect(),
        scaling: SCALING,
        assertions: for_json(judged),
        scenario,
    };
    json(artefacts::RUN_JSON, &run)
}

/// The settings in force of a sweep.
pub fn settings_line(scenario: &Scenario, cells: &[Cell]) -> String {
    let mut levels: Vec<Count> = cells.iter().map(|c| c.traffic).collect();
    levels.dedup();
    settings(scenario)
        .at(&levels)
        .replicated(replications(cells))
        .line()
}

/// Names and charts of a sweep.
pub fn charts(scenario: &Scenario, cells: &[Cell]) -> Vec<(&'static str, Chart)> {
    let plotter = Plotter { scenario, cells };
    vec![
        ("cost", plotter.cost()),
        ("hit_ratio", plotter.hit_ratio()),
        ("operations_per_request", plotter.operations()),
        (
            "latency_query",
            plotter.latency("query", "analytics query (24 h window)"),
        ),
        (
            "latency_metrics",
            plotter.latency("metrics", "metrics endpoint"),
        ),
        (
            "latency_record",
            plotter.latency("record", "recording a request"),
        ),
        ("quota_use", plotter.quota_use()),
    ]
}

struct Plotter<'a> {
    scenario: &'a Scenario,
    cells: &'a [Cell],
}

/// The least latency that charts tell from none.
const LATENCY_FLOOR_MS: f64 = 0.1;
/// What costs nothing is drawn here on a logarithmic axis.
const LEAST_USD: f64 = 0.01;

impl Plotter<'_> {
    fn policies(&self) -> Vec<&str> {
        let policies = self.scenario.policies.iter();
        policies.map(|p| p.name.as_str()).collect()
    }

    fn of_policy(&self, policy: &str) -> Vec<&Cell> {
        self.cells.iter().filter(|c| c.policy == policy).collect()
    }

    fn series(&self, policy: &str, metric: &str) -> Vec<Datum> {
        let datum = |c: &&Cell| {
            let e = c.estimate(metric);
            Datum {
                x: c.traffic.0 as f64,
                y: e.mean,
                low: e.low(),
                high: e.high(),
            }
        };
        self.of_policy(policy).iter().map(datum).collect()
    }

    fn by_policy(&self, metric: &str) -> Vec<Series> {
        let policies = self.policies().into_iter().enumerate();
        policies
            .map(|(i, policy)| Series {
                name: policy.to_owned(),
                data: self.series(policy, metric),
                colour: i,
                dash: 0,
                scatter: false,
            })
            .collect()
    }

    fn chart(&self, title: &str, y: Axis, series: Vec<Series>) -> Chart {
        let n = replications(self.cells);
        let mut note = if n != "1" {
            format!(
                "Bands: 95% confidence over {n} replications (Student's t); where none is seen, it is thinner than the line."
            )
        } else {
            "One replication: no confidence interval.".into()
        };
        let is_unsure = |d: &Datum| d.y.is_finite() && !(d.low.is_finite() && d.high.is_finite());
        if n != "1" && series.iter().flat_map(|s| &s.data).any(is_unsure) {
            note.push_str(" Hollow: no interval is known.");
        }
        Chart {
            title: title.to_owned(),
            subtitle: settings_line(self.scenario, self.cells),
            x: Axis {
                label: "recorded requests per month".into(),
                scale: Scale::Log,
                format: format::count,
                min: None,
                max: None,
            },
            y,
            series,
            marks: Vec::new(),
            note,
        }
    }

    fn cost(&self) -> Chart {
        let axis = Axis {
            label: "cost per month (USD)".into(),
            scale: Scale::Log,
            format: format::usd,
            min: None,
            max: None,
        };
        let series = self.costs();
        let mut chart = self.chart("Monthly cost against traffic", axis, series);
        let zero = self
            .cells
            .iter()
            .any(|c| c.estimate("cost_usd").mean <= 0.0);
        if zero {
            chart.y.min = Some(LEAST_USD);
            chart.y.format = |v| match v <= LEAST_USD {
                true => "$0".into(),
                false => format::usd(v),
            };
            let most = self.cells.iter().map(|c| c.estimate("cost_usd").mean);
            if most.fold(0.0, f64::max) <= LEAST_USD {
                chart.y.max = Some(10.0);
            }
        }
        for (i, policy) in self.policies().into_iter().enumerate() {
            let cells = self.of_policy(policy);
            // The first of a policy's allowances: from there on it costs more. The page tells of all.
            let all = ALLOWANCES.iter().filter_map(|(metric, what)| {
                let used_up = used_up(&cells, metric)?;
                Some((what, used_up))
            });
            let first = all.min_by(|a, b| a.1.at.total_cmp(&b.1.at));
            if let Some((what, UsedUp { at, everywhere })) = first {
                let from = if everywhere {
                    "at every level from"
                } else {
                    "at"
                };
                chart.marks.push(Mark {
                    at,
                    label: format!("{policy}: {what} used up {from} {}", format::count(at)),
                    vertical: true,
                    colour: Some(i),
                });
            }
        }
        let fee = self.scenario.plan().monthly_fee.to_usd();
        if fee > 0.0 {
            chart.marks.push(Mark {
                at: fee,
                label: format!("fee of plan \"{}\"", self.scenario.plan),
                vertical: false,
                colour: None,
            });
        }
        chart
    }

    /// The cost of each policy; apart, and dashed, where its bill is not for the whole work.
    fn costs(&self) -> Vec<Series> {
        let mut all = Vec::new();
        for (colour, policy) in self.policies().into_iter().enumerate() {
            let costs = self.series(policy, "cost_usd");
            let cells = self.of_policy(policy);
            let points = cells.into_iter().zip(costs);
            all.extend(costs_of(policy, colour, points));
        }
        all
    }

    fn hit_ratio(&self) -> Chart {
        let axis = Axis {
            label: "cache hit ratio".into(),
            scale: Scale::Linear,
            format: format::percent,
            min: Some(0.0),
            max: Some(1.0),
        };
        let mut series = self.by_policy("hit_ratio");
        // A policy without a cache has no hit ratio.
        series.retain(|s| s.data.iter().any(|d| d.y.is_finite()));
        let mut chart = self.chart("Cache hit ratio against traffic", axis, series);
        chart.marks.push(Mark {
            at: 0.9,
            label: "90%".into(),
            vertical: false,
            colour: None,
        });
        chart
    }

    fn operations(&self) -> Chart {
        let axis = Axis {
            label: "KV operations per recorded request".into(),
            scale: Scale::Log,
            format: format::count,
            min: None,
            max: None,
        };
        let series = self.by_policy("operations_per_request");
        let mut chart = self.chart("KV operations per request against traffic", axis, series);
        chart.marks.push(Mark {
            at: 0.5,
            label: "0.5: the document's limit".into(),
            vertical: false,
            colour: None,
        });
        chart
    }

    fn latency(&self, call: &str, what: &str) -> Chart {
        let axis = Axis {
            label: "latency (ms)".into(),
            scale: Scale::Log,
            format: |v| match v <= LATENCY_FLOOR_MS {
                true => format!("<{} ms", format::count(LATENCY_FLOOR_MS)),
                false => format!("{} ms", format::count(v)),
            },
            min: Some(LATENCY_FLOOR_MS),
            max: None,
        };
        let mut series = Vec::new();
        for (i, policy) in self.policies().into_iter().enumerate() {
            for (dash, p) in ["p50", "p95", "p99"].into_iter().enumerate() {
                series.push(Series {
                    name: format!("{policy} {p}"),
                    data: self.series(policy, &format!("{call}_{p}_ms")),
                    colour: i,
                    dash,
                    scatter: false,
                });
            }
        }
        self.chart(&format!("Latency of {what}"), axis, series)
    }

    fn quota_use(&self) -> Chart {
        let [reads, writes, _, _, requests] = ALLOWANCES;
        let axis = Axis {
            label: "share of the plan's allowance used".into(),
            scale: Scale::Log,
            format: format::percent,
            min: None,
            max: None,
        };
        let mut series = Vec::new();
        for (i, policy) in self.policies().into_iter().enumerate() {
            for (dash, (metric, what)) in [reads, writes, requests].into_iter().enumerate() {
                series.push(Series {
                    name: format!("{policy}: {what}"),
                    data: self.series(policy, metric),
                    colour: i,
                    dash,
                    scatter: false,
                });
            }
        }
        let title = format!("Use of the allowance of plan \"{}\"", self.scenario.plan);
        let mut chart = self.chart(&title, axis, series);
        chart.marks.push(Mark {
            at: 1.0,
            label: "all of it".into(),
            vertical: false,
            colour: None,
        });
        chart
    }
}

/// What a policy costs; apart, and dashed, where its bill is not for the whole work.
pub fn costs_of<'a>(
    policy: &str,
    colour: usize,
    points: impl IntoIterator<Item = (&'a Cell, Datum)>,
) -> Vec<Series> {
    let is_excluded = |point: &(&Cell, Datum)| why_excluded(point.0).is_some();
    let (excluded, whole): (Vec<_>, Vec<_>) = points.into_iter().partition(is_excluded);
    let series = |name: String, points: Vec<(&Cell, Datum)>, dash| Series {
        name,
        data: points.into_iter().map(|(_, d)| d).collect(),
        colour,
        dash,
        scatter: false,
    };
    let mut all = vec![
        series(policy.to_owned(), whole, 0),
        series(format!("{policy}: refuses or loses"), excluded, 2),
    ];
    all.retain(|s| !s.data.is_empty());
    all
}
