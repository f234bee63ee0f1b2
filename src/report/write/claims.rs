//! The ledger of a document's claims as CSV, charts and a table.

use super::claim_words::{Words, value};
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::heatmap::{HeatCell, HeatMap, Shade};
use crate::report::draw::panels::{Bar, Panel, Panels};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::output::json;
use crate::report::record;
use crate::report::table::{Entry, Table, table};
use crate::run::scenario::Scenario;
use crate::study::claims::cells::{Axes, Plan};
use crate::study::claims::spec::Measure;
use crate::study::claims::surface::{Surface, SurfacePoint};
use crate::study::claims::tariffs::PricedTariff;
use crate::study::claims::{Effort, Judgement, Ledger, Lens, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the results came from.
pub struct Ran<'a> {
    /// The document's claims.
    pub ledger: &'a Ledger,
    /// What was found of each claim.
    pub judgements: &'a [Judgement<'a>],
    /// The plan whose prices apply.
    pub plan: &'a Plan,
    /// How much was simulated.
    pub effort: Effort,
}

/// Writes everything that a verification leaves behind into `out`.
///
/// # Errors
/// A message that names the file that could not be written.
pub fn write(ran: &Ran, out: &OutputDir) -> Result<(), WriteError> {
    out.write(artefacts::CLAIMS_CSV, &claims_csv(ran.judgements))?;
    out.write(artefacts::SAVINGS_SURFACE_CSV, &surface_csv(ran))?;
    let run = claims_json(ran)?;
    out.write(artefacts::CLAIMS_JSON, &run)?;
    record::write(out, &run)?;
    for (name, map) in heat_maps(ran) {
        out.draw(&name, &map)?;
    }
    if let Some(chart) = savings_chart(ran) {
        out.draw("claimed_savings", &chart)?;
    }
    Ok(())
}

fn optional(x: Option<f64>) -> String {
    x.map_or(String::new(), format::csv_number)
}

/// One row per claim; each lens has its verdict, value and 95% half-width.
pub fn claims_csv(judgements: &[Judgement]) -> Vec<u8> {
    let fixed = [
        "id",
        "section",
        "quote",
        "kinds",
        "stated",
        "stated_to",
        "unit",
        "comparator",
        "tolerance",
        "verdict",
        "right_value",
        "factor_stated_over_right",
    ];
    let mut header: Vec<String> = fixed.map(str::to_owned).to_vec();
    for lens in Lens::ALL {
        for column in ["verdict", "value", "value_ci95"] {
            header.push(format!("{}_{column}", lens.name()));
        }
    }
    header.extend(["conditions", "evidence", "note"].map(str::to_owned));
    let rows = judgements.iter().map(|j| {
        let c = j.claim;
        let mut row = vec![
            c.id.clone(),
            c.section.clone(),
            c.quote.clone(),
            c.kinds().join(" "),
            optional(c.stated),
            optional(c.to),
            c.unit.clone(),
            c.comparator.symbol().to_owned(),
            optional(c.stated.map(|s| c.tolerance.of(s))),
            j.verdict.to_string(),
            optional(j.right),
            optional(j.factor),
        ];
        for lens in Lens::ALL {
            let found = j.through(lens);
            let value = found.and_then(|f| f.value);
            row.push(found.map_or(String::new(), |f| f.verdict.to_string()));
            row.push(optional(value.map(|v| v.mean)));
            row.push(optional(value.map(|v| v.half_width)));
        }
        row.push(conditions(j).join("; "));
        row.push(evidence(j));
        row.push(c.note.clone().unwrap_or_default());
        row
    });
    csv_bytes(header, rows)
}

/// Where a claim holds, each condition once.
fn conditions<'a>(j: &'a Judgement) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for c in j.findings.iter().filter_map(|f| f.conditions.as_deref()) {
        if !all.contains(&c) {
            all.push(c);
        }
    }
    all
}

