//! What a command answers: sentences and tables in their order, and the form in which they are shown.

use super::fit;
use super::machine::{Field, csv, fields, json, markdown};
use super::paint::clean;
use super::rows::{Table, name_of};
use crate::models::nearest::nearest;
use serde_json::{Map, Value};
use std::fmt;

/// In which form an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Tables and sentences for a terminal.
    #[default]
    Table,
    /// The same, the tables with pipes.
    Markdown,
    /// All tables by name, each a list of objects; no sentences.
    Json,
    /// The first table alone.
    Csv,
}

/// How an answer is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// In which form.
    pub form: Form,
    /// The columns of the first table that are wanted, in their order; none stands for all.
    pub columns: Vec<String>,
    /// Most columns of the terminal that a line of a table takes.
    pub width: Option<usize>,
    /// Whether judgements have colours.
    pub colour: bool,
}

/// Sentences and tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Table(String, Table),
}

/// A column is wanted that the table does not have; says which, and which there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn(String);

impl fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownColumn {}

impl Answer {
    /// Nothing said yet.
    pub fn new() -> Self {
        Answer::default()
    }

    /// And these lines.
    pub fn say(mut self, text: impl fmt::Display) -> Self {
        self.parts.push(Part::Text(text.to_string()));
        self
    }

    /// And an empty line.
    pub fn gap(self) -> Self {
        self.say("")
    }

    /// And a table, under a name for machines.
    pub fn table(mut self, name: impl Into<String>, table: Table) -> Self {
        self.parts.push(Part::Table(name.into(), table));
        self
    }

    /// And all of another.
    pub fn and(mut self, other: Answer) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// The tables in their order, with their names.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.parts.iter().filter_map(|p| match p {
            Part::Text(_) => None,
            Part::Table(name, table) => Some((name.as_str(), table)),
        })
    }

    /// The answer in this shape.
    ///
    /// # Errors
    /// If a column is wanted that the first table does not have.
    pub fn shown(&self, shape: &Shape) -> Result<String, UnknownColumn> {
        let mut first = Some(());
        let mut lines: Vec<String> = Vec::new();
        let mut objects = Map::new();
        for part in &self.parts {
            let (name, table) = match part {
                Part::Text(text) => {
                    lines.push(clean(text));
                    continue;
                }
                Part::Table(name, table) => (name, table),
            };
            let is_first = first.take().is_some();
            let of_table = fields(table);
            let choice = match is_first {
                true => Choice::of(table, &of_table, &shape.columns),
                false => Choice::of(table, &of_table, &[]),
            }
            .map_err(UnknownColumn)?;
            match shape.form {
                Form::Table => {
                    let chosen = choice.table(table);
                    lines.push(fit::text(&chosen, shape.width, shape.colour));
                }
                Form::Markdown => lines.push(markdown(&choice.table(table))),
                Form::Json => {
                    objects.insert(name.clone(), json(table, &choice.fields));
                }
                Form::Csv if is_first => return Ok(csv(table, &choice.fields)),
                Form::Csv => {}
            }
        }
        Ok(match shape.form {
            Form::Table | Form::Markdown => lines.join("\n"),
            Form::Json => format!("{:#}", Value::Object(objects)),
            Form::Csv => String::new(),
        })
    }
}

/// At full width, without colour.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown(&Shape::default()).unwrap_or_default();
        f.write_str(&shown)
    }
}

impl From<Table> for Answer {
    fn from(table: Table) -> Self {
        Answer::new().table("rows", table)
    }
}

/// The columns that are wanted of a table.
struct Choice<'a> {
    columns: Vec<usize>,
    fields: Vec<&'a Field>,
}

