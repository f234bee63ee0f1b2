//! Tables of a page: which columns, in which words, and how their cells are written.

use super::csv_file::{Csv, SHOWN_ROWS};
use super::known::find_known;
use crate::report::format;
use crate::run::metric::METRICS;

/// A table as the page shows it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its anchor in the page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// How it is to be read.
    pub about: String,
    /// The file that holds all of it, if there is one.
    pub file: String,
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// By row, then column.
    pub rows: Vec<Vec<Cell>>,
    /// Rows of the file, whether or not they are in `rows`.
    pub total_rows: usize,
    /// Columns with one value in all rows: label and value.
    pub same: Vec<(String, String)>,
    /// Columns without any value but zero.
    pub blank: Vec<String>,
    /// Whether it is unfolded when the page opens.
    pub open: bool,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// What stands over it.
    pub label: String,
    /// Its name in the file, and what it means if that is known.
    pub hint: String,
    /// Whether it holds numbers, which are set to the right.
    pub numeric: bool,
}

/// A cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// What is shown.
    pub text: String,
    /// What to sort by, where the text does not begin with that number.
    pub key: Option<String>,
    /// Whether it stands out.
    pub strong: bool,
    /// Whether it is a number, which is set to the right.
    pub numeric: bool,
}

impl Cell {
    /// Text, sorted as it stands.
    pub fn text(text: impl Into<String>) -> Self {
        Cell {
            text: text.into(),
            ..Cell::default()
        }
    }

    /// Whether it is the address of a page.
    pub fn is_link(&self) -> bool {
        let is_web = self.text.starts_with("https://") || self.text.starts_with("http://");
        is_web && !self.text.contains(char::is_whitespace)
    }

    /// A number in words, sorted by its value.
    pub fn number(value: f64, text: impl Into<String>) -> Self {
        Cell {
            text: text.into(),
            key: Some(format::csv_number(value)),
            numeric: true,
            ..Cell::default()
        }
    }
}

impl Column {
    /// A column of text.
    pub fn text(label: &str) -> Self {
        Column {
            label: label.into(),
            ..Column::default()
        }
    }

    /// A column of numbers.
    pub fn number(label: &str) -> Self {
        Column {
            numeric: true,
            ..Column::text(label)
        }
    }
}

/// From this many columns on, those that tell nothing are named below the table instead.
const MANY_COLUMNS: usize = 10;
/// More columns than this do not fit on paper.
const PAPER_COLUMNS: usize = 14;
/// Tables with more rows than this are folded at first.
const OPEN_ROWS: usize = 40;

impl Table {
    /// A table made for the page.
    pub fn new(id: &str, title: &str, columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        Table {
            id: id.into(),
            title: title.into(),
            total_rows: rows.len(),
            open: true,
            columns,
            rows,
            ..Table::default()
        }
    }

    /// Whether it is too wide for paper.
    pub fn is_wide(&self) -> bool {
        self.columns.len() > PAPER_COLUMNS
    }

    /// `18 rows, 81 columns`.
    pub fn size(&self) -> String {
        let columns = self.columns.len() + self.same.len() + self.blank.len();
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let rows = format::grouped(&self.total_rows.to_string());
        format!(
            "{rows} row{}, {columns} column{}",
            s(self.total_rows),
            s(columns)
        )
    }

    /// `first 200 of 1234 rows`, where rows were left out.
    pub fn cut(&self) -> String {
        format!("first {} of {} rows", self.rows.len(), self.total_rows)
    }

    /// Whether rows were left out.
    pub fn is_cut(&self) -> bool {
        self.total_rows > self.rows.len()
    }
}

/// A column of a file: its place, and that of its confidence half-width.
struct Source {
    at: usize,
    half_width: Option<usize>,
}

