//! The answers of a sweep in words: what they are was decided by `study::answers`.

use super::table::{Cell, Column, Table};
use crate::report::format;
use crate::report::reason::reason_words;
use crate::study::answers::{Answers, At, Cost, Level, SavedAt, Saving};
use crate::study::stats::Estimate;

/// A question with what the results say, in one or more sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The question, as a reader would ask it.
    pub question: String,
    /// The answer, a sentence a line.
    pub lines: Vec<String>,
}

/// As many lines of an answer stand in full; the others are folded.
const SHOWN_LINES: usize = 3;
/// Where there are more policies, a sentence names the first of them.
const MOST_NAMES: usize = 4;

impl Answer {
    /// The lines that stand in full: all of them, if no more than one would be folded.
    pub fn shown(&self) -> &[String] {
        match self.lines.len() > SHOWN_LINES + 1 {
            true => &self.lines[..SHOWN_LINES],
            false => &self.lines,
        }
    }

    /// The others.
    pub fn folded(&self) -> &[String] {
        &self.lines[self.shown().len()..]
    }
}

/// The answers of a sweep, a question each.
pub fn of_sweep(answers: &Answers) -> Vec<Answer> {
    let all = [
        cheapest(answers),
        savings(answers),
        allowance(answers),
        trouble(answers),
        cache(answers),
        queries(answers),
    ];
    all.into_iter().flatten().collect()
}

/// Levels down, policies across.
pub fn costs(answers: &Answers) -> Table {
    let mut columns = vec![Column::number("requests a month")];
    columns.extend(answers.policies.iter().map(|p| Column::number(p)));
    columns.push(Column::text("costs least"));
    let row = |level: &Level| {
        let mut row = vec![Cell::number(level.traffic as f64, count(level.traffic))];
        row.extend(level.costs.iter().map(|cost| {
            let mut told = usd(cost);
            if let Some(reason) = cost.excluded {
                told.push_str(&format!(", {}", reason_words(reason)));
            }
            let mut cell = Cell::number(cost.usd, told);
            cell.strong = level.least == [cost.policy.as_str()];
            cell
        }));
        let names = list(level.least.iter().cloned());
        row.push(Cell::text(match level.least.len() {
            0 | 1 => names,
            _ => format!("no difference: {names}"),
        }));
        row
    };
    let rows = answers.levels.iter().map(row).collect();
    let title = format!("Cost per month in USD, plan \"{}\"", answers.plan);
    Table::new("costs", &title, columns, rows)
}

/// What each other policy saves against the first; none where there is nothing to hold against another.
pub fn saved(answers: &Answers) -> Option<Table> {
    let first = &answers.saved.first()?.over;
    let columns = vec![
        Column::number("requests a month"),
        Column::text("policy"),
        Column::number("saved a month in USD"),
        Column::number("of its bill"),
    ];
    let row = |s: &SavedAt| {
        vec![
            Cell::number(s.traffic as f64, count(s.traffic)),
            Cell::text(s.policy.clone()),
            Cell::number(s.usd, format::usd_estimate(s.usd())),
            Cell::number(s.share().mean, share(s)),
        ]
    };
    let rows = answers.saved.iter().map(row).collect();
    let title =
        format!("Saved against {first}, by paired differences; below 0 where it costs more");
    Some(Table::new("saved", &title, columns, rows))
}

/// `93% ± 1%`; of a bill of nothing there is no share.
fn share(saved: &SavedAt) -> String {
    match saved.share {
        Some(_) => format::share_estimate(saved.share()),
        None => "-".into(),
    }
}

/// `$21.00 ± 5.93 (80.8% ± 4.1%)`, held together.
pub(super) fn difference(saved: &SavedAt) -> String {
    let usd = format::usd_estimate(saved.usd());
    let words = match saved.share {
        Some(_) => format!("{usd} ({})", share(saved)),
        None => usd,
    };
    words.replace(' ', "\u{a0}")
}

