//! Charts as SVG and PNG: one look for all, a file for each form.

pub mod bars;
pub mod chart;
mod drawing;
pub mod heatmap;
pub mod hover;
pub mod panels;
mod png;
mod style;
