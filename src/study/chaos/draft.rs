//! A drawn case: settings over a scenario that comes with kvplan, read by the ordinary loader.

use crate::models::{ConfigError, Override};
use crate::run::scenario::Scenario;

/// The scenario that drawn settings change.
const BASE: &str = "default";
/// Its policy: most settings at their defaults, and queries that find every writer.
const BASE_POLICY: &str = "optimised-fleet";

/// One field with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The field, as `--set` takes it.
    pub path: String,
    /// Its value.
    pub value: toml::Value,
}

/// Settings that make a case of the base.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// In the order in which they were drawn.
    pub settings: Vec<Setting>,
}

impl Setting {
    /// A field with its value.
    pub fn new(path: &str, value: impl Into<toml::Value>) -> Self {
        Setting {
            path: path.to_owned(),
            value: value.into(),
        }
    }

    /// As the loader takes it.
    pub fn to_override(&self) -> Override {
        Override {
            text: format!("--set {}={}", self.path, self.value),
            path: self.path.split('.').map(str::to_owned).collect(),
            value: self.value.clone(),
        }
    }
}

impl Draft {
    /// The settings as the loader takes them.
    pub fn overrides(&self) -> Vec<Override> {
        self.settings.iter().map(Setting::to_override).collect()
    }

    /// What was drawn for a field, if it was.
    pub fn get(&self, path: &str) -> Option<&toml::Value> {
        let last = self.settings.iter().rev().find(|s| s.path == path);
        last.map(|s| &s.value)
    }

    /// The scenario, with everything that is checked of any.
    ///
    /// # Errors
    /// If the settings contradict each other.
    pub fn scenario(&self) -> Result<Scenario, ConfigError> {
        let policy = [BASE_POLICY.to_owned()];
        Scenario::load(BASE, &policy, None, &self.overrides())
    }
}
