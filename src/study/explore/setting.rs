//! A setting that is varied, and the values that it takes.

use crate::models::Override;
use crate::models::quantity::Count;

/// Most settings of a grid: more than that nobody looks through, one slider at a time.
pub const MOST_SETTINGS: usize = 5;

/// What one value of a setting changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Recorded requests in a month of 30 days.
    Traffic(Count),
    /// A policy: a name in `models/policies` or a path.
    Policy(String),
    /// A plan of the price catalog.
    Plan(String),
    /// A field of the scenario or of a model that it names, as `--set` takes it.
    Field(Override),
}

/// A value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// As people read it; no two of a setting are alike.
    pub text: String,
    /// The option of `kvplan run` that sets it, and what is given to that.
    pub option: [String; 2],
    /// What it changes.
    pub choice: Choice,
}

/// A setting with its values, at least two.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// As it was asked for: `traffic`, `policy`, `plan`, `ttl` or a field.
    pub name: String,
    /// Its column in `explore.csv`: that of `sweep.csv` where it has one, else the field.
    pub column: String,
    /// In the order in which they were asked for.
    pub values: Vec<Value>,
}

impl Value {
    /// So many requests a month.
    pub fn traffic(level: Count) -> Self {
        Value::new(level.to_string(), "--traffic", Choice::Traffic(level))
    }

    /// A policy by its name or path.
    pub fn policy(name: String) -> Self {
        Value::new(name.clone(), "--policy", Choice::Policy(name))
    }

    /// A plan by its name.
    pub fn plan(name: String) -> Self {
        Value::new(name.clone(), "--plan", Choice::Plan(name))
    }

    /// A field, which was `written` so as `--set` takes it.
    pub fn field(written: String, field: Override) -> Self {
        let text = match &field.value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Value {
            option: ["--set".into(), written],
            ..Value::new(text, "--set", Choice::Field(field))
        }
    }

    fn new(text: String, option: &str, choice: Choice) -> Self {
        Value {
            option: [option.to_owned(), text.clone()],
            text,
            choice,
        }
    }
}

impl Setting {
    /// Levels of traffic.
    pub fn traffic(levels: &[Count]) -> Self {
        Setting {
            name: "traffic".into(),
            column: "traffic_per_month".into(),
            values: levels.iter().copied().map(Value::traffic).collect(),
        }
    }

    /// Policies side by side.
    pub fn policies(names: &[String]) -> Self {
        Setting {
            name: "policy".into(),
            column: "policy".into(),
            values: names.iter().cloned().map(Value::policy).collect(),
        }
    }

    /// What `--vary` takes to give this setting again.
    pub fn argument(&self) -> String {
        let values = self.values.iter().map(|v| match &v.choice {
            Choice::Field(_) => v.option[1].split_once('=').map_or("", |(_, value)| value),
            _ => v.option[1].as_str(),
        });
        format!("{}={}", self.name, values.collect::<Vec<_>>().join(","))
    }
}