fn cheapest(answers: &Answers) -> Option<Answer> {
    if answers.policies.len() < 2 {
        return None;
    }
    let out = |level: &Level| -> Vec<String> {
        let out = level.costs.iter().filter(|c| c.excluded.is_some());
        out.map(|c| c.policy.clone()).collect()
    };
    let alike = |a: &Level, b: &Level| a.least == b.least && out(a) == out(b);
    let spans = answers.levels.chunk_by(alike);
    let mut lines: Vec<String> = spans.map(least_line).collect();
    lines.push(
        if answers.paired {
            "Policies are told apart by the paired differences of their replications, at 95% for each pair."
        } else {
            "One replication: there is no interval, so small differences may be chance."
        }
        .to_owned(),
    );
    Some(Answer {
        question: "Which policy costs least?".into(),
        lines,
    })
}

/// What costs least over neighbouring levels, and what that is at the last of them.
fn least_line(levels: &[Level]) -> String {
    let (first, last) = (&levels[0], &levels[levels.len() - 1]);
    let (span, at) = if first.traffic == last.traffic {
        (format!("At {}", count(first.traffic)), String::new())
    } else {
        let (first, last) = (count(first.traffic), count(last.traffic));
        (format!("From {first} to {last}"), format!("at {last}: "))
    };
    let able = last.costs.iter().filter(|c| c.excluded.is_none());
    let is_named = |c: &&Cost| last.costs.len() <= MOST_NAMES || last.least.contains(&c.policy);
    let told = |c: &Cost| format!("{} {}", c.policy, usd(c).replace(' ', "\u{a0}"));
    let costs: Vec<String> = able.filter(is_named).map(told).collect();
    let costs = few(&costs);
    let names = few(&last.least);
    let mut line = match last.least.len() {
        0 => format!("{span}: none does the whole work"),
        1 => format!("{span}: {names} ({at}{costs})"),
        _ => format!("{span}: no difference that can be told between {names} ({at}{costs})"),
    };
    let out = last.costs.iter().filter_map(|c| {
        let why = reason_words(c.excluded?);
        Some(format!("{}, which {why}", c.policy))
    });
    let out = few(&out.collect::<Vec<_>>());
    if !out.is_empty() {
        line.push_str(&format!("; left out {at}{out}"));
    }
    line + "."
}

fn savings(answers: &Answers) -> Option<Answer> {
    let line = |s: &Saving| {
        let span = match s.from == s.to {
            true => format!("at {}", count(s.from)),
            false => format!("from {} to {}", count(s.from), count(s.to)),
        };
        let line = format!(
            "{} costs less than {} {span} requests a month",
            s.policy, s.over
        );
        match &s.ends {
            None => format!("{line}."),
            Some([first, last]) if first.traffic == last.traffic => {
                format!("{line}: {} less.", difference(first))
            }
            Some(ends) => {
                let at = |s: &SavedAt| format!("{} less at {}", difference(s), count(s.traffic));
                format!("{line}: {}.", list(ends.iter().map(at)))
            }
        }
    };
    let lines: Vec<String> = answers.savings.iter().map(line).collect();
    (!lines.is_empty()).then(|| Answer {
        question: "Where does one policy save over another?".into(),
        lines,
    })
}

fn allowance(answers: &Answers) -> Option<Answer> {
    let mut lines = Vec::new();
    for policy in &answers.policies {
        let all = answers.allowances.iter().filter(|a| a.policy == *policy);
        let used_up = all.clone().filter_map(|a| {
            let used_up = a.used_up?;
            let at = format::count(used_up.at);
            Some(match used_up.everywhere {
                true => format!("{} at every level from {at}", a.of),
                false => format!("{} at about {at} requests a month", a.of),
            })
        });
        let used_up = list(used_up);
        let most = all.max_by(|a, b| a.most.value.total_cmp(&b.most.value));
        match most {
            _ if !used_up.is_empty() => lines.push(format!("{policy}: {used_up}.")),
            Some(a) => lines.push(format!(
                "{policy}: nowhere; the most is {} of the {}, at {} requests a month.",
                format::percent(a.most.value),
                a.of,
                count(a.most.traffic)
            )),
            None => {}
        }
    }
    (!lines.is_empty()).then(|| Answer {
        question: format!(
            "Where is the allowance of plan \"{}\" used up?",
            answers.plan
        ),
        lines,
    })
}

