//! What Workers KV accepts.

use crate::models::quantity::{self, Bytes};
use crate::models::{FieldError, Model};
use crate::telemetry::ports::{KvError, PutOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What becomes of a write to a key that was written too short a time before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameKeyExcess {
    /// It is answered with 429, as documented.
    #[default]
    Refuse,
    /// It is done and overwrites the one before, as has been reported.
    Overwrite,
}

/// Limits of a KV namespace and of one Worker invocation; data in `models/limits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvLimits {
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of the metadata of a key.
    pub metadata_bytes: usize,
    /// Size of a value.
    pub value: Bytes,
    /// Shortest time to live that a write may ask for.
    #[serde(with = "quantity::duration")]
    pub min_expiration_ttl: Duration,
    /// Shortest time that a read may ask to be cached for.
    #[serde(with = "quantity::duration")]
    pub min_cache_ttl: Duration,
    /// Keys on one page of a list.
    pub list_page: usize,
    /// Least time between two writes to the same key.
    #[serde(with = "quantity::duration")]
    pub same_key_write_interval: Duration,
    /// What becomes of a write that comes sooner.
    #[serde(default)]
    pub same_key_excess: SameKeyExcess,
    /// Keys in one bulk read.
    pub bulk_read_keys: usize,
    /// Operations of an invocation; a bulk read counts once.
    pub operations_per_invocation: u32,
    /// Connections that an invocation may have open at once; more operations wait.
    pub connections_per_invocation: u32,
    /// CPU time that an invocation may take; no limit, if not given.
    #[serde(
        default,
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub cpu_per_invocation: Option<Duration>,
    /// Limits of single plans, by the plan's name. Of two limits, the lower one counts.
    #[serde(default, rename = "plan", skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, PlanLimits>,
}

/// What a plan allows an invocation, where that is less than [`KvLimits`] says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanLimits {
    /// Operations of an invocation; none for what [`KvLimits`] says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations_per_invocation: Option<u32>,
    /// CPU time of an invocation; none for no limit.
    #[serde(
        with = "quantity::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub cpu_per_invocation: Option<Duration>,
}

impl KvLimits {
    /// The limits under the plan of that name.
    pub fn of_plan(&self, plan: &str) -> KvLimits {
        let own = self.plans.get(plan).cloned().unwrap_or_default();
        let operations = own.operations_per_invocation.unwrap_or(u32::MAX);
        let cpu = [self.cpu_per_invocation, own.cpu_per_invocation];
        KvLimits {
            operations_per_invocation: self.operations_per_invocation.min(operations),
            cpu_per_invocation: cpu.into_iter().flatten().min(),
            plans: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// How long a key that was written refuses further writes.
    pub fn refusal(&self) -> Duration {
        match self.same_key_excess {
            SameKeyExcess::Refuse => self.same_key_write_interval,
            SameKeyExcess::Overwrite => Duration::ZERO,
        }
    }

    /// Whether `key` may be used: not empty, not `.` or `..`, not too long.
    pub fn check_key(&self, key: &str) -> Result<(), KvError> {
        match key {
            "" => Err(KvError::Invalid("empty key")),
            "." | ".." => Err(KvError::Invalid("key is . or ..")),
            _ if key.len() > self.key_bytes => Err(KvError::Invalid("key too long")),
            _ => Ok(()),
        }
    }

    /// Whether a value with these options may be written.
    pub fn check_put(&self, key: &str, value: &[u8], options: &PutOptions) -> Result<(), KvError> {
        self.check_key(key)?;
        if value.len() as u64 > self.value.0 {
            return Err(KvError::Invalid("value too large"));
        }
        if options
            .metadata
            .as_ref()
            .is_some_and(|m| m.len() > self.metadata_bytes)
        {
            return Err(KvError::Invalid("metadata too large"));
        }
        if options
            .expiration_ttl
            .is_some_and(|ttl| ttl < self.min_expiration_ttl)
        {
            return Err(KvError::Invalid("expiration TTL too short"));
        }
        Ok(())
    }
}

impl Model for KvLimits {
    const FOLDER: &'static str = "limits";

    fn validate(&self) -> Result<(), FieldError> {
        for (field, value) in [
            ("list_page", self.list_page),
            ("bulk_read_keys", self.bulk_read_keys),
            (
                "operations_per_invocation",
                self.operations_per_invocation as usize,
            ),
            (
                "connections_per_invocation",
                self.connections_per_invocation as usize,
            ),
        ] {
            if value == 0 {
                return Err(FieldError::new(field, "found 0, expected 1 or more"));
            }
        }
        for (name, plan) in &self.plans {
            if plan.operations_per_invocation == Some(0) {
                let field = format!("plan.{name}.operations_per_invocation");
                return Err(FieldError::new(field, "found 0, expected 1 or more"));
            }
        }
        Ok(())
    }
}
