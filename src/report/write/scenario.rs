//! A scenario as files that `--scenario` accepts: one that names models by what they are called, and
//! beside it those that have no name, as options have changed them.

use super::fit::self_contained;
use crate::models::{self, Model};
use crate::pricing::Catalog;
use crate::report::error::WriteError;
use crate::report::output::OutputDir;
use crate::run::scenario::{Billing, Scenario, ScenarioFile};
use serde::Serialize;

/// Writes `scenario` as `name` with `comment` at its top; models that do not come with kvplan as
/// files whose names begin like it.
///
/// # Errors
/// A message that names the file that could not be written.
pub(super) fn write(
    scenario: &Scenario,
    name: &str,
    comment: &str,
    out: &OutputDir,
) -> Result<(), WriteError> {
    let files = Files {
        stem: name.trim_end_matches(".toml"),
        out,
    };
    let policies = scenario.policies.iter().map(|p| {
        let other = scenario.policies.len() > 1;
        let kind = if other {
            format!("policy_{}", p.name)
        } else {
            "policy".into()
        };
        files.name(&kind, p, |p| p)
    });
    let of_day = |c: Catalog| c.on(scenario.prices_on);
    let file = ScenarioFile {
        title: scenario.title.clone(),
        workload: files.name("workload", &scenario.workload, |m| m)?,
        policies: policies.collect::<Result<_, _>>()?,
        latency: files.name("latency", &scenario.latency, |m| m)?,
        limits: files.name("limits", &scenario.limits, |m| m)?,
        alerts: files.name("alerts", &scenario.alerts, |m| m)?,
        billing: Billing {
            catalog: files.name("prices", &scenario.catalog, of_day)?,
            plan: scenario.plan.clone(),
            on: Some(scenario.prices_on),
        },
        traffic_per_month: scenario.traffic_per_month,
        sweep_per_month: scenario.sweep_per_month.clone(),
        replications: scenario.replications,
        seed: scenario.seed,
        period: scenario.period.clone(),
        failures: scenario.failures.clone(),
        fleet: files.name("fleet", &scenario.fleet, |m| m)?,
        consistency: match &scenario.consistency {
            Some(model) => Some(files.name("consistency", model, |m| m)?),
            None => None,
        },
        cpu: scenario.cpu.clone(),
        precision: scenario.precision.clone(),
    };
    let text = toml::to_string(&file).map_err(WriteError::of_encoding(name))?;
    out.write(name, format!("{comment}{text}").as_bytes())
}

struct Files<'a> {
    stem: &'a str,
    out: &'a OutputDir,
}

impl Files<'_> {
    /// What a scenario calls the model: the name under which it comes with kvplan (`as_loaded` then), or
    /// that of a file that is written.
    fn name<M: Model + Clone + PartialEq + Serialize>(
        &self,
        kind: &str,
        model: &M,
        as_loaded: impl Fn(M) -> M,
    ) -> Result<String, WriteError> {
        let known = models::embedded_names(M::FOLDER).into_iter().find(|name| {
            let loaded = models::load::<M>(name, None, &[]);
            loaded.is_ok_and(|loaded| as_loaded(loaded) == *model)
        });
        if let Some(name) = known {
            return Ok(name);
        }
        let name = format!("{}_{kind}.toml", self.stem);
        let mut model = model.clone();
        for dist in model.distributions() {
            *dist = self_contained(dist);
        }
        let text = toml::to_string(&model).map_err(WriteError::of_encoding(&name))?;
        self.out.write(&name, text.as_bytes())?;
        Ok(name)
    }
}
