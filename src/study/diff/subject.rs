//! What the two things are that are to be compared.

use crate::models::{ConfigError, Model, embedded_names, source_text};
use crate::pricing::Catalog;
use crate::run::scenario::ScenarioFile;
use crate::telemetry::policy::Policy;
use std::fmt;
use std::path::Path;

/// A kind of thing that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A scenario.
    Scenario,
    /// A policy.
    Policy,
    /// A price catalog.
    Catalog,
    /// A folder of results.
    Folder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scenario => "scenario",
            Kind::Policy => "policy",
            Kind::Catalog => "price catalog",
            Kind::Folder => "folder of results",
        })
    }
}

/// The kinds of model, each with the folder of those that come with kvplan.
const MODELS: [(Kind, &str); 3] = [
    (Kind::Scenario, ScenarioFile::FOLDER),
    (Kind::Policy, Policy::FOLDER),
    (Kind::Catalog, Catalog::FOLDER),
];

/// Fields that only a scenario, only a catalog, or only a policy has.
const FIELDS: [(Kind, &[&str]); 3] = [
    (
        Kind::Scenario,
        &["workload", "policies", "billing", "traffic_per_month"],
    ),
    (Kind::Catalog, &["plan", "checked", "bill_rate_limited"]),
    (
        Kind::Policy,
        &[
            "name", "batch", "retry", "layout", "cache", "queries", "health", "breaker", "tiers",
            "cron",
        ],
    ),
];

impl Kind {
    /// What `name` is: a model that comes with kvplan, a folder, or a model file, told by its fields.
    ///
    /// # Errors
    /// If there is no such thing, or its file is of no such kind.
    pub fn of(name: &str) -> Result<Self, ConfigError> {
        let comes_along =
            |(_, folder): &&(Kind, &str)| embedded_names(folder).iter().any(|n| n == name);
        if let Some((kind, _)) = MODELS.iter().find(comes_along) {
            return Ok(*kind);
        }
        if Path::new(name).is_dir() {
            return Ok(Kind::Folder);
        }
        // Not among the models of any kind, so that this is a file.
        let (label, text, _) = source_text(ScenarioFile::FOLDER, name, None).map_err(|e| {
            let why = e.message.split(';').next().unwrap_or_default();
            ConfigError::new(
                e.source.clone(),
                format!("{why}; expected a scenario, a policy or a price catalog (a file, or a name that comes with kvplan), or a folder of results"),
            )
        })?;
        Kind::of_text(&label, &text)
    }

    fn of_text(label: &str, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = e.span().map_or("", |s| text.get(..s.start).unwrap_or(""));
            ConfigError {
                line: Some(before.matches('\n').count() + 1),
                ..ConfigError::new(label, e.message())
            }
        })?;
        let has = |(_, fields): &&(Kind, &[&str])| fields.iter().any(|f| table.contains_key(*f));
        if let Some((kind, _)) = FIELDS.iter().find(has) {
            return Ok(*kind);
        }
        let found: Vec<&str> = table.keys().take(5).map(String::as_str).collect();
        let found = match found.is_empty() {
            true => "no fields".to_owned(),
            false => format!("the fields {}", found.join(", ")),
        };
        Err(ConfigError::new(
            label,
            format!(
                "found {found}, expected those of a scenario (workload, policies, billing), a policy (name, batch, cache) or a price catalog (checked, plan)"
            ),
        ))
    }

    /// The kind of both.
    ///
    /// # Errors
    /// As [`Kind::of`], or if they are of two kinds.
    pub fn of_both(old: &str, new: &str) -> Result<Self, ConfigError> {
        let (a, b) = (Kind::of(old)?, Kind::of(new)?);
        if a == b {
            return Ok(a);
        }
        Err(ConfigError::new(
            new,
            format!("found a {b}, expected a {a}, as {old} is one: both sides must be of one kind"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_that_comes_along_is_told_by_its_name_and_by_its_fields() {
        for (kind, folder) in MODELS {
            for name in embedded_names(folder) {
                assert_eq!(Kind::of(&name), Ok(kind), "{name}");
                let (label, text, _) = source_text(folder, &name, None).unwrap();
                assert_eq!(Kind::of_text(&label, &text), Ok(kind), "{label}");
            }
        }
    }

    #[test]
    fn what_is_none_of_them_is_told() {
        let said = |text| Kind::of_text("x.toml", text).unwrap_err().to_string();
        assert_eq!(
            said("a = 1\nb = "),
            "x.toml:2: string values must be quoted, expected literal string"
        );
        assert!(said("").starts_with("x.toml: found no fields, expected"));
        assert!(said("read = 1").contains("found the fields read, expected those of"));
        let none = Kind::of("no-such.toml").unwrap_err().to_string();
        assert!(
            none.starts_with("no-such.toml: cannot be read (no such file); expected a scenario"),
            "{none}"
        );
        let two = Kind::of_both("naive", "cloudflare")
            .unwrap_err()
            .to_string();
        assert_eq!(
            two,
            "cloudflare: found a price catalog, expected a policy, as naive is one: both sides must be of one kind"
        );
    }
}
