//! From findings to verdicts.

use super::cells::{Axes, Cells};
use super::finding::{Finding, Lens, Verdict};
use super::ledger::Ledger;
use super::spec::{Check, Claim};
use super::surface::{self, Surface};
use std::collections::BTreeMap;

/// A claim with all that was found.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    /// The claim as it is written.
    pub claim: &'a Claim,
    /// The worst of what was found.
    pub verdict: Verdict,
    /// What was found, in the order of the checks.
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

/// Judges a claim by what was calculated when the ledger was loaded and by the simulated points.
///
/// # Panics
/// If the claim is not of this ledger.
pub fn judge<'a>(
    ledger: &'a Ledger,
    claim: &'a Claim,
    axes: &BTreeMap<String, Axes>,
    cells: &Cells,
) -> Judgement<'a> {
    let mut findings = Vec::new();
    let mut surfaces = Vec::new();
    for (check, calculated) in claim.checks.iter().zip(ledger.calculated(claim)) {
        findings.extend_from_slice(calculated);
        // Nothing was simulated of grids that are not there.
        let simulated = check
            .simulation()
            .and_then(|s| Some((s, axes.get(&s.grid)?)));
        if let Some((s, axes)) = simulated {
            let surface = Surface::read(&ledger.tariffs, claim, s, axes, cells);
            let alert = matches!(check, Check::Alert(_));
            findings.extend(surface::findings(claim, &surface, alert));
            surfaces.push(surface);
        }
    }
    let verdict = overall(&findings);
    let (right, factor) = correction(claim, verdict, &findings);
    Judgement {
        claim,
        verdict,
        findings,
        right,
        factor,
        surfaces,
    }
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
    /// What was calculated when the ledger was loaded is what counts: the fact's file is gone by then.
    #[test]
    fn nothing_is_calculated_again() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let facts = write("facts.toml", "limit = 7\n");
        let claims = write(
            "claims.toml",
            r#"
                title = "t"
                document = "d"
                [[claim]]
                id = "twice"
                section = "s"
                quote = "q"
                stated = 14
                [[claim.check]]
                kind = "arithmetic"
                expression = "2 * limit"
                inputs = { limit = { file = "facts.toml", field = ["limit"] } }
                [[claim.check]]
                kind = "fact"
                file = "facts.toml"
                field = ["limit"]
                scale = 3
            "#,
        );
        let ledger = Ledger::load(claims.to_str().unwrap()).unwrap();
        std::fs::remove_file(facts).unwrap();
        let claim = &ledger.file.claims[0];
        let judgement = judge(&ledger, claim, &BTreeMap::new(), &Cells::default());
        let values = judgement.findings.iter().map(|f| f.value.unwrap().mean);
        assert_eq!(values.collect::<Vec<_>>(), [14.0, 21.0]);
        assert_eq!(judgement.verdict, Verdict::Refuted);
    }
}
