//! In Cloudflare's own runtime, workerd: the promises of a KV, our components, and the Worker of `src/worker`.
//!
//! Some of these tests take minutes of real time and little of a processor. Tests run in the order of their names: these
//! begin early, so that others have the processor meanwhile.

mod contract;
mod counts;
mod worker;
pub(crate) mod workerd;
