//! Text of a file that is parsed when it is read.

use crate::models::ValueError;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A text with what it was parsed to, once. Text that cannot be parsed is read all the same: errors
/// within a tagged table name no field, so whoever checks the file asks for the result.
#[derive(Debug, Clone)]
pub struct Parsed<T> {
    text: String,
    parsed: Result<T, ValueError>,
}

impl<T> Parsed<T> {
    /// What the text was parsed to.
    ///
    /// # Errors
    /// What was found and what was expected, if it could not be.
    pub fn check(&self) -> Result<&T, ValueError> {
        self.parsed.as_ref().map_err(Clone::clone)
    }

    /// The same of a file that was checked.
    ///
    /// # Panics
    /// If the text could not be parsed; loading has checked that it can.
    pub fn get(&self) -> &T {
        self.parsed.as_ref().expect("checked when loaded")
    }
}

impl<T: FromStr<Err = ValueError>> From<String> for Parsed<T> {
    fn from(text: String) -> Self {
        Parsed {
            parsed: text.parse(),
            text,
        }
    }
}

/// As it was written.
impl<T> fmt::Display for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> PartialEq for Parsed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<'de, T: FromStr<Err = ValueError>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Parsed::from)
    }
}

impl<T> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<T> JsonSchema for Parsed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
