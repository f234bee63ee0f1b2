//! The settings of the metrics system as model files.

use super::{FieldError, Model};
use crate::telemetry::alerts::AlertRules;
use crate::telemetry::policy::Policy;

impl Model for Policy {
    const FOLDER: &'static str = "policies";

    fn validate(&self) -> Result<(), FieldError> {
        Policy::validate(self)
    }
}

impl Model for AlertRules {
    const FOLDER: &'static str = "alerts";

    fn validate(&self) -> Result<(), FieldError> {
        AlertRules::validate(self)
    }
}
