//! Catalog, plan, meter, quota, invoice: exact money.

pub mod catalog;
pub mod invoice;
pub mod meter;
pub mod money;

pub use catalog::{Catalog, Plan, PriceItem};
pub use invoice::{Invoice, LineItem};
pub use meter::{MeterItem, Usage};
pub use money::Money;
