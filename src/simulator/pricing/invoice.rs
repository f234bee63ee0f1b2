//! From usage to an invoice.

use super::catalog::{Plan, Rounding};
use super::meter::{MeterItem, Usage};
use super::money::Money;
use crate::Defect;
use serde::Serialize;

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineItem {
    /// `None` is the plan's fee.
    pub item: Option<MeterItem>,
    /// Units used in the month.
    pub used: u128,
    /// Units that the fee covers.
    pub included: u128,
    /// What was used beyond what is included.
    pub beyond: u128,
    /// What becomes of a part of a billing unit.
    pub rounding: Rounding,
    /// What is billed: `beyond`, rounded.
    pub billable: u128,
    /// Price of `per` units.
    pub unit_price: Money,
    /// Units that `unit_price` is for.
    pub per: u64,
    /// What the line comes to.
    pub amount: Money,
}

/// The bill of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invoice {
    /// The fee, then a line for each item.
    pub lines: Vec<LineItem>,
    /// The sum of the lines' amounts.
    pub total: Money,
}

/// What a plan does not cover and does not sell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// What is used beyond the plan.
    pub item: MeterItem,
    /// What a month uses.
    pub used: u128,
    /// What the plan allows in a UTC day, or, for storage, at all.
    pub allowed: u64,
    /// Whether that is for a day.
    pub daily: bool,
}

impl Plan {
    /// The bill for a month's usage: the fee, and a line for each item of the plan.
    pub fn invoice(&self, usage: &Usage) -> Invoice {
        let fee = LineItem {
            item: None,
            used: 1,
            included: 0,
            beyond: 1,
            rounding: Rounding::None,
            billable: 1,
            unit_price: self.monthly_fee,
            per: 1,
            amount: self.monthly_fee,
        };
        let items = self.items.iter().map(|item| {
            let used = usage.get(item.meter);
            let included = u128::from(item.included.0);
            let beyond = used.saturating_sub(included);
            let billable = item.rounding.apply(beyond, item.per.0);
            LineItem {
                item: Some(item.meter),
                used,
                included,
                beyond,
                rounding: item.rounding,
                billable,
                unit_price: item.price,
                per: item.per.0,
                amount: item.price.times(billable, u128::from(item.per.0)),
            }
        });
        let lines: Vec<LineItem> = std::iter::once(fee).chain(items).collect();
        let total = lines.iter().map(|l| l.amount).sum();
        Invoice { lines, total }
    }

    /// The items of which more is used than the plan allows: beyond its daily limits, if every day
    /// is the same, and beyond what it includes where it sells no more.
    pub fn excesses(&self, usage: &Usage) -> Vec<Excess> {
        let excess = |item: &super::PriceItem| {
            let used = usage.get(item.meter);
            let (allowed, daily, in_a_month) = match item.daily_limit {
                Some(limit) => (limit.0, true, u128::from(limit.0) * 30),
                None if item.price == Money::ZERO => {
                    (item.included.0, false, u128::from(item.included.0))
                }
                None => return None,
            };
            (used > in_a_month).then_some(Excess {
                item: item.meter,
                used,
                allowed,
                daily,
            })
        };
        self.items.iter().filter_map(excess).collect()
    }
}

impl LineItem {
    /// Whether rounding has made it dearer.
    pub fn is_rounded(&self) -> bool {
        self.billable != self.beyond
    }

    /// The invariant: the line follows from what was used.
    fn check(&self) -> Result<(), Defect> {
        let name = self.item.map_or("the fee", MeterItem::name);
        let beyond = self.used.saturating_sub(self.included);
        let billable = self.rounding.apply(beyond, self.per);
        let amount = self.unit_price.times(billable, u128::from(self.per));
        if (beyond, billable, amount) == (self.beyond, self.billable, self.amount) {
            return Ok(());
        }
        Err(Defect::new(format!(
            "{name}: {} used and {} included make {beyond} beyond, {billable} billable and {amount:.12}, but the line says {}, {} and {:.12}",
            self.used, self.included, self.beyond, self.billable, self.amount
        )))
    }
}

impl Invoice {
    /// What an item costs; nothing if the plan does not bill it.
    pub fn amount(&self, item: MeterItem) -> Money {
        let lines = self.lines.iter().filter(|l| l.item == Some(item));
        lines.map(|l| l.amount).sum()
    }

    /// What was used, without the plan's fee.
    pub fn without_fee(&self) -> Money {
        let lines = self.lines.iter().filter(|l| l.item.is_some());
        lines.map(|l| l.amount).sum()
    }

