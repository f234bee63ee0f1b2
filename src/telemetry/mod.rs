//! The real metrics system.

pub mod ports;
pub mod record;
