//! The worst that a scenario may come to within ranges of its settings: the worst that is found.
//!
//! `range` is a setting with its range, `climb` which points to try next, `goal` what is bad of a point, and
//! `search` tries them. The search is guided, so it finds worse points than as many random ones mostly do; that there
//! is no worse one it cannot know.

mod climb;
pub mod goal;
pub mod range;
pub mod search;
