//! A forecast as CSV, fan charts and tables.

use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Scale, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::reason::reason_words;
use crate::report::settings::settings;
use crate::report::table::{Answer, Entry, table};
use crate::run::scenario::Scenario;
use crate::study::cheapest::Reason;
use crate::study::forecast::{Forecast, Growth, Hit, Limit, Month};

/// A scenario with its forecast.
pub struct ForecastReport<'a> {
    /// What was simulated.
    pub scenario: &'a Scenario,
    /// How traffic grows.
    pub growth: &'a Growth,
    /// The forecast.
    pub result: &'a Forecast,
}

/// Names of the percentiles in the columns.
const NAMES: [&str; 5] = ["p05", "p25", "p50", "p75", "p95"];

impl ForecastReport<'_> {
    /// Writes everything that the forecast leaves behind into `out`.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::FORECAST_CSV, &self.csv())?;
        out.write(artefacts::FORECAST_LIMITS_CSV, &self.limits_csv())?;
        out.draw("forecast", &self.cost_chart())?;
        out.draw("forecast_traffic", &self.traffic_chart())?;
        Ok(())
    }

    fn policies(&self) -> impl Iterator<Item = (usize, &str)> {
        let policies = self.scenario.policies.iter().enumerate();
        policies.map(|(i, p)| (i, p.name.as_str()))
    }

    /// A row per month and policy.
    pub fn csv(&self) -> Vec<u8> {
        let mut header: Vec<String> = ["month", "policy", "plan"].map(str::to_owned).to_vec();
        header.extend(NAMES.map(|n| format!("traffic_per_month_{n}")));
        header.extend(NAMES.map(|n| format!("cost_usd_{n}")));
        header
            .extend(["cost_usd_mean", "refused_share_mean", "lost_share_mean"].map(str::to_owned));
        header.extend(NAMES.map(|n| format!("lost_share_{n}")));
        header.push("excluded".into());
        let rows = self.result.months.iter().flat_map(|m| {
            self.policies().map(|(i, policy)| {
                let mut row = vec![
                    m.number.to_string(),
                    policy.to_owned(),
                    self.scenario.plan.clone(),
                ];
                row.extend(m.traffic.map(format::csv_number));
                row.extend(m.cost[i].map(format::csv_number));
                row.push(format::csv_number(m.mean_cost[i]));
                row.push(format::csv_number(m.mean_refused[i]));
                row.push(format::csv_number(m.mean_lost[i]));
                row.extend(m.lost[i].map(format::csv_number));
                row.push(m.excluded[i].map_or_else(String::new, reason_words));
                row
            })
        });
        csv_bytes(header, rows)
    }

    /// A row per policy and limit; a month that does not come within the forecast is empty.
    pub fn limits_csv(&self) -> Vec<u8> {
        let header = [
            "policy",
            "kind",
            "limit",
            "plan",
            "share_of_futures",
            "month_p05",
            "month_p50",
            "month_p95",
        ];
        let rows = self.result.hits.iter().map(|h| {
            let (kind, name, plan) = self.limit_columns(&h.limit);
            let mut row = vec![
                self.scenario.policies[h.policy].name.clone(),
                kind.to_owned(),
                name,
                plan,
                format::csv_number(h.share),
            ];
            row.extend(
                h.months
                    .map(|m| m.map_or_else(String::new, |m| m.to_string())),
            );
            row
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    fn limit_columns(&self, limit: &Limit) -> (&'static str, String, String) {
        match limit {
            Limit::Quota(item) => (
                "quota",
                item.name().into(),
                self.result.free.clone().unwrap_or_default(),
            ),
            Limit::Allowance(item) => ("allowance", item.name().into(), self.scenario.plan.clone()),
            Limit::Alert(metric, level) => ("alert", format!("{metric:?} {level}"), String::new()),
        }
    }

    fn limit_words(&self, limit: &Limit) -> String {
        let (kind, name, plan) = self.limit_columns(limit);
        match kind {
            "quota" => format!("plan \"{plan}\": {name} of an average day"),
            "allowance" => format!("plan \"{plan}\": {name} included"),
            _ => format!("alert: {name}"),
        }
    }

    /// Months and costs for the terminal, at most about a dozen rows.
    pub fn cost_table(&self) -> Answer {
        let mut header = vec!["month".to_owned(), "requests/month".into()];
        header.extend(self.policies().map(|(_, p)| format!("{p}, cost/month")));
        // A plan without daily limits refuses nothing.
        let refuses = self.refuses();
        if refuses {
            header.extend(self.policies().map(|(_, p)| format!("{p}, refused")));
        }
        header.extend(self.policies().map(|(_, p)| format!("{p}, lost")));
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let months = &self.result.months;
        let step = [1, 2, 3, 6, 12, 24]
            .into_iter()
            .find(|s| months.len() <= 13 * s);
        let shown = months.iter().step_by(step.unwrap_or(120));
        let rows = shown.map(|m| {
            let mut row = vec![
                Entry::of(m.number.to_string(), "", f64::from(m.number)),
                spread(m.traffic, format::count, ["", "p5", "p95"]),
            ];
            let usd = |c: &[f64; 5]| spread(*c, format::usd, ["usd", "usd_p5", "usd_p95"]);
            row.extend(m.cost.iter().map(usd));
            if refuses {
                row.extend(m.mean_refused.iter().map(|r| Entry::percent(*r)));
            }
            let share = |l: &[f64; 5]| {
                let names = ["share", "share_p5", "share_p95"];
                spread(*l, format::share_or_unknown, names)
            };
            row.extend(m.lost.iter().map(share));
            row
        });
        let mut answer = Answer::new().table("months", table(&header, 0, rows));
        for (i, policy) in self.policies() {
            let months = self.result.months.iter();
            let excluded: Vec<(u32, Reason)> = months
                .filter_map(|m| Some((m.number, m.excluded[i]?)))
                .collect();
            if let (Some((first, _)), Some((last, why))) = (excluded.first(), excluded.last()) {
                answer = answer.gap().say(format!(
                    "The cost of {policy} is not for the whole work in months {first} to {last}: {} in the last of them.",
                    reason_words(*why)
                ));
            }
        }
        answer
    }

    /// Whether the cost of a policy is not for the whole work in any month.
    fn is_excluded(&self, policy: usize) -> bool {
        let mut months = self.result.months.iter();
        months.any(|m| m.excluded[policy].is_some())
    }

    /// Whether the plan refuses work in any month.
    fn refuses(&self) -> bool {
        let months = &self.result.months;
        months
            .iter()
            .flat_map(|m| &m.mean_refused)
            .any(|r| *r > 0.0)
    }

    /// The limits that are met in at least one future in 100.
    pub fn limits_table(&self) -> Answer {
        let mut hits: Vec<&Hit> = self
            .result
            .hits
            .iter()
            .filter(|h| h.share >= 0.01)
            .collect();
        hits.sort_by_key(|h| {
            (
                h.policy,
                h.months.map(|m| m.unwrap_or(u32::MAX)),
                h.limit_order(),
            )
        });
        if hits.is_empty() {
            return Answer::new().say("No limit is met within these months.");
        }
        let month = |m: Option<u32>| m.map_or_else(|| "later".to_owned(), |m| m.to_string());
        let value = |m: Option<u32>| m.map_or(f64::NAN, f64::from);
        let rows = hits.into_iter().map(|h| {
            vec![
                Entry::from(self.scenario.policies[h.policy].name.as_str()),
                self.limit_words(&h.limit).into(),
                Entry::of(month(h.months[1]), "", value(h.months[1])),
                Entry::named(
                    format!("{} to {}", month(h.months[0]), month(h.months[2])),
                    &[
                        ("first_month_p5", value(h.months[0])),
                        ("first_month_p95", value(h.months[2])),
                    ],
                ),
                Entry::percent(h.share),
            ]
        });
        let header = ["policy", "limit", "first month", "5% to 95%", "of futures"];
        Answer::new().table("limits", table(&header, 2, rows))
    }

    /// How to read the tables.
    pub fn explanation(&self) -> String {
        format!(
            "Medians, with the 5th and 95th percentile of {} futures in brackets: growth uncertain by {} a month, sampling error from {} replications at {} levels. Month 0 is today; a limit in month 0 is met already. Seed {}.",
            self.growth.futures,
            format::percent(self.growth.rate_sd),
            self.scenario.replications,
            self.result.levels.len(),
            self.scenario.seed
        )
    }

    fn subtitle(&self) -> String {
        self.settings()
    }

    /// The settings in force, and the growth.
    pub fn settings(&self) -> String {
        format!(
            "From {} requests a month, growing {} a month (standard deviation {}); {}",
            format::count(self.growth.start),
            format::percent(self.growth.rate),
            format::percent(self.growth.rate_sd),
            settings(self.scenario)
                .with_if(
                    self.growth.month_sd > 0.0,
                    "--month-sd",
                    format::percent(self.growth.month_sd)
                )
                .line()
        )
    }

    fn months_axis(&self) -> Axis {
        Axis {
            label: "months from now".into(),
            scale: Scale::Linear,
            // Between two months there is none.
            format: |v| match (v - v.round()).abs() < 1e-6 {
                true => format!("{v:.0}"),
                false => String::new(),
            },
            min: None,
            max: None,
        }
    }

    fn cost_chart(&self) -> Chart {
        let mut series = Vec::new();
        let mut marks = Vec::new();
        for (i, policy) in self.policies() {
            let name = match self.is_excluded(i) {
                true => format!("{policy} (refuses or loses)"),
                false => policy.to_owned(),
            };
            series.extend(fan_series(&self.result.months, &name, i, |m| m.cost[i]));
            let allowances = self.result.hits.iter().filter(|h| {
                h.policy == i && matches!(h.limit, Limit::Allowance(_)) && h.months[1].is_some()
            });
            if let Some(h) = allowances.min_by_key(|h| h.months[1]) {
                marks.push(Mark {
                    at: f64::from(h.months[1].unwrap_or_default()),
                    label: format!(
                        "{policy}: {} no longer covered",
                        self.limit_columns(&h.limit).1
                    ),
                    vertical: true,
                    colour: Some(i),
                });
            }
        }
        let costs = || series.iter().flat_map(|s| &s.data).map(|d| d.y);
        let (low, high) = costs().fold((f64::INFINITY, 0.0_f64), |(l, h), c| (l.min(c), h.max(c)));
        let log = low > 0.0 && high > 30.0 * low;
        Chart {
            title: format!("Cost forecast under plan \"{}\"", self.scenario.plan),
            subtitle: self.subtitle(),
            x: self.months_axis(),
            y: Axis {
                label: "cost per month (USD)".into(),
                scale: if log { Scale::Log } else { Scale::Linear },
                format: format::usd,
                min: (!log).then_some(0.0),
                max: None,
            },
            series,
            marks,
            note: format!(
                "Bands: 50% and 90% of {} futures, from growth and sampling error; dashed verticals: median month.{}",
                self.growth.futures,
                if self.refuses() || self.policies().any(|(i, _)| self.is_excluded(i)) {
                    " Work is refused or lost: the cost is for the rest."
                } else {
                    ""
                }
            ),
        }
    }

    fn traffic_chart(&self) -> Chart {
        Chart {
            title: "Traffic forecast".into(),
            subtitle: self.subtitle(),
            x: self.months_axis(),
            y: Axis {
                label: "recorded requests per month".into(),
                scale: Scale::Log,
                format: format::count,
                min: None,
                max: None,
            },
            series: fan_series(&self.result.months, "traffic", 0, |m| m.traffic),
            marks: Vec::new(),
            note: format!("Bands: 50% and 90% of {} futures.", self.growth.futures),
        }
    }
}

impl Hit {
    fn limit_order(&self) -> u8 {
        match self.limit {
            Limit::Quota(_) => 0,
            Limit::Allowance(_) => 1,
            Limit::Alert(..) => 2,
        }
    }
}

/// The median, with the 5th and 95th percentile where they differ in what is shown.
fn fan(p: [f64; 5], show: fn(f64) -> String) -> String {
    let (low, high) = (show(p[0]), show(p[4]));
    if low == high {
        return show(p[2]);
    }
    format!("{} ({low} to {high})", show(p[2]))
}

/// The same, with median, 5% and 95% for machines.
fn spread(p: [f64; 5], show: fn(f64) -> String, names: [&'static str; 3]) -> Entry {
    let [median, low, high] = names;
    Entry::of(fan(p, show), median, p[2])
        .with_half_width(low, p[0])
        .with_half_width(high, p[4])
}

/// The wide band below the narrow one, around the median.
fn fan_series(
    months: &[Month],
    name: &str,
    colour: usize,
    get: impl Fn(&Month) -> [f64; 5],
) -> Vec<Series> {
    let band = |low: usize, high: usize| -> Vec<Datum> {
        let datum = |m: &Month| {
            let p = get(m);
            Datum {
                x: f64::from(m.number),
                y: p[2],
                low: p[low],
                high: p[high],
            }
        };
        months.iter().map(datum).collect()
    };
    let series = |what: &str, data, dash| Series {
        name: format!("{name}: {what}"),
        data,
        colour,
        dash,
        scatter: false,
    };
    vec![
        series("90% of futures", band(0, 4), 2),
        series("median, 50%", band(1, 3), 0),
    ]
}
