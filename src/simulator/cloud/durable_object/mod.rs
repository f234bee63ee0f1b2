//! Durable Objects: the cache that isolates share, and for how long an object is active. One with SQLite
//! storage that keeps the data itself is a [`crate::cloud::sql`] database.

mod active;
mod cache;

pub use active::ActiveTime;
pub use cache::DurableObject;
