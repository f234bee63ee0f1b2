//! `--vary NAME=VALUE,VALUE`: a setting and the values that it is to take.

use super::number::parse_traffic;
use kvplan::models::nearest::{nearest, nearest_name};
use kvplan::models::parse_overrides;
use kvplan::study::explore::setting::{Setting, Value};

/// Short names of fields, and the fields.
pub(crate) const SHORT: [(&str, &str); 3] = [
    ("ttl", "policy.cache.ttl"),
    ("batch", "policy.batch.max_records"),
    ("isolates", "fleet.isolates"),
];

/// Fields of a scenario that cannot be varied, and what is given instead.
const ELSEWHERE: [(&str, &str); 9] = [
    ("traffic_per_month", "traffic=1M,3M"),
    ("sweep_per_month", "traffic=1M,3M"),
    ("policies", "policy=naive,optimised"),
    ("billing.plan", "plan=free,paid"),
    ("seed", "--seed, which is the same at all points"),
    ("replications", "-n, which is the same at all points"),
    ("precision", "-n, which is the same at all points"),
    ("title", "a setting that changes what is simulated"),
    ("name", "a setting that changes what is simulated"),
];

/// Reads a setting with its values. What they may be is seen when they are tried.
pub(crate) fn parse(text: &str) -> Result<Setting, String> {
    let form =
        "expected NAME=VALUE,VALUE, such as traffic=1M,3M or policy.cache.ttl=\"5 s\",\"60 s\"";
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| format!("found \"{text}\", {form}"))?;
    let name = name.trim();
    let values = split(values);
    if name.is_empty() || values.iter().any(String::is_empty) {
        return Err(format!("found \"{text}\", {form}"));
    }
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(field, _)| *field == name) {
        return Err(format!("found {name}, expected {instead}"));
    }
    match name {
        "traffic" => Ok(Setting::traffic(&parse_traffic(&values.join(","))?)),
        "policy" => Ok(Setting::policies(
            &values.into_iter().map(bare).collect::<Vec<_>>(),
        )),
        "plan" => Ok(Setting {
            name: name.into(),
            column: name.into(),
            values: values.into_iter().map(|v| Value::plan(bare(v))).collect(),
        }),
        _ => field(name, &values),
    }
}

/// A field, which may have a short name.
fn field(name: &str, values: &[String]) -> Result<Setting, String> {
    let own = ["traffic", "policy", "plan"];
    let short = SHORT.iter().find(|(short, _)| *short == name);
    let path = short.map_or(name, |(_, path)| path);
    let known = own.into_iter().chain(SHORT.map(|(short, _)| short));
    if !path.contains('.') && nearest_name(path, known.clone()).is_some() {
        let names: Vec<&str> = known.clone().collect();
        return Err(format!(
            "found {name}{}, expected {} or a field as --set takes it",
            nearest(path, known),
            names.join(", ")
        ));
    }
    let value = |value: &String| {
        let written = format!("{path}={value}");
        let mut field = parse_overrides(std::slice::from_ref(&written))
            .map_err(|e| e.to_string())?
            .remove(0);
        field.text = format!("--vary {name}={value}");
        Ok(Value::field(written, field))
    };
    Ok(Setting {
        name: name.into(),
        column: path.into(),
        values: values.iter().map(value).collect::<Result<_, String>>()?,
    })
}

/// A name without the quotes that it may stand in.
fn bare(text: String) -> String {
    let within = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    within.map(str::to_owned).unwrap_or(text)
}

/// The parts between commas that stand in no quotes and no brackets.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut quote, mut depth) = (vec![String::new()], None, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|p| p.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let setting = parse(text).unwrap();
        setting.values.into_iter().map(|v| v.text).collect()
    }

    #[test]
    fn values_are_apart_by_commas_that_stand_in_nothing() {
        assert_eq!(texts("ttl=\"5 s\",60 s"), ["5 s", "60 s"]);
        assert_eq!(
            split("{kind=\"a,b\", x=1},[1,2],'c,d'"),
            ["{kind=\"a,b\", x=1}", "[1,2]", "'c,d'"]
        );
        assert_eq!(texts("traffic=3M,1M"), ["1M", "3M"]);
        assert_eq!(texts("traffic=10k..100k"), ["10k", "30k", "100k"]);
        assert_eq!(texts("plan=free,\"paid\""), ["free", "paid"]);
    }

    #[test]
    fn a_value_says_how_run_takes_it() {
        let option = |text: &str, i: usize| parse(text).unwrap().values[i].option.clone();
        assert_eq!(option("traffic=1M,3M", 1), ["--traffic", "3M"]);
        assert_eq!(
            option("ttl=\"5 s\",\"60 s\"", 0),
            ["--set", "policy.cache.ttl=\"5 s\""]
        );
        assert_eq!(
            parse("ttl=\"5 s\",60 s").unwrap().argument(),
            "ttl=\"5 s\",60 s"
        );
        assert_eq!(
            parse("traffic=1M..10M").unwrap().argument(),
            "traffic=1M,3M,10M"
        );
    }

    #[test]
    fn a_mistake_is_told_with_what_was_meant() {
        let said = |text: &str| parse(text).unwrap_err();
        assert!(
            said("trafic=1M,2M")
                .starts_with("found trafic (did you mean \"traffic\"?), expected traffic, policy")
        );
        assert!(said("traffic").contains("expected NAME=VALUE,VALUE"));
        assert!(said("ttl=5 s,").contains("expected NAME=VALUE,VALUE"));
        assert!(said("traffic=0,1").contains("expected at least 1 request a month"));
        assert_eq!(
            said("seed=1,2"),
            "found seed, expected --seed, which is the same at all points"
        );
        assert!(said("policies=a,b").contains("policy=naive,optimised"));
    }
}