    /// The invariant: every line follows from its meter, with its rounding, and the lines add up to
    /// the total.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        self.lines.iter().try_for_each(LineItem::check)?;
        let sum: Money = self.lines.iter().map(|l| l.amount).sum();
        if sum == self.total {
            Ok(())
        } else {
            Err(Defect::new(format!(
                "lines add up to {sum:.12}, total is {:.12}",
                self.total
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;
    use crate::pricing::Catalog;
    use proptest::prelude::*;

    fn cloudflare() -> Catalog {
        load("cloudflare", None, &[]).unwrap()
    }

    fn kv(reads: u128, writes: u128) -> Usage {
        let mut u = Usage::default();
        u.add(MeterItem::KvReads, reads);
        u.add(MeterItem::KvWrites, writes);
        u
    }

    #[test]
    fn what_is_included_is_free_and_the_rest_is_not() {
        let catalog = cloudflare();
        let paid = catalog.plan("paid").unwrap();
        assert_eq!(
            paid.invoice(&kv(10_000_000, 1_000_000)).total.to_string(),
            "$5.00"
        );
        // 40M reads beyond the included at $0.50, 9M writes at $5.00.
        assert_eq!(
            paid.invoice(&kv(50_000_000, 10_000_000)).total.to_string(),
            "$70.00"
        );
        assert_eq!(
            catalog
                .plan("free")
                .unwrap()
                .daily_limit(MeterItem::KvReads),
            Some(100_000)
        );
    }

    #[test]
    fn the_seed_documents_prices_give_the_seed_documents_bill() {
        let catalog: Catalog = load("seed-document", None, &[]).unwrap();
        let plan = catalog.plan("per-gb").unwrap();
        let mut u = Usage::default();
        u.add(MeterItem::KvWriteBytes, 5_000_000_000);
        u.add(MeterItem::KvReadBytes, 5_000_000_000);
        assert_eq!(plan.invoice(&u).total.to_string(), "$4.00");
    }

    #[test]
    fn a_line_that_does_not_follow_from_its_meter_is_found() {
        let catalog = cloudflare();
        let mut u = Usage::default();
        // 1,000,001 beyond the included million are billed as two million.
        u.add(MeterItem::R2ClassA, 2_000_001);
        let invoice = catalog.plan("paid").unwrap().invoice(&u);
        assert_eq!(invoice.check(), Ok(()));
        let at = invoice
            .lines
            .iter()
            .position(|l| l.item == Some(MeterItem::R2ClassA))
            .unwrap();
        let line = &invoice.lines[at];
        assert_eq!((line.beyond, line.billable), (1_000_001, 2_000_000));
        assert_eq!(
            (line.amount.to_string(), line.is_rounded()),
            ("$9.00".into(), true)
        );
        // The sum still agrees, the line no longer does.
        let mut wrong = invoice.clone();
        wrong.lines[at].billable = 1_000_001;
        assert!(
            wrong
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("r2.class_a: 2000001 used")
        );
        let mut wrong = invoice;
        wrong.lines[at].used = 1_000_000;
        assert!(wrong.check().is_err());
    }

    #[test]
    fn a_plan_that_sells_no_more_says_what_is_beyond_it() {
        let catalog = cloudflare();
        let free = catalog.plan("free").unwrap();
        let mut u = kv(3_000_000, 30_001);
        u.add(MeterItem::KvStorage, 1_000_000_001);
        let found = free.excesses(&u);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].item, found[0].allowed, found[0].daily),
            (MeterItem::KvWrites, 1_000, true)
        );
        assert_eq!(
            (found[1].item, found[1].daily),
            (MeterItem::KvStorage, false)
        );
        assert_eq!(catalog.plan("paid").unwrap().excesses(&u), []);
    }

    proptest! {
        #[test]
        fn lines_add_up_and_more_use_never_costs_less(r in 0_u128..10_u128.pow(10), w in 0_u128..10_u128.pow(9), a in 0_u128..10_u128.pow(8), more in 0_u128..10_u128.pow(8)) {
            let catalog = cloudflare();
            let plan = catalog.plan("paid").unwrap();
            let mut usage = kv(r, w);
            usage.add(MeterItem::R2ClassA, a);
            let invoice = plan.invoice(&usage);
            prop_assert!(invoice.check().is_ok());
            for l in &invoice.lines {
                prop_assert_eq!(l.beyond, l.used.saturating_sub(l.included));
                prop_assert!(l.billable >= l.beyond && l.billable - l.beyond < u128::from(l.per));
            }
            usage.add(MeterItem::KvReads, more);
            usage.add(MeterItem::R2ClassA, more);
            prop_assert!(plan.invoice(&usage).total >= invoice.total);
        }
    }
}
