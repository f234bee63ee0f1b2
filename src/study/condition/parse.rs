//! Reading conditions.
//!
//! `MEASURE RELATION THRESHOLD`: the measure is a column of sweep.csv or a short name (`cost`, `loss`, `p95_query`), the
//! relation `<`, `<=`, `>` or `>=`. A threshold has the unit of its measure: `20USD` or `$20`, `500ms`, `80%` (or 0.8), `5GB`, and
//! no unit where the measure has none (`2.5M`). That of a change has a sign before it: `+10%` and `-2%` are
//! relative to the old value, `+5USD`, `+50ms`, `-2pp` (points of a percentage) and `+1k` are not.

use super::{Bound, By, Change, Relation};
use crate::models::ValueError;
use crate::models::quantity::{Bytes, Count, Probability, parse_duration};
use crate::run::dimension::Dimension;
use crate::run::metric::METRICS;
use crate::study::plan::objective::{measure_in_short, no_level};

/// Reads bounds that are separated by commas: `cost<20USD,hit_ratio>80%`.
///
/// # Errors
/// Says what was found and what was expected.
pub fn parse_bounds(text: &str) -> Result<Vec<Bound>, ValueError> {
    text.split(',')
        .map(|t| bound(t.trim()).map_err(ValueError::from))
        .collect()
}

fn bound(text: &str) -> Result<Bound, String> {
    let (metric, relation, threshold) = split(text, "cost<20USD or hit_ratio>80%")?;
    let dimension = Dimension::of(METRICS[metric].name);
    let value = amount(dimension, threshold).ok_or_else(|| {
        format!(
            "found \"{text}\", expected {} after {}",
            expected(dimension),
            sign_of(relation)
        )
    })?;
    Ok(Bound {
        text: text.to_owned(),
        metric,
        relation,
        value,
    })
}

/// Reads a threshold for a change: `cost>+10%`.
///
/// # Errors
/// Says what was found and what was expected.
pub fn parse_change(text: &str) -> Result<Change, ValueError> {
    Ok(change(text.trim())?)
}

fn change(text: &str) -> Result<Change, String> {
    let (metric, relation, threshold) = split(text, "cost>+10% or hit_ratio<-2pp")?;
    let dimension = Dimension::of(METRICS[metric].name);
    let fail = || {
        format!(
            "found \"{text}\", expected a change after {}: + or -, then a percentage of the old value (+10%), {}",
            sign_of(relation),
            expected_change(dimension)
        )
    };
    let (sign, size) = match threshold.split_at_checked(1) {
        Some(("+", size)) => (1.0, size.trim()),
        Some(("-", size)) => (-1.0, size.trim()),
        _ => return Err(fail()),
    };
    let by = match size.strip_suffix('%') {
        Some(percent) => {
            let share = sign * number(percent).ok_or_else(fail)? / 100.0;
            if share < -1.0 {
                return Err(format!(
                    "found \"{text}\", expected a fall by at most 100% of the old value"
                ));
            }
            By::Share(share)
        }
        None => By::Amount(sign * difference(dimension, size).ok_or_else(fail)?),
    };
    Ok(Change {
        text: text.to_owned(),
        metric,
        relation,
        by,
    })
}

/// The measure, the relation, and what comes after it.
fn split<'a>(text: &'a str, such_as: &str) -> Result<(usize, Relation, &'a str), String> {
    let fail = || {
        format!("found \"{text}\", expected a measure, < or >, and a threshold, such as {such_as}")
    };
    let at = text.find(['<', '>']).ok_or_else(fail)?;
    let (name, rest) = text.split_at(at);
    let relations = [
        ("<=", Relation::AtMost),
        (">=", Relation::AtLeast),
        ("<", Relation::Below),
        (">", Relation::Above),
    ];
    let found = relations
        .iter()
        .find_map(|(sign, relation)| Some((*relation, rest.strip_prefix(sign)?.trim())));
    let (relation, threshold) = found.ok_or_else(fail)?;
    if name.trim().is_empty() || threshold.is_empty() {
        return Err(fail());
    }
    let metric = measure_in_short(name.trim())?;
    if METRICS[metric].is_level() {
        return Err(no_level(text, METRICS[metric].name));
    }
    Ok((metric, relation, threshold))
}

/// How a relation is written.
pub(super) fn sign_of(relation: Relation) -> &'static str {
    match relation {
        Relation::Below => "<",
        Relation::AtMost => "<=",
        Relation::Above => ">",
        Relation::AtLeast => ">=",
    }
}

/// A number of 0 or more.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.parse::<f64>().ok()?;
    (plain && number.is_finite()).then_some(number)
}

/// A value of a measure.
fn amount(dimension: Dimension, text: &str) -> Option<f64> {
    match dimension {
        Dimension::Money => {
            let amount = text.strip_prefix('$').or(text.strip_suffix("USD"));
            number(amount?)
        }
        Dimension::Time { per_second } => {
            let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            let time = parse_duration(text).ok().filter(|_| plain)?;
            Some(time.as_secs_f64() * f64::from(per_second))
        }
        Dimension::Share => text.parse::<Probability>().ok().map(Probability::get),
        Dimension::Bytes => text.parse::<Bytes>().ok().map(|b| b.0 as f64),
        Dimension::Number => number(text).or_else(|| Some(text.parse::<Count>().ok()?.0 as f64)),
    }
}

/// A difference of two values of a measure, without its sign.
fn difference(dimension: Dimension, text: &str) -> Option<f64> {
    match dimension {
        // A bare number might be a share of the old value as well.
        Dimension::Share => Some(number(text.strip_suffix("pp")?)? / 100.0),
        _ => amount(dimension, text),
    }
}

