//! Whether a document says what a claims file quotes.

use super::spec::ClaimFile;

/// The text without markup, in single spaces.
fn plain(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, '*' | '`'))
        .map(|c| if matches!(c, '|' | '#') { ' ' } else { c })
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The ids of the claims whose quotes do not stand in the document.
pub fn missing<'a>(file: &'a ClaimFile, document: &str) -> Vec<&'a str> {
    let document = plain(document);
    let claims = file.claims.iter();
    claims
        .filter(|c| !document.contains(&plain(&c.quote)))
        .map(|c| c.id.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_white_space_do_not_matter_and_words_do() {
        let document = "- **Savings**: $2.70/month\n  ($32.40/year)\n| a | `b` |";
        let found = |quote: &str| plain(document).contains(&plain(quote));
        assert!(found("Savings: $2.70/month ($32.40/year)"));
        assert!(found("| a | b |"));
        assert!(!found("$2.70/year"));
    }
}
