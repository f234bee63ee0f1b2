//! What the tables of the other commands answer: the rows that a reader looks for first.

use super::answers::Answer;
use super::csv_file::{Csv, Row};
use super::folder::Folder;
use super::table::label;
use crate::report::artefacts;
use crate::report::format;
use crate::report::write::plan::CHEAPER_UNSURE;
use std::collections::BTreeMap;

/// Most lines of an answer; the table holds all.
const MOST_LINES: usize = 10;

/// The answers of all tables but the sweep's and the claims'.
pub fn of_folder(folder: &Folder) -> Vec<Answer> {
    type Read = fn(&Csv) -> Option<Vec<String>>;
    let readers: [(&str, &str, Read); 6] = [
        (artefacts::PLAN_CSV, "Which settings to choose?", chosen),
        (
            artefacts::BREAKEVEN_CSV,
            "Where does one choice begin to pay?",
            breakeven,
        ),
        (
            artefacts::FORECAST_LIMITS_CSV,
            "When are limits reached?",
            limits,
        ),
        (
            artefacts::STORES_CSV,
            "Which store costs least?",
            cheapest_store,
        ),
        (
            artefacts::REHEARSAL_CSV,
            "Does the checklist hold?",
            checklist,
        ),
        (artefacts::ALERTS_CSV, "Which alerts are raised?", alerts),
    ];
    let answers = readers.iter().filter_map(|(file, question, read)| {
        let csv = folder.table(file)?;
        let mut lines = read(csv)?;
        if lines.len() > MOST_LINES {
            let more = lines.len() - MOST_LINES;
            lines.truncate(MOST_LINES);
            lines.push(format!("{more} more stand in {file}."));
        }
        Some(Answer {
            question: (*question).to_owned(),
            lines,
        })
    });
    answers.collect()
}

fn has(csv: &Csv, columns: &[&str]) -> bool {
    columns.iter().all(|c| csv.header.iter().any(|h| h == c))
}

/// The chosen candidate, setting by setting.
fn chosen(csv: &Csv) -> Option<Vec<String>> {
    if !has(csv, &["status", "plan", "cost_usd"]) {
        return None;
    }
    let settings = csv.header.iter().take_while(|h| *h != "status");
    let settings: Vec<&String> = settings.filter(|h| *h != "candidate").collect();
    let line = |row: Row| {
        let words: Vec<String> = settings
            .iter()
            .map(|name| format!("{} {}", label(name), row.get(name)))
            .collect();
        format!("{}: {} a month.", words.join(", "), row.usd("cost_usd"))
    };
    let mut lines: Vec<String> = csv
        .rows()
        .filter(|r| r.get("status") == "chosen")
        .map(line)
        .collect();
    let unsure: Vec<String> = csv
        .rows()
        .filter(|r| r.get("status") == CHEAPER_UNSURE)
        .map(|r| format!("{} (candidate {})", r.usd("cost_usd"), r.get("candidate")))
        .collect();
    if !unsure.is_empty() {
        lines.push(format!(
            "It is the cheapest of those that are certain to meet the objectives; cheaper, but not certain: {}.",
            unsure.join(", ")
        ));
    }
    if lines.is_empty() && csv.total_rows == csv.rows.len() {
        lines.push("No candidate meets the objectives.".into());
    }
    Some(lines).filter(|l| !l.is_empty())
}

fn breakeven(csv: &Csv) -> Option<Vec<String>> {
    if !has(csv, &["policy", "question", "answer"]) {
        return None;
    }
    let line = |r: Row| {
        let question = r.get("question").replace('_', " ");
        let of = [r.get("item"), r.get("other_policy")].map(str::to_owned);
        let of: Vec<String> = of.into_iter().filter(|o| !o.is_empty()).collect();
        let of = match of.join(" ") {
            of if of.is_empty() => of,
            of => format!(" ({of})"),
        };
        let plan = match r.get("plan") {
            "" => String::new(),
            plan => format!(", plan {plan}"),
        };
        format!(
            "{}{plan}, {question}{of}: {}",
            r.get("policy"),
            r.get("answer")
        )
    };
    Some(csv.rows().map(line).collect())
}

fn limits(csv: &Csv) -> Option<Vec<String>> {
    if !has(
        csv,
        &["policy", "kind", "limit", "share_of_futures", "month_p50"],
    ) {
        return None;
    }
    let reached = csv.rows().filter(|r| r.number("share_of_futures") > 0.0);
    let mut lines: Vec<String> = reached
        .map(|r| {
            let month = match r.get("month_p50") {
                "" => String::new(),
                month => format!(", half of them by month {month}"),
            };
            let share = format::percent(r.number("share_of_futures"));
            let (policy, kind, limit) = (r.get("policy"), r.get("kind"), r.get("limit"));
            format!("{policy}, {kind} {limit}: in {share} of the futures{month}.")
        })
        .collect();
    if lines.is_empty() {
        lines.push("None, in any future.".into());
    }
    Some(lines)
}

