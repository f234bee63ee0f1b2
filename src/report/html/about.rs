//! What the results rest on, from `run.json` and its like: assumptions, prices with their sources, and the
//! command that gives the results again.

use super::folder::{Folder, Run};
use super::table::{Cell, Column, Table, label, sentence};
use crate::models::quantity::Count;
use crate::models::{embedded_names, source_text};
use crate::report::shell;
use serde_json::Value;

/// What was assumed, and where it comes from.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Assumption and what it says.
    pub facts: Vec<(String, String)>,
    /// The prices in force; none where nothing is billed.
    pub prices: Option<Table>,
    /// Model files with their comments, where sources and assumptions stand: name and text.
    pub models: Vec<(String, String)>,
    /// Every setting.
    pub settings: Option<Table>,
    /// The command line.
    pub command: String,
    /// Version of kvplan that made the results.
    pub version: String,
    /// The file that says all this.
    pub file: String,
}

/// What each command that left results in the folder says.
pub fn of_folder(folder: &Folder) -> Vec<About> {
    let about = |(i, run): (usize, &Run)| About {
        facts: facts(&run.said),
        prices: prices(&run.said, i),
        models: models(&run.said),
        settings: settings(run, i),
        command: command(&run.said),
        version: text(run.said.get("kvplan")).unwrap_or_default(),
        file: run.file.clone(),
    };
    folder.runs.iter().enumerate().map(about).collect()
}

/// The scenario, or the first of several.
fn scenario(run: &Value) -> &Value {
    let first = || run.pointer("/scenarios/0/scenario");
    run.get("scenario").or_else(first).unwrap_or(&Value::Null)
}

/// What the page is called.
pub fn title(folder: &Folder) -> Option<String> {
    let run = &folder.runs.first()?.said;
    let title = run.get("title").or(scenario(run).get("title"));
    text(title).filter(|t| !t.is_empty())
}

/// Seed, replications, levels: one line for the head of the page.
pub fn subtitle(folder: &Folder) -> Vec<(String, String)> {
    let Some(Run { said: run, .. }) = folder.runs.first() else {
        return Vec::new();
    };
    let scenario = |name: &str| scenario(run).get(name);
    let items = [
        (
            "Command",
            text(run.get("command")).map(|c| format!("kvplan {c}")),
        ),
        ("Settings", text(run.get("settings"))),
        ("Scenario", text(scenario("name"))),
        ("Plan", plan_title(run)),
        (
            "Prices",
            text(scenario("catalog").and_then(|c| c.get("title"))),
        ),
        ("Replications", text(scenario("replications"))),
        ("Seed", text(run.get("seed").or(scenario("seed")))),
        ("Version", text(run.get("kvplan"))),
    ];
    let known = items
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| !value.is_empty()).collect()
}

/// A value in words: text as it is, lists with commas, tables as `name value`.
fn text(value: Option<&Value>) -> Option<String> {
    Some(match value? {
        Value::Null => return None,
        Value::String(s) => s.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(|v| text(Some(v))).collect();
            items.join("; ")
        }
        Value::Object(fields) => named_first(fields).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    })
}

/// The fields in words; what names the whole (its title, its kind) first and by itself.
fn named_first(fields: &serde_json::Map<String, Value>) -> impl Iterator<Item = String> {
    const NAMES: [&str; 3] = ["title", "name", "kind"];
    let name = NAMES.iter().filter_map(|n| text(fields.get(*n)));
    let others = fields.iter().filter(|(k, _)| !NAMES.contains(&k.as_str()));
    let others = others.filter_map(|(k, v)| Some(format!("{} {}", label(k), text(Some(v))?)));
    name.chain(others)
}

/// Longer values are models or data, not facts to read.
const SHORT: usize = 300;
/// Fields that stand in other places of the page.
const TOLD_ELSEWHERE: [&str; 12] = [
    "kvplan",
    "command",
    "arguments",
    "look",
    "files",
    "title",
    "seed",
    "settings",
    "scaling",
    "scenario",
    "scenarios",
    "traffic_per_month",
];

