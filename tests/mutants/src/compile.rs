//! Builds the tests of the copy, once for all mutants; those that the compiler refuses are dropped.

use crate::mutant::Mutant;
use crate::plant::Planted;
use crate::tree::Tree;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is built: the unit tests of three packages, and the integration tests with the program.
const TARGETS: [&str; 9] = [
    "-p",
    "kvplan",
    "-p",
    "kvplan-simulator",
    "-p",
    "kvplan-telemetry",
    "--lib",
    "--test",
    "it",
];

/// An executable of tests, and the folder that they expect to be in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Executable {
    pub(crate) path: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Executable {
    /// Its name without what differs from build to build.
    pub(crate) fn target(&self) -> &str {
        let name = self
            .path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        name.rsplit_once('-').map_or(name, |(target, _)| target)
    }

    /// That of a message of cargo about a built test.
    fn of(message: &Value) -> Option<Executable> {
        let is_test =
            message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
        let manifest = Path::new(message["manifest_path"].as_str()?);
        is_test.then_some(Executable {
            path: PathBuf::from(message["executable"].as_str()?),
            folder: manifest.parent()?.to_owned(),
        })
    }
}

/// Plants the mutants and builds, until the compiler takes all that are left.
pub(crate) fn build(
    tree: &Tree,
    mutants: &mut Vec<Mutant>,
    folder: &Path,
) -> io::Result<Vec<Executable>> {
    loop {
        let planted = tree.plant(mutants)?;
        let messages = cargo(&tree.copy, folder)?;
        let errors: Vec<&Value> = messages
            .iter()
            .filter(|m| m["reason"] == "compiler-message" && m["message"]["level"] == "error")
            .map(|m| &m["message"])
            .collect();
        if errors.is_empty() {
            let executables: Vec<_> = messages.iter().filter_map(Executable::of).collect();
            if executables.is_empty() {
                return Err(io::Error::other("cargo built no tests"));
            }
            return Ok(executables);
        }
        let refused = refused(&errors, &planted);
        if refused.is_empty() {
            let text = errors[0]["rendered"].as_str().unwrap_or_default();
            return Err(io::Error::other(format!("not for a mutant:\n{text}")));
        }
        eprintln!("{} errors; dropped: {refused:?}", errors.len());
        mutants.retain(|m| !refused.contains(&m.id));
    }
}

fn cargo(copy: &Path, folder: &Path) -> io::Result<Vec<Value>> {
    let output = Command::new(std::env::var("CARGO").as_deref().unwrap_or("cargo"))
        .args(["test", "--no-run", "--message-format=json"])
        .args(TARGETS)
        .env("CARGO_TARGET_DIR", folder)
        .current_dir(copy)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect())
}

/// The mutants that these errors are about: by their first place, or by any other that they name, or the
/// nearest in the file.
fn refused(errors: &[&Value], planted: &BTreeMap<String, Planted>) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for error in errors {
        let none = Vec::new();
        let mut spans: Vec<&Value> = error["spans"].as_array().unwrap_or(&none).iter().collect();
        spans.sort_by_key(|s| s["is_primary"] != true);
        let places: Vec<_> = spans
            .iter()
            .filter_map(|s| {
                let number = |name: &str| Some(s[name].as_u64()? as usize);
                let file = planted.get(s["file_name"].as_str()?)?;
                Some((file, number("byte_start")?..number("byte_end")?))
            })
            .collect();
        let at = places.iter().map(|(file, bytes)| file.at(bytes));
        let named = at.into_iter().find(|ids| !ids.is_empty());
        let nearest = || places.first().map(|(file, bytes)| file.nearest(bytes));
        all.extend(named.or_else(nearest).unwrap_or_default());
    }
    all
}
