//! How an answer is shown: form, columns, width and colour.

use super::common::Failure;
use super::number::whole;
use super::print::{coloured, say};
use clap::{Args, ValueEnum};
use kvplan::report::table::{Answer, Form, Shape};
use std::io::IsTerminal;

/// What every command with an answer of tables accepts.
#[derive(Args, Default)]
pub(crate) struct ShapeArgs {
    /// Form of the answer on the terminal; json and csv have numbers at full precision, with their units in the names,
    /// csv of the first table alone, and nothing else is printed
    #[arg(long, value_enum, default_value = "table")]
    format: FormArg,
    #[command(flatten)]
    pub look: LookArgs,
}

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FormArg {
    #[default]
    Table,
    Markdown,
    Json,
    Csv,
}

/// How tables look.
#[derive(Args, Default)]
pub(crate) struct LookArgs {
    /// Columns of the first table to show, in this order: titles, or names as in json and csv
    #[arg(
        id = "shown",
        long = "columns",
        value_name = "COLUMN",
        value_delimiter = ','
    )]
    columns: Vec<String>,
    /// Most characters of a line of a table [default: the terminal's width; any, where the output is no terminal]
    #[arg(long, value_name = "N", value_parser = whole(20_u16, u16::MAX))]
    width: Option<u16>,
    /// Whether verdicts have colours; auto: on a terminal, unless NO_COLOR is set, or if CLICOLOR_FORCE is
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Colour,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

impl ShapeArgs {
    /// The shape that was asked for.
    pub(crate) fn shape(&self) -> Shape {
        let form = match self.format {
            FormArg::Table => Form::Table,
            FormArg::Markdown => Form::Markdown,
            FormArg::Json => Form::Json,
            FormArg::Csv => Form::Csv,
        };
        self.look.shape(form)
    }
}

impl LookArgs {
    /// The same with all columns.
    pub(crate) fn whole(self) -> Self {
        LookArgs {
            columns: Vec::new(),
            ..self
        }
    }

    /// The shape with these looks.
    pub(crate) fn shape(&self, form: Form) -> Shape {
        let variable = |name: &str| std::env::var(name).ok();
        let is_terminal = std::io::stdout().is_terminal();
        let width = match self.width {
            Some(width) => Some(width.into()),
            None if is_terminal => terminal_width(&variable),
            None => None,
        };
        Shape {
            form,
            columns: self.columns.iter().map(|c| c.trim().to_owned()).collect(),
            width,
            colour: self.color.is_on(is_terminal, &variable),
        }
    }
}

impl Colour {
    /// <https://no-color.org>, <https://bixense.com/clicolors>.
    fn is_on(self, is_terminal: bool, variable: &dyn Fn(&str) -> Option<String>) -> bool {
        let is_set = |name| variable(name).is_some_and(|v| !v.is_empty());
        let is_forced =
            is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").as_deref() != Some("0");
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if is_set("NO_COLOR") => false,
            Colour::Auto => is_forced || is_terminal && variable("TERM").as_deref() != Some("dumb"),
        }
    }
}

/// What `COLUMNS` says, else what the terminal does.
fn terminal_width(variable: &dyn Fn(&str) -> Option<String>) -> Option<usize> {
    let stated = variable("COLUMNS").and_then(|text| text.parse().ok());
    let asked = || terminal_size::terminal_size_of(std::io::stdout()).map(|(w, _)| w.0.into());
    stated.filter(|n| *n > 0).or_else(asked)
}

/// Whether something other than the answer itself may be printed with it.
pub(crate) fn is_for_people(shape: &Shape) -> bool {
    matches!(shape.form, Form::Table | Form::Markdown)
}

/// The text of an answer.
pub(crate) fn text(answer: &Answer, shape: &Shape) -> Result<String, Failure> {
    answer
        .shown(shape)
        .map_err(|e| Failure::usage(e.to_string()))
}

/// Prints an answer that [`text`] has made.
pub(crate) fn print(text: &str, shape: &Shape) {
    match shape.colour && shape.form == Form::Table {
        // Its control characters are its own.
        true => coloured(&format!("{text}\n")),
        false => say!("{text}"),
    }
}

/// Prints an answer.
pub(crate) fn show(answer: &Answer, shape: &Shape) -> Result<(), Failure> {
    print(&text(answer, shape)?, shape);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_option_then_the_environment() {
        let on = |colour: Colour, is_terminal, set: &[(&str, &str)]| {
            let variable = |name: &str| {
                let found = set.iter().find(|(n, _)| *n == name);
                found.map(|(_, v)| (*v).to_owned())
            };
            colour.is_on(is_terminal, &variable)
        };
        assert!(on(Colour::Auto, true, &[]));
        assert!(!on(Colour::Auto, false, &[]));
        assert!(!on(Colour::Auto, true, &[("NO_COLOR", "1")]));
        assert!(on(Colour::Auto, true, &[("NO_COLOR", "")]));
        assert!(on(Colour::Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!on(Colour::Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!on(Colour::Auto, true, &[("TERM", "dumb")]));
        assert!(on(Colour::Always, false, &[("NO_COLOR", "1")]));
        assert!(!on(Colour::Never, true, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn the_width_is_what_columns_says() {
        let said = |text: &str| {
            let text = text.to_owned();
            terminal_width(&move |_: &str| Some(text.clone()))
        };
        assert_eq!(said("72"), Some(72));
    }
}