fn facts(run: &Value) -> Vec<(String, String)> {
    let scenario = scenario(run);
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            facts.push((name.to_owned(), value));
        }
    };
    for (name, value) in run.as_object().into_iter().flatten() {
        let value = text(Some(value)).filter(|v| v.chars().count() <= SHORT);
        if !TOLD_ELSEWHERE.contains(&name.as_str()) {
            add(&sentence(&label(name)), value);
        }
    }
    add("A month", text(run.get("scaling")));
    add("Prices", scenario.get("catalog").and_then(catalog_facts));
    if let Some(latency) = scenario.get("latency") {
        add("KV latency", text(latency.get("title")));
        for operation in ["read", "hot_read", "cold_read", "write", "delete", "list"] {
            let name = format!("KV latency: {}", operation.replace('_', " "));
            add(&name, latency.get(operation).map(distribution));
        }
    }
    if let Some(failures) = scenario.get("failures") {
        let value = if never_fails(failures) {
            Some("KV operations never fail of themselves.".into())
        } else {
            text(Some(failures))
        };
        add("Failures", value);
    }
    if scenario.get("fleet").is_some() {
        let consistency = match scenario.get("consistency") {
            None | Some(Value::Null) => Some("All see every write at once.".into()),
            some => text(some),
        };
        add("Isolates", text(scenario.get("fleet")));
        add("Consistency", consistency);
    }
    add("CPU time", text(scenario.get("cpu")));
    add("Limits of KV", text(scenario.get("limits")));
    add("Simulated period", text(scenario.get("period")));
    let rules = scenario.pointer("/alerts/rule").and_then(Value::as_array);
    let rule = |r: &Value| {
        let get = |name: &str| text(r.get(name)).unwrap_or_default();
        format!(
            "{} {}: warning {}, critical {}",
            label(&get("metric")),
            get("direction"),
            get("warning"),
            get("critical")
        )
    };
    add(
        "Alerts",
        rules.map(|r| r.iter().map(rule).collect::<Vec<_>>().join("; ")),
    );
    facts
}

fn catalog_facts(catalog: &Value) -> Option<String> {
    let get = |name: &str| text(catalog.get(name));
    let checked = get("checked").map(|c| format!(", compared with their sources in {c}"));
    let billed = match catalog.get("bill_rate_limited").and_then(Value::as_bool) {
        Some(true) => ". Operations refused with 429 are taken to be billed.",
        Some(false) => ". Operations refused with 429 are taken not to be billed.",
        None => "",
    };
    let hot = match catalog.get("bill_hot_reads").and_then(Value::as_bool) {
        Some(true) => " Reads that a place answers from its cache are taken to be billed.",
        Some(false) => " Reads that a place answers from its cache are taken not to be billed.",
        None => "",
    };
    Some(format!(
        "{}{}{billed}{hot}",
        get("title")?,
        checked.unwrap_or_default()
    ))
}

/// `lognormal, median 80 ms, p99 400 ms`; parts of a mixture one after the other.
fn distribution(value: &Value) -> String {
    let parts = value.get("parts").and_then(Value::as_array);
    if let Some(parts) = parts {
        let part = |p: &Value| {
            let share = text(p.get("share")).unwrap_or_default();
            let share = share
                .parse::<f64>()
                .map_or(share, crate::report::format::percent);
            format!(
                "{share}: {}",
                p.get("dist").map(distribution).unwrap_or_default()
            )
        };
        return parts.iter().map(part).collect::<Vec<_>>().join("; ");
    }
    text(Some(value)).unwrap_or_default()
}

fn never_fails(failures: &Value) -> bool {
    match failures {
        Value::Object(fields) => fields.values().all(never_fails),
        Value::Array(items) => items.iter().all(never_fails),
        Value::Null => true,
        other => matches!(text(Some(other)).as_deref(), Some("0" | "0.0" | "0%")),
    }
}

