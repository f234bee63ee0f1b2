//! Checks that need no simulation: arithmetic, prices, published facts.

use super::accepts::Comparator;
use super::expression::Expression;
use super::finding::{Finding, Lens, Verdict, exact};
use super::spec::{Check, Claim, FactRef, Input};
use super::tariffs::{PricedTariff, Tariffs};
use crate::models::ValueError;
use crate::models::quantity::{Bytes, Count, parse_duration};
use crate::models::{ConfigError, source_text};
use crate::pricing::{MeterItem, Money, Plan, Usage};
use std::collections::BTreeMap;
use std::path::Path;

/// What findings are calculated from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Of the claims file, for messages.
    pub name: &'a str,
    /// The figures of all claims, by id.
    pub stated: BTreeMap<&'a str, f64>,
    /// The tariffs that prices are taken from.
    pub tariffs: &'a Tariffs,
    /// The folder that facts are looked for in, after the models inside the binary.
    pub folder: Option<&'a Path>,
}

/// What a check says that needs no simulation; nothing for one that does.
///
/// # Errors
/// If a fact that it names cannot be found, or an expression has no value.
pub fn findings(
    sources: &Sources,
    claim: &Claim,
    check: &Check,
) -> Result<Vec<Finding>, ConfigError> {
    Ok(match check {
        Check::Arithmetic {
            expression,
            inputs,
            comparator,
        }
        | Check::Contradiction {
            expression,
            inputs,
            comparator,
        } => {
            vec![calculated(
                sources,
                claim,
                expression.get(),
                inputs,
                *comparator,
            )?]
        }
        Check::Price {
            tariff,
            usage,
            less,
            fee,
        } => {
            let bill = Bill {
                usage,
                less: less.as_ref(),
                fee: *fee,
            };
            priced(sources, claim, tariff, &bill)
        }
        Check::Fact { file, field, scale } => {
            let reference = FactRef {
                file: file.clone(),
                field: field.clone(),
            };
            vec![published(sources, claim, &reference, *scale)?]
        }
        Check::NotTestable { reason } => vec![Finding {
            lens: None,
            verdict: Verdict::NotTestable,
            value: None,
            evidence: reason.clone(),
            conditions: None,
        }],
        Check::Simulation(_) | Check::Alert(_) => Vec::new(),
    })
}

fn calculated(
    sources: &Sources,
    claim: &Claim,
    expression: &Expression,
    inputs: &BTreeMap<String, Input>,
    comparator: Option<Comparator>,
) -> Result<Finding, ConfigError> {
    let fail = |e: ValueError| ConfigError::new(sources.name, e);
    let mut figures: BTreeMap<&str, f64> = BTreeMap::new();
    for name in expression.variables() {
        let figure = match inputs.get(name) {
            Some(Input::Number(x)) => Some(*x),
            Some(Input::Fact(f)) => Some(fact(sources, f)?.value),
            None => sources.stated.get(name.as_str()).copied(),
        };
        figures.extend(figure.map(|f| (name.as_str(), f)));
    }
    let lookup = |name: &str| figures.get(name).copied();
    let value = expression.evaluate(lookup).map_err(fail)?;
    let holds = claim.accepts(comparator).holds(value);
    let others: Vec<&str> = figures
        .keys()
        .filter(|name| !inputs.contains_key(**name))
        .copied()
        .collect();
    let from_facts = inputs.values().any(|i| matches!(i, Input::Fact(_)));
    let mut evidence = format!("{} = {}", expression.with_figures(lookup), figure(value));
    if !others.is_empty() {
        evidence.push_str(&format!(" (of claims {})", others.join(", ")));
    }
    Ok(Finding {
        lens: Some(if from_facts {
            Lens::Published
        } else {
            Lens::Document
        }),
        verdict: match (holds, from_facts) {
            (true, _) => Verdict::Confirmed,
            (false, true) => Verdict::Refuted,
            (false, false) => Verdict::Inconsistent,
        },
        value: Some(exact(value)),
        evidence,
        conditions: None,
    })
}

fn published(
    sources: &Sources,
    claim: &Claim,
    reference: &FactRef,
    scale: f64,
) -> Result<Finding, ConfigError> {
    let found = fact(sources, reference)?;
    let value = found.value * scale;
    let source = found.source.map_or(String::new(), |s| format!(", {s}"));
    Ok(Finding {
        lens: Some(Lens::Published),
        verdict: if claim.accepts(None).holds(value) {
            Verdict::Confirmed
        } else {
            Verdict::Refuted
        },
        value: Some(exact(value)),
        evidence: format!(
            "{} = {} ({}{source})",
            reference.field.join("."),
            found.text,
            reference.file
        ),
        conditions: None,
    })
}

