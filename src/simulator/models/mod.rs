//! Reading TOML and CSV with errors that name file, line and field.

pub mod dist;
pub mod encoding;
mod error;
pub mod files;
mod load;
pub mod nearest;
mod place;
mod plain;
mod schema;
mod telemetry;

pub use crate::telemetry::field::{FieldError, ValueError};
pub use crate::telemetry::units::quantity;
pub use error::ConfigError;
pub use load::{
    Model, Override, embedded_names, load, parse_overrides, read_durations_ms, source_text,
};
pub use place::line_of_field;
pub use schema::schema_of;
