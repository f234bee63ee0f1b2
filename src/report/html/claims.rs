//! The claims of a document, with their verdicts, from `claims.csv`.

use super::csv_file::Csv;
use super::table::{label, sentence};
use crate::report::format;

/// How a verdict is to be seen at a glance; never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// The claim holds.
    Good,
    /// It holds in part, or under conditions.
    Mixed,
    /// It does not hold.
    Bad,
    /// It cannot be told.
    Open,
}

/// A verdict and how many claims got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The verdict.
    pub verdict: String,
    /// How it is shown.
    pub tone: Tone,
    /// Claims that got it.
    pub claims: usize,
}

/// Claims that stand under one heading of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The claims, in the order of the document.
    pub claims: Vec<Claim>,
}

/// A claim: what was said, the verdict, and everything that supports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its identifier in the ledger.
    pub id: String,
    /// What the document says, word for word.
    pub quote: String,
    /// The verdict over all lenses.
    pub verdict: String,
    /// How the verdict is shown.
    pub tone: Tone,
    /// What was stated, and the right value where another was found, with all their digits.
    pub values: Vec<(&'static str, String)>,
    /// What it looks like through each lens.
    pub lenses: Vec<Lens>,
    /// Label and value, in the order of the file, the evidence first.
    pub details: Vec<(String, String)>,
}

/// A claim seen through one lens, such as the published prices: verdict and value.
#[derive(Debug, Clone, PartialEq)]
pub struct Lens {
    /// What it is looked at through.
    pub name: String,
    /// The verdict through this lens.
    pub verdict: String,
    /// How the verdict is shown.
    pub tone: Tone,
    /// The value found, with its unit.
    pub value: String,
}

