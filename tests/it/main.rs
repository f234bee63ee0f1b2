//! The integration tests, one module a theme.

mod advice;
mod breakeven_forecast;
mod calibrate;
mod cli;
mod closed_forms;
mod collector;
mod conservation;
mod consistency;
mod contract;
mod counts;
mod coverage;
mod decorators;
mod editor_support;
mod fit;
mod fleet;
mod house_rules;
mod invoice;
mod kv;
mod plan;
mod plan_limits;
mod policies;
mod precision;
mod reconcile;
mod replay;
mod report;
mod rest_errors;
mod runtime;
mod seed_load_tests;
mod sensitivity;
mod shards;
#[cfg(unix)]
mod slurm;
mod stores;
mod timeline;
mod verify;
mod workerd;
