//! Text in lines of a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns of a terminal a line takes.
pub(super) fn width(line: &str) -> usize {
    line.width()
}

/// The width of the widest line.
pub(super) fn widest(text: &str) -> usize {
    text.lines().map(width).max().unwrap_or(0)
}

/// The width of the longest word.
pub(super) fn longest_word(text: &str) -> usize {
    let words = text.split_whitespace();
    words.flat_map(parts).map(width).max().unwrap_or(0)
}

/// The text in lines of no more than `most` columns: broken between words, a word that is longer than that after a
/// slash, or anywhere.
pub(super) fn fold(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    for line in text.lines() {
        if width(line) <= most {
            lines.push(line.to_owned());
            continue;
        }
        let mut current = String::new();
        for word in line.split_whitespace() {
            let mut gap = if current.is_empty() { "" } else { " " };
            for part in parts(word) {
                if width(&current) + gap.len() + width(part) > most && !current.is_empty() {
                    lines.push(std::mem::take(&mut current));
                    gap = "";
                }
                current.push_str(gap);
                gap = "";
                for c in part.chars() {
                    let wide = c.width().unwrap_or(0);
                    if width(&current) + wide > most && !current.is_empty() {
                        lines.push(std::mem::take(&mut current));
                    }
                    current.push(c);
                }
            }
        }
        lines.push(current);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// The parts of a word between which it may be broken: after each slash.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split_inclusive('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_then_after_slashes_then_anywhere() {
        assert_eq!(fold("hit ratio", 9), ["hit ratio"]);
        assert_eq!(fold("hit ratio", 5), ["hit", "ratio"]);
        assert_eq!(fold("requests/month", 9), ["requests/", "month"]);
        assert_eq!(fold("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(fold("", 3), [""]);
        // Two columns for each.
        assert_eq!(fold("漢字漢字", 5), ["漢字", "漢字"]);
    }
}