/// What each lens found.
fn evidence(j: &Judgement) -> String {
    let lines = j.findings.iter().map(|f| match f.lens {
        Some(lens) => format!("[{}] {}", lens.name(), f.evidence),
        None => f.evidence.clone(),
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// The surfaces that have a title, with their claims.
fn titled<'a>(ran: &'a Ran) -> impl Iterator<Item = (&'a Judgement<'a>, &'a Surface<'a>, &'a str)> {
    let all = ran
        .judgements
        .iter()
        .flat_map(|j| j.surfaces.iter().map(move |s| (j, s)));
    all.filter_map(|(j, s)| Some((j, s, s.check.surface.as_deref()?)))
}

/// One row per claim with a surface, number of isolates and level of traffic.
pub fn surface_csv(ran: &Ran) -> Vec<u8> {
    let header = [
        "id",
        "title",
        "measure",
        "policy",
        "baseline",
        "metric",
        "per",
        "tariff",
        "unit",
        "stated",
        "isolates",
        "traffic_per_month",
        "value",
        "value_ci95",
        "replications",
        "claim_holds",
        "interval_is_on_one_side",
    ];
    let rows = titled(ran).flat_map(|(j, s, title)| {
        s.points.iter().map(move |p| {
            let c = s.check;
            let measure = match c.measure {
                Measure::Value => "value",
                Measure::Saving => "saving",
                Measure::Difference => "difference",
            };
            vec![
                j.claim.id.clone(),
                title.to_owned(),
                measure.to_owned(),
                c.policy.clone(),
                c.baseline.clone().unwrap_or_default(),
                c.metric
                    .as_ref()
                    .map_or("kv_cost_usd".into(), ToString::to_string),
                c.per.as_ref().map_or(String::new(), ToString::to_string),
                c.tariff.clone().unwrap_or_default(),
                j.claim.unit.clone(),
                optional(j.claim.stated),
                p.isolates.to_string(),
                p.traffic.0.to_string(),
                format::csv_number(p.value.mean),
                format::csv_number(p.value.half_width),
                p.value.n.to_string(),
                p.holds.to_string(),
                p.sure.to_string(),
            ]
        })
    });
    csv_bytes(header.map(str::to_owned).to_vec(), rows)
}

/// What `claims.json` holds: enough to repeat the verification.
#[derive(Serialize)]
struct Provenance<'a> {
    kvplan: &'static str,
    command: &'static str,
    claims: &'a str,
    title: &'a str,
    document: &'a str,
    effort: Effort,
    counts: BTreeMap<String, usize>,
    tariffs: &'a [PricedTariff],
    grids: &'a BTreeMap<String, Axes>,
    scenarios: Vec<Simulated<'a>>,
}

#[derive(Serialize)]
struct Simulated<'a> {
    grid: &'a str,
    isolates: u32,
    seed: u64,
    replications: u32,
    scenario: &'a Scenario,
}

fn claims_json(ran: &Ran) -> Result<Vec<u8>, WriteError> {
    let file = &ran.ledger.file;
    let counts = Verdict::ALL.map(|v| (v.to_string(), count(ran.judgements, v)));
    let provenance = Provenance {
        kvplan: env!("CARGO_PKG_VERSION"),
        command: "verify",
        claims: &ran.ledger.name,
        title: &file.title,
        document: &file.document,
        effort: ran.effort,
        counts: counts.into_iter().collect(),
        tariffs: ran.ledger.tariffs.all(),
        grids: &ran.plan.axes,
        scenarios: ran
            .plan
            .scenarios()
            .map(|(grid, isolates, scenario)| Simulated {
                grid,
                isolates,
                seed: scenario.seed,
                replications: scenario.replications,
                scenario,
            })
            .collect(),
    };
    json(artefacts::CLAIMS_JSON, &provenance)
}

fn count(judgements: &[Judgement], verdict: Verdict) -> usize {
    judgements.iter().filter(|j| j.verdict == verdict).count()
}

