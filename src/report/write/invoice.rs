//! An invoice with the sum behind each line: for the terminal, as JSON and as CSV.

use crate::Defect;
use crate::pricing::catalog::Basis;
use crate::pricing::quantity::show;
use crate::pricing::{
    Catalog, Date, Excess, Invoice, LineItem, MeterItem, Money, Plan, Rounding, Unit, Usage,
};
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::output::json;
use crate::report::table::{Answer, Entry, table};
use serde::Serialize;

/// A month's usage, priced.
#[derive(Debug)]
pub struct InvoiceReport<'a> {
    /// With the prices in force on the day.
    pub catalog: &'a Catalog,
    /// The plan that was priced.
    pub plan: &'a Plan,
    /// The day whose prices these are.
    pub on: Date,
    /// The bill.
    pub invoice: &'a Invoice,
    /// What the plan does not cover and does not sell.
    pub excesses: &'a [Excess],
}

impl<'a> InvoiceReport<'a> {
    /// Prices the usage.
    ///
    /// # Errors
    /// If the invoice does not add up: a defect.
    pub fn check(plan: &Plan, usage: &Usage) -> Result<(Invoice, Vec<Excess>), Defect> {
        let invoice = plan.invoice(usage);
        invoice.check()?;
        Ok((invoice, plan.excesses(usage)))
    }

    fn used(&self) -> impl Iterator<Item = &'a LineItem> {
        self.invoice.lines.iter().filter(|l| l.used > 0)
    }

    /// The lines that were used with their sums, what the plan does not cover, and what a reader
    /// must know.
    pub fn table(&self) -> Answer {
        let row = |l: &LineItem| {
            let (name, used) = match l.item {
                None => ("plan fee", "".into()),
                Some(item) => (
                    item.name(),
                    Entry::of(
                        show(l.used, item.unit()),
                        machine(item.unit()),
                        l.used as f64,
                    ),
                ),
            };
            let sum = self.formula(l);
            vec![
                name.into(),
                sum.into(),
                used,
                dollars(l.amount.exact(), l.amount),
            ]
        };
        let mut rows: Vec<Vec<Entry>> = self.used().map(row).collect();
        let blank = || Entry::from("");
        rows.push(vec![
            "total".into(),
            blank(),
            blank(),
            dollars(self.invoice.total.to_string(), self.invoice.total),
        ]);
        let title = format!(
            "{}, plan \"{}\", prices of {}, for a month of 30 days",
            self.catalog.title, self.plan.name, self.on,
        );
        let lines = table(&["item", "sum", "used", "amount"], 2, rows);
        let answer = Answer::new().say(title).gap().table("invoice", lines);
        let excesses = self.excesses.iter().map(|e| self.excess(e));
        let more: Vec<String> = excesses.chain(self.notes()).collect();
        match more.is_empty() {
            true => answer,
            false => answer.gap().say(more.join("\n")),
        }
    }

    /// How a line comes about: `(15M - 10M) x $0.30 per 1M = $1.50`.
    fn formula(&self, line: &LineItem) -> String {
        let Some(meter) = line.item else {
            return format!("{} a month", line.amount.exact());
        };
        let q = |n: u128| show(n, meter.unit());
        let amount = line.amount.exact();
        if line.unit_price == Money::ZERO {
            return match self.plan.daily_limit(meter) {
                Some(limit) => format!("free, up to {} a day", q(limit.into())),
                None => format!("free, up to {}", q(line.included)),
            };
        }
        if line.beyond == 0 {
            return format!(
                "{} of {} included = {amount}",
                q(line.used),
                q(line.included)
            );
        }
        let mut sum = match line.included {
            0 => q(line.used),
            included => format!("({} - {})", q(line.used), q(included)),
        };
        if line.is_rounded() {
            if line.included > 0 {
                sum.push_str(&format!(" = {}", q(line.beyond)));
            }
            sum.push_str(&format!(", rounded up to {},", q(line.billable)));
        }
        let price = line.unit_price.exact();
        format!("{sum} x {price} per {} = {amount}", q(line.per.into()))
    }

    fn excess(&self, e: &Excess) -> String {
        let q = |n: u128| show(n, e.item.unit());
        let (plan, item, allowed) = (&self.plan.name, e.item, q(e.allowed.into()));
        if e.daily {
            let daily = show(e.used.div_ceil(30), e.item.unit());
            format!(
                "Plan \"{plan}\" allows {allowed} {item} a day; this is {daily} a day on average, and what is beyond is refused until 00:00 UTC."
            )
        } else {
            format!(
                "Plan \"{plan}\" has {allowed} of {item} and sells no more; this is {}.",
                q(e.used)
            )
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        if self.catalog.beta {
            notes.push(format!(
                "{} is a beta: its prices may change.",
                self.catalog.title
            ));
        }
        for line in self.used() {
            let Some(item) = line.item.and_then(|m| self.plan.item(m)) else {
                continue;
            };
            if line.is_rounded() && item.rounding_basis == Basis::Assumed {
                let source = item.rounding_source.as_deref().unwrap_or(&item.source);
                let unit = show(line.per.into(), item.meter.unit());
                notes.push(format!(
                    "That {} is rounded up to {unit} is assumed ({source}).",
                    item.meter
                ));
            }
            notes.extend(item.note.clone().filter(|n| !notes.contains(n)));
        }
        notes
    }

    /// Everything, for scripts.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json(&self) -> Result<Vec<u8>, WriteError> {
        let line = |l: &'a LineItem| {
            let item = l.item.and_then(|m| self.plan.item(m));
            Line {
                item: l.item.map_or("plan fee", MeterItem::name),
                used: l.used,
                included: l.included,
                beyond: l.beyond,
                billable: l.billable,
                unit: unit_name(l.item),
                rounding: l.rounding,
                rounding_basis: item.map(|i| i.rounding_basis),
                unit_price_usd: l.unit_price.to_usd(),
                per: l.per,
                amount_usd: l.amount.to_usd(),
                amount: l.amount,
                formula: self.formula(l),
                source: item.map(|i| i.source.as_str()),
            }
        };
        let excess = |e: &Excess| Exceeded {
            item: e.item,
            used: e.used,
            allowed: e.allowed,
            per: if e.daily { "day" } else { "month" },
            text: self.excess(e),
        };
        let all = Json {
            catalog: &self.catalog.title,
            checked: &self.catalog.checked,
            plan: &self.plan.name,
            on: self.on,
            total_usd: self.invoice.total.to_usd(),
            total: self.invoice.total,
            lines: self.used().map(line).collect(),
            exceeded: self.excesses.iter().map(excess).collect(),
            notes: self.notes(),
        };
        json("invoice.json", &all)
    }

    /// A row for each line that was used; the total is the sum of `amount_usd`.
    pub fn csv(&self) -> Vec<u8> {
        let header = [
            "item",
            "used",
            "included",
            "beyond",
            "billable",
            "unit",
            "rounding",
            "unit_price_usd",
            "per",
            "amount_usd",
            "formula",
        ];
        let usd = |m: Money| m.exact().trim_start_matches('$').to_owned();
        let rows = self.used().map(|l| {
            vec![
                l.item.map_or("plan fee", MeterItem::name).to_owned(),
                l.used.to_string(),
                l.included.to_string(),
                l.beyond.to_string(),
                l.billable.to_string(),
                unit_name(l.item).to_owned(),
                match l.rounding {
                    Rounding::None => "none",
                    Rounding::UpToUnit => "up-to-unit",
                }
                .to_owned(),
                usd(l.unit_price),
                l.per.to_string(),
                usd(l.amount),
                self.formula(l),
            ]
        });
        csv_bytes(header.map(str::to_owned).into(), rows)
    }
}

