//! A comparison of stores as CSV, charts and tables.

use super::axes;
use super::sweep::SCALING;
use crate::cloud::service::StoreSpec;
use crate::models::quantity::Count;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::chart::{Chart, Datum, Mark, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::output::json;
use crate::report::record;
use crate::report::settings::settings;
use crate::report::table::{Answer, Entry, table};
use crate::run::scenario::Scenario;
use crate::study::stores::{MEASURES, StoreCell, TakeOver};
use serde::Serialize;

/// What was compared, and what came out.
pub struct Comparison<'a> {
    /// What was simulated.
    pub scenario: &'a Scenario,
    /// The stores compared.
    pub stores: &'a [StoreSpec],
    /// The settings of stores that were given: `store.NAME.FIELD=VALUE`.
    pub changed: &'a [String],
    /// The measures of each store, policy and level.
    pub cells: &'a [StoreCell],
    /// Where one store becomes the cheapest instead of another.
    pub take_overs: &'a [TakeOver],
}

/// What `stores.json` holds: enough to repeat the comparison.
#[derive(Serialize)]
struct Run<'a> {
    kvplan: &'static str,
    command: &'static str,
    seed: u64,
    /// The settings in force, in one line.
    settings: String,
    scaling: &'static str,
    stores: &'a [StoreSpec],
    scenario: &'a Scenario,
}

