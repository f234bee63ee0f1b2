//! Partial results: sweeps dealt out over machines, and sweeps that were interrupted.
//!
//! They are text files of JSON lines: a [header](record::Header) that says which sweep it is, and
//! a line for each unit with the exact bits of its values and a checksum. A
//! [shard] is complete, and ends with the checksum of all; a [journal] grows. What is no sweep keeps its replications
//! one by one, each under what it simulates: see [points].

pub mod environment;
pub mod error;
pub mod journal;
mod lines;
pub mod points;
pub mod record;
pub mod shard;
