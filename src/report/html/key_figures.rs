//! The key figures of a sweep: a few columns of its table, by level and policy.

use super::csv_file::{Csv, Row};
use super::table::{Cell, Column, Table};
use crate::report::format;

type Write = fn(f64) -> String;

const FIGURES: [(&str, &str, Write); 12] = [
    (
        "operations_per_request",
        "KV operations per request",
        format::count,
    ),
    ("hit_ratio", "hit ratio", format::percent),
    ("batch_records", "records in a batch", format::count),
    ("query_p95_ms", "query p95", format::milliseconds),
    ("error_rate", "calls failed", format::percent),
    (
        "requests_refused_share",
        "requests refused",
        format::percent,
    ),
    (
        "kv_quota_exceeded_share",
        "KV operations refused",
        format::percent,
    ),
    ("loss_rate", "records lost", format::percent),
    ("quota_use_reads", "reads wanted", format::percent),
    ("quota_use_writes", "writes wanted", format::percent),
    ("quota_use_requests", "requests wanted", format::percent),
    ("stored_bytes", "stored bytes", format::count),
];

/// The key figures of `sweep.csv`; none if it has no levels, policies or costs.
pub fn of_sweep(csv: &Csv) -> Option<Table> {
    let has = |name: &str| csv.header.iter().any(|h| h == name);
    let is_sweep = ["traffic_per_month", "policy", "cost_usd"]
        .into_iter()
        .all(has);
    is_sweep.then(|| table(csv, FIGURES.iter().filter(|f| has(f.0)).collect()))
}

fn table(csv: &Csv, figures: Vec<&(&str, &str, Write)>) -> Table {
    let mut columns = vec![
        Column::number("requests a month"),
        Column::text("policy"),
        Column::number("cost a month"),
    ];
    columns.extend(figures.iter().map(|(_, label, _)| Column::number(label)));
    let row = |row: Row| {
        let traffic = row.number("traffic_per_month");
        let mut cells = vec![
            Cell::number(traffic, format::count(traffic)),
            Cell::text(row.get("policy")),
            Cell::number(row.number("cost_usd"), row.usd("cost_usd")),
        ];
        let figure = |(name, _, write): &&(&str, &str, Write)| figure(row, name, *write);
        cells.extend(figures.iter().map(figure));
        cells
    };
    let rows = csv.rows().map(row).collect();
    let mut table = Table::new("key-figures", "Key figures", columns, rows);
    table.about =
        "Means over the replications; intervals of all of them stand under Tables.".into();
    table
}

fn figure(row: Row, name: &str, write: Write) -> Cell {
    let mean = row.number(name);
    let is_too_few = || row.get("too_few").split(' ').any(|n| n == name);
    if !mean.is_nan() {
        Cell::number(mean, write(mean))
    } else if is_too_few() {
        Cell::text(format::TOO_FEW)
    } else if name == "loss_rate" {
        Cell::text("unknown")
    } else {
        Cell::text("")
    }
}