fn priced(sources: &Sources, claim: &Claim, tariff: &str, bill: &Bill) -> Vec<Finding> {
    let own = sources.tariffs.get(tariff);
    let published = sources.tariffs.published_beside(own);
    let lenses = [
        (Some(own), Lens::Document, Verdict::Inconsistent),
        (published, Lens::Published, Verdict::Refuted),
    ];
    let accepts = claim.accepts(None);
    let find = |(tariff, lens, failure): (Option<&PricedTariff>, Lens, Verdict)| {
        let priced = tariff?;
        let amount = bill.amount(priced);
        let value = amount.to_usd();
        let mut evidence = format!("at {}: {}", priced.tariff.title, amount.exact());
        let beyond = bill.beyond_included(priced);
        if beyond != amount {
            evidence.push_str(&format!(
                " within what is included, {} beyond it",
                beyond.exact()
            ));
        }
        Some(Finding {
            lens: Some(lens),
            verdict: if accepts.holds(value) {
                Verdict::Confirmed
            } else {
                failure
            },
            value: Some(exact(value)),
            evidence,
            conditions: None,
        })
    };
    lenses.into_iter().filter_map(find).collect()
}

fn usage_of(usage: &BTreeMap<MeterItem, Count>) -> Usage {
    let mut all = Usage::default();
    for (item, count) in usage {
        all.add(*item, u128::from(count.0));
    }
    all
}

/// What a claim wants priced.
struct Bill<'a> {
    usage: &'a BTreeMap<MeterItem, Count>,
    less: Option<&'a BTreeMap<MeterItem, Count>>,
    fee: bool,
}

impl Bill<'_> {
    /// What the usage costs in a month, every meter of it, less what `less` costs.
    fn amount(&self, priced: &PricedTariff) -> Money {
        self.under(priced, priced.plan())
    }

    /// The same where what the plan includes is used up already.
    fn beyond_included(&self, priced: &PricedTariff) -> Money {
        let mut plan = priced.plan().clone();
        for item in &mut plan.items {
            item.included = Count(0);
        }
        self.under(priced, &plan)
    }

    fn under(&self, priced: &PricedTariff, plan: &Plan) -> Money {
        let cost = |usage: &BTreeMap<MeterItem, Count>| {
            let billed = priced.as_billed(&usage_of(usage));
            plan.invoice(&billed).without_fee()
        };
        let fee = if self.fee {
            plan.monthly_fee
        } else {
            Money::ZERO
        };
        fee + cost(self.usage) - self.less.map_or(Money::ZERO, cost)
    }
}

/// A number as people write it, to ten significant digits.
fn figure(x: f64) -> String {
    let rounded: f64 = format!("{x:.9e}").parse().unwrap_or(x);
    rounded.to_string()
}

/// A field of a model file.
struct Fact {
    /// In base units.
    value: f64,
    /// As written.
    text: String,
    source: Option<String>,
}

fn fact(sources: &Sources, reference: &FactRef) -> Result<Fact, ConfigError> {
    let (folder, name) = reference
        .file
        .split_once('/')
        .unwrap_or(("", &reference.file));
    let (label, text, _) = source_text(folder, name, sources.folder)?;
    let fail = |message: String| ConfigError {
        field: Some(reference.field.join(".")),
        ..ConfigError::new(&label, message)
    };
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| fail(e.message().to_owned()))?;
    let mut value = &toml::Value::Table(table);
    let mut source = None;
    for step in &reference.field {
        value = child(value, step)
            .ok_or_else(|| fail(format!("found no \"{step}\", expected a field of the file")))?;
        if let Some(s) = value.get("source").and_then(toml::Value::as_str) {
            source = Some(s.to_owned());
        }
    }
    let number = match value {
        toml::Value::Integer(i) => Some(*i as f64),
        toml::Value::Float(x) => Some(*x),
        toml::Value::String(s) => base_units(s),
        _ => None,
    };
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    match number {
        Some(value) => Ok(Fact {
            value,
            text,
            source,
        }),
        None => Err(fail(format!("found {text}, expected a number or quantity"))),
    }
}

/// The field of a table, or the element of a list of tables with that name.
fn child<'a>(value: &'a toml::Value, step: &str) -> Option<&'a toml::Value> {
    match value {
        toml::Value::Table(table) => table.get(step),
        toml::Value::Array(items) => items.iter().find(|item| {
            let names = ["name", "meter", "metric"];
            let mut names = names.iter().filter_map(|key| item.get(*key)?.as_str());
            names.any(|name| name == step)
        }),
        _ => None,
    }
}

/// Seconds, bytes, dollars or counts.
fn base_units(text: &str) -> Option<f64> {
    let money = text.parse::<Money>().ok().map(Money::to_usd);
    let count = || text.parse::<Count>().ok().map(|c| c.0 as f64);
    let bytes = || text.parse::<Bytes>().ok().map(|b| b.0 as f64);
    let seconds = || parse_duration(text).ok().map(|d| d.as_secs_f64());
    money.or_else(count).or_else(bytes).or_else(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_base_units() {
        assert_eq!(base_units("$0.50"), Some(0.5));
        assert_eq!(base_units("100k"), Some(100_000.0));
        assert_eq!(base_units("128 MB"), Some(128e6));
        assert_eq!(base_units("5 ms"), Some(0.005));
        assert_eq!(base_units("many"), None);
    }

    #[test]
    fn figures_show_the_digits_that_they_have() {
        assert_eq!(
            [figure(0.1 + 0.2), figure(238.095_238_095_238)],
            ["0.3", "238.0952381"]
        );
    }
}
