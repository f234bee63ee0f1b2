//! Arithmetic over named figures.

use crate::models::ValueError;
use exmex::{Express, FlatEx};
use std::fmt;
use std::str::FromStr;

/// A parsed expression; names other than plain words stand in braces: `{reads-cost} * 12`.
#[derive(Clone)]
pub struct Expression {
    text: String,
    parsed: FlatEx<f64>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = ValueError;

    /// Parses an expression.
    ///
    /// # Errors
    /// What was found and what is wrong with it.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let parsed = exmex::parse::<f64>(text)
            .map_err(|e| format!("found \"{text}\", expected an arithmetic expression ({e})"))
            .map_err(ValueError::new)?;
        Ok(Expression {
            text: text.to_owned(),
            parsed,
        })
    }
}

impl Expression {
    /// The names in it, each once.
    pub fn variables(&self) -> &[String] {
        self.parsed.var_names()
    }

    /// Its value with the figures that `lookup` gives.
    ///
    /// # Errors
    /// If a name has no figure, or the value is not finite.
    pub fn evaluate(&self, lookup: impl Fn(&str) -> Option<f64>) -> Result<f64, ValueError> {
        let values: Vec<f64> = self
            .variables()
            .iter()
            .map(|name| lookup(name).ok_or_else(|| format!("\"{name}\" has no figure")))
            .collect::<Result<_, String>>()?;
        let value = self
            .parsed
            .eval(&values)
            .map_err(|e| ValueError::new(e.to_string()))?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(ValueError::new(format!(
                "\"{}\" is not a finite number",
                self.text
            )))
        }
    }

    /// The expression with its names replaced by their figures, for readers.
    pub fn with_figures(&self, lookup: impl Fn(&str) -> Option<f64>) -> String {
        let mut text = self.text.clone();
        // Longer names first: one may be part of another.
        let mut names: Vec<&String> = self.variables().iter().collect();
        names.sort_by_key(|n| std::cmp::Reverse(n.len()));
        for name in names {
            if let Some(x) = lookup(name) {
                let figure = x.to_string();
                text = text.replace(&format!("{{{name}}}"), &figure);
                text = replace_word(&text, name, &figure);
            }
        }
        text
    }
}

/// Replaces `name` where it stands as a word.
fn replace_word(text: &str, name: &str, by: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let alone = !before.chars().next_back().is_some_and(is_part)
            && !after.chars().next().is_some_and(is_part);
        out.push_str(before);
        out.push_str(if alone { by } else { name });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_and_precedence_is_that_of_arithmetic() {
        let e = Expression::from_str("{a-b} + rate * 2^3 / (4 - 2)").unwrap();
        assert_eq!(e.variables(), ["a-b", "rate"]);
        let lookup = |name: &str| match name {
            "a-b" => Some(1.0),
            "rate" => Some(0.5),
            _ => None,
        };
        assert_eq!(e.evaluate(lookup), Ok(3.0));
        assert_eq!(e.with_figures(lookup), "1 + 0.5 * 2^3 / (4 - 2)");
        assert!(
            e.evaluate(|_| None)
                .unwrap_err()
                .to_string()
                .contains("has no figure")
        );
    }

    #[test]
    fn nonsense_and_division_by_nothing_are_refused() {
        assert!(Expression::from_str("1 +* 2").is_err());
        assert!(Expression::from_str("").is_err());
        let e = Expression::from_str("1 / x").unwrap();
        assert!(e.evaluate(|_| Some(0.0)).is_err());
    }
}
