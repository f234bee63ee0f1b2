//! Edges that runs seldom come to. `tests/mutants` found that nothing else looked at them.

mod cloud;
mod metrics;
mod runs;
