//! Claims of a document: each re-derived, simulated and judged.
//!
//! A claims file ([`spec`]) states what a document says and how each statement can be checked. Checks
//! that need no simulation are [derived](mod@derive); the others read off [`cells`], the
//! simulated points, as a [`surface`] over isolates and traffic. [`mod@judge`] makes verdicts of the findings.
//!
//! The way of a claim:
//!
//! 1. [`ClaimFile`] is the file as it is written; a [`Ledger`] has the catalogs that it names beside it. What it names
//!    and nobody knows is refused, with file, line and claim.
//! 2. A check by arithmetic, price or published fact is calculated by [`derive::findings`]; an [`expression`] is
//!    arithmetic on named figures, and knows nothing of the outside.
//! 3. A check by simulation names a grid. [`simulate_cells`] collects the points that all claims need,
//!    so that those that several claims share are simulated once, and keeps all replications of each.
//! 4. A [`surface::Surface`] reads the claim's measure off those points: its value, whether the claim
//!    holds there, and whether the whole interval says so.
//! 5. [`judge()`] takes the worst of what was calculated and what was simulated, each seen through its [`Lens`] (the
//!    document's own prices, the published ones; one isolate, a fleet). Simulations that disagree mean that the
//!    claim *holds only if*. What has no finding is not testable.
//!
//! The right value beside a claim is that of the first finding that speaks against it as loudly as the verdict does. [`quote`] finds the claim's words in
//! the document, where it is given; the document itself is no part of kvplan.

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
