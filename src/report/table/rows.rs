//! A table: columns with their titles, and rows of cells.

use super::entry::Entry;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// As on a terminal.
    pub title: String,
    /// As machines read it, units apart: `cost_per_month`.
    pub name: String,
    /// Whether it holds text; numbers stand on the right.
    pub is_text: bool,
    /// Whether it explains the others, and is the first to be left out where there is no room.
    pub explains: bool,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// From left to right; the first ones say what a row is of.
    pub columns: Vec<Column>,
    /// A cell for each column.
    pub rows: Vec<Vec<Entry>>,
}

/// A plain table: the first `left` columns are text, the others numbers.
pub fn table<C: Into<Entry>>(
    header: &[&str],
    left: usize,
    rows: impl IntoIterator<Item = Vec<C>>,
) -> Table {
    let column = |(i, title): (usize, &&str)| Column {
        title: (*title).to_owned(),
        name: name_of(title),
        is_text: i < left,
        explains: false,
    };
    let cells = |row: Vec<C>| row.into_iter().map(Into::into).collect();
    Table {
        columns: header.iter().enumerate().map(column).collect(),
        rows: rows.into_iter().map(cells).collect(),
    }
}

impl Table {
    /// Says that the column of this title explains the others.
    pub fn explained_by(mut self, title: &str) -> Self {
        let mut found = self.columns.iter_mut();
        if let Some(column) = found.find(|c| c.title == title) {
            column.explains = true;
        }
        self
    }

    /// Gives a column another name for machines than its title's.
    pub fn naming(mut self, column: usize, name: &str) -> Self {
        if let Some(column) = self.columns.get_mut(column) {
            name.clone_into(&mut column.name);
        }
        self
    }
}

/// A title as a name: `cost/month` is `cost_per_month`, `query p95` is `query_p95`.
pub(super) fn name_of(title: &str) -> String {
    let mut name = String::new();
    for c in title.replace('/', " per ").to_lowercase().chars() {
        match c.is_alphanumeric() {
            true => name.push(c),
            false if name.ends_with('_') => {}
            false => name.push('_'),
        }
    }
    name.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_name() {
        let names = ["cost/month", "query p95", "high - low", "", "5% to 95%"].map(name_of);
        let expected = ["cost_per_month", "query_p95", "high_low", "", "5_to_95"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_table_has_text_on_the_left_and_numbers_on_the_right() {
        let rows = [vec!["naive", "$5.00"], vec!["optimised", "$15.00"]];
        let text = table(&["policy", "cost"], 1, rows).to_string();
        let expected = " policy       cost\n naive       $5.00\n optimised  $15.00";
        assert_eq!(text, expected);
    }
}
