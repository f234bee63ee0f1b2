//! The fields of a policy by their paths, as an option of a search sets them: what an editor may offer there.

use crate::telemetry::policy::Policy;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// The schema of a table such as `{ "cache.ttl" = "5 s" }`: each path of a policy with the schema of what stands there.
pub(super) fn by_path(generator: &mut SchemaGenerator) -> Schema {
    let policy = generator.subschema_for::<Policy>().to_value();
    let mut paths = Map::new();
    collect("", &policy, generator.definitions(), &mut paths);
    json_schema!({
        "type": "object",
        "properties": paths,
        "additionalProperties": false,
    })
}

/// Adds every path below a schema; policies hold no table within itself, so that there is an end.
fn collect(at: &str, schema: &Value, known: &Map<String, Value>, paths: &mut Map<String, Value>) {
    let Some(fields) = resolved(schema, known).and_then(|s| s.get("properties")?.as_object())
    else {
        return;
    };
    for (name, field) in fields {
        let path = match at {
            "" => name.clone(),
            at => format!("{at}.{name}"),
        };
        collect(&path, field, known, paths);
        paths.insert(path, field.clone());
    }
}

/// The schema itself, where one names another: alone, with words of its own beside it, or as what an optional field
/// may be.
fn resolved<'a>(schema: &'a Value, known: &'a Map<String, Value>) -> Option<&'a Value> {
    if let Some(name) = schema.get("$ref") {
        let name = name.as_str()?.rsplit('/').next()?;
        return resolved(known.get(name)?, known);
    }
    let choices = ["allOf", "anyOf"].iter().find_map(|k| schema.get(*k));
    match choices.and_then(Value::as_array) {
        Some(choices) => choices.iter().find_map(|c| match c.get("$ref") {
            Some(_) => resolved(c, known),
            None => None,
        }),
        None => Some(schema),
    }
}
