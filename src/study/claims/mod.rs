//! Claims of a document: each re-derived, simulated and judged.
//!
//! A claims file ([`spec`]) states what a document says and how each statement can be checked. Checks
//! that need no simulation are [derived](mod@derive) when it is loaded as a [`ledger`]; the others read off
//! [`cells`], the simulated points, as a [`surface`] over isolates and traffic. [`mod@judge`] makes verdicts of the
//! [findings](finding). Files name each other one way: none of them what is built on it.
//!
//! The way of a claim:
//!
//! 1. [`ClaimFile`] is the file as it is written, with expressions and metrics [`parsed`] as they are read. What its parts
//!    name and nobody knows is refused (`check`); [`tariffs`] has the catalogs that it names, and refuses what has no price.
//! 2. [`Ledger::load`] has [`derive::findings`] calculate every check by arithmetic, price or published fact, once, and keeps
//!    what was found; an [`expression`] is arithmetic on named figures, and knows nothing of the outside. What is
//!    wrong with it is said here, with file, line and claim; [`judge()`] cannot fail.
//! 3. A check by simulation names a grid. [`simulate_cells`] collects the points that all claims need,
//!    so that those that several claims share are simulated once, and keeps all replications of each: where no claim is
//!    judged, as many as the claims need ([`rounds`]).
//! 4. A [`surface::Surface`] reads the claim's measure off those points: its value, whether the claim
//!    holds there, and whether the whole interval says so.
//! 5. [`judge()`] takes the worst of what was calculated and what was simulated, each seen through its [`Lens`] (the
//!    document's own prices, the published ones; one isolate, a fleet). Simulations that disagree mean that the
//!    claim *holds only if*. What has no finding is not testable.
//!
//! The right value beside a claim is that of the first finding that speaks against it as loudly as the verdict does. [`quote`] finds the claim's words in
//! the document, where it is given; the document itself is no part of kvplan.

pub mod accepts;
pub mod cells;
mod check;
pub mod derive;
pub mod expression;
pub mod finding;
pub mod judge;
pub mod ledger;
pub mod parsed;
pub mod quote;
pub mod rounds;
pub mod spec;
pub mod surface;
pub mod tariffs;

pub use cells::{Cells, Effort};
pub use finding::{Finding, Lens, Verdict};
pub use judge::{Judgement, judge};
pub use ledger::Ledger;
pub use rounds::simulate_cells;
pub use spec::{Claim, ClaimFile};