fn expected(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Money => "an amount with its currency, such as 20USD or $20,",
        Dimension::Time { .. } => "a time with its unit, such as 500ms or 2s,",
        Dimension::Share => "a share, such as 80% or 0.8,",
        Dimension::Bytes => "a size with its unit, such as 5GB or 200MiB,",
        Dimension::Number => "a number, such as 2.5 or 10M,",
    }
}

fn expected_change(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Money => "or an amount (+5USD)",
        Dimension::Time { .. } => "or a time (+50ms)",
        Dimension::Share => "or points of a percentage (+2pp)",
        Dimension::Bytes => "or a size (+2GB)",
        Dimension::Number => "or a number (+1.5 or +10k)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_the_unit_of_their_measure() {
        let text = "cost<20USD, loss<=0.1%,p95_query<0.5s,store_delay<1min,hit_ratio>0.8,stored_bytes<5GB,kv_reads_per_month>=2.5M,operations_per_request<2.5,cost>$1.50";
        let all = parse_bounds(text).unwrap();
        let seen: Vec<_> = all
            .iter()
            .map(|b| (METRICS[b.metric].name, b.relation, b.value))
            .collect();
        assert_eq!(
            seen,
            [
                ("cost_usd", Relation::Below, 20.0),
                ("loss_rate", Relation::AtMost, 0.001),
                ("query_p95_ms", Relation::Below, 500.0),
                ("store_delay_mean_s", Relation::Below, 60.0),
                ("hit_ratio", Relation::Above, 0.8),
                ("stored_bytes", Relation::Below, 5e9),
                ("kv_reads_per_month", Relation::AtLeast, 2.5e6),
                ("operations_per_request", Relation::Below, 2.5),
                ("cost_usd", Relation::Above, 1.5),
            ]
        );
    }

    #[test]
    fn changes_have_a_sign_and_are_relative_or_not() {
        let of = |text| {
            let c = parse_change(text).unwrap();
            (METRICS[c.metric].name, c.relation, c.by)
        };
        let share = |x| By::Share(x);
        assert_eq!(of("cost>+10%"), ("cost_usd", Relation::Above, share(0.1)));
        assert_eq!(
            of("hit_ratio < -2%"),
            ("hit_ratio", Relation::Below, share(-0.02))
        );
        assert_eq!(of("hit<-2pp").2, By::Amount(-0.02));
        assert_eq!(of("cost>=+5USD").2, By::Amount(5.0));
        assert_eq!(of("cost<-$0.5").2, By::Amount(-0.5));
        assert_eq!(of("p95_query>+50ms").2, By::Amount(50.0));
        assert_eq!(of("staleness_p50>+1min").2, By::Amount(60.0));
        assert_eq!(of("kv_writes_per_month>+10k").2, By::Amount(10_000.0));
        assert_eq!(of("stored_bytes>+2GB").2, By::Amount(2e9));
        assert_eq!(of("cost>+0%").2, share(0.0));
    }

    #[test]
    fn errors_say_what_was_found_and_expected() {
        let error = |t| parse_bounds(t).unwrap_err().to_string();
        insta::assert_snapshot!(error("cost"), @r#"found "cost", expected a measure, < or >, and a threshold, such as cost<20USD or hit_ratio>80%"#);
        insta::assert_snapshot!(error("cost<20"), @r#"found "cost<20", expected an amount with its currency, such as 20USD or $20, after <"#);
        insta::assert_snapshot!(error("p95_query<=500"), @r#"found "p95_query<=500", expected a time with its unit, such as 500ms or 2s, after <="#);
        insta::assert_snapshot!(error("hit_ratio>150%"), @r#"found "hit_ratio>150%", expected a share, such as 80% or 0.8, after >"#);
        insta::assert_snapshot!(error("costs<20USD"), @r#"found the measure "costs", did you mean cost?"#);
        insta::assert_snapshot!(error("beauty<20"), @r#"found the measure "beauty", expected cost, errors, hit, loss, lost_updates, refused, staleness_p50, staleness_p99, store_delay, p50_query, p95_query, p99_query (likewise record, metrics, health), or a column of sweep.csv"#);
        let error = |t| parse_change(t).unwrap_err().to_string();
        insta::assert_snapshot!(error("cost>10%"), @r#"found "cost>10%", expected a change after >: + or -, then a percentage of the old value (+10%), or an amount (+5USD)"#);
        insta::assert_snapshot!(error("cost>+5"), @r#"found "cost>+5", expected a change after >: + or -, then a percentage of the old value (+10%), or an amount (+5USD)"#);
        insta::assert_snapshot!(error("hit<-0.02"), @r#"found "hit<-0.02", expected a change after <: + or -, then a percentage of the old value (+10%), or points of a percentage (+2pp)"#);
        insta::assert_snapshot!(error("cost<-101%"), @r#"found "cost<-101%", expected a fall by at most 100% of the old value"#);
        for bad in [
            "",
            "<",
            "cost=+10%",
            "cost>",
            "cost>+",
            "cost>+-5%",
            "cost>+nan%",
            "cost>+infUSD",
            "cost>+1e999USD",
            "cost>++5USD",
            "cost>€5",
            "isolates>+5%",
            "cost><+5%",
            "p95_query>+-5ms",
        ] {
            assert!(parse_change(bad).is_err(), "{bad}");
        }
        for bad in [
            "",
            ",",
            "cost<20USD,",
            "cost<-5USD",
            "cost<+5USD",
            "cost<$5USD",
            "hit>nan",
            "p95_query<-5ms",
            "isolates<5",
        ] {
            assert!(parse_bounds(bad).is_err(), "{bad}");
        }
    }
}
