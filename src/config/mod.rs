//! Reading TOML and CSV with errors that name file, line and field.

mod error;
mod load;
pub mod quantity;
mod schema;

pub use error::{ConfigError, FieldError};
pub(crate) use load::line_of_field;
pub use load::{
    Model, Override, embedded_names, load, parse_overrides, read_durations_ms, source_text,
};
pub use schema::schema_of;
