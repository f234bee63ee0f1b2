//! The JSON Schemas of all kinds of model files.

use super::claims::ClaimFile;
use super::plan::space::Search;
use super::rehearsal::Checklist;
use super::sensitivity::Inputs;
use crate::cloud::consistency::ConsistencySpec;
use crate::cloud::fleet::FleetSpec;
use crate::cloud::kv::KvLimits;
use crate::cloud::latency::LatencyProfile;
use crate::cloud::service::StoreSpec;
use crate::models::{Model, schema_of};
use crate::pricing::Catalog;
use crate::run::scenario::ScenarioFile;
use crate::telemetry::alerts::AlertRules;
use crate::telemetry::policy::Policy;
use crate::workload::WorkloadSpec;
use schemars::JsonSchema;
use serde_json::Value;

/// A kind of model file.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Name on the command line.
    pub name: &'static str,
    /// Its folder in `models/`.
    pub folder: &'static str,
    /// Makes its JSON Schema.
    pub schema: fn() -> Value,
}

const fn kind<T: Model + JsonSchema>(name: &'static str) -> Kind {
    Kind {
        name,
        folder: T::FOLDER,
        schema: schema_of::<T>,
    }
}

/// All kinds.
pub const KINDS: &[Kind] = &[
    kind::<ScenarioFile>("scenario"),
    kind::<Policy>("policy"),
    kind::<WorkloadSpec>("workload"),
    kind::<LatencyProfile>("latency"),
    kind::<FleetSpec>("fleet"),
    kind::<ConsistencySpec>("consistency"),
    kind::<KvLimits>("limits"),
    kind::<AlertRules>("alerts"),
    kind::<Catalog>("catalog"),
    kind::<Checklist>("checklist"),
    kind::<StoreSpec>("store"),
    kind::<ClaimFile>("claims"),
    kind::<Search>("search"),
    kind::<Inputs>("sensitivity"),
];
