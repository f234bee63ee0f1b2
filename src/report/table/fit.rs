//! A table in the width of a terminal. What is tried, in this order, until it fits: as it is; titles in several lines;
//! without the columns that explain; long text folded; the columns in several panels, each beginning with the
//! columns that say what a row is of; and a row as a block of lines, where there is next to no room.

use super::fold::{fold, longest_word, widest, width};
use super::paint::{clean, colour_of, painted};
use super::rows::Table;
use std::fmt::{self, Write as _};

/// Spaces that each column has around it.
const AROUND: usize = 2;
/// Text is not folded narrower than this, as long as there is another way.
const LEAST_FOLDED: usize = 20;
/// Least width of panels; what is narrower gets blocks.
const LEAST_PANELS: usize = 44;

/// The table as text of lines no longer than `most`; at any length if there is no such width.
pub(super) fn text(table: &Table, most: Option<usize>, colour: bool) -> String {
    let sheet = Sheet::of(table, colour);
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let natural = sheet.widths(&all, Titles::InALine);
    let Some(most) = most.filter(|most| length(&natural) > *most) else {
        return sheet.render(&all, &natural);
    };
    let folded = sheet.widths(&all, Titles::Folded);
    if length(&folded) <= most {
        return sheet.render(&all, &folded);
    }
    let (kept, explaining): (Vec<usize>, Vec<usize>) =
        all.iter().partition(|i| !table.columns[**i].explains);
    let mut text = sheet.squeezed(&kept, most);
    if !explaining.is_empty() {
        let titles: Vec<&str> = explaining
            .iter()
            .map(|i| sheet.titles[*i].as_str())
            .collect();
        let note = format!("(left out for want of width: {})", titles.join(", "));
        for line in fold(&note, most) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    text
}

/// At full width, without colour.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self, None, false))
    }
}

/// The length of a line of columns of these widths, without the last space.
fn length(widths: &[usize]) -> usize {
    let all: usize = widths.iter().map(|w| w + AROUND).sum();
    all.saturating_sub(1)
}

#[derive(Clone, Copy, PartialEq)]
enum Titles {
    InALine,
    Folded,
}

/// The texts of a table, fit for a terminal.
struct Sheet<'a> {
    table: &'a Table,
    titles: Vec<String>,
    cells: Vec<Vec<String>>,
    colour: bool,
}

impl<'a> Sheet<'a> {
    fn of(table: &'a Table, colour: bool) -> Self {
        let row = |row: &Vec<super::Entry>| row.iter().map(|c| clean(&c.text)).collect();
        Sheet {
            table,
            titles: table.columns.iter().map(|c| clean(&c.title)).collect(),
            cells: table.rows.iter().map(row).collect(),
            colour,
        }
    }

    /// What each of the columns takes if no cell of it is folded.
    fn widths(&self, columns: &[usize], titles: Titles) -> Vec<usize> {
        let of = |i: &usize| {
            let title = match titles {
                Titles::InALine => widest(&self.titles[*i]),
                Titles::Folded => longest_word(&self.titles[*i]),
            };
            let cells = self.cells.iter().map(|row| widest(&row[*i]));
            cells.max().unwrap_or(0).max(title)
        };
        columns.iter().map(of).collect()
    }

    /// The columns within `most`, by folding text; in panels if that is not enough.
    fn squeezed(&self, columns: &[usize], most: usize) -> String {
        let mut widths = self.widths(columns, Titles::Folded);
        while length(&widths) > most {
            let foldable = columns.iter().zip(&mut widths);
            let widest = foldable
                .filter(|(i, w)| **w > LEAST_FOLDED && self.is_prose(**i))
                .max_by_key(|(_, w)| **w);
            match widest {
                Some((_, w)) => *w -= 1,
                None => return self.panels(columns, most),
            }
        }
        self.render(columns, &widths)
    }

    /// Whether a column holds text of several words, which may be folded.
    fn is_prose(&self, column: usize) -> bool {
        let mut rows = self.table.rows.iter().zip(&self.cells);
        rows.all(|(row, cells)| {
            row[column].numbers.is_empty() || widest(&cells[column]) <= LEAST_FOLDED
        })
    }

    /// The columns in several tables beneath each other, each with those at the left that say what a row is of.
    fn panels(&self, columns: &[usize], most: usize) -> String {
        if most < LEAST_PANELS || columns.len() < 2 {
            return self.blocks(columns, most);
        }
        let texts = columns.iter().filter(|i| self.table.columns[**i].is_text);
        let keys = &columns[..texts.count().clamp(1, 2).min(columns.len() - 1)];
        let rest = &columns[keys.len()..];
        let mut key_widths = self.widths(keys, Titles::Folded);
        let room_of_keys = most / 2;
        while length(&key_widths) > room_of_keys {
            let widest = key_widths.iter_mut().max();
            widest.into_iter().for_each(|w| *w -= 1);
        }
        let room = most - length(&key_widths) - AROUND;
        let mut panels = Vec::new();
        let mut panel: (Vec<usize>, Vec<usize>) = (keys.to_vec(), key_widths.clone());
        for i in rest {
            let natural = self.widths(&[*i], Titles::Folded)[0].min(room);
            let mut with = panel.1.clone();
            with.push(natural);
            if length(&with) > most && panel.0.len() > keys.len() {
                panels.push(self.render(&panel.0, &panel.1));
                panel = (keys.to_vec(), key_widths.clone());
            }
            panel.0.push(*i);
            panel.1.push(natural);
        }
        panels.push(self.render(&panel.0, &panel.1));
        panels.join("\n\n")
    }

