//! Claims of a document: each re-derived, simulated and judged.
//!
//! A claims file ([`spec`]) states what a document says and how each statement can be checked. Checks
//! that need no simulation are [derived](mod@derive); the others read off [`cells`], the
//! simulated points, as a [`surface`] over isolates and traffic. [`mod@judge`] makes verdicts of the findings.

pub mod cells;
pub mod derive;
pub mod expression;
pub mod judge;
pub mod quote;
pub mod spec;
pub mod surface;

pub use cells::{Cells, Effort, simulate_cells};
pub use judge::{Finding, Judgement, Lens, Verdict, judge};
pub use spec::{Claim, ClaimFile, Ledger};
