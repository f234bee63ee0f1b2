//! A folder of results as one HTML page that needs nothing else: no network, no other file.

pub mod about;
pub mod answers;
pub mod claims;
pub mod comparison;
pub mod csv_file;
pub mod explore;
pub mod figure;
pub mod folder;
pub mod highlights;
pub mod key_figures;
pub mod known;
pub mod lead;
pub mod order;
pub mod policy;
pub mod table;

use crate::report::artefacts;
use about::About;
use answers::Answer;
use askama::Template;
use claims::Claims;
use comparison::Comparison;
use figure::Figure;
use folder::Folder;
use lead::Lead;
use table::Table;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    style: &'a str,
    script: &'a str,
    policy: &'a str,
    title: &'a str,
    lead: Option<&'a Lead>,
    comparison: Option<&'a Comparison>,
    subtitle: &'a [(String, String)],
    answers: &'a [Answer],
    claims: Option<&'a Claims>,
    /// What is seen first.
    first: Option<&'a Figure>,
    figures: &'a [Figure],
    tables: &'a [Table],
    about: &'a [About],
}

impl Page<'_> {
    /// Whether there is more to say than what is said first.
    fn has_summary(&self) -> bool {
        !self.answers.is_empty() || self.claims.is_none()
    }
}

/// A page, and what is on it.
#[derive(Debug)]
pub struct Report {
    /// The page, complete in itself.
    pub html: String,
    /// Drawings on it.
    pub charts: usize,
    /// Tables on it.
    pub tables: usize,
    /// Claims on it.
    pub claims: usize,
}

impl Report {
    /// What is on the page: `7 charts, 2 tables`.
    pub fn contents(&self) -> String {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let parts = [
            (self.claims, "claim"),
            (self.charts, "chart"),
            (self.tables, "table"),
        ];
        let parts = parts.iter().filter(|(n, _)| *n > 0);
        let parts: Vec<String> = parts
            .map(|(n, what)| format!("{n} {what}{}", s(*n)))
            .collect();
        if parts.is_empty() {
            "assumptions only; the folder has no charts or tables".into()
        } else {
            parts.join(", ")
        }
    }
}

/// The page of a folder. The same files give the same bytes.
pub fn report(folder: &Folder) -> Report {
    report_of(folder, None)
}

/// The page of a folder that is held against another.
pub fn report_of(folder: &Folder, comparison: Option<&Comparison>) -> Report {
    let title = about::title(folder).unwrap_or_else(|| format!("kvplan: {}", folder.name));
    let swept = folder.answers.as_ref();
    let mut answers = swept.map(answers::of_sweep).unwrap_or_default();
    let figures = folder
        .table(artefacts::SWEEP_CSV)
        .and_then(key_figures::of_sweep);
    let costs = swept.map(answers::costs);
    let saved = swept.and_then(answers::saved);
    answers.extend(highlights::of_folder(folder));
    let claims = folder.table(artefacts::CLAIMS_CSV).and_then(claims::of_csv);
    let mut tables: Vec<Table> = folder.tables.iter().map(table::of_csv).collect();
    for (i, table) in tables.iter_mut().enumerate() {
        table.id = format!("table-{}", i + 1);
        // The claims are told one by one already.
        table.open &= !(claims.is_some() && table.file == artefacts::CLAIMS_CSV);
    }
    let all_tables: Vec<Table> = costs
        .into_iter()
        .chain(saved)
        .chain(figures)
        .chain(tables)
        .collect();
    let about = about::of_folder(folder);
    let lead = lead::of_folder(folder, claims.as_ref());
    // A page of CRLF would have other hashes than its browser sees.
    let [style, script] = [STYLE, SCRIPT].map(|s| s.replace('\r', ""));
    let (first, others) = match folder.figures.split_first() {
        Some((first, others)) => (Some(first), others),
        None => (None, &[][..]),
    };
    let page = Page {
        style: &style,
        script: &script,
        policy: &policy::of(&style, &script),
        title: &title,
        lead: lead.as_ref(),
        comparison,
        subtitle: &about::subtitle(folder),
        answers: &answers,
        claims: claims.as_ref(),
        first,
        figures: others,
        tables: &all_tables,
        about: &about,
    };
    Report {
        html: page.render().expect("writing to a string does not fail"),
        charts: folder.figures.len(),
        tables: folder.tables.len(),
        claims: claims.map_or(0, |c| c.total),
    }
}
