//! A grid over a few settings, simulated point by point: what a page with sliders moves through.

pub mod grid;
pub mod points;
pub mod setting;