fn plan(run: &Value) -> Option<&Value> {
    let name = scenario(run).get("plan")?;
    let plans = scenario(run).pointer("/catalog/plan")?.as_array()?;
    plans.iter().find(|p| p.get("name") == Some(name))
}

fn plan_title(run: &Value) -> Option<String> {
    text(plan(run).and_then(|p| p.get("title"))).or_else(|| text(scenario(run).get("plan")))
}

/// The items of the plan, with the source of each price.
fn prices(run: &Value, i: usize) -> Option<Table> {
    let plan = plan(run)?;
    let get = |v: &Value, name: &str| text(v.get(name)).unwrap_or_default();
    let count = |item: &Value, name: &str| {
        let text = get(item, name);
        match text.parse::<Count>() {
            Ok(n) => Cell::number(n.0 as f64, text),
            Err(_) => Cell::text(text),
        }
    };
    let row = |item: &Value| {
        let price = money(&get(item, "price"));
        let value = price.trim_start_matches('$').parse().unwrap_or(f64::NAN);
        vec![
            Cell::text(get(item, "meter")),
            count(item, "daily_limit"),
            count(item, "included"),
            Cell::number(value, price),
            count(item, "per"),
            Cell::text(get(item, "source")),
        ]
    };
    let columns = vec![
        Column::text("item"),
        Column::number("allowed a day"),
        Column::number("included a month"),
        Column::number("price"),
        Column::number("per"),
        Column::text("source"),
    ];
    let rows = plan.get("item")?.as_array()?.iter().map(row).collect();
    let title = format!("Prices of plan \"{}\"", get(plan, "name"));
    let mut table = Table::new(&format!("prices-{}", i + 1), &title, columns, rows);
    let fee = money(&get(plan, "monthly_fee"));
    table.about = format!("{}: {fee} a month.", get(plan, "title"));
    Some(table)
}

/// `$0.50` for `$0.500000000000`: cents, and more digits only where they say something.
fn money(exact: &str) -> String {
    let Some((whole, decimals)) = exact.split_once('.') else {
        return exact.to_owned();
    };
    format!("{whole}.{:0<2}", decimals.trim_end_matches('0'))
}

/// The model files whose titles the run names: their comments say what is published and what is
/// assumed.
fn models(run: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (folder, place) in [
        ("prices", "catalog"),
        ("latency", "latency"),
        ("fleets", "fleet"),
        ("consistency", "consistency"),
    ] {
        let Some(title) = text(scenario(run).pointer(&format!("/{place}/title"))) else {
            continue;
        };
        for name in embedded_names(folder) {
            let Ok((file, source, _)) = source_text(folder, &name, None) else {
                continue;
            };
            let line = format!("title = {title:?}");
            if source.lines().any(|l| l.trim() == line) {
                found.push((file, source));
            }
        }
    }
    found
}

/// Every setting of the run, one a row.
fn settings(run: &Run, i: usize) -> Option<Table> {
    let mut rows = Vec::new();
    let scenario = scenario(&run.said);
    flatten(String::new(), scenario, &mut rows);
    let columns = ["setting", "value"].map(Column::text).to_vec();
    let id = format!("settings-{}", i + 1);
    let mut table = Table::new(&id, "Every setting", columns, rows);
    table.file.clone_from(&run.file);
    if run.said.get("scenarios").is_some() {
        table.about = format!("Of the first scenario; the others stand in {}.", run.file);
    }
    table.open = false;
    scenario.is_object().then_some(table)
}

fn flatten(path: String, value: &Value, rows: &mut Vec<Vec<Cell>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(format!("{path}{dot}{name}"), value, rows);
            }
        }
        Value::Array(items) if items.iter().any(|v| v.is_object() || v.is_array()) => {
            for (i, value) in items.iter().enumerate() {
                // A name tells more than a number.
                let name = text(value.get("name").or(value.get("meter")));
                flatten(
                    format!("{path}[{}]", name.unwrap_or_else(|| i.to_string())),
                    value,
                    rows,
                );
            }
        }
        value => {
            let value = text(Some(value)).unwrap_or_else(|| "none".into());
            rows.push(vec![Cell::text(path), Cell::text(value)]);
        }
    }
}

