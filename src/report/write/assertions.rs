//! What was asserted and thresholds for changes, as lists: ✓ holds, ✗ does not, ? cannot be told.

use crate::report::measured;
use crate::report::reason::reason_words;
use crate::study::condition::assertion::Judged;
use crate::study::condition::{Answer, Doubt};
use serde::Serialize;

/// The sign of an answer to whether something is as it should be.
pub fn sign(answer: Answer) -> char {
    match answer {
        Answer::Yes => '✓',
        Answer::No => '✗',
        Answer::Undecided(_) => '?',
    }
}

/// Why nothing can be said.
pub fn doubt_words(doubt: Doubt) -> String {
    match doubt {
        Doubt::WithinInterval => "the threshold is within the interval".into(),
        Doubt::OneReplication => "one replication has no interval".into(),
        Doubt::NoInterval => "no interval is stated".into(),
        Doubt::TooFew => "too few calls for this percentile".into(),
        Doubt::NoValue => "there is no value".into(),
        Doubt::NotTheWholeWork(reason) => {
            format!(
                "the bill is not for the whole work: {}",
                reason_words(reason)
            )
        }
    }
}

/// All assertions, a line each, and how many hold.
pub fn list(judged: &[Judged]) -> String {
    let held = judged.iter().filter(|j| j.holds()).count();
    let mut lines = vec![format!("Assertions: {held} of {} hold", judged.len())];
    lines.extend(judged.iter().map(|j| format!("  {}", line(j))));
    if judged
        .iter()
        .any(|j| matches!(j.answer, Answer::Undecided(_)))
    {
        lines.push(
            "What is undecided (?) does not hold. More replications (-n) make intervals narrower."
                .into(),
        );
    }
    lines.join("\n")
}

/// Those that do not hold or are undecided, a line each.
pub fn unmet(judged: &[Judged]) -> String {
    let unmet = judged.iter().filter(|j| !j.holds());
    unmet.map(line).collect::<Vec<_>>().join("\n")
}

fn line(j: &Judged) -> String {
    let metric = j.bound.metric;
    let too_few = j.answer == Answer::Undecided(Doubt::TooFew);
    let why = match j.answer {
        Answer::Undecided(doubt) => format!("; undecided: {}", doubt_words(doubt)),
        _ => String::new(),
    };
    format!(
        "{} {}: {}{why} (policy {}, {} requests/month)",
        sign(j.answer),
        j.bound.text,
        measured::value(metric, j.found, too_few),
        j.policy,
        j.traffic
    )
}

/// An assertion as `run.json` holds it.
#[derive(Serialize)]
pub struct Assertion<'a> {
    assertion: &'a str,
    policy: &'a str,
    traffic_per_month: u64,
    /// `holds`, `does not hold` or `undecided`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided_as: Option<String>,
}

/// All assertions for `run.json`.
pub fn for_json<'a>(judged: &'a [Judged]) -> Vec<Assertion<'a>> {
    let of = |j: &'a Judged| {
        let (verdict, undecided_as) = match j.answer {
            Answer::Yes => ("holds", None),
            Answer::No => ("does not hold", None),
            Answer::Undecided(doubt) => ("undecided", Some(doubt_words(doubt))),
        };
        Assertion {
            assertion: &j.bound.text,
            policy: &j.policy,
            traffic_per_month: j.traffic.0,
            verdict,
            undecided_as,
        }
    };
    judged.iter().map(of).collect()
}
