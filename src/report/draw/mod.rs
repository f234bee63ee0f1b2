//! Charts as SVG and PNG: one look for all, a file for each form.

pub mod bars;
pub mod chart;
mod cover;
pub(super) mod drawing;
mod flat;
pub mod heatmap;
pub mod hover;
mod labels;
mod lines;
pub mod look;
mod multiples;
pub mod panels;
mod pen;
mod plot;
mod png;
mod single;
mod style;
mod svg;
mod ticks;
