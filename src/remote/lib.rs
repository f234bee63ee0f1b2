//! The ports of the metrics system on a real Workers KV, in real time.
//!
//! [`rest`] speaks Cloudflare's REST API, [`bridge`] a small Worker that hands out its KV binding
//! (`examples/bridge`); [`account`] is the rest of Cloudflare's API. [`clock`] and [`wait`] are the time and the `waitUntil` beside them, on a tokio
//! runtime of one thread. What is in [`decorators`] wraps any [`kvplan_telemetry::ports::Kv`], a
//! simulated one too, and knows no runtime.

pub mod account;
pub mod bridge;
pub mod clock;
pub mod decorators;
pub mod failure;
mod http;
pub mod rest;
mod values;
pub mod wait;

pub use http::{BadAddress, Secret};
pub use values::Values;
