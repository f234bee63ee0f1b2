//! What a check says about a claim.

use crate::study::stats::Estimate;
use serde::Serialize;
use std::fmt;

/// What is made of a claim, from the mildest to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// No figure, or none that anything here could test.
    NotTestable,
    /// It holds.
    Confirmed,
    /// It holds under conditions that the finding names.
    HoldsOnlyIf,
    /// It does not hold.
    Refuted,
    /// The document contradicts itself: whatever the world is like, one of its figures is wrong.
    Inconsistent,
}

impl Verdict {
    /// In the order of tables.
    pub const ALL: [Verdict; 5] = [
        Verdict::Confirmed,
        Verdict::HoldsOnlyIf,
        Verdict::Refuted,
        Verdict::Inconsistent,
        Verdict::NotTestable,
    ];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::NotTestable => "not testable",
            Verdict::Confirmed => "confirmed",
            Verdict::HoldsOnlyIf => "holds only if",
            Verdict::Refuted => "refuted",
            Verdict::Inconsistent => "inconsistent",
        })
    }
}

/// Through what a claim is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lens {
    /// The document's own arithmetic, at its own prices.
    Document,
    /// The seller's published prices and limits.
    Published,
    /// The simulation on one isolate; money at the document's prices.
    OneIsolate,
    /// The simulation on a realistic fleet; money at the document's prices.
    Fleet,
    /// The simulations, with money at the published prices.
    OneIsolatePublished,
    /// The fleet, at the published prices.
    FleetPublished,
}

impl Lens {
    /// In the order of columns.
    pub const ALL: [Lens; 6] = [
        Lens::Document,
        Lens::Published,
        Lens::OneIsolate,
        Lens::Fleet,
        Lens::OneIsolatePublished,
        Lens::FleetPublished,
    ];

    /// For column names.
    pub fn name(self) -> &'static str {
        match self {
            Lens::Document => "document",
            Lens::Published => "published",
            Lens::OneIsolate => "one_isolate",
            Lens::Fleet => "fleet",
            Lens::OneIsolatePublished => "one_isolate_published",
            Lens::FleetPublished => "fleet_published",
        }
    }

    /// Whether it looks at what was simulated.
    pub fn is_simulated(self) -> bool {
        !matches!(self, Lens::Document | Lens::Published)
    }
}

/// What one check says through one lens.
#[derive(Debug, Clone)]
pub struct Finding {
    /// None if the claim cannot be tested.
    pub lens: Option<Lens>,
    /// What this check says of the claim.
    pub verdict: Verdict,
    /// In the claim's unit; without half-width if nothing was simulated.
    pub value: Option<Estimate>,
    /// What was calculated or measured, for readers.
    pub evidence: String,
    /// Where it holds, if not everywhere.
    pub conditions: Option<String>,
}

/// A value that was not simulated.
pub fn exact(mean: f64) -> Estimate {
    Estimate {
        mean,
        half_width: f64::NAN,
        n: 0,
    }
}
