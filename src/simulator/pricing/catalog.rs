//! Price catalogs: data in `models/prices`, each figure with its source.

use super::date::Date;
use super::meter::{MeterItem, names};
use super::money::Money;
use crate::models::ValueError;
use crate::models::nearest::nearest;
use crate::models::quantity::Count;
use crate::models::{FieldError, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A seller's plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// What it is, in one line.
    pub title: String,
    /// When the figures were compared with their sources (year-month or a date). The prices of
    /// that day are taken where no other day is asked for, so that results do not depend on the
    /// day of the run.
    pub checked: String,
    /// Whether what is sold is a beta, whose prices may change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beta: bool,
    /// Whether operations refused with 429 are billed; an assumption where nothing is published.
    pub bill_rate_limited: bool,
    /// Items that are rounded up to their billing unit whatever their own `rounding` says: for what
    /// an invoice shows and no page states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub round_up: Vec<MeterItem>,
    /// Whether reads answered by the cache of their place are billed as others are; an assumption
    /// where nothing is published. Only a simulation with a consistency model knows which are.
    #[serde(default = "yes")]
    pub bill_hot_reads: bool,
    /// The plans, each with a name of its own.
    #[serde(rename = "plan")]
    pub plans: Vec<Plan>,
}

/// A plan: a fee, and items with what is included and what more costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name by which scenarios ask for it.
    pub name: String,
    /// What reports call it.
    pub title: String,
    /// The fee of a month, whatever is used.
    pub monthly_fee: Money,
    /// What is metered.
    #[serde(default, rename = "item")]
    pub items: Vec<PriceItem>,
}

/// The price of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceItem {
    /// The item.
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
    /// The billing unit.
    #[serde(default = "one")]
    pub per: Count,
    /// What becomes of a part of a billing unit.
    #[serde(default)]
    pub rounding: Rounding,
    /// Whether `rounding` is published or assumed.
    #[serde(default)]
    pub rounding_basis: Basis,
    /// Where the rounding comes from, if not from `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding_source: Option<String>,
    /// First day on which this price is in force; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day on which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// What is stored is billed for so many days at least: usage must be stated with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_days: Option<u32>,
    /// What a reader of a bill must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the figures come from.
    pub source: String,
}

/// What becomes of a part of a billing unit beyond what is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// It is billed in proportion.
    #[default]
    None,
    /// It is billed as a whole unit.
    UpToUnit,
}

/// What a figure rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The seller says so.
    Published,
    /// Nobody says so.
    #[default]
    Assumed,
}

fn yes() -> bool {
    true
}

fn one() -> Count {
    Count(1)
}

/// The dearest price that a catalog may have: with it, no product of price and usage overflows.
const MOST: Money = Money::from_pico(1_000_000_000_000_000_000);

impl Rounding {
    /// What is billed of a quantity, in a unit of `per`.
    pub fn apply(self, quantity: u128, per: u64) -> u128 {
        match self {
            Rounding::None => quantity,
            Rounding::UpToUnit => {
                let units = quantity.div_ceil(u128::from(per).max(1));
                units.saturating_mul(u128::from(per))
            }
        }
    }
}

impl Catalog {
    /// The plan of that name; the error lists those there are.
    pub fn plan(&self, name: &str) -> Result<&Plan, FieldError> {
        self.plans.iter().find(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.plans.iter().map(|p| p.name.as_str()).collect();
            FieldError::new("plan", {
                let hint = nearest(name, names.iter().copied());
                format!(
                    "found \"{name}\"{hint}, expected one of: {}",
                    names.join(", ")
                )
            })
        })
    }

    /// The day on which the figures were compared with their sources.
    ///
    /// # Panics
    /// If `checked` is no date; loading has checked that it is.
    pub fn checked_on(&self) -> Date {
        self.checked.parse().expect("checked when loaded")
    }

    /// Whether the prices of a day are known: those of days before the catalog was checked are not,
    /// unless some are dated.
    ///
    /// # Errors
    /// Says from when on they are.
    pub fn check_known(&self, day: Date) -> Result<(), ValueError> {
        let items = self.plans.iter().flat_map(|p| &p.items);
        let checked = self.checked_on();
        let first = items.filter_map(|i| i.from).fold(checked, Date::min);
        if day >= first {
            return Ok(());
        }
        Err(ValueError::new(format!(
            "found {day}, expected {first} or later: \"{}\" has no prices of days before",
            self.title
        )))
    }

    /// The catalog with the prices in force on a day, and `round_up` applied.
    pub fn on(mut self, day: Date) -> Self {
        for plan in &mut self.plans {
            plan.items.retain(|i| i.in_force(day));
            for item in &mut plan.items {
                if item.rounding == Rounding::None && self.round_up.contains(&item.meter) {
                    item.rounding = Rounding::UpToUnit;
                    item.rounding_basis = Basis::Assumed;
                    item.rounding_source = Some("round_up of the catalog".into());
                }
            }
        }
        self
    }

    /// Whether a plan has a price for an item on a day.
    ///
    /// # Errors
    /// Says when it has one, if on other days, and what the plan has prices for.
    pub fn check_priced(&self, plan: &Plan, meter: MeterItem, day: Date) -> Result<(), ValueError> {
        let of_meter = || plan.items.iter().filter(move |i| i.meter == meter);
        if of_meter().any(|i| i.in_force(day)) {
            return Ok(());
        }
        let others: Vec<String> = of_meter()
            .map(|i| match (i.from, i.until) {
                (Some(from), Some(until)) => format!("from {from} until {until}"),
                (Some(from), None) => format!("from {from}"),
                (None, Some(until)) => format!("until {until}"),
                (None, None) => "always".into(),
            })
            .collect();
        let when = match others.is_empty() {
            true => String::new(),
            false => format!(" (it has one {})", others.join(" and ")),
        };
        let known: Vec<MeterItem> = plan
            .items
            .iter()
            .filter(|i| i.in_force(day))
            .map(|i| i.meter)
            .collect();
        Err(ValueError::new(format!(
            "found {meter}, for which plan \"{}\" of \"{}\" has no price on {day}{when}, expected one of: {}",
            plan.name,
            self.title,
            names(&known)
        )))
    }
}