fn unit_name(item: Option<MeterItem>) -> &'static str {
    match item.map(MeterItem::unit) {
        None => "month",
        Some(Unit::Count) => "1",
        Some(Unit::Bytes) => "byte",
        Some(Unit::Milliseconds) => "ms",
        Some(Unit::MegabyteMs) => "MB-ms",
    }
}

#[derive(Serialize)]
struct Json<'a> {
    catalog: &'a str,
    checked: &'a str,
    plan: &'a str,
    on: Date,
    /// The nearest number; `total` is exact.
    total_usd: f64,
    total: Money,
    lines: Vec<Line<'a>>,
    exceeded: Vec<Exceeded>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    item: &'a str,
    used: u128,
    included: u128,
    beyond: u128,
    billable: u128,
    unit: &'a str,
    rounding: Rounding,
    rounding_basis: Option<Basis>,
    unit_price_usd: f64,
    per: u64,
    amount_usd: f64,
    amount: Money,
    formula: String,
    source: Option<&'a str>,
}

#[derive(Serialize)]
struct Exceeded {
    item: MeterItem,
    used: u128,
    allowed: u64,
    per: &'static str,
    text: String,
}
/// Money, with its value for machines.
pub(super) fn dollars(text: String, money: Money) -> Entry {
    Entry::of(text, "usd", money.to_usd())
}

/// What machines read of a unit; nothing of what is counted.
fn machine(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "",
        Unit::Bytes => "bytes",
        Unit::Milliseconds => "ms",
        Unit::MegabyteMs => "mb_ms",
    }
}
