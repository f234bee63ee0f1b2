//! Whether the parts of a claims file fit each other.

use super::accepts::Comparator;
use super::expression::Expression;
use super::parsed::Parsed;
use super::spec::{Check, Claim, ClaimFile, Grid, Input, Measure, Simulation};
use crate::models::quantity::Count;
use crate::models::{FieldError, Model};
use std::collections::{BTreeMap, BTreeSet};

impl Model for ClaimFile {
    const FOLDER: &'static str = "claims";

    fn validate(&self) -> Result<(), FieldError> {
        if self.tariffs.iter().filter(|t| t.published).count() > 1 {
            return Err(FieldError::new(
                "tariff",
                "found more than one that is published, expected one",
            ));
        }
        for (i, g) in self.grids.iter().enumerate() {
            let at = format!("grid[{i}]");
            self.check_grid(g).map_err(|e| e.within(&at))?;
        }
        let mut ids = BTreeSet::new();
        for (i, c) in self.claims.iter().enumerate() {
            let at = format!("claim[{i}]");
            if !ids.insert(&c.id) {
                return Err(FieldError::new(
                    "id",
                    format!("found \"{}\" twice, expected an id of its own", c.id),
                )
                .within(&at));
            }
            self.check_claim(c).map_err(|e| e.within(&at))?;
        }
        Ok(())
    }
}

impl ClaimFile {
    fn claim(&self, id: &str) -> Option<&Claim> {
        self.claims.iter().find(|c| c.id == id)
    }

    fn check_grid(&self, g: &Grid) -> Result<(), FieldError> {
        if g.isolates.is_empty() || g.isolates.contains(&0) {
            return Err(FieldError::new(
                "isolates",
                "found none or 0, expected at least one number above 0",
            ));
        }
        if !g.isolates.contains(&g.fleet) {
            return Err(FieldError::new(
                "fleet",
                format!("found {}, expected one of isolates", g.fleet),
            ));
        }
        if g.traffic.is_empty() || g.traffic.contains(&Count(0)) {
            return Err(FieldError::new(
                "traffic",
                "found no level or a level of 0, expected requests a month of 1 or more",
            ));
        }
        if !g.traffic.is_sorted() || !g.isolates.is_sorted() {
            return Err(FieldError::new(
                "traffic",
                "found traffic or isolates out of order, expected them to increase",
            ));
        }
        if !g.traffic.contains(&g.reference) {
            return Err(FieldError::new(
                "reference",
                format!("found {}, expected one of traffic", g.reference),
            ));
        }
        if g.replications == 0 {
            return Err(FieldError::new(
                "replications",
                "found 0, expected 1 or more",
            ));
        }
        let p = &g.period;
        if p.at_least.is_zero() || p.at_least > p.at_most {
            return Err(FieldError::new(
                "period.at_least",
                "found 0 s or more than at_most, expected between the two",
            ));
        }
        Ok(())
    }

    fn check_claim(&self, c: &Claim) -> Result<(), FieldError> {
        let testable = c
            .checks
            .iter()
            .any(|k| !matches!(k, Check::NotTestable { .. }));
        if c.checks.is_empty() {
            return Err(FieldError::new(
                "check",
                "found none, expected at least one",
            ));
        }
        if c.quote.trim().is_empty() {
            return Err(FieldError::new(
                "quote",
                "found nothing, expected the document's words",
            ));
        }
        match c.stated {
            None if testable => {
                return Err(FieldError::new(
                    "stated",
                    "found no figure, expected one for a claim that can be tested",
                ));
            }
            Some(x) if !x.is_finite() => {
                return Err(FieldError::new(
                    "stated",
                    "found no finite number, expected one",
                ));
            }
            _ => {}
        }
        if let (Some(low), Some(high)) = (c.stated, c.to)
            && (high <= low || c.comparator != Comparator::Equal)
        {
            return Err(FieldError::new(
                "to",
                format!("found {high}, expected more than stated = {low}, and comparator \"=\""),
            ));
        }
        c.tolerance
            .check()
            .map_err(|e| FieldError::new("tolerance", e))?;
        for (i, check) in c.checks.iter().enumerate() {
            self.check_check(check)
                .map_err(|e| e.within(&format!("check[{i}]")))?;
        }
        Ok(())
    }

    fn check_check(&self, check: &Check) -> Result<(), FieldError> {
        match check {
            Check::Arithmetic {
                expression, inputs, ..
            } => self.check_expression(expression, inputs).map(|_| ()),
            Check::Contradiction {
                expression, inputs, ..
            } => {
                let others = self.check_expression(expression, inputs)?;
                if others == 0 {
                    return Err(FieldError::new(
                        "expression",
                        format!("found \"{expression}\", expected another claim's id in braces"),
                    ));
                }
                Ok(())
            }
            Check::Price { tariff, .. } => self.check_tariff(tariff),
            Check::Fact { scale, .. } if !scale.is_finite() || *scale == 0.0 => Err(
                FieldError::new("scale", "found no finite number or 0, expected a factor"),
            ),
            Check::Fact { .. } | Check::NotTestable { .. } => Ok(()),
            Check::Simulation(s) | Check::Alert(s) => self.check_simulation(s),
        }
    }

    /// The number of other claims that it names.
    fn check_expression(
        &self,
        text: &Parsed<Expression>,
        inputs: &BTreeMap<String, Input>,
    ) -> Result<usize, FieldError> {
        let fail = |message: String| FieldError::new("expression", message);
        let expression = text.check().map_err(|e| fail(e.into()))?;
        let mut others = 0;
        for name in expression.variables() {
            let stated = self.claim(name).map(|c| c.stated.is_some());
            match (inputs.contains_key(name), stated) {
                (true, _) => {}
                (false, Some(true)) => others += 1,
                _ => {
                    return Err(fail(format!(
                        "found \"{name}\" in \"{text}\", expected one of inputs, or the id of a claim with a figure"
                    )));
                }
            }
        }
        Ok(others)
    }

    fn check_tariff(&self, name: &str) -> Result<(), FieldError> {
        let names: Vec<&str> = self.tariffs.iter().map(|t| t.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        Err(FieldError::new(
            "tariff",
            format!("found \"{name}\", expected one of: {}", names.join(", ")),
        ))
    }

    fn check_simulation(&self, s: &Simulation) -> Result<(), FieldError> {
        let Some(grid) = self.grid(&s.grid) else {
            let names: Vec<&str> = self.grids.iter().map(|g| g.name.as_str()).collect();
            return Err(FieldError::new(
                "grid",
                format!(
                    "found \"{}\", expected one of: {}",
                    s.grid,
                    names.join(", ")
                ),
            ));
        };
        match (&s.metric, &s.tariff) {
            (Some(m), None) => m
                .check()
                .map(|_| ())
                .map_err(|e| FieldError::new("metric", e))?,
            (None, Some(t)) => self.check_tariff(t)?,
            _ => {
                return Err(FieldError::new(
                    "metric",
                    "found both or none of metric and tariff, expected one of them",
                ));
            }
        }
        if let Some(per) = &s.per {
            per.check().map_err(|e| FieldError::new("per", e))?;
        }
        if (s.measure == Measure::Value) == s.baseline.is_some() {
            return Err(FieldError::new(
                "baseline",
                "expected a baseline for a saving or a difference, and none for a value",
            ));
        }
        if let Some(t) = s.traffic
            && !grid.traffic.contains(&t)
        {
            return Err(FieldError::new(
                "traffic",
                format!(
                    "found {t}, expected one of the levels of grid \"{}\"",
                    grid.name
                ),
            ));
        }
        Ok(())
    }
}
