//! The claims of a document, with their verdicts, from `claims.csv`.

use super::folder::Csv;
use super::table::{label, sentence};
use crate::report::format;

/// How a verdict is to be seen at a glance; never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    Good,
    Mixed,
    Bad,
    Open,
}

/// A verdict and how many claims got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    pub verdict: String,
    pub tone: Tone,
    pub claims: usize,
}

/// Claims that stand under one heading of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub title: String,
    pub claims: Vec<Claim>,
}

/// A claim: what was said, the verdict, and everything that supports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub id: String,
    pub quote: String,
    pub verdict: String,
    pub tone: Tone,
    /// Label and value, in the order of the file, the evidence first.
    pub details: Vec<(String, String)>,
}

/// All claims of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    pub counts: Vec<Count>,
    pub sections: Vec<Section>,
    pub total: usize,
}

impl Tone {
    /// Class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Mixed => "mixed",
            Tone::Bad => "bad",
            Tone::Open => "open",
        }
    }

    /// A sign that tells it without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Tone::Good => "✓",
            Tone::Mixed => "~",
            Tone::Bad => "✗",
            Tone::Open => "?",
        }
    }

    /// By the words of the verdict.
    fn of(verdict: &str) -> Self {
        let verdict = verdict.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|w| verdict.contains(w));
        if says(&["testable", "untested", "unknown", "undecided", "cannot"]) {
            Tone::Open
        } else if says(&["part", "depend", "condition", "only", "mixed", "some"]) {
            Tone::Mixed
        } else if says(&[
            "false",
            "wrong",
            "refut",
            "not",
            "fail",
            "contradict",
            "stated",
            "off",
        ]) {
            Tone::Bad
        } else if says(&[
            "true", "hold", "confirm", "verif", "correct", "support", "right",
        ]) {
            Tone::Good
        } else {
            Tone::Open
        }
    }
}

/// The claims of `claims.csv`; none if it lacks a quote or a verdict.
pub fn of_csv(csv: &Csv) -> Option<Claims> {
    let at = |name: &str| csv.header.iter().position(|h| h == name);
    let (quote, verdict) = (at("quote")?, at("verdict")?);
    let (id, section) = (at("id"), at("section"));
    let mut claims = Claims {
        counts: Vec::new(),
        sections: Vec::new(),
        total: csv.rows.len(),
    };
    for row in &csv.rows {
        let tone = Tone::of(&row[verdict]);
        let claim = Claim {
            id: id.map(|i| row[i].clone()).unwrap_or_default(),
            quote: row[quote].clone(),
            verdict: row[verdict].clone(),
            tone,
            details: details(csv, row, &[Some(quote), Some(verdict), id, section]),
        };
        match claims
            .counts
            .iter_mut()
            .find(|c| c.verdict == claim.verdict)
        {
            Some(count) => count.claims += 1,
            None => claims.counts.push(Count {
                verdict: claim.verdict.clone(),
                tone,
                claims: 1,
            }),
        }
        let title = section.map_or("", |i| row[i].as_str());
        match claims.sections.iter_mut().find(|s| s.title == title) {
            Some(section) => section.claims.push(claim),
            None => claims.sections.push(Section {
                title: title.to_owned(),
                claims: vec![claim],
            }),
        }
    }
    claims
        .counts
        .sort_by(|a, b| (a.tone, &a.verdict).cmp(&(b.tone, &b.verdict)));
    Some(claims)
}

/// The other columns that have a value: evidence first, then conditions, then as in the file.
fn details(csv: &Csv, row: &[String], shown: &[Option<usize>]) -> Vec<(String, String)> {
    let mut columns: Vec<usize> = (0..row.len())
        .filter(|i| !shown.contains(&Some(*i)) && !row[*i].is_empty())
        .collect();
    columns.sort_by_key(|i| match csv.header[*i].as_str() {
        "evidence" => 0,
        "conditions" => 1,
        _ => 2,
    });
    let detail = |i: usize| (sentence(&label(&csv.header[i])), format::grouped(&row[i]));
    columns.into_iter().map(detail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(rows: &[[&str; 6]]) -> Csv {
        let strings = |r: &[&str]| r.iter().map(|s| (*s).to_owned()).collect();
        Csv {
            file: "claims.csv".into(),
            header: strings(&["id", "section", "quote", "stated", "verdict", "evidence"]),
            rows: rows.iter().map(|r| strings(r)).collect(),
            total_rows: rows.len(),
        }
    }

    #[test]
    fn claims_are_counted_by_verdict_and_grouped_by_section() {
        let claims = of_csv(&csv(&[
            ["a", "Costs", "q1", "40000", "false", "e1"],
            ["b", "Cache", "q2", "", "holds", "e2"],
            ["c", "Costs", "q3", "1", "false", ""],
        ]))
        .unwrap();
        let counts: Vec<_> = claims
            .counts
            .iter()
            .map(|c| (c.verdict.as_str(), c.claims))
            .collect();
        assert_eq!(counts, [("holds", 1), ("false", 2)]);
        let sections: Vec<_> = claims
            .sections
            .iter()
            .map(|s| (s.title.as_str(), s.claims.len()))
            .collect();
        assert_eq!(sections, [("Costs", 2), ("Cache", 1)]);
        let detail = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            claims.sections[0].claims[0].details,
            [detail("Evidence", "e1"), detail("Stated", "40,000")]
        );
    }

    #[test]
    fn the_tone_follows_the_words() {
        let tones = [
            "holds",
            "does not hold",
            "holds only in part",
            "not testable",
            "refuted",
        ]
        .map(Tone::of);
        assert_eq!(
            tones,
            [Tone::Good, Tone::Bad, Tone::Mixed, Tone::Open, Tone::Bad]
        );
    }
}