fn cheapest_store(csv: &Csv) -> Option<Vec<String>> {
    if !has(
        csv,
        &[
            "traffic_per_month",
            "policy",
            "store",
            "cheapest",
            "cost_usd",
        ],
    ) {
        return None;
    }
    // Stores of a point that cannot be told apart are all marked.
    let mut points: Vec<(String, Vec<String>)> = Vec::new();
    for r in csv.rows().filter(|r| r.get("cheapest") == "true") {
        let traffic = format::count(r.number("traffic_per_month"));
        let point = format!("{traffic} requests a month, {}", r.get("policy"));
        let store = format!("{} {}", r.get("store"), r.usd("cost_usd"));
        match points.iter_mut().find(|p| p.0 == point) {
            Some((_, stores)) => stores.push(store),
            None => points.push((point, vec![store])),
        }
    }
    let line = |(point, stores): (String, Vec<String>)| match stores.len() {
        1 => format!("{point}: {}.", stores[0]),
        _ => format!(
            "{point}, no difference that can be told: {}.",
            stores.join(", ")
        ),
    };
    Some(points.into_iter().map(line).collect()).filter(|l: &Vec<String>| !l.is_empty())
}

/// How many items got each verdict, by policy.
fn checklist(csv: &Csv) -> Option<Vec<String>> {
    if !has(csv, &["policy", "verdict"]) {
        return None;
    }
    Some(counted(csv, &["policy"], "verdict"))
}

/// How often each alert was raised, by policy.
fn alerts(csv: &Csv) -> Option<Vec<String>> {
    if !has(csv, &["policy", "metric", "level"]) || csv.total_rows > csv.rows.len() {
        return None;
    }
    if csv.rows.is_empty() {
        return Some(vec!["None.".into()]);
    }
    Some(counted(csv, &["policy", "metric"], "level"))
}

/// `policy: 3 met, 1 not met`: rows counted by a column, a line for each value of others.
fn counted(csv: &Csv, by: &[&str], column: &str) -> Vec<String> {
    let mut lines: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in csv.rows() {
        let key: Vec<String> = by.iter().map(|b| label(row.get(b))).collect();
        let line = lines.entry(key.join(", ")).or_default();
        *line.entry(row.get(column)).or_default() += 1;
    }
    let line = |(key, counts): (String, BTreeMap<&str, usize>)| {
        let counts: Vec<String> = counts.iter().map(|(v, n)| format!("{n} {v}")).collect();
        format!("{key}: {}.", counts.join(", "))
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of a file, its fields apart by commas.
    fn lines(file: &str, text: &str) -> Vec<String> {
        let mut all = text
            .lines()
            .map(|l| l.trim().split(',').map(str::to_owned).collect::<Vec<_>>());
        let header = all.next().unwrap();
        let rows: Vec<_> = all.collect();
        let folder = Folder {
            tables: vec![Csv {
                file: file.into(),
                header,
                total_rows: rows.len(),
                rows,
            }],
            ..Folder::default()
        };
        let answers = of_folder(&folder);
        answers.into_iter().flat_map(|a| a.lines).collect()
    }

    #[test]
    fn the_rows_that_matter_are_told() {
        let plan = "candidate,plan,policy,cache_ttl,status,cost_usd,cost_usd_ci95
            0,free,naive,5 s,refused by the plan,0,0
            1,paid,optimised,30 s,chosen,5.02,0.01";
        assert_eq!(
            lines("plan.csv", plan),
            ["plan paid, policy optimised, cache ttl 30 s: $5.02 ± 0.01 a month."]
        );
        let cheaper = format!("{CHEAPER_UNSURE},4.90,0.02");
        let unsure = plan.replace("refused by the plan,0,0", &cheaper);
        assert_eq!(
            lines("plan.csv", &unsure)[1],
            "It is the cheapest of those that are certain to meet the objectives; cheaper, but not certain: $4.90 ± 0.02 (candidate 0)."
        );
        let none = plan.replace("chosen", "misses hit_ratio");
        assert_eq!(
            lines("plan.csv", &none),
            ["No candidate meets the objectives."]
        );
        let rehearsal = "policy,item,verdict\nx,a,met\nx,b,not met\nx,c,met";
        assert_eq!(lines("rehearsal.csv", rehearsal), ["x: 2 met, 1 not met."]);
        let stores = "traffic_per_month,policy,store,cheapest,cost_usd,cost_usd_ci95
            1000000,x,kv,false,9,0\n1000000,x,r2,true,5,0\n3000000,x,kv,true,6,1\n3000000,x,d1,true,5,1";
        assert_eq!(
            lines("stores.csv", stores),
            [
                "1M requests a month, x: r2 $5.00 ± 0.00.",
                "3M requests a month, x, no difference that can be told: kv $6.00 ± 1.00, d1 $5.00 ± 1.00."
            ]
        );
        let breakeven =
            "policy,question,item,other_policy,plan,answer\nx,pays_off,,naive,paid,at 1.2M";
        assert_eq!(
            lines("breakeven.csv", breakeven),
            ["x, plan paid, pays off (naive): at 1.2M"]
        );
        let limits = "policy,kind,limit,share_of_futures,month_p50\nx,quota,kv.reads,0.25,\nx,quota,kv.writes,0,";
        assert_eq!(
            lines("forecast_limits.csv", limits),
            ["x, quota kv.reads: in 25% of the futures."]
        );
        assert_eq!(lines("alerts.csv", "policy,metric,level"), ["None."]);
    }

    #[test]
    fn a_table_of_another_form_says_nothing() {
        assert!(lines("plan.csv", "a,b\n1,2").is_empty());
        assert!(lines("stores.csv", "a,b\n1,2").is_empty());
    }
}
