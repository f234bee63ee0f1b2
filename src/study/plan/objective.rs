//! Objectives as people write them: `p95_query<500ms,loss<0.1%,cost<20USD`.

use crate::models::ValueError;
use crate::models::nearest::{nearest_name, question};
use crate::models::quantity::{Count, Probability, parse_duration};
use crate::run::metric::{METRICS, index_of};

/// A bound on a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// As it was written.
    pub text: String,
    /// Position in [`METRICS`].
    pub metric: usize,
    /// Whether the measure must be below the bound (or above it).
    pub below: bool,
    /// In the measure's unit.
    pub bound: f64,
}

/// Short names for measures.
const ALIASES: [(&str, &str); 9] = [
    ("cost", "cost_usd"),
    ("errors", "error_rate"),
    ("hit", "hit_ratio"),
    ("loss", "loss_rate"),
    ("lost_updates", "lost_update_rate"),
    ("refused", "requests_refused_share"),
    ("staleness_p50", "answer_age_p50_s"),
    ("staleness_p99", "answer_age_p99_s"),
    ("store_delay", "store_delay_mean_s"),
];

/// Short names of percentiles.
const PERCENTILES: [&str; 12] = [
    "p50_record",
    "p95_record",
    "p99_record",
    "p50_metrics",
    "p95_metrics",
    "p99_metrics",
    "p50_query",
    "p95_query",
    "p99_query",
    "p50_health",
    "p95_health",
    "p99_health",
];

/// What to bound in place of a level.
const INSTEAD: [(&str, &str); 5] = [
    ("buffer_high_water_records", "loss"),
    ("isolates", "cold_start_share"),
    ("isolates_mean", "cold_start_share"),
    ("isolates_peak", "cold_start_share"),
    ("memory_peak_mb", "isolates_ended_memory_per_month"),
];

impl Objective {
    /// How far a value is from the bound, as a share of it: negative where it meets it.
    pub fn excess(&self, value: f64) -> f64 {
        let beyond = if self.below {
            value - self.bound
        } else {
            self.bound - value
        };
        beyond / self.bound.abs().max(f64::MIN_POSITIVE)
    }

    /// The name of the measure.
    pub fn name(&self) -> &'static str {
        METRICS[self.metric].name
    }
}

/// Reads objectives that are separated by commas.
///
/// # Errors
/// Says what was found and what was expected, with the names there are.
pub fn parse(text: &str) -> Result<Vec<Objective>, ValueError> {
    let all: Vec<Objective> = text
        .split(',')
        .map(|t| parse_one(t.trim()))
        .collect::<Result<_, String>>()?;
    for (i, o) in all.iter().enumerate() {
        if all[..i]
            .iter()
            .any(|p| (p.metric, p.below) == (o.metric, o.below))
        {
            return Err(ValueError::new(format!(
                "found two bounds of one kind on {}, expected one",
                o.name()
            )));
        }
    }
    Ok(all)
}

fn parse_one(text: &str) -> Result<Objective, String> {
    let fail = || {
        format!(
            "found \"{text}\", expected a measure, < or >, and a bound, such as p95_query<500ms"
        )
    };
    let at = text.find(['<', '>']).ok_or_else(fail)?;
    let (name, rest) = text.split_at(at);
    let below = rest.starts_with('<');
    let value = rest[1..].trim_start_matches('=').trim();
    if value.is_empty() || name.trim().is_empty() {
        return Err(fail());
    }
    let metric = measure(name.trim())?;
    if METRICS[metric].is_level() {
        return Err(no_level(text, METRICS[metric].name));
    }
    let bound = bound(METRICS[metric].name, value)
        .map_err(|expected| format!("found \"{text}\", expected {expected}"))?;
    Ok(Objective {
        text: text.to_owned(),
        metric,
        below,
        bound,
    })
}

/// Why a level cannot be bounded: nothing would ever be certain to meet it.
pub fn no_level(text: &str, name: &str) -> String {
    let instead = INSTEAD.iter().find(|i| i.0 == name);
    let instead = instead.map_or_else(String::new, |i| format!(", such as {}", i.1));
    format!(
        "found \"{text}\", expected a measure with an interval{instead}: {name} is a level that a run ends on or reaches once, of which no number of replications (-n) gives a bound"
    )
}

/// The measure (a position in [`METRICS`]) of a name: an alias, `p95_query` for `query_p95_ms`, or
/// the name itself.
///
/// # Errors
/// Lists the names there are, and which was probably meant.
pub fn measure(name: &str) -> Result<usize, ValueError> {
    known(name).ok_or_else(|| {
        let near = meant(name).map_or_else(String::new, question);
        let names: Vec<&str> = METRICS.iter().map(|m| m.name).collect();
        ValueError::new(format!(
            "found the measure \"{name}\"{near}, expected one of: {}, {}",
            short_names(),
            names.join(", ")
        ))
    })
}

/// The measure of a name, as [`measure`] finds it.
fn known(name: &str) -> Option<usize> {
    let alias = ALIASES.iter().find(|a| a.0 == name).map(|a| a.1.to_owned());
    let percentile = name
        .split_once('_')
        .filter(|(p, _)| p.starts_with('p'))
        .map(|(p, call)| format!("{call}_{p}_ms"));
    let mut candidates = [alias, percentile, Some(name.to_owned())]
        .into_iter()
        .flatten();
    candidates.find_map(|n| index_of(&n))
}

