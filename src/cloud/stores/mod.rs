//! What one may keep the metrics in instead of Workers KV, or put in front of it.
//!
//! R2, D1 and a Durable Object are reached through the metrics system's own port `Kv`, so that the
//! same collector runs against each; a queue takes its batches as messages; Analytics Engine takes
//! its records one by one. Each counts what Cloudflare bills.

mod database;
mod objects;
mod points;
mod queue;
mod server;
mod spec;
mod store;
mod tally;

pub use database::{Database, DatabaseHandle};
pub use objects::{ObjectHandle, ObjectStore};
pub use points::AnalyticsEngine;
pub use queue::{Message, Queue, QueueHandle};
pub use server::{PeakSecond, SingleServer};
pub use spec::{
    Bound, BoundMeasure, DatabaseSpec, ObjectsSpec, OpLatency, PointsSpec, QueuePlan, QueueSpec,
    RowsSpec, ServerSpec, Service, StoreSpec,
};
pub use store::{Access, Deliver, Handle, Site, Store};
