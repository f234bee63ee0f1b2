//! Is there a case in which kvplan breaks a promise? A random search in the manner of TigerBeetle's VOPR.
//!
//! A seed draws everything at once: policy, fleet, consistency, failures, limits, plan, traffic and timing. What
//! it draws are settings that the ordinary loader takes (`draft`, `draw`), and the case runs as any scenario does
//! (`look`): once as `kvplan run` does it, once more, and once until traffic and faults are over and all is at
//! rest. Invariants, a file each, look at that evidence and at nothing else. A case that breaks one is made
//! small (`shrink`), so that a person can read it.
//!
//! ```text
//! seed --draw--> Draft --load--> Scenario --look--> Evidence --invariants--> Broken --shrink--> small Draft
//! ```
//!
//! With an objective it searches for the worst instead (`worst`).

mod dice;
pub mod draft;
pub mod draw;
mod draw_policy;
mod draw_world;
pub mod evidence;
pub mod invariant;
pub mod invariants;
pub mod look;
mod part;
pub mod search;
mod shrink;
pub mod trial;
pub mod worst;
