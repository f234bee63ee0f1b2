//! What a sweep comes to, for the terminal: what each policy costs at each level, what it refuses and loses, which costs
//! least, and what the others save against the first.

use super::precision::{attained, needed};
use super::sweep::standing_words;
use crate::models::quantity::Count;
use crate::report::format;
use crate::report::reason::reason_words;
use crate::report::table::{Answer, Entry, table};
use crate::study::answers::saved_against_first;
use crate::study::cheapest::{Standing, standings, why_excluded};
use crate::study::sweep::Cell;

/// The summary for the terminal.
pub fn summary(cells: &[Cell]) -> Answer {
    let mut header = vec![
        "requests/month",
        "policy",
        "cost/month",
        "ops/request",
        "hit ratio",
        "batch",
        "query p95",
        "errors",
        "refused requests / operations",
        "lost",
        "reads wanted",
        "writes wanted",
        "requests wanted",
        "costs least",
    ];
    let with_precision = cells.iter().any(|c| c.attained.is_some());
    if with_precision {
        header.extend(["replications", "least precise"]);
    }
    let rows = cells.iter().zip(standings(cells)).map(|(c, standing)| {
        let mean = |name: &str| c.estimate(name).mean;
        let p95 = match c.is_too_few("query_p95_ms") {
            true => format::TOO_FEW.into(),
            false => Entry::milliseconds_estimate(c.estimate("query_p95_ms")),
        };
        let mut row = vec![
            Entry::level(c.traffic),
            c.policy.as_str().into(),
            Entry::usd_estimate(c.estimate("cost_usd")),
            Entry::count(mean("operations_per_request")),
            Entry::percent(mean("hit_ratio")),
            Entry::count(mean("batch_records")),
            p95,
            Entry::percent(mean("error_rate")),
            Entry::refused(
                mean("requests_refused_share"),
                mean("kv_quota_exceeded_share"),
            ),
            Entry::share_or_unknown(mean("loss_rate")),
            Entry::percent(mean("quota_use_reads")),
            Entry::percent(mean("quota_use_writes")),
            Entry::percent(mean("quota_use_requests")),
            match standing {
                Standing::Excluded(_) => "excluded".into(),
                told => standing_words(told).into(),
            },
        ];
        if with_precision {
            row.extend([needed(c), attained(c)].map(Entry::from));
        }
        row
    });
    let mut answer = Answer::new().table("levels", table(&header, 2, rows));
    let excluded: Vec<String> = cells
        .iter()
        .filter_map(|c| Some((c, why_excluded(c)?)))
        .map(|(c, why)| format!("  {} {}: {}", c.traffic, c.policy, reason_words(why)))
        .collect();
    if !excluded.is_empty() {
        answer = answer
            .gap()
            .say("Excluded from what costs least, because the bill is not for the whole work:")
            .say(excluded.join("\n"));
    }
    answer.and(savings(cells))
}

/// What each other policy saves against the first at each level, where both do the whole work: the paired differences
/// of the replications, in dollars and as a share of the first one's bill.
fn savings(cells: &[Cell]) -> Answer {
    let saved = saved_against_first(cells);
    let Some(first) = saved.first().map(|s| s.over.clone()) else {
        return Answer::new();
    };
    let rows = saved.iter().map(|s| {
        vec![
            Entry::level(Count(s.traffic)),
            s.policy.as_str().into(),
            Entry::usd_estimate(s.usd()),
            Entry::share_estimate(s.share()),
        ]
    });
    let header = ["requests/month", "policy", "saved/month", "of its bill"];
    Answer::new()
        .gap()
        .say(format!(
            "Saved against {first}, by paired differences; less than nothing where it costs more:"
        ))
        .table("savings", table(&header, 2, rows))
}
