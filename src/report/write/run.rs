//! One scenario's results for the terminal and as CSV.

use super::invoice::dollars;
use super::sweep::{run_json, settings_line};
use crate::models::quantity::Count;
use crate::pricing::{Invoice, Money};
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::record;
use crate::report::table::{Entry, Table, table};
use crate::run::metric::{METRICS, Metric};
use crate::run::scenario::Scenario;
use crate::study::cheapest::{Reason, why_excluded};
use crate::study::condition::assertion::Judged;
use crate::study::sweep::Cell;
use crate::telemetry::alerts::Alert;

/// Writes the measures of each policy, the invoice for its mean usage, and what it takes to
/// repeat the run.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(
    scenario: &Scenario,
    traffic: Count,
    cells: &[Cell],
    judged: &[Judged],
    out: &OutputDir,
) -> Result<(), WriteError> {
    out.write(artefacts::MEASURES_CSV, &measures_csv(cells))?;
    out.write(artefacts::INVOICE_CSV, &invoice_csv(cells))?;
    let settings = settings_line(scenario, cells);
    let run = run_json("run", scenario, &[traffic], settings, judged)?;
    record::write(out, &run)
}

fn measures_csv(cells: &[Cell]) -> Vec<u8> {
    let header = [
        "policy",
        "measure",
        "mean",
        "ci95",
        "replications",
        "meaning",
    ];
    let rows = cells.iter().flat_map(|cell| {
        let measures = METRICS.iter().zip(&cell.pooled.estimates);
        measures.map(|(metric, e)| {
            vec![
                cell.policy.clone(),
                metric.name.to_owned(),
                format::csv_number(e.mean),
                format::csv_number(e.half_width),
                e.n.to_string(),
                metric.meaning.to_owned(),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).into(), rows)
}

fn invoice_csv(cells: &[Cell]) -> Vec<u8> {
    let header = [
        "policy",
        "item",
        "used",
        "included",
        "billable",
        "unit_price_usd",
        "per",
        "amount_usd",
    ];
    let usd = |m: Money| format!("{m:.12}").trim_start_matches('$').to_owned();
    let rows = cells.iter().flat_map(|cell| {
        cell.pooled.invoice.lines.iter().map(move |l| {
            let name = l.item.map_or("plan fee", |i| i.name());
            vec![
                cell.policy.clone(),
                name.to_owned(),
                l.used.to_string(),
                l.included.to_string(),
                l.billable.to_string(),
                usd(l.unit_price),
                l.per.to_string(),
                usd(l.amount),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).into(), rows)
}

/// All measures, a column for each policy; measures that are zero or absent everywhere are
/// left out.
pub fn metrics_table(metrics: &[Metric], cells: &[Cell]) -> Table {
    let mut header = vec!["measure"];
    header.extend(cells.iter().map(|c| c.policy.as_str()));
    header.push("meaning");
    let tells = |i: &usize| {
        cells.iter().any(|c| {
            let mean = c.pooled.estimates[*i].mean;
            c.pooled.too_few[*i] || (mean != 0.0 && !mean.is_nan())
        })
    };
    let rows = (0..metrics.len()).filter(tells).map(|i| {
        let mut row = vec![Entry::from(metrics[i].name)];
        for c in cells {
            let e = c.pooled.estimates[i];
            row.push(if c.pooled.too_few[i] {
                format::TOO_FEW.into()
            } else {
                Entry::amount(e)
            });
        }
        row.push(metrics[i].meaning.into());
        row
    });
    table(&header, 1, rows).explained_by("meaning")
}

/// The lines of an invoice that were used, and the total.
pub fn invoice_table(invoice: &Invoice) -> Table {
    let lines = invoice.lines.iter().filter(|l| l.used > 0);
    let exact = |n: u128| Entry::of(n.to_string(), "", n as f64);
    let mut rows: Vec<Vec<Entry>> = lines
        .map(|l| match l.item {
            None => {
                let blank = || Entry::from("");
                vec![
                    "plan fee".into(),
                    blank(),
                    blank(),
                    blank(),
                    blank(),
                    dollars(l.amount.to_string(), l.amount),
                ]
            }
            Some(item) => vec![
                item.name().into(),
                exact(l.used),
                exact(l.included),
                exact(l.billable),
                format!(
                    "{:.3} per {}",
                    l.unit_price,
                    crate::models::quantity::Count(l.per)
                )
                .into(),
                dollars(format!("{:.4}", l.amount), l.amount),
            ],
        })
        .collect();
    let mut total = vec![Entry::from(""); 5];
    total[0] = "total".into();
    total.push(dollars(invoice.total.to_string(), invoice.total));
    rows.push(total);
    let header = ["item", "used", "included", "billable", "price", "amount"];
    table(&header, 1, rows)
}

/// What a bill is not for, in one line: work that the plan refuses or the policy loses. None if it
/// is for all.
pub fn not_billed(plan: &str, cell: &Cell) -> Option<String> {
    let mean = |name: &str| cell.estimate(name).mean;
    let parts = [
        ("requests_refused_share", "of the requests are refused"),
        (
            "kv_quota_exceeded_share",
            "of the KV operations are refused",
        ),
        ("loss_rate", "of the records are lost"),
    ];
    let mut told: Vec<String> = parts
        .iter()
        .filter(|(name, _)| mean(name) > 0.0)
        .map(|(name, what)| format!("{} {what}", format::percent(mean(name))))
        .collect();
    if why_excluded(cell) == Some(Reason::LossUnknown) {
        told.push("how many records are lost is unknown, because keys have expired".into());
    }
    (!told.is_empty()).then(|| {
        format!(
            "Not for the whole work, policy {} under plan \"{plan}\": {}.",
            cell.policy,
            told.join(", ")
        )
    })
}

/// One line per alert, or that there is none.
pub fn alerts(alerts: &[Alert]) -> String {
    if alerts.is_empty() {
        return "  none".into();
    }
    let line = |a: &Alert| {
        format!(
            "  {}: {} is {}, threshold {}",
            a.level,
            a.metric,
            format::csv_number(a.value),
            format::csv_number(a.threshold)
        )
    };
    alerts.iter().map(line).collect::<Vec<_>>().join("\n")
}
