//! One run of an application on Cloudflare Workers KV, in virtual time.
//!
//! A package of its own, as it is what takes the time: it is optimised in every profile, and what
//! asks it (`kvplan`: studies, reports, command line) need not be. Dependencies point downwards only: [`run`], [`app`],
//! [`cloud`], [`workload`], [`pricing`], [`models`], [`sim`]; the map in `src/lib.rs` says what each is.

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
