//! The answer in a sentence, with what is lost or refused beside it and how sure it is.

use super::answers::{count, difference, few, list, trouble_words, usd};
use super::claims::Claims;
use super::folder::Folder;
use crate::report::artefacts;
use crate::report::format;
use crate::study::answers::{Answers, Cost, Saving};

/// What a page says first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lead {
    /// The answer.
    pub answer: String,
    /// What stands beside it, a sentence each: what is lost or refused, how sure the answer is.
    pub beside: Vec<String>,
}

/// What the page of a folder says first; none if its results decide nothing.
pub fn of_folder(folder: &Folder, claims: Option<&Claims>) -> Option<Lead> {
    let swept = folder.answers.as_ref().and_then(of_sweep);
    swept
        .or_else(|| claims.map(of_claims))
        .or_else(|| of_run(folder))
}

/// Which policy saves over which, from where on.
fn of_sweep(answers: &Answers) -> Option<Lead> {
    let last = answers.levels.last()?;
    let cost = |policy: &str| last.costs.iter().find(|c| c.policy == policy);
    let mut lead = Lead::default();
    let mut told = Vec::new();
    match best(answers) {
        Some(saving) => {
            lead.answer = saved(saving, answers);
            told.extend([saving.policy.as_str(), saving.over.as_str()]);
        }
        None if answers.policies.len() == 1 => {
            let policy = answers.policies[0].as_str();
            let costs = cost(policy).map(usd)?;
            let at = count(last.traffic);
            lead.answer = format!("{policy} costs {costs} a month at {at} requests.");
            told.push(policy);
        }
        None => {
            let names = few(&answers.policies);
            lead.answer = match last.least.as_slice() {
                [] => "No policy does the whole work at the highest traffic.".to_owned(),
                _ => format!("No saving can be told between {names}, at any traffic."),
            };
            told.extend(answers.policies.iter().take(2).map(String::as_str));
        }
    }
    lead.beside.extend(told.iter().map(|p| trouble(p, answers)));
    lead.beside.push(
        if answers.paired {
            "Told apart by the paired differences of the replications, at 95% for each pair; ± is half of a 95% interval."
        } else {
            "One replication: there is no interval, so small differences may be chance."
        }
        .to_owned(),
    );
    Some(lead)
}

/// The saving to tell: of what costs least at the highest traffic, over the first policy that costs more there, as
/// that is what others are held against.
fn best(answers: &Answers) -> Option<&Saving> {
    let last = answers.levels.last()?;
    let at_last = |s: &&Saving| s.to == last.traffic;
    let of_least = |s: &&Saving| last.least.contains(&s.policy);
    let place = |s: &&Saving| answers.policies.iter().position(|p| *p == s.over);
    let all = || answers.savings.iter();
    let first = all().filter(at_last).filter(of_least).min_by_key(place);
    first.or_else(|| all().max_by_key(|s| s.to))
}

fn saved(saving: &Saving, answers: &Answers) -> String {
    let at = answers.levels.iter().find(|l| l.traffic == saving.to);
    let cost = |policy: &str| -> Option<&Cost> {
        let costs = &at?.costs;
        costs.iter().find(|c| c.policy == policy)
    };
    let (from, to) = (count(saving.from), count(saving.to));
    let span = match saving.from == saving.to {
        true => format!("at {to}"),
        false => format!("from {from} to {to}"),
    };
    let (policy, over) = (&saving.policy, &saving.over);
    let mut line = format!("{policy} costs less than {over} {span} requests a month");
    if let (Some(less), Some(more)) = (cost(policy), cost(over)) {
        // An interval stays with its value.
        let (less, more) = (
            usd(less).replace(' ', "\u{a0}"),
            usd(more).replace(' ', "\u{a0}"),
        );
        line.push_str(&format!(": {less} instead of {more} at {to}"));
    }
    if let Some([_, last]) = &saving.ends {
        line.push_str(&format!(", {} less", difference(last)));
    }
    line + "."
}

/// What goes wrong with a policy.
fn trouble(policy: &str, answers: &Answers) -> String {
    let worst = answers.troubles.iter().filter(|t| t.policy == policy);
    let mut lines: Vec<String> = worst
        .map(|t| {
            let share = format::percent(t.worst.value);
            let at = count(t.worst.traffic);
            format!("up to {share} {} (at {at})", trouble_words(&t.measure))
        })
        .collect();
    let unknown = answers.loss_unknown.iter().filter(|u| u.policy == policy);
    lines.extend(unknown.map(|u| {
        let from = count(u.from);
        format!("how many records are lost is unknown from {from} on")
    }));
    if lines.is_empty() {
        return format!("{policy}: nothing is refused or lost, no call fails.");
    }
    format!("{policy}: {}.", list(lines.into_iter()))
}

fn of_claims(claims: &Claims) -> Lead {
    let counts = claims.counts.iter();
    let counts = counts.map(|c| format!("{} {}", c.claims, c.verdict));
    Lead {
        answer: format!(
            "Of {} claims: {}.",
            claims.total,
            list(counts.map(|c| c.replace("holds only if", "hold only under conditions")))
        ),
        beside: Vec::new(),
    }
}

/// What a run costs, by policy.
fn of_run(folder: &Folder) -> Option<Lead> {
    let csv = folder.table(artefacts::MEASURES_CSV)?;
    let of = |measure: &'static str| csv.rows().filter(move |r| r.get("measure") == measure);
    let costs = of("cost_usd").map(|r| {
        let half_width = Some(r.number("ci95")).filter(|h| h.is_finite());
        let cost = Cost {
            policy: String::new(),
            usd: r.number("mean"),
            half_width,
            excluded: None,
        };
        format!("{} costs {} a month", r.get("policy"), usd(&cost))
    });
    let costs: Vec<String> = costs.collect();
    if costs.is_empty() {
        return None;
    }
    let lost = of("loss_rate").map(|r| {
        let share = format::share_or_unknown(r.number("mean"));
        format!("{}: {share} of the records lost.", r.get("policy"))
    });
    Some(Lead {
        answer: format!("{}.", few(&costs)),
        beside: lost.take(3).collect(),
    })
}
