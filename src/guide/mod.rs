//! The guide: how to use the program, a chapter for each question.
//!
//! It is text alone. Each command in it is run by a test (`tests/it/guide.rs`), and what it prints is compared; where a chapter
//! leaves lines out, it shows `...` instead. Where an output has no command before it, it is of a machine or a service that a
//! test has not.
//!
//! What will it be?
//! - [`cost`]: a sweep over traffic, one scenario with its invoice, known usage, forms of tables
//! - [`traffic`]: from which traffic on, and until when
//! - [`columns`]: what each column of `sweep.csv` means
//!
//! What should we choose?
//! - [`policies`]: keys, policies, the settings that meet objectives, sliders through a grid, what matters most
//! - [`fleet`]: what many isolates change
//! - [`stores`]: Workers KV, R2, D1, Durable Objects, Queues, Analytics Engine
//! - [`failures`]: outages and retries, the first 48 hours, the worst
//!
//! Is it so?
//! - [`claims`]: a document's claims, judged
//! - [`own_data`]: scenarios, logs and latencies of your own, editor, manual pages and completions
//! - [`reality`]: what was measured and billed, a real KV, the Worker to be deployed
//! - [`confidence`]: how sure it is, what is assumed, how fast it is
//!
//! How is it put to work?
//! - [`review`]: what a pull request changes, one page to read and to send
//! - [`long_runs`]: how many replications, interruption, many machines
//!
//! # As a library
//!
//! The [crate]'s page has a map of its modules. A [`Scenario`](crate::run::scenario::Scenario) is loaded and simulated by
//! [`simulate`](crate::run::simulate()), one replication at a time; [`study`](crate::study) has what asks many of them
//! (`examples/library.rs` shows both). The production code is a package of its own, `kvplan-telemetry` in `src/telemetry`, that knows two
//! ports only, [`Kv`](crate::telemetry::ports::Kv) and [`Clock`](crate::telemetry::ports::Clock), and nothing of the simulator
//! ([`telemetry`](crate::telemetry) is the same). What one run is made of is a package, too, `kvplan-simulator` in `src/simulator`.
//! Its [`run_concurrent_requests`](crate::telemetry::load::run_concurrent_requests) and
//! [`KvStore::counting`](crate::cloud::kv::KvStore::counting) are the seed document's test helpers.

#[doc = include_str!("claims.md")]
pub mod claims {}

#[doc = include_str!("columns.md")]
pub mod columns {}

#[doc = include_str!("confidence.md")]
pub mod confidence {}

#[doc = include_str!("cost.md")]
pub mod cost {}

#[doc = include_str!("failures.md")]
pub mod failures {}

#[doc = include_str!("fleet.md")]
pub mod fleet {}

#[doc = include_str!("long_runs.md")]
pub mod long_runs {}

#[doc = include_str!("own_data.md")]
pub mod own_data {}

#[doc = include_str!("policies.md")]
pub mod policies {}

#[doc = include_str!("reality.md")]
pub mod reality {}

#[doc = include_str!("review.md")]
pub mod review {}

#[doc = include_str!("stores.md")]
pub mod stores {}

#[doc = include_str!("traffic.md")]
pub mod traffic {}
