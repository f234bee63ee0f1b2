//! Answers of Cloudflare's GraphQL Analytics API, group by group.
//!
//! <https://developers.cloudflare.com/analytics/graphql-api/>

use super::MOST_USED;
use crate::models::ConfigError;
use serde_json::Value;

/// A group of a dataset: a row of the answer.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// What messages call the answer.
    label: &'a str,
    /// Name of the dataset.
    pub dataset: &'a str,
    account: usize,
    row: usize,
    value: &'a Value,
}

/// Whether a document looks like such an answer.
pub fn is_answer(value: &Value) -> bool {
    value.get("data").is_some_and(|d| d.get("viewer").is_some())
        || (value.get("errors").is_some_and(Value::is_array) && value.get("success").is_none())
}

/// The messages of the errors that an answer holds; they may come with HTTP 200.
pub fn errors(value: &Value) -> Vec<String> {
    let all = value.get("errors").and_then(Value::as_array);
    let message = |e: &Value| match e.get("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => e.to_string(),
    };
    all.into_iter().flatten().map(message).collect()
}

/// The groups of all datasets and accounts.
///
/// # Errors
/// If the answer holds errors, or has not the shape of one.
pub fn groups<'a>(label: &'a str, value: &'a Value) -> Result<Vec<Group<'a>>, ConfigError> {
    let errors = errors(value);
    if !errors.is_empty() {
        return Err(at(
            label,
            "errors",
            format!("found \"{}\", expected an answer", errors.join("; ")),
        ));
    }
    let path = "data.viewer.accounts";
    let accounts = value
        .pointer("/data/viewer/accounts")
        .and_then(Value::as_array);
    let accounts = accounts.ok_or_else(|| at(label, path, "found none, expected a list".into()))?;
    let mut all = Vec::new();
    for (account, datasets) in accounts.iter().enumerate() {
        let datasets = datasets.as_object().ok_or_else(|| {
            let path = format!("{path}[{account}]");
            at(label, &path, format!("found {datasets}, expected datasets"))
        })?;
        for (dataset, rows) in datasets {
            // A scalar beside them, such as accountTag, is no dataset.
            let rows = rows.as_array().into_iter().flatten().enumerate();
            all.extend(rows.map(|(row, value)| Group {
                label,
                dataset,
                account,
                row,
                value,
            }));
        }
    }
    Ok(all)
}

/// The datasets of an answer, those without rows too.
pub fn datasets(value: &Value) -> Vec<&str> {
    let accounts = value
        .pointer("/data/viewer/accounts")
        .and_then(Value::as_array);
    let accounts = accounts.into_iter().flatten().filter_map(Value::as_object);
    let lists = accounts.flat_map(|a| a.iter().filter(|(_, rows)| rows.is_array()));
    lists.map(|(name, _)| name.as_str()).collect()
}

fn at(label: &str, field: &str, message: String) -> ConfigError {
    ConfigError {
        field: Some(field.to_owned()),
        ..ConfigError::new(label, message)
    }
}

impl<'a> Group<'a> {
    /// What is at a path such as `sum.requests`.
    pub fn get(&self, path: &str) -> Option<&'a Value> {
        let found = path
            .split('.')
            .try_fold(self.value, |value, part| value.get(part));
        found.filter(|v| !v.is_null())
    }

    /// A number there, if it is there.
    ///
    /// # Errors
    /// If what is there is no number of 0 or more.
    pub fn number(&self, path: &str) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.get(path) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(n) if (0.0..=MOST_USED).contains(&n) => Ok(Some(n)),
            _ => Err(self.error(
                path,
                format!("found {value}, expected a number from 0 to 10^18"),
            )),
        }
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// If it is not.
    pub fn required(&self, path: &str) -> Result<f64, ConfigError> {
        self.number(path)?
            .ok_or_else(|| self.error(path, "found none, expected a number".into()))
    }

    /// A text there, if it is there.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.get(path).and_then(Value::as_str)
    }

    /// An error that names the field.
    pub fn error(&self, path: &str, message: String) -> ConfigError {
        let (account, dataset, row) = (self.account, self.dataset, self.row);
        let field = format!("data.viewer.accounts[{account}].{dataset}[{row}].{path}");
        at(self.label, &field, message)
    }
}
