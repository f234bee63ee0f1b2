//! Loading models by name or path.

use super::files::{self, MODEL_BYTES, reason};
use super::nearest::nearest;
use super::place::{field_of, line_at, line_of_field};
use super::plain::plain;
use super::{ConfigError, FieldError};
use crate::models::dist::{Dist, Empirical};
use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The files that come with kvplan, inside the binary.
static MODELS: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../models");

/// A kind of model file.
pub trait Model: DeserializeOwned {
    /// Its folder in `models/`.
    const FOLDER: &'static str;

    /// Checks what the types cannot.
    fn validate(&self) -> Result<(), FieldError>;

    /// Distributions that may take their values from a CSV file.
    fn distributions(&mut self) -> Vec<&mut Dist> {
        Vec::new()
    }
}

/// A setting from the command line: `field.subfield=value`, the value in TOML.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// As it was written.
    pub text: String,
    /// The field, from the root of the file.
    pub path: Vec<String>,
    /// What it is set to.
    pub value: toml::Value,
}

/// Reads `field.subfield=value`; a value that is not TOML is taken as text.
pub fn parse_overrides(options: &[String]) -> Result<Vec<Override>, ConfigError> {
    let parse = |text: &String| {
        let (path, value) = text.split_once('=').ok_or_else(|| {
            ConfigError::new(
                format!("--set {text}"),
                "expected FIELD=VALUE, such as policy.cache.ttl=\"10 s\"",
            )
        })?;
        let value = format!("v = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut t| t.remove("v"))
            .unwrap_or_else(|| toml::Value::String(value.trim().to_owned()));
        Ok(Override {
            text: format!("--set {text}"),
            path: path.trim().split('.').map(str::to_owned).collect(),
            value,
        })
    };
    options.iter().map(parse).collect()
}

/// Names of the models of a kind that come with kvplan, in order.
pub fn embedded_names(folder: &str) -> Vec<String> {
    let Some(dir) = MODELS.get_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = dir
        .files()
        .filter(|f| f.path().extension().is_some_and(|e| e == "toml"))
        .filter_map(|f| Some(f.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// The file that a name or path stands for: its label for messages, its text, and the folder
/// that its own references are relative to (`None` inside the binary).
pub fn source_text(
    folder: &str,
    name: &str,
    relative_to: Option<&Path>,
) -> Result<(String, String, Option<PathBuf>), ConfigError> {
    if let Some(file) = MODELS.get_file(format!("{folder}/{name}.toml")) {
        let text = file.contents_utf8().unwrap_or_default().to_owned();
        return Ok((format!("models/{folder}/{name}.toml"), text, None));
    }
    let path = relative_to.map_or_else(|| PathBuf::from(name), |dir| dir.join(name));
    let text = files::read_text(&path, MODEL_BYTES).map_err(|e| {
        let names = embedded_names(folder);
        ConfigError::new(
            path.display().to_string(),
            format!(
                "cannot be read ({}){}; expected a file, or one of: {}",
                reason(&e),
                nearest(name, names.iter().map(String::as_str)),
                names.join(", ")
            ),
        )
    })?;
    let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok((path.display().to_string(), text, Some(parent)))
}

/// Loads and checks a model; `name` is one that comes with kvplan or a path, relative to
/// `relative_to` if given. `overrides` replace fields after the file itself was found good; they are
/// applied together, whatever their order, before the result is checked.
pub fn load<T: Model>(
    name: &str,
    relative_to: Option<&Path>,
    overrides: &[Override],
) -> Result<T, ConfigError> {
    let (label, text, dir) = source_text(T::FOLDER, name, relative_to)?;
    let mut model: T = parse(&label, &text)?;
    if !overrides.is_empty() {
        model = apply_overrides(&text, overrides)?;
    }
    for dist in model.distributions() {
        read_empirical(dist, dir.as_deref(), &label)?;
    }
    Ok(model)
}

fn parse<T: Model>(label: &str, text: &str) -> Result<T, ConfigError> {
    let fail = |field: Option<String>, line, message: String| ConfigError {
        source: label.to_owned(),
        line,
        field,
        message,
    };
    let line_of = |e: &toml::de::Error| e.span().map(|span| line_at(text, span.start));
    let read = |text: &str| T::deserialize(toml::Deserializer::parse(text)?);
    let model = read(text).map_err(|e| {
        let refusal = |text: &str| Some(read(text).err()?.message().to_owned());
        fail(
            field_of(text, &e, &refusal),
            line_of(&e),
            plain(e.message()),
        )
    })?;
    model.validate().map_err(|e| {
        let line = line_of_field(text, &e.field);
        fail(Some(e.field), line, e.message)
    })?;
    Ok(model)
}

fn apply_overrides<T: Model>(text: &str, overrides: &[Override]) -> Result<T, ConfigError> {
    let mut table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| ConfigError::new("--set", e.message()))?;
    let mut states = vec![table.clone()];
    for o in overrides {
        set(&mut table, &o.path, &o.value).map_err(|message| ConfigError::new(&o.text, message))?;
        states.push(table.clone());
    }
    let wrong = match checked(table) {
        Ok(model) => return Ok(model),
        Err(wrong) => wrong,
    };
    // Only all of them together must be right. Where they are not, the error names the option
    // since which it was wrong whatever came after it.
    let mut culprit = (overrides.len() - 1, wrong.clone());
    for i in (0..overrides.len()).rev() {
        match checked::<T>(states[i + 1].clone()) {
            Ok(_) => break,
            Err(e) => culprit = (i, e),
        }
    }
    let (i, mut error) = culprit;
    if error.field == wrong.field {
        // With what later options have made of the other fields.
        error = wrong;
    }
    Err(ConfigError {
        field: Some(error.field),
        ..ConfigError::new(&overrides[i].text, error.message)
    })
}

/// The model that a table holds, if it is one.
fn checked<T: Model>(table: toml::Table) -> Result<T, FieldError> {
    // As text, so that one reader of each model is compiled, and not two.
    parse("", &table.to_string()).map_err(|e| {
        let field = e.field.unwrap_or_else(|| ".".to_owned());
        FieldError::new(field, e.message)
    })
}

fn set(table: &mut toml::Table, path: &[String], value: &toml::Value) -> Result<(), String> {
    match path {
        [] => Err("expected a field".into()),
        [last] => {
            table.insert(last.clone(), value.clone());
            Ok(())
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            match inner {
                toml::Value::Table(inner) => set(inner, rest, value),
                toml::Value::Array(items) => {
                    let Some((index, rest)) = rest.split_first() else {
                        return Err(format!("`{first}` is a list, expected an index after it"));
                    };
                    let i: Option<usize> = index.parse().ok().filter(|i| *i < items.len());
                    match i.and_then(|i| items.get_mut(i)) {
                        Some(toml::Value::Table(inner)) if !rest.is_empty() => {
                            set(inner, rest, value)
                        }
                        Some(item) if rest.is_empty() => {
                            *item = value.clone();
                            Ok(())
                        }
                        _ => Err(format!("`{first}` has no element {index} with fields")),
                    }
                }
                _ => Err(format!("`{first}` has no fields")),
            }
        }
    }
}

/// Reads the values of an empirical distribution that names a CSV file.
fn read_empirical(dist: &mut Dist, dir: Option<&Path>, label: &str) -> Result<(), ConfigError> {
    match dist {
        Dist::Empirical(Empirical {
            values_ms,
            csv: Some(file),
            ..
        }) => {
            let Some(dir) = dir else {
                return Err(ConfigError::new(
                    label,
                    "a built-in model cannot name a CSV file",
                ));
            };
            values_ms.extend(read_latency_csv(&dir.join(file))?);
            Ok(())
        }
        Dist::Mixture { parts } => {
            for part in parts {
                read_empirical(&mut part.dist, dir, label)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The shortest and the longest duration of a column, in milliseconds: clocks do not tell less than a nanosecond,
/// and no operation is waited for longer than a day.
const LEAST_MS: f64 = 1e-6;
const MOST_MS: f64 = 86_400_000.0;
/// Most values of a column.
const MOST_VALUES: usize = 20_000_000;

/// The column `latency_ms` of a CSV file.
pub(crate) fn read_latency_csv(path: &Path) -> Result<Vec<f64>, ConfigError> {
    let label = path.display().to_string();
    let file = files::open(path)
        .map_err(|e| ConfigError::new(&label, format!("cannot be read ({})", reason(&e))))?;
    read_durations_ms(&label, file, "latency_ms", 1.0, "milliseconds")
}

/// A column of durations of a CSV file, in milliseconds; `ms` is the number of them in one of
/// the column's unit.
///
/// # Errors
/// If there is no such column, no row, or a value that is not a number of 0 or more.
pub fn read_durations_ms(
    label: &str,
    source: impl std::io::Read,
    column: &str,
    ms: f64,
    unit: &str,
) -> Result<Vec<f64>, ConfigError> {
    let fail = |line: Option<u64>, message: String| ConfigError {
        line: line.map(|l| l as usize),
        field: Some(column.to_owned()),
        ..ConfigError::new(label, message)
    };
    let bad_csv = |e: csv::Error| match e.kind() {
        csv::ErrorKind::Io(io) => {
            ConfigError::new(label, format!("cannot be read ({})", reason(io)))
        }
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => fail(
            e.position().map(csv::Position::line),
            format!("found {len} columns, expected {expected_len}"),
        ),
        _ => fail(e.position().map(csv::Position::line), e.to_string()),
    };
    let mut reader = csv::Reader::from_reader(source);
    let headers = reader.headers().map_err(bad_csv)?;
    let position = headers
        .iter()
        .position(|h| h.trim_start_matches('\u{feff}').trim() == column)
        .ok_or_else(|| {
            let found: Vec<&str> = headers.iter().collect();
            fail(
                Some(1),
                format!(
                    "found columns {}, expected one called {column}",
                    found.join(", ")
                ),
            )
        })?;
    let mut values = Vec::new();
    let too_many = || {
        let message = format!("found more than {MOST_VALUES} rows, expected no more");
        fail(None, message)
    };
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(bad_csv)? {
        if values.len() == MOST_VALUES {
            return Err(too_many());
        }
        let text = row.get(position).unwrap_or_default().trim();
        match text.parse::<f64>() {
            Ok(v) if v == 0.0 || (LEAST_MS..=MOST_MS).contains(&(v * ms)) => values.push(v * ms),
            Ok(v) if v > 0.0 => {
                let line = row.position().map(csv::Position::line);
                let message = format!("found \"{text}\", expected 0, or 1 ns to 1 d in {unit}");
                return Err(fail(line, message));
            }
            _ => {
                let line = row.position().map(csv::Position::line);
                let message = format!("found \"{text}\", expected {unit} of 0 or more");
                return Err(fail(line, message));
            }
        }
    }
    if values.is_empty() {
        return Err(fail(None, "found no rows, expected at least one".into()));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::scenario::ScenarioFile;

    fn load_with(settings: &[&str]) -> Result<ScenarioFile, String> {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let overrides = parse_overrides(&settings).unwrap();
        load("default", None, &overrides).map_err(|e: ConfigError| e.to_string())
    }

    /// At most 7 d unless set, so that the first alone would be wrong.
    #[test]
    fn settings_that_are_right_together_are_right_in_any_order() {
        let least = "period.at_least=\"20 d\"";
        let most = "period.at_most=\"30 d\"";
        let one = load_with(&[least, most]).unwrap();
        assert_eq!(one, load_with(&[most, least]).unwrap());
        assert_eq!(one.period.at_least.as_secs(), 20 * 86_400);
    }

    #[test]
    fn an_error_names_the_option_since_which_it_is_wrong() {
        let least = "period.at_least=\"20 d\"";
        let error = |settings: &[&str]| load_with(settings).unwrap_err();
        let e = error(&["seed=1", least, "replications=3"]);
        assert_eq!(
            e,
            "--set period.at_least=\"20 d\": field `period.at_least`: found 20 d, expected more than 0 s and no more than period.at_most = 7 d"
        );
        // With what later options say, though they do not mend it.
        let e = error(&[least, "period.at_most=\"10 d\""]);
        assert!(
            e.starts_with("--set period.at_least=") && e.ends_with("= 10 d"),
            "{e}"
        );
        // What was mended is no error.
        let e = error(&[least, "period.at_most=\"30 d\"", "replications=0"]);
        assert!(
            e.starts_with("--set replications=0: field `replications`"),
            "{e}"
        );
        // Of two errors the first.
        let e = error(&["replications=0", "seed=\"x\""]);
        assert!(
            e.starts_with("--set replications=0: field `replications`"),
            "{e}"
        );
        let e = error(&["seed=\"x\"", "replications=0"]);
        assert!(e.starts_with("--set seed=\"x\": field `seed`"), "{e}");
        let e = error(&["title.nonsense=1", "seed=2"]);
        assert_eq!(e, "--set title.nonsense=1: `title` has no fields");
    }
}
