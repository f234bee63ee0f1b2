//! A folder of results as one HTML page that needs nothing else: no network, no other file.

pub mod about;
pub mod answers;
pub mod claims;
pub mod csv_file;
pub mod figure;
pub mod folder;
pub mod highlights;
pub mod key_figures;
pub mod known;
pub mod table;

use crate::report::artefacts;
use about::About;
use answers::Answer;
use askama::Template;
use claims::Claims;
use figure::Figure;
use folder::Folder;
use table::Table;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    title: &'a str,
    subtitle: &'a [(String, String)],
    answers: &'a [Answer],
    summary_tables: &'a [Table],
    claims: Option<&'a Claims>,
    figures: &'a [Figure],
    tables: &'a [Table],
    about: &'a [About],
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
    let title = about::title(folder).unwrap_or_else(|| format!("kvplan: {}", folder.name));
    let swept = folder.answers.as_ref();
    let mut answers = swept.map(answers::of_sweep).unwrap_or_default();
    let figures = folder
        .table(artefacts::SWEEP_CSV)
        .and_then(key_figures::of_sweep);
    let costs = swept.map(answers::costs);
    let summary_tables: Vec<Table> = costs.into_iter().chain(figures).collect();
    answers.extend(highlights::of_folder(folder));
    let claims = folder.table(artefacts::CLAIMS_CSV).and_then(claims::of_csv);
    let mut tables: Vec<Table> = folder.tables.iter().map(table::of_csv).collect();
    for (i, table) in tables.iter_mut().enumerate() {
        table.id = format!("table-{}", i + 1);
        // The claims are told one by one already.
        table.open &= !(claims.is_some() && table.file == artefacts::CLAIMS_CSV);
    }
    let about = about::of_folder(folder);
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        title: &title,
        subtitle: &about::subtitle(folder),
        answers: &answers,
        summary_tables: &summary_tables,
        claims: claims.as_ref(),
        figures: &folder.figures,
        tables: &tables,
        about: &about,
    };
    Report {
        html: page.render().expect("writing to a string does not fail"),
        charts: folder.figures.len(),
        tables: tables.len(),
        claims: claims.map_or(0, |c| c.total),
    }
}
