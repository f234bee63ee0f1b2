//! CSV, charts, one HTML page and terminal tables: reads results, computes nothing.

pub mod artefacts;
pub mod cells;
pub mod draw;
pub mod error;
pub mod explored;
pub mod format;
pub mod html;
pub mod markdown;
pub mod measured;
pub mod output;
pub mod reason;
pub mod record;
pub mod results;
pub mod settings;
pub mod shell;
pub mod stream;
pub mod table;
pub mod write;
