//! One run of an application on Cloudflare Workers KV, in virtual time.
//!
//! A package of its own, as it is what takes the time: it is optimised in every profile, and what
//! asks it (`kvplan`: studies, reports, command line) need not be. Dependencies point downwards only:
//!
//! ```text
//! run          scenario, world, arrivals, triggers, samples, audit, bill, measures, spans
//! app          the applications that are run: the metrics system on the simulator's ports
//! cloud        the outside world: KV with its read caches, fleet of isolates, Durable Object,
//!              R2, other stores, latency, failures, limits
//! workload     arrival processes, daily and weekly shape, request mix, recorded traces
//! pricing      catalog, plan, meter, quota, invoice (exact money)
//! models       reading TOML with errors that name file, line and field; overrides, distributions
//! sim          virtual clock, executor, named random streams
//! ```

pub use kvplan_telemetry as telemetry;
pub use kvplan_telemetry::defect::Defect;
pub use kvplan_telemetry::units;

pub mod app;
pub mod cloud;
pub mod models;
pub mod pricing;
pub mod run;
pub mod sim;
pub mod workload;