/// All claims of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// How many claims got each verdict.
    pub counts: Vec<Count>,
    /// The claims, by heading.
    pub sections: Vec<Section>,
    /// Claims on the page.
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
    pub fn of(verdict: &str) -> Self {
        match verdict {
            "confirmed" | "met" => Tone::Good,
            "holds only if" | "undecided" => Tone::Mixed,
            "refuted" | "inconsistent" | "not met" => Tone::Bad,
            _ => Tone::Open,
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
            // The words, without the document's markup for bold.
            quote: row[quote].replace("**", ""),
            verdict: row[verdict].clone(),
            tone,
            values: values(csv, row),
            lenses: lenses(csv, row),
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

/// What the columns `<lens>_verdict`, `<lens>_value` and `<lens>_value_ci95` say.
fn lenses(csv: &Csv, row: &[String]) -> Vec<Lens> {
    let row = csv.row(row);
    let names = csv.header.iter().filter_map(|h| h.strip_suffix("_verdict"));
    let lens = |name: &str| {
        let (value, half_width) = (
            row.get(&format!("{name}_value")),
            row.get(&format!("{name}_value_ci95")),
        );
        let verdict = row.get(&format!("{name}_verdict"));
        let interval = match half_width {
            "" | "0" => String::new(),
            h => format!(" ± {}", format::grouped(h)),
        };
        Lens {
            name: sentence(name),
            verdict: verdict.to_owned(),
            tone: Tone::of(verdict),
            value: format!("{}{interval}", format::grouped(value)),
        }
    };
    names.map(lens).filter(|l| !l.verdict.is_empty()).collect()
}

/// Columns that [`stated`] puts into words together.
const STATED: [&str; 5] = ["stated", "stated_to", "unit", "comparator", "tolerance"];

/// The other columns that have a value: evidence first, then conditions, then as in the file.
fn details(csv: &Csv, row: &[String], shown: &[Option<usize>]) -> Vec<(String, String)> {
    let of_lens = |name: &str| {
        let ends = ["_verdict", "_value", "_value_ci95"];
        let stem = ends.iter().find_map(|end| name.strip_suffix(end));
        stem.is_some_and(|s| csv.header.contains(&format!("{s}_verdict")))
    };
    let get = |name: &str| {
        let at = csv.header.iter().position(|h| h == name);
        at.map_or("", |i| row[i].as_str())
    };
    let cells = csv.header.iter().zip(row).enumerate();
    let others = cells.filter(|(i, (name, value))| {
        !shown.contains(&Some(*i))
            && !value.is_empty()
            && !of_lens(name)
            && !STATED.contains(&name.as_str())
    });
    let mut details: Vec<(&str, String)> = others
        .map(|(_, (name, value))| (name.as_str(), format::grouped(value)))
        .collect();
    details.extend(stated(get).map(|words| ("stated", words)));
    details.sort_by_key(|(name, _)| match *name {
        "evidence" => 0,
        "conditions" => 1,
        "note" => 2,
        "stated" => 3,
        _ => 4,
    });
    details
        .into_iter()
        // What each lens found stands in a line of its own.
        .map(|(name, words)| (sentence(&label(name)), words.replace("; [", "\n[")))
        .collect()
}

/// What stands beside the quote: `stated $0.013`, `right $0.0065`, `factor 2`.
fn values(csv: &Csv, row: &[String]) -> Vec<(&'static str, String)> {
    let row = csv.row(row);
    let get = |name: &str| row.get(name);
    let unit = get("unit");
    let with_unit = |number: &str| match unit {
        "USD" => format!("${}", format::grouped(number)),
        "%" => format!("{}%", format::grouped(number)),
        _ => format!("{} {unit}", format::grouped(number))
            .trim_end()
            .to_owned(),
    };
    let comparator = get("comparator").trim_start_matches(['\'', '=']);
    let stated = match get("stated_to") {
        "" => with_unit(get("stated")),
        to => format!("{} to {}", format::grouped(get("stated")), with_unit(to)),
    };
    let stated = format!("{comparator} {stated}").trim_start().to_owned();
    let right = with_unit(get("right_value"));
    let factor = get("factor_stated_over_right").parse();
    let factor = factor.map_or_else(|_| String::new(), |f| format::significant(f, 3));
    let all = [
        ("stated", "stated", stated),
        ("right_value", "right", right),
        ("factor_stated_over_right", "factor", factor),
    ];
    let known = all.into_iter().filter(|(name, ..)| !get(name).is_empty());
    known.map(|(_, label, value)| (label, value)).collect()
}

/// `< 2,000 ms, tolerance 100`.
fn stated<'a>(get: impl Fn(&str) -> &'a str) -> Option<String> {
    let value = format::grouped(Some(get("stated")).filter(|s| !s.is_empty())?);
    let to = match get("stated_to") {
        "" => String::new(),
        to => format!("to {}", format::grouped(to)),
    };
    let words = [get("comparator"), &value, &to, get("unit")].map(str::to_owned);
    let words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).collect();
    let tolerance = match get("tolerance") {
        "" | "0" => String::new(),
        t => format!(", tolerance {}", format::grouped(t)),
    };
    Some(format!("{}{tolerance}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_counted_by_verdict_and_grouped_by_section() {
        let strings = |r: &[&str]| r.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let header = "id section quote stated verdict evidence unit fleet_verdict fleet_value fleet_value_ci95";
        let rows = [
            [
                "a",
                "Costs",
                "**q1**",
                "40000",
                "refuted",
                "e1; [fleet] e3",
                "writes",
                "refuted",
                "12345",
                "6",
            ],
            [
                "b",
                "Cache",
                "q2",
                "",
                "confirmed",
                "e2",
                "writes",
                "",
                "",
                "",
            ],
            [
                "c",
                "Costs",
                "q3",
                "1",
                "refuted",
                "",
                "",
                "confirmed",
                "2",
                "0",
            ],
        ];
        let claims = of_csv(&Csv {
            file: "claims.csv".into(),
            header: strings(&header.split(' ').collect::<Vec<_>>()),
            rows: rows.iter().map(|r| strings(r)).collect(),
            total_rows: rows.len(),
        })
        .unwrap();
        let counts = claims.counts.iter();
        let counts: Vec<_> = counts.map(|c| (c.verdict.as_str(), c.claims)).collect();
        assert_eq!(counts, [("confirmed", 1), ("refuted", 2)]);
        let sections = claims.sections.iter();
        let sections: Vec<_> = sections
            .map(|s| (s.title.as_str(), s.claims.len()))
            .collect();
        assert_eq!(sections, [("Costs", 2), ("Cache", 1)]);
        let detail = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let first = &claims.sections[0].claims[0];
        assert_eq!(
            first.details,
            [
                detail("Evidence", "e1\n[fleet] e3"),
                detail("Stated", "40,000 writes")
            ]
        );
        assert_eq!(first.quote, "q1");
        assert_eq!(first.values, [("stated", "40,000 writes".to_owned())]);
        let lens = &first.lenses[0];
        assert_eq!(
            (lens.name.as_str(), lens.value.as_str()),
            ("Fleet", "12,345 ± 6")
        );
        assert_eq!(lens.tone, Tone::Bad);
        assert!(claims.sections[1].claims[0].lenses.is_empty());
    }

    /// Two values that differ are never written alike.
    #[test]
    fn stated_and_right_value_have_the_digits_that_tell_them_apart() {
        let strings = |r: &[&str]| r.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let header =
            "quote verdict stated stated_to unit comparator right_value factor_stated_over_right";
        let csv = Csv {
            header: strings(&header.split(' ').collect::<Vec<_>>()),
            ..Csv::default()
        };
        let told = |row: &[&str]| {
            let all = values(&csv, &strings(row));
            all.iter()
                .map(|(l, v)| format!("{l} {v}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let cost = ["", "", "0.013", "", "USD", "'=", "0.0065", "2"];
        assert_eq!(told(&cost), "stated $0.013, right $0.0065, factor 2");
        let range = ["", "", "10", "20", "%", "", "12345", ""];
        assert_eq!(told(&range), "stated 10 to 20%, right 12,345%");
        let less = ["", "", "5000", "", "ms", "<", "", ""];
        assert_eq!(told(&less), "stated < 5000 ms");
        assert_eq!(told(&[""; 8]), "");
    }
}