/// The measure, where only a few characters are wrong, and the message fits a line: for a command line.
///
/// # Errors
/// Says which name was probably meant, else which short names there are.
pub fn measure_in_short(name: &str) -> Result<usize, ValueError> {
    known(name).ok_or_else(|| {
        let expected = match meant(name) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("expected {}, or a column of sweep.csv", short_names()),
        };
        ValueError::new(format!("found the measure \"{name}\", {expected}"))
    })
}

fn short_names() -> String {
    let aliases: Vec<&str> = ALIASES.iter().map(|a| a.0).collect();
    format!(
        "{}, p50_query, p95_query, p99_query (likewise record, metrics, health)",
        aliases.join(", ")
    )
}

/// The name that was probably meant.
fn meant(name: &str) -> Option<&'static str> {
    let short = ALIASES.iter().map(|a| a.0).chain(PERCENTILES);
    nearest_name(name, short.chain(METRICS.iter().map(|m| m.name)))
}

/// A bound in the unit of its measure; the error says what was expected.
fn bound(measure: &str, text: &str) -> Result<f64, String> {
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    let duration = |per: f64| {
        let seconds = parse_duration(text).map(|d| d.as_secs_f64() * per);
        seconds.map_err(|_| "a duration with its unit, such as 500ms or 2s".to_owned())
    };
    if measure.ends_with("_ms") {
        duration(1e3)
    } else if measure.ends_with("_s") {
        duration(1.0)
    } else if measure.ends_with("_usd") {
        let amount = text.strip_prefix('$').or(text.strip_suffix("USD"));
        let amount = amount.and_then(number);
        amount.ok_or_else(|| "an amount with its unit, such as 20USD or $20".to_owned())
    } else if ["_rate", "_share", "_ratio"]
        .iter()
        .any(|s| measure.ends_with(s))
    {
        let share = text.parse::<Probability>().map(Probability::get);
        share.map_err(|_| "a share such as 0.1%".to_owned())
    } else {
        number(text)
            .or_else(|| text.parse::<Count>().ok().map(|c| c.0 as f64))
            .ok_or_else(|| "a number such as 250 or 2.5M".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bounds_and_units_are_understood() {
        let all = parse("p95_query<500ms, loss<0.1%,staleness_p99<1min,cost<=20USD,hit>80%,kv_reads_per_month<2.5M").unwrap();
        let seen: Vec<_> = all.iter().map(|o| (o.name(), o.below, o.bound)).collect();
        assert_eq!(
            seen,
            [
                ("query_p95_ms", true, 500.0),
                ("loss_rate", true, 0.001),
                ("answer_age_p99_s", true, 60.0),
                ("cost_usd", true, 20.0),
                ("hit_ratio", false, 0.8),
                ("kv_reads_per_month", true, 2.5e6),
            ]
        );
        assert!((all[0].excess(600.0) - 0.2).abs() < 1e-12);
        assert!((all[4].excess(0.6) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = |t| parse(t).unwrap_err().to_string();
        insta::assert_snapshot!(error("p95_query"), @r#"found "p95_query", expected a measure, < or >, and a bound, such as p95_query<500ms"#);
        insta::assert_snapshot!(error("p95_query<fast"), @r#"found "p95_query<fast", expected a duration with its unit, such as 500ms or 2s"#);
        insta::assert_snapshot!(error("loss<5"), @r#"found "loss<5", expected a share such as 0.1%"#);
        insta::assert_snapshot!(error("cost<1USD,cost<2USD"), @"found two bounds of one kind on cost_usd, expected one");
        insta::assert_snapshot!(error("isolates<5"), @r#"found "isolates<5", expected a measure with an interval, such as cold_start_share: isolates is a level that a run ends on or reaches once, of which no number of replications (-n) gives a bound"#);
        insta::assert_snapshot!(error("p95_query<500"), @r#"found "p95_query<500", expected a duration with its unit, such as 500ms or 2s"#);
        insta::assert_snapshot!(error("cost<20"), @r#"found "cost<20", expected an amount with its unit, such as 20USD or $20"#);
        let near = error("p95_qury<1s");
        assert!(
            near.starts_with("found the measure \"p95_qury\" (did you mean \"p95_query\"?)"),
            "{near}"
        );
        let unknown = error("speed<1");
        assert!(unknown.starts_with("found the measure \"speed\", expected one of: cost, errors"));
        assert!(unknown.contains("query_p95_ms"), "{unknown}");
    }

    #[test]
    fn every_level_is_refused_and_names_what_to_bound_instead() {
        let levels = METRICS.iter().filter(|m| m.is_level());
        let levels: Vec<&str> = levels.map(|m| m.name).collect();
        assert_eq!(levels, INSTEAD.map(|i| i.0));
        for (name, instead) in INSTEAD {
            let error = parse(&format!("{name}<5")).unwrap_err().to_string();
            assert!(
                error.contains(&format!("such as {instead}: {name}")),
                "{error}"
            );
            assert!(!METRICS[measure(instead).unwrap()].is_level());
        }
    }
}
