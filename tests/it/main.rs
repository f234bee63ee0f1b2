//! The integration tests, one module a theme.

mod advice;
mod barrier;
mod breakeven_forecast;
#[cfg(unix)]
mod browser;
mod calibrate;
mod chaos;
mod cli;
mod closed_forms;
mod cloudflare;
mod collector;
mod conservation;
mod consistency;
mod coverage;
mod decorators;
mod diff;
mod edges;
mod editor_support;
mod explore;
#[cfg(unix)]
mod explore_page;
mod figures;
mod fit;
mod fleet;
mod forged;
mod fuzz;
mod golden;
#[cfg(unix)]
mod guide;
mod hosts;
mod house_rules;
mod invoice;
mod kv;
mod memory;
mod mutation;
mod plan;
mod plan_limits;
mod policies;
mod precision;
mod provenance;
mod reconcile;
mod replay;
mod report;
#[cfg(unix)]
mod report_page;
mod rest_errors;
mod resume;
mod runtime;
mod seed_load_tests;
mod sensitivity;
mod setup;
mod shards;
#[cfg(unix)]
mod slurm;
mod stores;
mod supply;
mod terminal;
mod timeline;
mod validate;
mod verify;