/// The ledger for the terminal: a row for each claim.
pub fn ledger_table(judgements: &[Judgement]) -> Table {
    let header = [
        "claim",
        "verdict",
        "stated",
        "right value",
        "factor",
        "document",
        "published",
        "one isolate",
        "fleet",
    ];
    let rows = judgements.iter().map(|j| {
        let words = Words::of(j);
        let stated = j.claim.stated.map_or(Entry::from("-"), |s| {
            let sign = match j.claim.comparator.symbol() {
                "=" => "",
                other => other,
            };
            let to = j
                .claim
                .to
                .map_or(String::new(), |t| format!(" to {}", words.value(t)));
            Entry::of(format!("{sign}{}{to}", words.value(s)), "", s)
        });
        let through = |lens: Lens| {
            let found = j.through(lens).and_then(|f| f.value);
            found.map_or("".into(), |v| Entry::of(words.estimate(v), "", v.mean))
        };
        vec![
            Entry::from(j.claim.id.as_str()),
            j.verdict.to_string().into(),
            stated,
            j.right
                .map_or("".into(), |x| Entry::of(words.value(x), "", x)),
            j.factor.map_or("".into(), Entry::count),
            through(Lens::Document),
            through(Lens::Published),
            through(Lens::OneIsolate),
            through(Lens::Fleet),
        ]
    });
    table(&header, 2, rows)
}

/// `126 claims: 40 confirmed, ...`.
pub fn counts(judgements: &[Judgement]) -> String {
    let parts = Verdict::ALL.map(|v| format!("{} {v}", count(judgements, v)));
    format!("{} claims: {}", judgements.len(), parts.join(", "))
}

/// All that is known of one claim.
pub fn detail(j: &Judgement) -> String {
    let (c, words) = (j.claim, Words::of(j));
    let mut text = format!(
        "{} ({})\n  \"{}\"\n  verdict: {}",
        c.id, c.section, c.quote, j.verdict
    );
    if let Some(right) = j.right {
        let factor = j.factor.map_or(String::new(), |f| {
            format!(", the document says {} times that", format::count(f))
        });
        let stated = c
            .stated
            .map_or(String::new(), |s| format!("; stated: {}", words.value(s)));
        let right = words.value(right);
        text.push_str(&format!("{stated}; right value: {right}{factor}"));
    }
    for f in &j.findings {
        let lens = f.lens.map_or("why", Lens::name).replace('_', " ");
        text.push_str(&format!("\n  {lens}: {}: {}", f.verdict, f.evidence));
    }
    for condition in conditions(j) {
        text.push_str(&format!("\n  holds {condition}"));
    }
    if let Some(note) = &c.note {
        text.push_str(&format!("\n  note: {note}"));
    }
    text
}

/// The claims without verdicts.
pub fn list(ledger: &Ledger) -> Table {
    let header = ["claim", "kinds", "section", "quote"];
    let rows = ledger.file.claims.iter().map(|c| {
        vec![
            c.id.clone(),
            c.kinds().join(" "),
            c.section.clone(),
            c.quote.clone(),
        ]
    });
    table(&header, 4, rows)
}

/// Names and heat maps of the surfaces that have a title.
fn heat_maps(ran: &Ran) -> Vec<(String, HeatMap)> {
    titled(ran)
        .map(|(j, s, title)| {
            let suffix = if s.is_published() { "_published" } else { "" };
            let name = format!("surface_{}{suffix}", j.claim.id.replace('-', "_"));
            (name, heat_map(j, s, title))
        })
        .collect()
}

fn heat_map(j: &Judgement, s: &Surface, title: &str) -> HeatMap {
    let unit = &j.claim.unit;
    let money = s.tariff.is_some();
    let percent = unit.starts_with('%');
    let cell = |p: &&SurfacePoint| HeatCell {
        value: p.value.mean,
        lines: match (money, percent) {
            (true, _) => format::in_a_cell(p.value, "$", ""),
            (_, true) => format::in_a_cell(p.value, "", "%"),
            _ => vec![value(p.value.mean, unit)],
        },
        framed: p.holds,
    };
    let replications = || s.points.iter().map(|p| p.value.n);
    let (few, many) = (replications().min(), replications().max());
    let many = many.unwrap_or(0);
    let replications = match few.filter(|few| *few < many) {
        Some(few) => format!("{few} to {many}"),
        None => many.to_string(),
    };
    let policies = match &s.check.baseline {
        Some(baseline) => format!("{} against {baseline}", s.check.policy),
        None => s.check.policy.clone(),
    };
    let tariff = s
        .tariff
        .map_or(String::new(), |t| format!(", {}", t.tariff.title));
    let place = s
        .check
        .traffic
        .map_or(String::new(), |t| format!(" at {t} requests a month"));
    let claimed = claimed(j);
    HeatMap {
        title: match s.is_published() {
            true => format!("{title} at published prices, by isolates and traffic"),
            false => format!("{title}, by isolates and traffic"),
        },
        subtitle: format!("{policies}{tariff}. The document: {claimed}{place}."),
        x_label: "requests a month".into(),
        columns: s.axes.traffic.iter().map(ToString::to_string).collect(),
        y_label: "isolates".into(),
        rows: s.axes.isolates.iter().map(ToString::to_string).collect(),
        cells: s
            .axes
            .isolates
            .iter()
            .map(|n| s.row(*n).iter().map(cell).collect())
            .collect(),
        shade: if percent {
            Shade::Linear(0.0, 100.0)
        } else {
            Shade::Magnitude
        },
        bar_label: format!("{title} ({})", if percent { "%" } else { unit }),
        format: if percent {
            |v| format!("{v}%")
        } else {
            money_label
        },
        note: format!(
            "Framed: {claimed} holds. ±: 95% confidence over {replications} replications (Student's t). Below 0, the policy costs more."
        ),
    }
}