impl<'a> Choice<'a> {
    fn of(table: &Table, all: &'a [Field], wanted: &[String]) -> Result<Self, String> {
        if wanted.is_empty() {
            return Ok(Choice {
                columns: (0..table.columns.len()).collect(),
                fields: all.iter().collect(),
            });
        }
        let mut choice = Choice {
            columns: Vec::new(),
            fields: Vec::new(),
        };
        for name in wanted {
            let field = all.iter().find(|f| f.name == *name);
            let named = |c: &super::rows::Column| {
                !name.is_empty() && (c.title == *name || c.name == name_of(name))
            };
            let column = match field {
                Some(field) => field.column,
                None => (table.columns.iter().position(named)).ok_or_else(|| unknown(name, all))?,
            };
            if !choice.columns.contains(&column) {
                choice.columns.push(column);
            }
            let whole = table.columns[column].name == *name;
            match field.filter(|_| !whole) {
                Some(field) => choice.fields.push(field),
                None => (choice.fields).extend(all.iter().filter(|f| f.column == column)),
            }
        }
        Ok(choice)
    }

    /// The table with the columns that are wanted.
    fn table(&self, table: &Table) -> Table {
        let row = |row: &Vec<super::Entry>| self.columns.iter().map(|i| row[*i].clone()).collect();
        Table {
            columns: (self.columns.iter())
                .map(|i| table.columns[*i].clone())
                .collect(),
            rows: table.rows.iter().map(row).collect(),
        }
    }
}

/// What is said of a column that there is not.
fn unknown(name: &str, all: &[Field]) -> String {
    let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
    let hint = nearest(name, names.iter().copied());
    format!(
        "--columns: found \"{name}\"{hint}, expected columns of: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::super::rows::table;
    use super::*;
    use crate::study::stats::Estimate;

    fn answer() -> Answer {
        let cost = Entry::usd_estimate(Estimate {
            mean: 14.7412345678,
            half_width: 0.5,
            n: 3,
        });
        let rows = [
            vec!["a|b".into(), cost, Entry::refused(0.25, f64::NAN)],
            vec!["=c".into(), "excluded".into(), Entry::refused(0.0, 0.0)],
        ];
        let costs = table(&["policy", "cost/month", "refused"], 1, rows);
        Answer::new()
            .say("Said.")
            .gap()
            .table("costs", costs)
            .table("more", table(&["x"], 1, [vec!["y"]]))
    }

    fn shown(form: Form, columns: &[&str]) -> Result<String, String> {
        let shape = Shape {
            form,
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            ..Shape::default()
        };
        answer().shown(&shape).map_err(|e| e.to_string())
    }

    #[test]
    fn numbers_keep_their_precision_and_get_their_units() {
        let csv = shown(Form::Csv, &[]).unwrap();
        let expected = "policy,cost_per_month_words,cost_per_month_usd,cost_per_month_usd_ci95,requests_refused_share,operations_refused_share\n\
            a|b,,14.7412345678,0.5,0.25,\n'=c,excluded,,,0,0";
        assert_eq!(csv, expected);
        let json: Value = serde_json::from_str(&shown(Form::Json, &[]).unwrap()).unwrap();
        assert_eq!(json["costs"][0]["cost_per_month_usd"], 14.7412345678);
        assert_eq!(json["costs"][0]["operations_refused_share"], Value::Null);
        assert_eq!(json["costs"][1]["cost_per_month_words"], "excluded");
        assert_eq!(json["more"][0]["x"], "y");
    }

    #[test]
    fn markdown_has_pipes_and_what_is_said() {
        let text = shown(Form::Markdown, &[]).unwrap();
        let expected = "Said.\n\n| policy | cost/month | refused |\n| --- | ---: | ---: |\n| a\\|b | $14.74 ± 0.50 | 25% / 0% |\n";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn columns_are_chosen_by_title_or_name() {
        for cost in ["cost/month", "cost_per_month", "cost_per_month_usd"] {
            let text = shown(Form::Table, &[cost, "policy"]).unwrap();
            let first = text.lines().nth(2).unwrap();
            assert_eq!(
                first.split_whitespace().collect::<Vec<_>>(),
                ["cost/month", "policy"]
            );
        }
        let one = shown(Form::Csv, &["cost_per_month_usd"]).unwrap();
        assert_eq!(one, "cost_per_month_usd\n14.7412345678\n\"\"");
        let wrong = shown(Form::Table, &["polcy"]).unwrap_err();
        assert!(wrong.contains("(did you mean \"policy\"?)"), "{wrong}");
    }
}
