//! Usage from a plain CSV file: date, meter, quantity.

use super::{DAY_S, Dataset, Entry, Source, between_dates, seconds};
use crate::models::ConfigError;
use crate::pricing::quantity::parse;
use crate::pricing::{MeterItem, Unit};
use std::collections::BTreeSet;

/// The rows of the file.
pub(super) fn read(
    label: &str,
    text: &str,
    said: &mut BTreeSet<String>,
) -> Result<Dataset, ConfigError> {
    let fail = |line: Option<u64>, field: Option<&str>, message: String| ConfigError {
        line: line.map(|l| l as usize),
        field: field.map(str::to_owned),
        ..ConfigError::new(label, message)
    };
    let broken = |e: csv::Error| fail(e.position().map(csv::Position::line), None, e.to_string());
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(broken)?.clone();
    let column = |name: &str| {
        let found: Vec<&str> = headers.iter().collect();
        let at = headers.iter().position(|h| h.trim() == name);
        at.ok_or_else(|| {
            let message = format!(
                "found columns {}, expected date, meter and quantity",
                found.join(", ")
            );
            fail(Some(1), Some(name), message)
        })
    };
    let (date, meter, quantity) = (column("date")?, column("meter")?, column("quantity")?);
    let mut entries = Vec::new();
    let mut by_date = true;
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map(csv::Position::line);
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let time = seconds(cell(date)).ok_or_else(|| {
            let message = format!(
                "found \"{}\", expected a date such as 2026-11-02, or an hour such as 2026-11-02T05:00:00Z",
                cell(date)
            );
            fail(line, Some("date"), message)
        })?;
        by_date &= time.1;
        let meter: MeterItem = match cell(meter).parse() {
            Ok(meter) => meter,
            Err(e) => {
                let first = e.to_string();
                let short = first.split(", expected").next().unwrap_or_default();
                said.insert(format!("{label}: {short}, left out."));
                continue;
            }
        };
        let used = parse(cell(quantity), meter.unit())
            .map_err(|e| fail(line, Some("quantity"), e.to_string()))?;
        entries.push(Entry {
            meter,
            start_s: time.0,
            end_s: time.0 + if time.1 { DAY_S } else { 3_600 },
            quantity: used as f64,
            interval: Some((used as f64, used as f64)),
            level_of: (meter.unit() == Unit::Bytes).then(|| "all".to_owned()),
        });
    }
    Ok(Dataset {
        source: Source::Table,
        // Of hours nobody says that those without a row had nothing.
        covers: by_date.then(|| between_dates(&entries)).flatten(),
        complete_for: Vec::new(),
        entries,
    })
}
