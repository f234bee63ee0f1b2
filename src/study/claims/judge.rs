//! From findings to verdicts.

use super::cells::{Axes, Cells};
use super::derive;
use super::spec::{Check, Claim, Ledger};
use super::surface::{self, Surface};
use crate::models::ConfigError;
use crate::study::stats::Estimate;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What is made of a claim, from the mildest to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    NotTestable,
    Confirmed,
    HoldsOnlyIf,
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

    fn is_simulated(self) -> bool {
        !matches!(self, Lens::Document | Lens::Published)
    }
}

/// What one check says through one lens.
#[derive(Debug, Clone)]
pub struct Finding {
    /// None if the claim cannot be tested.
    pub lens: Option<Lens>,
    pub verdict: Verdict,
    /// In the claim's unit; without half-width if nothing was simulated.
    pub value: Option<Estimate>,
    pub evidence: String,
    /// Where it holds, if not everywhere.
    pub conditions: Option<String>,
}

/// A claim with all that was found.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    pub claim: &'a Claim,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    /// The value that contradicts what is stated.
    pub right: Option<f64>,
    /// Stated over right.
    pub factor: Option<f64>,
    /// The simulated checks over isolates and traffic.
    pub surfaces: Vec<Surface<'a>>,
}

impl Judgement<'_> {
    /// The worst finding through a lens.
    pub fn through(&self, lens: Lens) -> Option<&Finding> {
        let mine = self.findings.iter().filter(|f| f.lens == Some(lens));
        // The first of the worst.
        mine.rev().max_by_key(|f| f.verdict)
    }
}

/// A value that was not simulated.
pub fn exact(mean: f64) -> Estimate {
    Estimate {
        mean,
        half_width: f64::NAN,
        n: 0,
    }
}

/// Judges a claim.
///
/// # Errors
/// If a fact or expression that it names cannot be read.
pub fn judge<'a>(
    ledger: &Ledger,
    claim: &'a Claim,
    axes: &BTreeMap<String, Axes>,
    cells: &Cells,
) -> Result<Judgement<'a>, ConfigError> {
    let mut findings = Vec::new();
    let mut surfaces = Vec::new();
    for check in &claim.checks {
        match check {
            Check::Simulation(s) | Check::Alert(s) => {
                // Nothing was simulated of grids that are not there.
                let Some(axes) = axes.get(&s.grid) else {
                    continue;
                };
                let surface = Surface::read(ledger, claim, s, axes, cells);
                let alert = matches!(check, Check::Alert(_));
                findings.extend(surface::findings(ledger, claim, &surface, alert));
                surfaces.push(surface);
            }
            _ => findings.extend(derive::findings(ledger, claim, check)?),
        }
    }
    let verdict = overall(&findings);
    let (right, factor) = correction(claim, verdict, &findings);
    Ok(Judgement {
        claim,
        verdict,
        findings,
        right,
        factor,
        surfaces,
    })
}

/// The worst of what was calculated and what was simulated. Simulations that disagree mean that the
/// claim holds under conditions.
fn overall(findings: &[Finding]) -> Verdict {
    let simulated = |f: &&Finding| f.lens.is_some_and(Lens::is_simulated);
    let calculated = findings
        .iter()
        .filter(|f| !simulated(f))
        .map(|f| f.verdict)
        .max();
    let mut simulations: Vec<Verdict> = findings
        .iter()
        .filter(simulated)
        .map(|f| f.verdict)
        .collect();
    simulations.sort_unstable();
    let simulation = match (simulations.first(), simulations.last()) {
        (Some(best), Some(worst)) if best == worst => Some(*best),
        (Some(_), Some(_)) => Some(Verdict::HoldsOnlyIf),
        _ => None,
    };
    calculated.max(simulation).unwrap_or(Verdict::NotTestable)
}

/// The right value, from the first finding that speaks against the claim as loudly as the verdict
/// does, and by what factor the document misses it.
fn correction(claim: &Claim, verdict: Verdict, findings: &[Finding]) -> (Option<f64>, Option<f64>) {
    if verdict <= Verdict::Confirmed {
        return (None, None);
    }
    let accepts = claim.accepts(None);
    let against = |f: &&Finding| {
        // A simulation that holds where it is reported may fail elsewhere.
        let simulated = f.lens.is_some_and(Lens::is_simulated);
        let value = f.value.filter(|v| !(simulated && accepts.holds(v.mean)));
        f.verdict > Verdict::Confirmed && value.is_some()
    };
    let loudest = findings
        .iter()
        .filter(against)
        .find(|f| f.verdict == verdict);
    let right = loudest
        .or(findings.iter().find(against))
        .and_then(|f| f.value)
        .map(|v| v.mean);
    let factor = right
        .zip(claim.stated)
        .map(|(right, stated)| stated / right)
        .filter(|f| f.is_finite());
    (right, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(lens: Lens, verdict: Verdict) -> Finding {
        Finding {
            lens: Some(lens),
            verdict,
            value: None,
            evidence: String::new(),
            conditions: None,
        }
    }

    #[test]
    fn the_worst_lens_decides_and_simulations_that_disagree_are_conditions() {
        use Lens::*;
        use Verdict::*;
        let say = |all: &[(Lens, Verdict)]| {
            overall(&all.iter().map(|(l, v)| finding(*l, *v)).collect::<Vec<_>>())
        };
        assert_eq!(say(&[]), NotTestable);
        assert_eq!(say(&[(Document, Confirmed), (Published, Refuted)]), Refuted);
        assert_eq!(
            say(&[(Document, Inconsistent), (Published, Refuted)]),
            Inconsistent
        );
        assert_eq!(
            say(&[(OneIsolate, Confirmed), (Fleet, Refuted)]),
            HoldsOnlyIf
        );
        assert_eq!(say(&[(OneIsolate, Refuted), (Fleet, Refuted)]), Refuted);
        assert_eq!(
            say(&[(Document, Confirmed), (OneIsolate, HoldsOnlyIf)]),
            HoldsOnlyIf
        );
        assert_eq!(
            say(&[
                (Published, Refuted),
                (OneIsolate, Confirmed),
                (Fleet, Refuted)
            ]),
            Refuted
        );
    }
}
