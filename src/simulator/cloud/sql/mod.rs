//! SQLite behind one thread, as D1 and Durable Objects have it.

mod database;
mod server;

pub use database::{Database, DatabaseHandle};
pub use server::SingleServer;
