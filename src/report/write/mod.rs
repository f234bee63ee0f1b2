//! What a question's answer looks like: its tables, CSV files and charts, a file for each question.

pub mod assertions;
pub mod breakeven;
pub mod calibrate;
pub mod chaos;
mod claim_words;
pub mod claims;
pub mod compare;
pub mod coverage;
pub mod diff;
pub mod fit;
mod focus;
pub mod forecast;
pub mod invoice;
pub mod plan;
pub mod precision;
pub mod reconcile;
pub mod rehearsal;
pub mod replay;
pub mod run;
mod scenario;
pub mod sensitivity;
pub mod stores;
pub mod summary;
pub mod sweep;
pub mod timeline;
pub mod validate;
