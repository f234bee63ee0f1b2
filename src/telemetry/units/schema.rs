//! JSON Schemas of the quantities that are written as text.

use super::quantity::{Bytes, Count, Probability, Rate, duration, optional_duration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A number as the quantities have it: digits with underscores or in groups of three, decimals.
const NUMBER: &str =
    r"\+?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)";
const POWER: &str = "(?:[eE][+-]?[0-9]+)";
/// A number that is whole as far as a pattern can tell.
const WHOLE: &str = r"\+?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.0*)?|[0-9][0-9_]*(?:\.[0_]*)?|\.0[0_]*)";
const TIME_UNIT: &str = "(?:ns|us|µs|ms|s|min|h|d|day|days|month)";

/// Gives a type the schema of text that matches a pattern.
macro_rules! text_schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

fn duration_schema() -> Schema {
    json_schema!({
        "type": "string",
        "title": "duration",
        "pattern": format!(r"^\s*{NUMBER}{POWER}?\s*{TIME_UNIT}\s*$"),
        "examples": ["250 ms", "5 s", "10 min", "24 h", "7 d"],
    })
}

text_schema!(duration, "Duration", duration_schema());

impl JsonSchema for optional_duration {
    fn schema_name() -> Cow<'static, str> {
        duration::schema_name()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        duration_schema()
    }
}

text_schema!(
    Rate,
    "Rate",
    json_schema!({
        "type": "string",
        "title": "events per time",
        "pattern": format!(r"^\s*{NUMBER}{POWER}?\s*[kKMBG]?\s*/\s*{TIME_UNIT}\s*$"),
        "examples": ["2.5/s", "40/h", "1M/month"],
    })
);

text_schema!(
    Count,
    "Count",
    json_schema!({
        "title": "whole number",
        "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": format!(r"^\s*(?:{WHOLE}|{NUMBER}{POWER}|{NUMBER}{POWER}?\s*[kKMBG])\s*$") },
        ],
        "examples": [250, "10k", "2.5M", "1B"],
    })
);

text_schema!(
    Bytes,
    "Bytes",
    json_schema!({
        "type": "string",
        "title": "size in bytes",
        "pattern": format!(r"^\s*{NUMBER}{POWER}?\s*(?:[KMG]?B|[KMG]iB)\s*$"),
        "examples": ["512 B", "5 KB", "25 MiB"],
    })
);

text_schema!(
    Probability,
    "Probability",
    json_schema!({
        "title": "probability",
        "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": format!(r"^\s*{NUMBER}{POWER}?\s*%?\s*$") },
        ],
        "examples": [0.05, "5%"],
    })
);

#[cfg(test)]
mod tests {
    use super::*;

    /// An editor shows the same of a time, whether or not it may be left out.
    #[test]
    fn a_duration_is_text_with_a_unit() {
        let generator = &mut SchemaGenerator::default();
        let names = [duration::schema_name(), optional_duration::schema_name()];
        assert_eq!(names, ["Duration", "Duration"]);
        for schema in [
            duration::json_schema(generator),
            optional_duration::json_schema(generator),
        ] {
            let text = |name: &str| schema.get(name).and_then(|v| v.as_str());
            assert_eq!(text("type"), Some("string"));
            assert_eq!(text("title"), Some("duration"));
            assert!(text("pattern").is_some_and(|p| p.contains("|ms|s|min|h|d|")));
        }
    }
}
