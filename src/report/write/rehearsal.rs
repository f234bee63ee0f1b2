//! A rehearsed deployment: its judged checklist as CSV and table.

use crate::report::cells::csv_bytes;
use crate::report::format;
use crate::report::table::{Entry, Table, table};
use crate::study::cheapest::BOUNDED;
use crate::study::rehearsal::{Judged, Rehearsal, Verdict};

/// One row per policy and item. What was refused and lost of the whole time ends each of them, for any
/// of them may tell a cost.
pub fn rehearsal_csv(rehearsals: &[Rehearsal]) -> Vec<u8> {
    let header = [
        "policy",
        "section",
        "item",
        "verdict",
        "bound",
        "measure",
        "found",
        "found_ci95",
        "broken_share_of_intervals",
        "first_broken_s",
        "reason",
    ];
    let header = header.into_iter().chain(BOUNDED).map(str::to_owned);
    let rows = rehearsals.iter().flat_map(|r| {
        r.judged.iter().map(|j| {
            let first = j.found.first();
            let number = |v: Option<f64>| v.map(format::csv_number).unwrap_or_default();
            let mut row = vec![
                r.timeline.policy.clone(),
                j.section.clone(),
                j.quote.clone(),
                j.verdict.name().to_owned(),
                j.bound.clone().unwrap_or_default(),
                first.map(|f| f.0.clone()).unwrap_or_default(),
                number(first.map(|f| f.1.mean)),
                number(first.map(|f| f.1.half_width)),
                number(j.broken_share),
                number(j.first_broken_s),
                evidence(j),
            ];
            row.extend(BOUNDED.map(|m| number(Some(r.cell.estimate(m).mean))));
            row
        })
    });
    csv_bytes(header.collect(), rows)
}

/// What stands beside a verdict: all measures after the first, and the reason.
fn evidence(j: &Judged) -> String {
    let more = j.found.iter().skip(1);
    let mut parts: Vec<String> = more
        .map(|(name, e)| format!("{name} {}", format::interval(*e)))
        .collect();
    if !j.reason.is_empty() {
        parts.push(j.reason.clone());
    }
    parts.join("; ")
}

/// The checklist with its verdicts; what is not testable is counted, not listed.
pub fn checklist_table(rehearsal: &Rehearsal) -> Table {
    let header = [
        "item",
        "verdict",
        "bound",
        "found",
        "broken in",
        "first after",
    ];
    let tested = rehearsal.judged.iter();
    let rows = tested
        .filter(|j| j.verdict != Verdict::NotTestable)
        .map(|j| {
            let found: Vec<String> = j
                .found
                .iter()
                .map(|(name, e)| format!("{name} {}", format::interval(*e)))
                .collect();
            let found = if found.is_empty() {
                j.reason.clone()
            } else {
                found.join(", ")
            };
            let hours = |s: f64| {
                Entry::of(
                    format!("{} h", format::count(s / 3_600.0)),
                    "h",
                    s / 3_600.0,
                )
            };
            vec![
                Entry::from(j.quote.as_str()),
                j.verdict.name().into(),
                j.bound.clone().unwrap_or_default().into(),
                found.into(),
                j.broken_share.map_or("".into(), Entry::percent),
                j.first_broken_s.map_or("".into(), hours),
            ]
        });
    table(&header, 4, rows)
}

/// `5 met, 3 not met, ...`.
pub fn counts(rehearsal: &Rehearsal) -> String {
    let count = |v: Verdict| rehearsal.judged.iter().filter(|j| j.verdict == v).count();
    let parts = Verdict::ALL.map(|v| format!("{} {}", count(v), v.name()));
    parts.join(", ")
}
