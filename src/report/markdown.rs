//! Markdown that shows a text as it is, whatever the text holds: no mention, link, picture or HTML comes of it.

/// Most characters of a text that comes from elsewhere.
const LONGEST: usize = 400;

/// A text as code, in which nothing has a meaning: control characters and what would end it or a table's cell are
/// replaced, and the rest of what is too long is left out.
pub fn code(text: &str) -> String {
    let fit = |c: char| match c {
        c if c.is_control() => ' ',
        '`' => '\'',
        '|' => '¦',
        // Marks of direction, which would turn what comes after them.
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c => c,
    };
    let shown: String = text.chars().take(LONGEST).map(fit).collect();
    let shown = shown.trim();
    let more = if text.chars().nth(LONGEST).is_some() {
        " …"
    } else {
        ""
    };
    match shown.is_empty() {
        true => "(no name)".into(),
        false => format!("`{shown}{more}`"),
    }
}

/// A table whose columns are as wide as their cells, so that it reads well as text too; the first row is the header, the
/// first `left` columns and the last are text, the others numbers.
pub fn table(rows: &[Vec<String>], left: usize) -> String {
    let Some(columns) = rows.first().map(Vec::len) else {
        return String::new();
    };
    let length = |row: &Vec<String>, i: usize| row.get(i).map_or(0, |c| c.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|i| rows.iter().map(|r| length(r, i)).max().unwrap_or(0).max(3))
        .collect();
    let is_number = |i: usize| i >= left && i + 1 < columns;
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, width))| match is_number(i) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let ruler = widths
        .iter()
        .enumerate()
        .map(|(i, width)| match is_number(i) {
            true => format!("{}:", "-".repeat(width - 1)),
            false => "-".repeat(*width),
        });
    let ruler = format!("| {} |", ruler.collect::<Vec<_>>().join(" | "));
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, ruler);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_means_anything() {
        assert_eq!(code("optimised"), "`optimised`");
        assert_eq!(
            code("a`@org/team`\n<img>|\u{1b}[31m\u{202e}x"),
            "`a'@org/team' <img>¦ [31m x`"
        );
        assert_eq!(code(" \n"), "(no name)");
        let long = code(&"ü".repeat(500));
        assert!(
            long.ends_with("ü …`") && long.chars().count() == 404,
            "{long}"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["measure", "old", "said"]), row(["a", "±1.25", "x"])];
        insta::assert_snapshot!(table(&rows, 1), @r"
        | measure |   old | said |
        | ------- | ----: | ---- |
        | a       | ±1.25 | x    |
        ");
        assert_eq!(table(&[], 1), "");
    }
}
