//! Reading TOML with errors that name file, line and field.

pub mod quantity;
