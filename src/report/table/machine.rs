//! Tables for other programs: Markdown, JSON, CSV.

use super::rows::{Column, Table};
use crate::report::cells::csv_bytes;
use serde_json::{Map, Number, Value};

/// A column as machines read it.
pub(super) struct Field {
    /// Its name, units with it.
    pub name: String,
    /// The column of the table that it comes from.
    pub column: usize,
    /// Whether it is text beside numbers, where there are none.
    is_beside: bool,
    /// Which of the numbers of a cell; the text if none.
    number: Option<(&'static str, bool)>,
}

/// What the columns of a table are for a machine: text as it is, numbers each by itself.
pub(super) fn fields(table: &Table) -> Vec<Field> {
    let mut all: Vec<Field> = Vec::new();
    for (i, column) in table.columns.iter().enumerate() {
        let mut numbers: Vec<(&'static str, bool)> = Vec::new();
        let cells = || table.rows.iter().map(|row| &row[i]);
        for n in cells().flat_map(|c| &c.numbers) {
            if !numbers.contains(&(n.unit, n.is_name)) {
                numbers.push((n.unit, n.is_name));
            }
        }
        if numbers.is_empty() || cells().any(super::Entry::is_words) {
            let suffix = if numbers.is_empty() { "" } else { "words" };
            all.push(Field {
                name: joined(column, i, suffix, false),
                column: i,
                is_beside: !numbers.is_empty(),
                number: None,
            });
        }
        all.extend(numbers.into_iter().map(|(unit, is_name)| Field {
            name: joined(column, i, unit, is_name),
            column: i,
            is_beside: false,
            number: Some((unit, is_name)),
        }));
    }
    for i in 1..all.len() {
        let taken = |name: &str, before: &[Field]| before.iter().any(|f| f.name == name);
        let plain = all[i].name.clone();
        let mut n = 2;
        while taken(&all[i].name, &all[..i]) {
            all[i].name = format!("{plain}_{n}");
            n += 1;
        }
    }
    all
}

/// A column's name with a unit behind it, if it does not end with that anyway.
fn joined(column: &Column, i: usize, unit: &str, is_name: bool) -> String {
    if is_name {
        return unit.to_owned();
    }
    let name = match column.name.as_str() {
        "" => format!("column_{}", i + 1),
        name => name.to_owned(),
    };
    match unit.is_empty() || name.ends_with(&format!("_{unit}")) {
        true => name,
        false => format!("{name}_{unit}"),
    }
}

/// The value of a field in a row of the table: nothing, a number, or text.
fn value(table: &Table, row: usize, field: &Field) -> Value {
    let cell = &table.rows[row][field.column];
    match field.number {
        None => match field.is_beside && !cell.is_words() {
            true => Value::Null,
            false => Value::String(cell.text.clone()),
        },
        Some(key) => {
            let mut found = cell.numbers.iter();
            let found = found.find(|n| (n.unit, n.is_name) == key);
            found.map_or(Value::Null, |n| number(n.value))
        }
    }
}

/// A number without a point if it is whole; nothing for what is not finite.
fn number(x: f64) -> Value {
    let exact = 9_007_199_254_740_992.0;
    match x.fract() == 0.0 && x.abs() < exact {
        true => Value::Number((x as i64).into()),
        false => Number::from_f64(x).map_or(Value::Null, Value::Number),
    }
}

/// The rows as objects.
pub(super) fn json(table: &Table, fields: &[&Field]) -> Value {
    let row = |i: usize| {
        let entry = |f: &&Field| (f.name.clone(), value(table, i, f));
        Value::Object(fields.iter().map(entry).collect::<Map<_, _>>())
    };
    (0..table.rows.len()).map(row).collect()
}

/// The rows as CSV.
pub(super) fn csv(table: &Table, fields: &[&Field]) -> String {
    let cell = |row: usize, f: &&Field| match value(table, row, f) {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let row = |i: usize| fields.iter().map(|f| cell(i, f)).collect();
    let header = fields.iter().map(|f| f.name.clone()).collect();
    let bytes = csv_bytes(header, (0..table.rows.len()).map(row));
    let text = String::from_utf8_lossy(&bytes);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

/// The table with pipes between its cells.
pub(super) fn markdown(table: &Table) -> String {
    let cell = |text: &str| {
        super::paint::clean(text)
            .replace('|', "\\|")
            .replace('\n', " ")
    };
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let titles = table.columns.iter().map(|c| cell(&c.title));
    let rule = |c: &Column| if c.is_text { "---" } else { "---:" }.to_owned();
    let mut lines = vec![
        line(titles.collect()),
        line(table.columns.iter().map(rule).collect()),
    ];
    let rows = table.rows.iter();
    lines.extend(rows.map(|row| line(row.iter().map(|c| cell(&c.text)).collect())));
    lines.join("\n")
}
