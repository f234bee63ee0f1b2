//! Price catalogs: data in `models/prices`, each figure with its source.

use super::meter::MeterItem;
use super::money::Money;
use crate::config::quantity::Count;
use crate::config::{FieldError, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A seller's plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    pub title: String,
    /// When the figures were compared with their sources (year-month or a date).
    pub checked: String,
    /// Whether operations refused with 429 are billed; an assumption where nothing is published.
    pub bill_rate_limited: bool,
    /// Whether reads answered by the cache of their place are billed as others are; an assumption
    /// where nothing is published. Only a simulation with a consistency model knows which are.
    #[serde(default = "yes")]
    pub bill_hot_reads: bool,
    #[serde(rename = "plan")]
    pub plans: Vec<Plan>,
}

/// A plan: a fee, and items with what is included and what more costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub name: String,
    pub title: String,
    pub monthly_fee: Money,
    #[serde(default, rename = "item")]
    pub items: Vec<PriceItem>,
}

/// The price of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceItem {
    pub meter: MeterItem,
    /// Operations allowed in a UTC day; beyond, they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<Count>,
    /// Covered by the fee each month.
    #[serde(default)]
    pub included: Count,
    /// Price of `per` units beyond what is included.
    #[serde(default)]
    pub price: Money,
    #[serde(default = "one")]
    pub per: Count,
    /// Where the figures come from.
    pub source: String,
}

fn yes() -> bool {
    true
}

fn one() -> Count {
    Count(1)
}

impl Catalog {
    /// The plan of that name; the error lists those there are.
    pub fn plan(&self, name: &str) -> Result<&Plan, FieldError> {
        self.plans.iter().find(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.plans.iter().map(|p| p.name.as_str()).collect();
            FieldError::new(
                "plan",
                format!("found \"{name}\", expected one of: {}", names.join(", ")),
            )
        })
    }
}

impl Model for Catalog {
    const FOLDER: &'static str = "prices";

    fn validate(&self) -> Result<(), FieldError> {
        for (p, plan) in self.plans.iter().enumerate() {
            for (i, item) in plan.items.iter().enumerate() {
                let field = |name: &str| format!("plan[{p}].item[{i}].{name}");
                if item.per.0 == 0 {
                    return Err(FieldError::new(field("per"), "found 0, expected 1 or more"));
                }
                if plan.items[..i]
                    .iter()
                    .any(|other| other.meter == item.meter)
                {
                    return Err(FieldError::new(
                        field("meter"),
                        format!("found {} twice, expected each item once", item.meter),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Plan {
    /// The price of an item; `None` if the plan has none.
    pub fn item(&self, meter: MeterItem) -> Option<&PriceItem> {
        self.items.iter().find(|i| i.meter == meter)
    }

    /// Operations allowed in a UTC day; `None` is without limit.
    pub fn daily_limit(&self, meter: MeterItem) -> Option<u64> {
        self.item(meter)?.daily_limit.map(|c| c.0)
    }

    /// What the plan covers in a month: its daily limit for 30 days, or what is included.
    pub fn monthly_allowance(&self, meter: MeterItem) -> Option<u64> {
        let item = self.item(meter)?;
        Some(item.daily_limit.map_or(item.included.0, |c| c.0 * 30))
    }
}
