//! Catalog, plan, meter, quota, invoice: exact money.

pub mod catalog;
pub mod date;
pub mod invoice;
pub mod meter;
pub mod money;
pub mod quantity;

pub use catalog::{Catalog, Plan, PriceItem, Rounding};
pub use date::Date;
pub use invoice::{Excess, Invoice, LineItem};
pub use meter::{MeterItem, Unit, Usage};
pub use money::Money;

/// The month that prices and traffic refer to: 30 days.
pub const MONTH: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