    /// A row as lines of title and value.
    fn blocks(&self, columns: &[usize], most: usize) -> String {
        let block = |row: &Vec<String>| {
            let lines = columns.iter().filter(|i| !row[**i].is_empty()).map(|i| {
                let title = &self.titles[*i];
                let gap = if title.is_empty() { "" } else { ": " };
                fold(&format!("{title}{gap}{}", row[*i]), most).join("\n")
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        let blocks: Vec<String> = self.cells.iter().map(block).collect();
        blocks.join("\n\n")
    }

    /// The columns at these widths, each cell folded to its own.
    fn render(&self, columns: &[usize], widths: &[usize]) -> String {
        let mut lines = Vec::new();
        self.line(columns, widths, |i| (&self.titles[i], None), &mut lines);
        for row in &self.cells {
            let cell = |i: usize| {
                let colour = colour_of(&self.titles[i], &row[i]).filter(|_| self.colour);
                (&row[i], colour)
            };
            self.line(columns, widths, cell, &mut lines);
        }
        lines.join("\n")
    }

    fn line<'b>(
        &'b self,
        columns: &[usize],
        widths: &[usize],
        cell: impl Fn(usize) -> (&'b String, Option<anstyle::AnsiColor>),
        lines: &mut Vec<String>,
    ) {
        let folded = columns.iter().zip(widths);
        let folded: Vec<Vec<String>> = folded.map(|(i, w)| fold(cell(*i).0, *w)).collect();
        let height = folded.iter().map(Vec::len).max().unwrap_or(0);
        for n in 0..height {
            let mut line = String::new();
            // Spaces are written before what comes next only: no line ends with any.
            let mut spaces = 0;
            for ((i, w), text) in columns.iter().zip(widths).zip(&folded) {
                let text = text.get(n).map_or("", String::as_str);
                let pad = w - width(text).min(*w);
                let left = self.table.columns[*i].is_text;
                spaces += 1 + if left { 0 } else { pad };
                if !text.is_empty() {
                    let _ = write!(line, "{:spaces$}{}", "", painted(text, cell(*i).1));
                    spaces = 0;
                }
                spaces += 1 + if left { pad } else { 0 };
            }
            lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    fn longest(text: &str) -> usize {
        widest(text)
    }

    fn wide() -> Table {
        let header = [
            "requests/month",
            "policy",
            "hit ratio",
            "wanted by them",
            "meaning",
        ];
        let rows = [
            vec![
                "1M",
                "naive",
                "12.5%",
                "100k",
                "what the words of this column say of it",
            ],
            vec!["20M", "optimised", "65%", "7", "and of that"],
        ];
        table(&header, 2, rows).explained_by("meaning")
    }

    #[test]
    fn titles_fold_first() {
        let rows = [vec!["1M", "12.5%"]];
        let t = table(&["requests/month", "hit ratio"], 1, rows);
        let expected = " requests/    hit\n month      ratio\n 1M         12.5%";
        assert_eq!(text(&t, Some(20), false), expected);
        assert_eq!(text(&t, Some(26), false), text(&t, None, false));
    }

    #[test]
    fn what_explains_is_left_out_and_named() {
        let shown = text(&wide(), Some(50), false);
        assert!(longest(&shown) <= 50, "{shown}");
        assert!(
            shown.ends_with("(left out for want of width: meaning)"),
            "{shown}"
        );
        assert!(!shown.contains("and of that"), "{shown}");
    }

    #[test]
    fn long_text_is_folded() {
        let words = "a long remark of many words that takes more than a line";
        let t = table(&["what", "remark"], 2, [vec!["x", words]]);
        let shown = text(&t, Some(40), false);
        assert_eq!(
            shown,
            " what  remark\n x     a long remark of many words that\n       takes more than a line"
        );
    }

    #[test]
    fn columns_go_to_panels_that_begin_with_the_keys() {
        let titles: Vec<String> = (0..12).map(|i| format!("number{i}")).collect();
        let mut header = vec!["policy"];
        header.extend(titles.iter().map(String::as_str));
        let row = |name: &str| {
            let numbers = (0..12).map(|i| (i * 1_000).to_string());
            std::iter::once(name.to_owned()).chain(numbers).collect()
        };
        let t = table(&header, 1, [row("naive"), row("optimised")]);
        let shown = text(&t, Some(60), false);
        assert!(longest(&shown) <= 60, "{shown}");
        assert_eq!(shown.matches("policy").count(), 3, "{shown}");
        assert!(titles.iter().all(|t| shown.contains(t.as_str())), "{shown}");
    }

    #[test]
    fn no_width_is_too_small() {
        for most in 1..130 {
            let shown = text(&wide(), Some(most), false);
            assert!(longest(&shown) <= most, "{most}:\n{shown}");
        }
    }

    #[test]
    fn colour_takes_no_width_and_control_characters_are_escapes() {
        let t = table(&["costs least", "cost"], 1, [vec!["yes", "a\u{1b}[2J"]]);
        let shown = text(&t, None, true);
        let expected = " costs least        cost\n \u{1b}[32myes\u{1b}[0m          a\\u{1b}[2J";
        assert_eq!(shown, expected);
    }
}
