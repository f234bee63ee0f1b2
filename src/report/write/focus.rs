//! An invoice with the columns of FOCUS, the FinOps Open Cost and Usage Specification, so that FinOps tools read it.
//!
//! <https://focus.finops.org/focus-specification/>

use super::invoice::InvoiceReport;
use crate::pricing::{Date, LineItem, MeterItem, Money, Unit};
use crate::report::cells::csv_bytes;

/// The columns. What is unknown is null, which is nothing in CSV.
const COLUMNS: [&str; 29] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
];

impl InvoiceReport<'_> {
    /// A row for each line that was used: the costs add up to the invoice exactly. The period is the calendar
    /// month of the day whose prices these are; the usage is that of 30 days.
    pub fn focus(&self) -> Vec<u8> {
        let (start, end) = self.on.month();
        let used = self.invoice.lines.iter().filter(|l| l.used > 0);
        let rows = used.map(|l| self.row(l, start, end));
        csv_bytes(COLUMNS.map(str::to_owned).to_vec(), rows)
    }

    fn row(&self, line: &LineItem, start: Date, end: Date) -> Vec<String> {
        let midnight = |d: Date| format!("{d}T00:00:00Z");
        let usd = |m: Money| m.exact().trim_start_matches('$').to_owned();
        let (cost, price) = (usd(line.amount), usd(line.unit_price));
        let sku = line.item.map_or("plan.fee", MeterItem::name);
        let (category, service) = service_of(line.item);
        let (one, unit) = line.item.map_or((1, "Months"), unit_of);
        let (consumed, consumed_unit) = match line.item {
            // A purchase consumes nothing.
            None => (String::new(), String::new()),
            Some(_) => (decimal(line.used, one), unit.to_owned()),
        };
        let pricing_unit = match u128::from(line.per) / one {
            0 | 1 => unit.to_owned(),
            n => format!("{n} {unit}"),
        };
        let description = match line.item {
            None => format!("plan {}", self.plan.name),
            Some(item) => format!("{item}, plan {}", self.plan.name),
        };
        let fee = line.item.is_none();
        [
            cost.clone(),
            String::new(),
            String::new(),
            "USD".into(),
            midnight(end),
            midnight(start),
            if fee { "Purchase" } else { "Usage" }.into(),
            String::new(),
            description,
            if fee { "Recurring" } else { "Usage-Based" }.into(),
            midnight(end),
            midnight(start),
            consumed,
            consumed_unit,
            cost.clone(),
            price.clone(),
            cost.clone(),
            "Cloudflare".into(),
            cost,
            price,
            "Standard".into(),
            decimal(line.billable, u128::from(line.per)),
            pricing_unit,
            "Cloudflare".into(),
            "Cloudflare".into(),
            category.into(),
            service.into(),
            sku.into(),
            format!("{sku}.{}", self.plan.name),
        ]
        .to_vec()
    }
}

/// `n / per` in decimals, exact where `per` is a power of ten.
fn decimal(n: u128, per: u128) -> String {
    let mut text = (n / per).to_string();
    let mut rest = n % per;
    if rest > 0 {
        text.push('.');
    }
    for _ in 0..18 {
        if rest == 0 {
            break;
        }
        rest *= 10;
        text.push_str(&(rest / per).to_string());
        rest %= per;
    }
    text
}

/// How many of a meter's own units make one of the unit that is shown, and its name.
fn unit_of(item: MeterItem) -> (u128, &'static str) {
    match item.unit() {
        Unit::Count => (1, "Requests"),
        Unit::Milliseconds => (1, "Milliseconds"),
        Unit::MegabyteMs => (1_000_000, "GB-Seconds"),
        Unit::Bytes if item.name().ends_with("storage") => (1_000_000_000, "GB-Months"),
        Unit::Bytes => (1_000_000_000, "GB"),
    }
}

/// Category, one of those of the specification, and name of the service.
fn service_of(item: Option<MeterItem>) -> (&'static str, &'static str) {
    let name = item.map_or("plan", MeterItem::name);
    match name.split('.').next().unwrap_or_default() {
        "kv" => ("Databases", "Workers KV"),
        "kv_instant" => ("Databases", "KV Instant"),
        "do" => ("Compute", "Durable Objects"),
        "r2" | "r2_ia" => ("Storage", "R2"),
        "queues" => ("Integration", "Queues"),
        "ae" => ("Analytics", "Workers Analytics Engine"),
        "d1" => ("Databases", "D1"),
        "observability" => ("Management and Governance", "Workers Observability"),
        "cache_reserve" => ("Networking", "Cache Reserve"),
        _ => ("Compute", "Workers"),
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal(2_000_001, 1_000_000), "2.000001");
        assert_eq!(decimal(5, 1), "5");
        assert_eq!(decimal(0, 1_000), "0");
        assert_eq!(decimal(1_050, 1_000), "1.05");
    }
}
