//! kvplan: capacity, cost and latency planning for Cloudflare Workers KV.
//!
//! A discrete-event simulator runs the real metrics system against a virtual
//! clock and a virtual KV. Dependencies point downwards only:
//!
//! ```text
//! report       csv, charts, one HTML page, terminal tables; computes nothing
//! experiment   scenario files, one simulation (`simulate`), sweeps, shards and resumption (`sweep`,
//!              `partial`), statistics, runs over time (`series`, `timeline`), and what is asked of
//!              them: `claims`, `plan`, `breakeven`, `forecast`, `sensitivity`, `rehearsal`,
//!              `replay`, `fit`, `stores`
//!   cloud      the outside world: KV with its read caches, fleet of isolates, Durable Object,
//!              R2, other stores, latency, failures, limits
//!   workload   arrival processes, daily and weekly shape, request mix, recorded traces
//!   sim        virtual clock, executor, named random streams
//!   pricing    catalog, plan, meter, quota, invoice (exact money)
//! config       reading TOML with errors that name file, line and field
//! telemetry    THE REAL SYSTEM, a package of its own (`kvplan-telemetry`): collector, batcher, cache,
//!              analytics, health, alerts, breaker, tiers, and the units that all share; knows its
//!              ports only: `Kv` and `Clock`, `SharedCache` and `Archive`
//! ```

pub use kvplan_telemetry as telemetry;
pub use kvplan_telemetry::units;

pub mod cloud;
pub mod config;
pub mod experiment;
pub mod pricing;
pub mod report;
pub mod sim;
pub mod workload;
