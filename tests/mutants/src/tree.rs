//! The copy of the repository in which mutants are planted.

use crate::find;
use crate::mutant::Mutant;
use crate::plant::{self, Planted};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders whose functions are changed.
const PARTS: [&str; 5] = [
    "src/telemetry/",
    "src/simulator/cloud/",
    "src/simulator/pricing/",
    "src/simulator/run/",
    "src/study/stats/",
];

/// Not production code.
const BUT: &str = "src/telemetry/examples/";

/// The file that gets the module with the chooser: below all others.
const ROOT: &str = "src/telemetry/lib.rs";

/// What chooses a mutant when the program runs.
const CHOOSER: &str = include_str!("../chooser.txt");

/// The repository and its copy.
pub(crate) struct Tree {
    pub(crate) repository: PathBuf,
    pub(crate) copy: PathBuf,
    /// The files of the repository, from its root.
    files: Vec<String>,
}

impl Tree {
    pub(crate) fn new(repository: &Path, copy: PathBuf) -> io::Result<Tree> {
        let git = Command::new("git")
            .args(["ls-files", "-co", "--exclude-standard"])
            .current_dir(repository)
            .output()?;
        let list = String::from_utf8_lossy(&git.stdout);
        let files = list.lines().map(str::to_owned);
        Ok(Tree {
            repository: repository.to_owned(),
            copy,
            files: files.filter(|f| repository.join(f).is_file()).collect(),
        })
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.repository.join(file))
    }

    /// All mutants that there are.
    pub(crate) fn mutants(&self) -> io::Result<Vec<Mutant>> {
        let mut all = Vec::new();
        for file in &self.files {
            let is_source = file.ends_with(".rs") && !file.starts_with(BUT);
            if is_source && PARTS.iter().any(|p| file.starts_with(p)) {
                all.extend(find::mutants(file, &self.read(file)?));
            }
        }
        Ok(all)
    }

    /// Makes the copy what the repository is, with these mutants; what is the same already is left as it is,
    /// so that it is not compiled again.
    pub(crate) fn plant(&self, mutants: &[Mutant]) -> io::Result<BTreeMap<String, Planted>> {
        let most = mutants.iter().map(|m| m.id).max().unwrap_or_default();
        let mut planted = BTreeMap::new();
        let mut known = BTreeSet::from([self.copy.join("src/telemetry/mutants.rs")]);
        for file in &self.files {
            let here: Vec<&Mutant> = mutants.iter().filter(|m| m.file == *file).collect();
            let path = self.copy.join(file);
            known.insert(path.clone());
            if here.is_empty() && file != ROOT {
                put(&path, &fs::read(self.repository.join(file))?)?;
                continue;
            }
            let on = match file.starts_with("src/telemetry/") {
                true => "crate::mutants::on",
                false => "::kvplan_telemetry::mutants::on",
            };
            let mut with = plant::plant(&self.read(file)?, &here, on);
            if file == ROOT {
                with.text.push_str("\npub mod mutants;\n");
            }
            put(&path, with.text.as_bytes())?;
            planted.insert(file.clone(), with);
        }
        let chooser = CHOOSER.replace("COUNT", &most.to_string());
        put(
            &self.copy.join("src/telemetry/mutants.rs"),
            chooser.as_bytes(),
        )?;
        remove_others(&self.copy, &known)?;
        Ok(planted)
    }
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

/// Removes what the repository has no more.
fn remove_others(folder: &Path, known: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, known)?;
        } else if !known.contains(&path) && path.extension().is_some_and(|e| e == "rs") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