/// The table of a CSV file.
pub fn of_csv(csv: &Csv) -> Table {
    let known = find_known(&csv.file);
    let stem = csv.file.trim_end_matches(".csv");
    let rows = &csv.rows[..csv.rows.len().min(SHOWN_ROWS)];
    let mut table = Table {
        id: format!("table-{}", slug(stem)),
        title: known.map_or_else(|| sentence(stem), |k| k.title.to_owned()),
        about: known.map_or_else(String::new, |k| k.about.to_owned()),
        file: csv.file.clone(),
        total_rows: csv.total_rows,
        ..Table::default()
    };
    let sources = sources(&csv.header);
    let thin = sources.len() >= MANY_COLUMNS && rows.len() > 1;
    let mut shown = Vec::new();
    for source in sources {
        let name = &csv.header[source.at];
        let label = label(name);
        let first = rows.first().map_or("", |r| r[source.at].as_str());
        let is_constant = rows.iter().all(|r| r[source.at] == first)
            && source
                .half_width
                .is_none_or(|h| rows.iter().all(|r| matches!(r[h].as_str(), "" | "0")));
        if thin && is_constant && matches!(first, "" | "0") {
            table.blank.push(label);
        } else if thin && is_constant {
            table.same.push((label, first.to_owned()));
        } else {
            let values = || rows.iter().map(|r| r[source.at].as_str());
            table.columns.push(Column {
                label,
                hint: hint(name),
                numeric: is_numeric(values()),
            });
            shown.push(source);
        }
    }
    table.rows = rows
        .iter()
        .map(|row| {
            shown
                .iter()
                .zip(&table.columns)
                .map(|(s, c)| cell(row, s, c))
                .collect()
        })
        .collect();
    let raw = known.is_some_and(|k| k.raw);
    table.open = !raw && csv.total_rows <= OPEN_ROWS && !table.is_wide();
    table
}

/// The columns, each with its half-width: `cost_usd` with `cost_usd_ci95`, `mean` with `ci95`.
fn sources(header: &[String]) -> Vec<Source> {
    let half_width = |name: &str| {
        let wanted = match name {
            "mean" => "ci95".to_owned(),
            _ => format!("{name}_ci95"),
        };
        header.iter().position(|h| *h == wanted)
    };
    let all = header.iter().enumerate();
    let sources = all.map(|(at, name)| Source {
        at,
        half_width: half_width(name),
    });
    let sources: Vec<Source> = sources.collect();
    let taken: Vec<usize> = sources.iter().filter_map(|s| s.half_width).collect();
    sources
        .into_iter()
        .filter(|s| !taken.contains(&s.at))
        .collect()
}

fn cell(row: &[String], source: &Source, column: &Column) -> Cell {
    let value = &row[source.at];
    if !column.numeric {
        return Cell::text(value);
    }
    let text = format::grouped(value);
    let number = |text| Cell {
        numeric: true,
        ..Cell::text(text)
    };
    let half_width = source.half_width.map_or("", |h| row[h].as_str());
    match half_width.parse::<f64>() {
        Ok(h) if !value.is_empty() => {
            let half_width = format::grouped(&format::significant(h, 3));
            number(format!("{text} ± {half_width}"))
        }
        _ => number(text),
    }
}

/// Whether all values are numbers, and there is one at least.
fn is_numeric<'a>(mut values: impl Iterator<Item = &'a str>) -> bool {
    let mut some = false;
    let all = values.all(|v| {
        some |= !v.is_empty();
        v.is_empty() || v.parse::<f64>().is_ok()
    });
    all && some
}

/// Units that names of columns end with.
const UNITS: [(&str, &str); 9] = [
    ("_ms", "ms"),
    ("_us", "µs"),
    ("_ns", "ns"),
    ("_s", "s"),
    ("_hours", "hours"),
    ("_days", "days"),
    ("_usd", "USD"),
    ("_bytes", "bytes"),
    ("_percent", "%"),
];

/// `query_p95_ms` as `query p95 (ms)`; names in words stay as they are.
pub fn label(name: &str) -> String {
    if name.contains(' ') {
        return name.to_owned();
    }
    let unit = UNITS.iter().find_map(|(end, unit)| {
        let stem = name.strip_suffix(end).filter(|s| !s.is_empty())?;
        Some((stem, unit))
    });
    match unit {
        Some((stem, unit)) => format!("{} ({unit})", stem.replace('_', " ")),
        None => name.replace('_', " "),
    }
}

fn hint(name: &str) -> String {
    match METRICS.iter().find(|m| m.name == name) {
        Some(m) => format!("{name}: {}", m.meaning),
        None => name.to_owned(),
    }
}

/// `savings_surface` as `Savings surface`.
pub fn sentence(stem: &str) -> String {
    let words = stem.replace(['_', '-'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// A name fit for an id: letters and digits of ASCII, everything else a hyphen.
pub fn slug(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
