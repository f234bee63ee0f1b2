//! Settings and values that cannot be used.

use std::error::Error;
use std::fmt;

/// A field whose value cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field from the top of its file: `providers[0].latency.shape`.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl FieldError {
    /// An error of the field `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldError {
            field: field.into(),
            message: message.into(),
        }
    }

    /// The same error as seen from the table that holds this one as `parent`.
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

/// Checks that a number lies within its range.
///
/// # Errors
/// The number found, the range, and the `reason` for it.
pub fn within<T: PartialOrd + fmt::Display>(
    field: &str,
    value: T,
    least: T,
    most: T,
    reason: &str,
) -> Result<(), FieldError> {
    // False for what is not a number.
    if value >= least && value <= most {
        return Ok(());
    }
    let message = format!("found {value}, expected {least} to {most}: {reason}");
    Err(FieldError::new(field, message))
}

/// The longest name in characters.
const NAME_LENGTH: usize = 100;

/// Checks a name that goes into tables, charts and file names: it begins with a letter or digit, so that no
/// spreadsheet takes it for a formula, and holds no control character and nothing that means something in a path.
///
/// # Errors
/// The name found, and what was expected.
pub fn check_name(field: &str, name: &str) -> Result<(), FieldError> {
    let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | ':' | '"' | '<' | '>' | '|');
    if name.starts_with(char::is_alphanumeric)
        && name.chars().all(plain)
        && name.chars().count() <= NAME_LENGTH
    {
        return Ok(());
    }
    Err(FieldError::new(
        field,
        format!(
            "found {name:?}, expected a name of up to {NAME_LENGTH} characters that begins with a letter or digit, without control characters and / \\ : \" < > |"
        ),
    ))
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field `{}`: {}", self.field, self.message)
    }
}

impl Error for FieldError {}

/// A value that cannot be used: what was found and what was expected. Whoever read it knows where it
/// stood, and says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    message: String,
}

impl ValueError {
    /// `message` says what was found and what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        ValueError {
            message: message.into(),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ValueError {}

impl From<String> for ValueError {
    fn from(message: String) -> Self {
        ValueError { message }
    }
}

impl From<ValueError> for String {
    fn from(e: ValueError) -> Self {
        e.message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_of_its_range_is_told_with_the_reason() {
        assert_eq!(within("n", 3, 1, 3, ""), Ok(()));
        let above = within("n", 4, 1, 3, "a month has no more").unwrap_err();
        assert_eq!(
            above.to_string(),
            "field `n`: found 4, expected 1 to 3: a month has no more"
        );
        for no_number in [f64::NAN, f64::INFINITY, -0.5] {
            assert!(within("n", no_number, 0.0, 1.0, "").is_err());
        }
    }

    #[test]
    fn names_are_fit_for_files_tables_and_spreadsheets() {
        for good in ["naive", "optimised-fleet", "2nd try (b)", "größer+neu"] {
            assert_eq!(check_name("name", good), Ok(()));
        }
        let long = "a".repeat(101);
        for bad in [
            "",
            "=cmd|' /C calc'!A0",
            "@x",
            "-x",
            "a/b",
            "a\u{1b}[0m",
            &long,
        ] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
    }
}