/// What a measure of trouble is a share of.
pub(super) fn trouble_words(measure: &str) -> String {
    match measure {
        "requests_refused_share" => "of the requests are refused".into(),
        "kv_quota_exceeded_share" => "of the KV operations are refused".into(),
        "loss_rate" => "of the records are lost".into(),
        "error_rate" => "of the calls fail".into(),
        other => format!("({other})"),
    }
}

fn trouble(answers: &Answers) -> Option<Answer> {
    let worst = answers.troubles.iter().map(|t| {
        format!(
            "{}: up to {} {}, at {} requests a month.",
            t.policy,
            format::percent(t.worst.value),
            trouble_words(&t.measure),
            count(t.worst.traffic)
        )
    });
    let unknown = answers.loss_unknown.iter().map(|u| {
        format!(
            "{}: how many records are lost is unknown, from {} requests a month.",
            u.policy,
            count(u.from)
        )
    });
    let mut lines: Vec<String> = worst.chain(unknown).collect();
    if lines.is_empty() {
        lines.push("Nothing is refused, no record is lost and no call fails, at any level.".into());
    }
    Some(Answer {
        question: "Is anything refused or lost, does anything fail?".into(),
        lines,
    })
}

fn cache(answers: &Answers) -> Option<Answer> {
    let told = ends(answers, "hit_ratio", format::percent);
    let lines = told.map(|(policy, span)| format!("{policy}: hit ratio {span}."));
    answer("How often does the cache answer?", lines)
}

fn queries(answers: &Answers) -> Option<Answer> {
    let told = ends(answers, "query_p95_ms", format::milliseconds);
    let lines = told.map(|(policy, span)| format!("{policy}: 95% of the queries within {span}."));
    answer("How long does an analytics query take?", lines)
}

fn answer(question: &str, lines: impl Iterator<Item = String>) -> Option<Answer> {
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| Answer {
        question: question.to_owned(),
        lines,
    })
}

/// `56 ms at 100k, 50 ms at 10M`: by policy, a measure at the ends of the sweep.
fn ends<'a>(
    answers: &'a Answers,
    measure: &'a str,
    write: fn(f64) -> String,
) -> impl Iterator<Item = (&'a str, String)> {
    let told = move |at: At| format!("{} at {}", write(at.value), count(at.traffic));
    let all = answers.ends.iter().filter(move |e| e.measure == measure);
    all.map(move |e| {
        let span = match e.first == e.last {
            true => told(e.first),
            false => format!("{}, {} requests a month", told(e.first), told(e.last)),
        };
        (e.policy.as_str(), span)
    })
}

/// `$5.02 ± 0.01`.
pub(super) fn usd(cost: &Cost) -> String {
    format::usd_estimate(Estimate {
        mean: cost.usd,
        half_width: cost.half_width.unwrap_or(f64::NAN),
        n: 0,
    })
}

pub(super) fn count(traffic: u64) -> String {
    format::count(traffic as f64)
}

/// `a, b and c`.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

/// The same, of many the first: `a, b, c and 6 more`.
pub(super) fn few(items: &[String]) -> String {
    if items.len() <= MOST_NAMES {
        return list(items.iter().cloned());
    }
    let kept = MOST_NAMES - 1;
    format!(
        "{} and {} more",
        items[..kept].join(", "),
        items.len() - kept
    )
}
