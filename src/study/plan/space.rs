//! The policies among which a plan is searched.

use super::fields::by_path;
use super::trial::Candidate;
use crate::models::{self, ConfigError, FieldError, Model, Override};
use crate::run::scenario::Scenario;
use crate::telemetry::policy::{Discover, KeyLayout, Policy};
use schemars::JsonSchema;
use serde::Deserialize;

/// A search space as its file has it; data in `models/searches`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What it is, in one line.
    pub title: String,
    /// Policy whose settings are varied: a name in `models/policies` or a path.
    pub base: String,
    /// The same for more than one isolate.
    pub base_many_writers: String,
    /// Plans to choose among; those that the catalog does not have are left out.
    pub plans: Vec<String>,
    /// What may be chosen, independently of each other.
    #[serde(rename = "dimension")]
    pub dimensions: Vec<Dimension>,
}

/// A setting, or several that belong together.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Its name in reports.
    pub name: String,
    /// The choices, of which each candidate has one.
    #[serde(rename = "option")]
    pub options: Vec<Choice>,
}

/// One choice of a dimension: the fields of the policy that it sets, in this order.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What reports call it.
    pub label: String,
    /// Fields of the policy with their values.
    #[serde(default)]
    #[schemars(schema_with = "by_path")]
    pub set: toml::Table,
}

impl Model for Search {
    const FOLDER: &'static str = "searches";

    fn validate(&self) -> Result<(), FieldError> {
        let empty = self.dimensions.iter().position(|d| d.options.is_empty());
        if let Some(i) = empty {
            let field = format!("dimension[{i}].option");
            return Err(FieldError::new(field, "found none, expected at least one"));
        }
        if self.dimensions.is_empty() || self.plans.is_empty() {
            return Err(FieldError::new(
                "dimension",
                "found no dimension or no plan, expected at least one of each",
            ));
        }
        Ok(())
    }
}

/// What the space holds, and what of it cannot be used.
#[derive(Debug, Clone)]
pub struct Space {
    /// The candidates that can be used.
    pub candidates: Vec<Candidate>,
    /// Combinations whose settings contradict each other, or that need a policy which sees all
    /// isolates.
    pub invalid: usize,
    /// Combinations whose queries find a key for each batch of their window, in a scenario that
    /// does not simulate so long a history.
    pub without_history: usize,
}

impl Choice {
    fn overrides(&self) -> Vec<Override> {
        let of = |(path, value): (&String, &toml::Value)| Override {
            text: format!("option \"{}\"", self.label),
            path: path.split('.').map(str::to_owned).collect(),
            value: value.clone(),
        };
        self.set.iter().map(of).collect()
    }
}

impl Search {
    /// All combinations of options and plans that can be used with the scenario. `base` replaces
    /// the search's own; `overrides` are the policy's from the command line.
    ///
    /// # Errors
    /// If the base cannot be loaded, or an option by itself cannot be used with it.
    pub fn space(
        &self,
        label: &str,
        scenario: &Scenario,
        base: Option<&str>,
        overrides: &[Override],
    ) -> Result<Space, ConfigError> {
        let own = if scenario.fleet.has_many_writers() {
            &self.base_many_writers
        } else {
            &self.base
        };
        let base = base.unwrap_or(own);
        let load = |options: &[&Choice]| -> Result<Policy, ConfigError> {
            let settings = options.iter().flat_map(|o| o.overrides());
            let all: Vec<Override> = overrides.iter().cloned().chain(settings).collect();
            models::load(base, None, &all)
        };
        for (i, dimension) in self.dimensions.iter().enumerate() {
            for (j, option) in dimension.options.iter().enumerate() {
                load(&[option]).map_err(|e| ConfigError {
                    source: format!("{label}: dimension[{i}].option[{j}] on policy {base}"),
                    ..e
                })?;
            }
        }
        let plans: Vec<&String> = self
            .plans
            .iter()
            .filter(|p| scenario.catalog.plan(p).is_ok())
            .collect();
        if plans.is_empty() {
            return Err(ConfigError::new(
                label,
                format!(
                    "found plans {}, expected one of the catalog's",
                    self.plans.join(", ")
                ),
            ));
        }
        let mut space = Space {
            candidates: Vec::new(),
            invalid: 0,
            without_history: 0,
        };
        for options in self.combinations() {
            let Ok(mut policy) = load(&options) else {
                space.invalid += 1;
                continue;
            };
            policy.name = "planned".into();
            let layout = &policy.layout;
            let sees_own = layout.keys == KeyLayout::Rollup && layout.discover == Discover::Own;
            if sees_own && scenario.fleet.has_many_writers() {
                space.invalid += 1;
                continue;
            }
            if layout.keys == KeyLayout::BatchKeys
                && scenario.period.before() < policy.queries.analytics_window
            {
                space.without_history += 1;
                continue;
            }
            if space.candidates.iter().any(|c| c.policy == policy) {
                continue;
            }
            for plan in &plans {
                space.candidates.push(Candidate {
                    options: options.iter().map(|o| o.label.clone()).collect(),
                    policy: policy.clone(),
                    plan: (*plan).clone(),
                });
            }
        }
        Ok(space)
    }

    /// Every way to take one option of each dimension.
    fn combinations(&self) -> Vec<Vec<&Choice>> {
        let mut all: Vec<Vec<&Choice>> = vec![Vec::new()];
        for dimension in &self.dimensions {
            all = all
                .into_iter()
                .flat_map(|begun| {
                    dimension.options.iter().map(move |option| {
                        let mut next = begun.clone();
                        next.push(option);
                        next
                    })
                })
                .collect();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(name: &str) -> Scenario {
        Scenario::load(name, &[], None, &[]).unwrap()
    }

    #[test]
    fn the_default_space_can_be_used_with_every_fleet() {
        let search: Search = models::load("default", None, &[]).unwrap();
        for name in ["default", "fleet-20"] {
            let space = search.space("s", &scenario(name), None, &[]).unwrap();
            assert!(
                space.candidates.len() > 100,
                "{name}: {}",
                space.candidates.len()
            );
            assert!(space.candidates.iter().any(|c| c.plan == "free"));
        }
    }

    #[test]
    fn an_option_with_a_mistake_is_an_error_not_an_empty_space() {
        let mut search: Search = models::load("default", None, &[]).unwrap();
        let wrong = toml::Value::String("5".into());
        search.dimensions[0].options[0]
            .set
            .insert("cache.ttl".into(), wrong);
        let error = search
            .space("s.toml", &scenario("default"), None, &[])
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(
                "s.toml: dimension[0].option[0] on policy optimised: field `cache.ttl`: found \"5\""
            ),
            "{text}"
        );
    }
}