/// `>= 80%`, `$2.70/month within 10%`.
fn claimed(j: &Judgement) -> String {
    let c = j.claim;
    let stated = c.stated.unwrap_or(f64::NAN);
    let slack = c.tolerance.of(stated);
    let symbol = match c.comparator.symbol() {
        "=" => String::new(),
        ">=" => "at least ".into(),
        "<=" => "at most ".into(),
        other => format!("{other} "),
    };
    let within = if slack > 0.0 {
        format!(
            " within {}",
            value(slack, c.unit.split('/').next().unwrap_or_default())
        )
    } else {
        String::new()
    };
    format!("{symbol}{}{within}", value(stated, &c.unit))
}

/// `$1.23k`, `-$450`.
fn money_label(v: f64) -> String {
    if v.is_nan() {
        return "-".into();
    }
    let sign = if v < 0.0 { "-" } else { "" };
    if v.abs() < 1_000.0 {
        let text = format::usd(v);
        return text.strip_suffix(".00").unwrap_or(&text).to_owned();
    }
    format!("{sign}${}", format::count(v.abs()))
}

const KINDS: [(Lens, &str); 4] = [
    (Lens::OneIsolate, "one isolate"),
    (Lens::Fleet, "fleet"),
    (Lens::OneIsolatePublished, "one isolate, published prices"),
    (Lens::FleetPublished, "fleet, published prices"),
];

/// What the document says is saved beside what is saved in the simulation: the claims that have a surface.
fn savings_chart(ran: &Ran) -> Option<Panels> {
    let mut panels: Vec<Panel> = Vec::new();
    let mut n = 0;
    for (j, s, title) in titled(ran).filter(|(_, s, _)| !s.is_published()) {
        n = s.points.first().map_or(n, |p| p.value.n);
        let unit = &j.claim.unit;
        let bars = KINDS.iter().enumerate().filter_map(|(kind, (lens, _))| {
            let v = j.through(*lens)?.value?;
            let label = if s.tariff.is_some() {
                money_label(v.mean)
            } else {
                value(v.mean, unit)
            };
            Some(Bar {
                kind,
                value: v.mean,
                low: v.low(),
                high: v.high(),
                label,
            })
        });
        let at = s.check.traffic.unwrap_or(s.axes.reference);
        panels.push(Panel {
            title: title.to_owned(),
            subtitle: format!("{at} requests a month"),
            expected: j.claim.stated?,
            expected_label: format!("document: {}", value(j.claim.stated?, unit)),
            bars: bars.collect(),
        });
    }
    if panels.is_empty() {
        return None;
    }
    Some(Panels {
        title: "Savings as documented and as simulated".into(),
        subtitle: format!(
            "{}: dashed lines are what it claims. Amounts are at its own prices unless said otherwise; each panel has its own scale.",
            ran.ledger.file.document
        ),
        kinds: KINDS.map(|k| k.1.to_owned()).to_vec(),
        panels,
        note: if n > 1 {
            format!(
                "Whiskers: 95% confidence over {n} replications (Student's t). KV operations and storage only, without the plan's fee."
            )
        } else {
            "One replication: no confidence interval. KV operations and storage only, without the plan's fee.".into()
        },
    })
}
