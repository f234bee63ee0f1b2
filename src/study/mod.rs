//! Many runs, and what is asked of them.
//!
//! `replicate` does them, the only loop over replications, and `stats` takes them together; `grid`, `sweep` and
//! `partial` say which there are;
//! every other module is a question: what does it cost at any traffic, where does a quota end, which
//! policy is best, does a document tell the truth.

pub mod answers;
pub mod breakeven;
pub mod calibrate;
pub mod chaos;
pub mod cheapest;
pub mod claims;
pub mod condition;
pub mod coverage;
pub mod curve;
pub mod diff;
pub mod error;
pub mod explore;
pub mod fit;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod forecast;
pub mod grid;
pub mod partial;
pub mod plan;
pub mod reconcile;
pub mod rehearsal;
pub mod replay;
pub mod replicate;
pub mod savings;
pub mod schema;
pub mod sensitivity;
pub mod stats;
pub mod stores;
pub mod sweep;
pub mod timeline;
pub mod usage;
pub mod validate;
