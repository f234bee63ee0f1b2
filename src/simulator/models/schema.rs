//! JSON Schemas of whole model files.

use super::load::Model;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The schema of a kind of model file, in the dialect that editors of TOML know (draft 7).
pub fn schema_of<T: Model + JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with_transform(NoNull);
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// TOML has no null: an optional field is left out.
#[derive(Debug, Clone)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|t| t != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                schema.insert("type".into(), one);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|c| c.get("type").is_none_or(|t| t != "null"));
            if let [Value::Object(_)] = choices.as_slice() {
                let one = choices.clone();
                schema.remove("anyOf");
                schema.insert("allOf".into(), Value::Array(one));
            }
        }
        if schema.get("default") == Some(&Value::Null) {
            schema.remove("default");
        }
        transform_subschemas(self, schema);
    }
}