impl PriceItem {
    /// Whether the price is in force on a day.
    pub fn in_force(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }

    fn overlaps(&self, other: &PriceItem) -> bool {
        let before = |a: &PriceItem, b: &PriceItem| {
            a.until
                .zip(b.from)
                .is_some_and(|(until, from)| until < from)
        };
        !before(self, other) && !before(other, self)
    }

    fn validate(&self) -> Result<(), FieldError> {
        if self.per.0 == 0 {
            return Err(FieldError::new("per", "found 0, expected 1 or more"));
        }
        if self.price > MOST {
            return Err(FieldError::new(
                "price",
                format!("found {}, expected {MOST} at most", self.price),
            ));
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            return Err(FieldError::new(
                "until",
                format!("found {until}, expected a day not before from = {from}"),
            ));
        }
        Ok(())
    }
}

impl Model for Catalog {
    const FOLDER: &'static str = "prices";

    fn validate(&self) -> Result<(), FieldError> {
        self.checked
            .parse::<Date>()
            .map_err(|e| FieldError::new("checked", e))?;
        for (p, plan) in self.plans.iter().enumerate() {
            for (i, item) in plan.items.iter().enumerate() {
                let at = format!("plan[{p}].item[{i}]");
                item.validate().map_err(|e| e.within(&at))?;
                let mut others = plan.items[..i].iter();
                if others.any(|other| other.meter == item.meter && other.overlaps(item)) {
                    return Err(FieldError::new(
                        format!("{at}.meter"),
                        format!(
                            "found {} twice for the same day, expected each item once",
                            item.meter
                        ),
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
        Some(
            item.daily_limit
                .map_or(item.included.0, |c| c.0.saturating_mul(30)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Override, load, parse_overrides};

    fn cloudflare(set: &[&str]) -> Result<Catalog, String> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let set: Vec<Override> = parse_overrides(&set).unwrap();
        load("cloudflare", None, &set).map_err(|e| e.to_string())
    }

    #[test]
    fn a_day_chooses_the_prices_in_force() {
        let catalog = cloudflare(&[]).unwrap();
        let day = |t: &str| t.parse::<Date>().unwrap();
        let priced = |t: &str, meter| {
            let catalog = catalog.clone().on(day(t));
            let paid = catalog.plan("paid").unwrap();
            paid.item(meter).is_some()
        };
        use MeterItem::*;
        for meter in [ObservabilityIngest, ObservabilityStorage] {
            assert!(!priced("2026-11-30", meter) && priced("2026-12-01", meter));
        }
        assert!(priced("2026-11-30", WorkersLogEvents));
        assert!(!priced("2026-12-01", WorkersLogEvents));
        let paid = catalog.plan("paid").unwrap();
        let said = catalog.check_priced(paid, WorkersLogEvents, day("2026-12-15"));
        let said = said.unwrap_err().to_string();
        assert!(
            said.starts_with("found workers.log_events, for which plan \"paid\" of \"Cloudflare, as published\" has no price on 2026-12-15 (it has one until 2026-11-30), expected one of: kv.reads,"),
            "{said}"
        );
        assert_eq!(
            catalog.check_priced(paid, WorkersLogEvents, catalog.checked_on()),
            Ok(())
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = |set: &[&str]| cloudflare(set).unwrap_err();
        assert!(
            refused(&["checked=\"last week\""])
                .contains("`checked`: found \"last week\", expected a date")
        );
        assert!(refused(&["plan.1.item.0.price=\"$1000000.01\""]).contains("$1000000.00 at most"));
        assert!(
            refused(&["plan.1.item.1.meter=\"kv.reads\""])
                .contains("found kv.reads twice for the same day")
        );
        let ends = [
            "plan.1.item.0.from=\"2026-12-02\"",
            "plan.1.item.0.until=\"2026-12-01\"",
        ];
        assert!(
            refused(&ends)
                .contains("found 2026-12-01, expected a day not before from = 2026-12-02")
        );
        // Two prices that follow each other are fine.
        let follow = [
            "plan.1.item.1.from=\"2027-01-01\"",
            "plan.1.item.0.until=\"2026-12-31\"",
            "plan.1.item.1.meter=\"kv.reads\"",
        ];
        assert!(cloudflare(&follow).is_ok());
    }

    #[test]
    fn a_part_of_a_unit_is_a_unit_where_it_is_rounded_up() {
        let up = Rounding::UpToUnit;
        assert_eq!(
            [
                up.apply(0, 10),
                up.apply(1, 10),
                up.apply(10, 10),
                up.apply(11, 10)
            ],
            [0, 10, 10, 20]
        );
        assert_eq!(Rounding::None.apply(11, 10), 11);
        let catalog = cloudflare(&["round_up=[\"workers.cpu_ms\"]"]).unwrap();
        let day = catalog.checked_on();
        let item = catalog
            .on(day)
            .plan("paid")
            .unwrap()
            .item(MeterItem::WorkersCpuMs)
            .cloned();
        let item = item.unwrap();
        assert_eq!((item.rounding, item.rounding_basis), (up, Basis::Assumed));
    }
}
