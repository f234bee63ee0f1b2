//! CSV, charts and terminal tables: reads results, computes nothing.

pub mod bars;
pub mod breakeven;
pub mod chart;
pub mod claims;
pub mod compare;
pub mod coverage;
mod drawing;
pub mod fit;
pub mod forecast;
pub mod format;
pub mod heatmap;
pub mod hover;
pub mod html;
pub mod invoice;
pub mod output;
pub mod panels;
pub mod plan;
pub mod precision;
pub mod rehearsal;
pub mod replay;
pub mod run;
pub mod sensitivity;
pub mod settings;
pub mod stores;
pub mod sweep;
pub mod table;
pub mod timeline;