impl Comparison<'_> {
    /// Writes everything that a comparison leaves behind into `out`.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::STORES_CSV, &self.csv())?;
        out.write(artefacts::STORES_INVOICES_CSV, &self.invoices_csv())?;
        let run = Run {
            kvplan: env!("CARGO_PKG_VERSION"),
            command: "compare-stores",
            seed: self.scenario.seed,
            settings: self.settings(),
            scaling: SCALING,
            stores: self.stores,
            scenario: self.scenario,
        };
        let run = json(artefacts::STORES_JSON, &run)?;
        out.write(artefacts::STORES_JSON, &run)?;
        record::write(out, &run)?;
        for policy in &self.scenario.policies {
            let chart = self.chart(&policy.name);
            out.draw(&format!("stores_cost_{}", file_name(&policy.name)), &chart)?;
        }
        Ok(())
    }

    /// The settings in force.
    pub fn settings(&self) -> String {
        let mut levels: Vec<Count> = self.cells.iter().map(|c| c.traffic).collect();
        levels.dedup();
        let base = settings(self.scenario).at(&levels);
        let changed = self.changed.iter();
        changed.fold(base, |s, o| s.with("--set", o)).line()
    }

    /// One row per level, policy and store: each measure with its 95% half-width.
    pub fn csv(&self) -> Vec<u8> {
        let point = [
            "traffic_per_month",
            "policy",
            "store",
            "plan",
            "simulated_hours",
            "month_scale",
            "replications",
            "able",
            "cheapest",
            "refused_by_plan_share",
            "remarks",
        ];
        let measures = MEASURES
            .iter()
            .flat_map(|m| [m.name.to_owned(), format!("{}_ci95", m.name)]);
        let header = point.map(str::to_owned).into_iter().chain(measures);
        let rows = self.cells.iter().map(|c| {
            let point = [
                c.traffic.0.to_string(),
                c.policy.clone(),
                c.store.clone(),
                self.scenario.plan.clone(),
                format::csv_number(c.period.as_secs_f64() / 3_600.0),
                format::csv_number(c.scale()),
                c.pooled.contributions.len().to_string(),
                c.verdict.able.to_string(),
                c.cheapest.to_string(),
                format::csv_number(c.verdict.refused),
                c.verdict.reasons.join("; "),
            ];
            let numbers = c.pooled.estimates.iter();
            let numbers = numbers
                .flat_map(|e| [format::csv_number(e.mean), format::csv_number(e.half_width)]);
            point.into_iter().chain(numbers).collect()
        });
        csv_bytes(header.collect(), rows)
    }

    /// The lines of the first replication's invoices, without those of nothing.
    fn invoices_csv(&self) -> Vec<u8> {
        let header = [
            "traffic_per_month",
            "policy",
            "store",
            "item",
            "used",
            "included",
            "billable",
            "amount_usd",
        ];
        let rows = self.cells.iter().flat_map(|c| {
            let lines = c.pooled.invoice.lines.iter().filter(|l| l.used > 0);
            lines.map(|l| {
                vec![
                    c.traffic.0.to_string(),
                    c.policy.clone(),
                    c.store.clone(),
                    l.item.map_or("plan_fee", |i| i.name()).to_owned(),
                    l.used.to_string(),
                    l.included.to_string(),
                    l.billable.to_string(),
                    format!("{:.12}", l.amount)
                        .trim_start_matches('$')
                        .to_owned(),
                ]
            })
        });
        csv_bytes(header.map(str::to_owned).to_vec(), rows)
    }

    /// Cost against traffic under one policy, a line for each store.
    pub fn chart(&self, policy: &str) -> Chart {
        let of = |store: &str, able: bool| -> Vec<Datum> {
            let cells = self.cells.iter();
            let mine = cells.filter(|c| c.policy == policy && c.store == store);
            mine.filter(|c| c.verdict.able == able)
                .map(|c| {
                    let e = c.estimate("cost_usd");
                    Datum {
                        x: c.traffic.0 as f64,
                        y: e.mean,
                        low: e.low(),
                        high: e.high(),
                    }
                })
                .collect()
        };
        let mut series = Vec::new();
        for (i, store) in self.stores.iter().enumerate() {
            for able in [true, false] {
                let data = of(&store.name, able);
                if data.is_empty() {
                    continue;
                }
                series.push(Series {
                    name: if able {
                        store.name.clone()
                    } else {
                        format!("{}: not able", store.name)
                    },
                    data,
                    colour: i,
                    dash: if able { 0 } else { 2 },
                    scatter: false,
                });
            }
        }
        let n = self.scenario.replications;
        Chart {
            title: format!("Monthly cost by store, policy {policy}"),
            subtitle: self.settings(),
            x: axes::traffic(),
            y: axes::cost(&series),
            series,
            marks: self.cheapest_marks(policy),
            note: if n > 1 {
                format!(
                    "Bands: 95% confidence over {n} replications. Marks: the level from which a store is the cheapest that is able."
                )
            } else {
                "One replication: no confidence interval. Marks: the level from which a store is the cheapest that is able.".into()
            },
        }
    }

    /// Where another store becomes the only cheapest.
    fn cheapest_marks(&self, policy: &str) -> Vec<Mark> {
        let mut marks: Vec<Mark> = Vec::new();
        let mut last: Option<&str> = None;
        let cells = self.cells.iter().filter(|c| c.policy == policy);
        let cells: Vec<&StoreCell> = cells.collect();
        for level in cells.chunk_by(|a, b| a.traffic == b.traffic) {
            let cheapest: Vec<&&StoreCell> = level.iter().filter(|c| c.cheapest).collect();
            let [one] = cheapest.as_slice() else {
                continue;
            };
            if last != Some(&one.store) {
                last = Some(&one.store);
                let index = self.stores.iter().position(|s| s.name == one.store);
                marks.push(Mark {
                    at: one.traffic.0 as f64,
                    label: format!("cheapest from {}: {}", one.traffic, one.store),
                    vertical: true,
                    colour: index,
                });
            }
        }
        marks
    }

    /// The tables for the terminal.
    pub fn summary(&self) -> Answer {
        let header = [
            "requests/month",
            "policy",
            "store",
            "",
            "cost/month",
            "of it the store",
            "refused",
            "lost",
            "write p50 / p95",
            "query p50 / p95",
            "stored after",
        ];
        let pair = |c: &StoreCell, what: &str, names: [&'static str; 2]| {
            let q = |p: &str| {
                let name = format!("{what}_{p}_ms");
                match c.is_too_few(&name) {
                    true => f64::NAN,
                    false => c.estimate(&name).mean,
                }
            };
            let words = |p: &str, ms: f64| match c.is_too_few(&format!("{what}_{p}_ms")) {
                true => format::TOO_FEW.to_owned(),
                false => format::milliseconds(ms),
            };
            let (p50, p95) = (q("p50"), q("p95"));
            let text = format!("{} / {}", words("p50", p50), words("p95", p95));
            Entry::named(text, &[(names[0], p50), (names[1], p95)])
        };
        let rows = self.cells.iter().map(|c| {
            vec![
                Entry::level(c.traffic),
                c.policy.as_str().into(),
                c.store.as_str().into(),
                match (c.verdict.able, c.cheapest) {
                    (false, _) => "not able".into(),
                    (true, true) => "cheapest".into(),
                    (true, false) => "".into(),
                },
                Entry::usd_estimate(c.estimate("cost_usd")),
                Entry::usd(c.estimate("store_usd").mean),
                Entry::percent(c.verdict.refused),
                Entry::share_or_unknown(c.estimate("loss_rate").mean),
                pair(c, "write", ["write_p50_ms", "write_p95_ms"]),
                pair(c, "fetch", ["query_p50_ms", "query_p95_ms"]),
                Entry::seconds(c.estimate("stored_after_mean_s").mean),
            ]
        });
        let costs = table(&header, 4, rows).naming(3, "standing");
        let mut answer = Answer::new()
            .table("stores", costs)
            .say("\nLimits met")
            .and(self.remarks())
            .say("\nStores");
        let stores = self.stores.iter();
        let rows = stores.map(|s| vec![s.name.clone(), s.title.clone(), s.consistency.clone()]);
        let header = ["store", "what is kept where", "consistency"];
        answer = answer.table("kept", table(&header, 3, rows));
        for s in self.stores {
            if let Some(note) = &s.note {
                answer = answer.say(format!(" {}: {note}", s.name));
            }
        }
        if !self.take_overs.is_empty() {
            answer = answer.say("\nWhere one store takes over from another as the cheapest");
            let rows = self.take_overs.iter().map(|t| {
                vec![
                    Entry::from(t.policy.as_str()),
                    t.from.as_str().into(),
                    t.to.as_str().into(),
                    Entry::interval(t.at),
                ]
            });
            let header = ["policy", "from", "to", "at requests/month"];
            answer = answer.table("take_overs", table(&header, 3, rows));
        }
        answer
    }

    /// What was found of the stores' bounds.
    fn remarks(&self) -> Answer {
        let rows: Vec<Vec<Entry>> = self
            .cells
            .iter()
            .filter(|c| !c.verdict.reasons.is_empty())
            .map(|c| {
                vec![
                    Entry::level(c.traffic),
                    c.policy.as_str().into(),
                    c.store.as_str().into(),
                    format!(
                        "{}{}",
                        if c.verdict.able { "" } else { "not able: " },
                        c.verdict.reasons.join("; ")
                    )
                    .into(),
                ]
            })
            .collect();
        if rows.is_empty() {
            return Answer::new().say(" none");
        }
        let header = ["requests/month", "policy", "store", "remark"];
        Answer::new().table("limits_met", table(&header, 4, rows))
    }
}

/// A policy's name as a part of a file's.
fn file_name(name: &str) -> String {
    let safe = |c: char| {
        if c.is_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(safe).collect()
}
