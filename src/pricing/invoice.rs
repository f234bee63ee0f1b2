//! From usage to an invoice.

use super::catalog::Plan;
use super::meter::{MeterItem, Usage};
use super::money::Money;
use serde::Serialize;

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineItem {
    /// `None` is the plan's fee.
    pub item: Option<MeterItem>,
    pub used: u128,
    pub included: u128,
    pub billable: u128,
    /// Price of `per` units.
    pub unit_price: Money,
    pub per: u64,
    pub amount: Money,
}

/// The bill of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invoice {
    pub lines: Vec<LineItem>,
    /// The sum of the lines' amounts.
    pub total: Money,
}

impl Plan {
    /// The bill for a month's usage: the fee, and a line for each item of the plan.
    pub fn invoice(&self, usage: &Usage) -> Invoice {
        let fee = LineItem {
            item: None,
            used: 1,
            included: 0,
            billable: 1,
            unit_price: self.monthly_fee,
            per: 1,
            amount: self.monthly_fee,
        };
        let items = self.items.iter().map(|item| {
            let used = usage.get(item.meter);
            let included = u128::from(item.included.0);
            let billable = used.saturating_sub(included);
            LineItem {
                item: Some(item.meter),
                used,
                included,
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
}

impl Invoice {
    /// What an item costs; nothing if the plan does not bill it.
    pub fn amount(&self, item: MeterItem) -> Money {
        let lines = self.lines.iter().filter(|l| l.item == Some(item));
        lines.map(|l| l.amount).sum()
    }

    /// The invariant: the lines add up to the total.
    pub fn check(&self) -> Result<(), String> {
        let sum: Money = self.lines.iter().map(|l| l.amount).sum();
        if sum == self.total {
            Ok(())
        } else {
            Err(format!(
                "lines add up to {sum:.12}, total is {:.12}",
                self.total
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
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

    proptest! {
        #[test]
        fn lines_add_up_and_more_use_never_costs_less(r in 0_u128..10_u128.pow(10), w in 0_u128..10_u128.pow(9), more in 0_u128..10_u128.pow(8)) {
            let catalog = cloudflare();
            let plan = catalog.plan("paid").unwrap();
            let invoice = plan.invoice(&kv(r, w));
            prop_assert!(invoice.check().is_ok());
            for l in &invoice.lines {
                prop_assert_eq!(l.billable, l.used.saturating_sub(l.included));
            }
            prop_assert!(plan.invoice(&kv(r + more, w)).total >= invoice.total);
        }
    }
}