/// The command line that gives the results again, as far as the run says.
fn command(run: &Value) -> String {
    let mut words = vec!["kvplan".to_owned()];
    words.extend(text(run.get("command")));
    words.extend(["claims", "log"].iter().filter_map(|n| text(run.get(*n))));
    let strings = |value: Option<&Value>| -> Option<Vec<String>> {
        let items = value?.as_array()?.iter();
        Some(items.filter_map(|v| text(Some(v))).collect())
    };
    let scenario = run.get("scenario").unwrap_or(&Value::Null);
    let arguments = run.get("arguments").or(scenario.get("arguments"));
    match (strings(arguments), text(scenario.get("name"))) {
        (Some(arguments), _) => words.extend(arguments),
        (None, Some(name)) => words.extend(["--scenario".to_owned(), name]),
        (None, None) => {}
    }
    // How its pictures look, unless that is told among what was given.
    let look = strings(run.get("look")).unwrap_or_default();
    let is_told = |option: &String| words.contains(option);
    let look: Vec<String> = look
        .chunks(2)
        .filter(|pair| !pair.first().is_some_and(is_told))
        .flatten()
        .cloned()
        .collect();
    words.extend(look);
    // Arguments of the command itself are all that was given.
    if run.get("arguments").is_some() {
        return shell::command(&words);
    }
    let levels = strings(run.get("traffic_per_month")).map(|l| l.join(","));
    let options = [
        ("--traffic", levels),
        ("--effort", text(run.get("effort"))),
        ("--speed", text(run.get("speed"))),
        ("--amplify", text(run.get("amplify"))),
        ("--jitter", text(run.get("jitter"))),
        ("--replications", text(scenario.get("replications"))),
        ("--seed", text(run.get("seed"))),
    ];
    for (option, value) in options {
        if let Some(value) = value.filter(|_| !words.iter().any(|w| w == option)) {
            words.extend([option.to_owned(), value]);
        }
    }
    shell::command(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_command_quotes_what_a_shell_would_read_otherwise() {
        let run = json!({
            "kvplan": "1", "command": "sweep", "seed": 7, "traffic_per_month": [1000, 20000],
            "scenario": {"name": "x", "replications": 3,
                "arguments": ["--scenario", "it's.toml", "--set", "policy.cache.ttl=\"10 s\""]}
        });
        assert_eq!(
            command(&run),
            r#"kvplan sweep --scenario 'it'\''s.toml' --set 'policy.cache.ttl="10 s"' --traffic 1000,20000 --replications 3 --seed 7"#
        );
    }

    #[test]
    fn the_command_asks_for_pictures_that_look_the_same() {
        let run = |arguments: &[&str]| {
            command(&json!({
                "kvplan": "1", "command": "sweep", "arguments": arguments,
                "look": ["--theme", "dark", "--form", "slides"],
            }))
        };
        assert_eq!(run(&[]), "kvplan sweep --theme dark --form slides");
        assert_eq!(
            run(&["--theme", "dark"]),
            "kvplan sweep --theme dark --form slides"
        );
    }

    #[test]
    fn money_has_cents_and_no_idle_zeros() {
        let written = ["$5.000000000000", "$0.125000000000", "$5", ""].map(money);
        assert_eq!(written, ["$5.00", "$0.125", "$5", ""]);
    }

    #[test]
    fn a_mixture_is_told_part_by_part() {
        let dist = json!({"kind": "mixture", "parts": [
            {"share": "0.45", "dist": {"kind": "uniform", "low": "200 us", "high": "1 ms"}},
            {"share": "0.55", "dist": {"kind": "constant", "value": "5 ms"}}]});
        assert_eq!(
            distribution(&dist),
            "45%: uniform, high 1 ms, low 200 us; 55%: constant, value 5 ms"
        );
    }
}
