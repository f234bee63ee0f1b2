//! kvplan: capacity, cost and latency planning for Cloudflare Workers KV.
//!
//! A discrete-event simulator runs the real metrics system against a virtual
//! clock and a virtual KV. Dependencies point downwards only:
//!
//! ```text
//! report       csv, charts, terminal tables; reads results, computes nothing
//! experiment   scenario files, sweep grid, replications, statistics
//!   cloud      the outside world: KV store, latency, failures, limits
//!   workload   arrival processes, daily and weekly shape, request mix
//!   sim        virtual clock, executor, named random streams
//!   pricing    catalog, plan, meter, quota, invoice (exact money)
//! telemetry    THE REAL SYSTEM: collector, batcher, cache, analytics, health,
//!              alerts; knows two ports only, `Kv` and `Clock`
//! config       reading TOML with errors that name file, line and field
//! units        time stamps shared by all
//! ```

pub mod cloud;
pub mod config;
pub mod experiment;
pub mod pricing;
pub mod report;
pub mod sim;
pub mod telemetry;
pub mod units;
pub mod workload;
