//! kvplan: capacity, cost and latency planning for Cloudflare Workers KV.
//!
//! A discrete-event simulator runs the real metrics system against a virtual
//! clock and a virtual KV. The [`guide`] says how to use the program. Dependencies
//! point downwards only:
//!
//! ```text
//! guide        how to use the program, a chapter for each question: text alone
//! report       csv, charts (`draw`), one HTML page, terminal tables (`write`); computes nothing
//! study        MANY runs: grids, sweeps, shards and resumption, statistics, and what is asked of
//!              them: `claims`, `plan`, `explore`, `breakeven`, `forecast`, `sensitivity`, `rehearsal`,
//!              `replay`, `fit`, `calibrate`, `reconcile`, `validate`, `usage`, `stores`, `chaos`
//! disk         what is done to files that hold results, so that tests can make each step of it fail
//! simulator    ONE run, a package of its own (`kvplan-simulator`), so that it is optimised where the rest need not be:
//!   run          scenario, world, arrivals, triggers, samples, audit, bill, measures, spans
//!   app          the applications that are run: the metrics system on the simulator's ports
//!   cloud        the outside world: KV with its read caches, fleet of isolates, Durable Object,
//!                R2, other stores, latency, failures, limits
//!   workload     arrival processes, daily and weekly shape, request mix, recorded traces
//!   pricing      catalog, plan, meter, quota, invoice (exact money)
//!   models       reading TOML with errors that name file, line and field; overrides, distributions
//!   sim          virtual clock, executor, named random streams
//! remote       the ports of the real system on a real KV (`kvplan-remote`): REST, bridge Worker, real
//!              time, decorators; a package beside the simulator, knows telemetry only
//! worker       the real system as a Cloudflare Worker (`kvplan-worker`), to be deployed; knows telemetry only
//! telemetry    THE REAL SYSTEM, a package of its own (`kvplan-telemetry`): collector, batcher, cache,
//!              analytics, health, alerts, breaker, tiers, and the units that all share; knows its
//!              ports only: `Kv` and `Clock`, `SharedCache` and `Archive`
//! ```

pub use kvplan_simulator::{app, cloud, models, pricing, run, sim, workload};
pub use kvplan_telemetry as telemetry;
pub use kvplan_telemetry::defect::Defect;
pub use kvplan_telemetry::units;

mod disk;
pub mod guide;
pub mod report;
pub mod study;
