//! Colour: of what is good, doubtful or bad, and of nothing else.

use anstyle::AnsiColor;

/// Columns whose words are judgements.
const JUDGING: [&str; 3] = ["costs least", "verdict", ""];

/// What a judgement begins with, and its colour.
const TONES: [(&str, AnsiColor); 19] = [
    ("yes", AnsiColor::Green),
    ("cheapest", AnsiColor::Green),
    ("choice", AnsiColor::Green),
    ("met", AnsiColor::Green),
    ("confirmed", AnsiColor::Green),
    ("within", AnsiColor::Green),
    ("tied", AnsiColor::Yellow),
    ("excluded", AnsiColor::Yellow),
    ("holds only if", AnsiColor::Yellow),
    ("undecided", AnsiColor::Yellow),
    ("for review", AnsiColor::Yellow),
    ("NOT CERTAIN", AnsiColor::Yellow),
    ("UNKNOWN", AnsiColor::Yellow),
    ("not able", AnsiColor::Red),
    ("not met", AnsiColor::Red),
    ("missed", AnsiColor::Red),
    ("refuted", AnsiColor::Red),
    ("inconsistent", AnsiColor::Red),
    ("outside", AnsiColor::Red),
];

/// The colour of a cell, by its column's title and its text.
pub(super) fn colour_of(title: &str, text: &str) -> Option<AnsiColor> {
    if !JUDGING.contains(&title) {
        return None;
    }
    let found = TONES.iter().find(|(start, _)| text.starts_with(start));
    found.map(|(_, colour)| *colour)
}

/// A line in a colour, if it has one.
pub(super) fn painted(line: &str, colour: Option<AnsiColor>) -> String {
    match colour {
        Some(colour) if !line.is_empty() => {
            let style = colour.on_default();
            format!("{style}{line}{style:#}")
        }
        _ => line.to_owned(),
    }
}

/// Text without control characters, which a terminal would obey: escapes instead.
pub(super) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            '\t' => shown.push(' '),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}
