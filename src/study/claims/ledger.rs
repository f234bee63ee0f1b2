//! A claims file with everything that it names, and what that says without simulation.

use super::derive::{self, Sources};
use super::finding::Finding;
use super::spec::{Check, Claim, ClaimFile};
use super::tariffs::Tariffs;
use crate::models::{self, ConfigError, Model};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A claims file that can be judged.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The name or path it was loaded by.
    pub name: String,
    /// The file as it is written.
    pub file: ClaimFile,
    /// Each with the prices in force on its day.
    pub tariffs: Tariffs,
    /// The folder that its references are relative to; none inside the binary.
    pub folder: Option<PathBuf>,
    /// By the claim's id, for each of its checks.
    calculated: BTreeMap<String, Vec<Vec<Finding>>>,
}

impl Ledger {
    /// Loads a claims file by name or path, with what it names, and calculates what needs no
    /// simulation.
    ///
    /// # Errors
    /// A message with file, line and, where there is one, the claim: if the file or what it names
    /// cannot be used, a meter has no price, a fact cannot be found or an expression has no value.
    pub fn load(name: &str) -> Result<Self, ConfigError> {
        let (label, text, folder) = models::source_text(ClaimFile::FOLDER, name, None)?;
        let file: ClaimFile = models::load(name, None, &[]).map_err(|e| name_claim(e, &text))?;
        let tariffs = Tariffs::load(&file.tariffs, folder.as_deref(), &label)?;
        of_each_check(&file, &label, &text, |_, check| tariffs.check_priced(check))?;
        let tariffs = tariffs.on_their_days();
        let sources = Sources {
            name,
            stated: file.stated(),
            tariffs: &tariffs,
            folder: folder.as_deref(),
        };
        let calculated = of_each_check(&file, &label, &text, |claim, check| {
            derive::findings(&sources, claim, check)
        })?;
        Ok(Ledger {
            name: name.to_owned(),
            file,
            tariffs,
            folder,
            calculated,
        })
    }

    /// What each check of a claim says without simulation.
    ///
    /// # Panics
    /// If the claim is not of this ledger.
    pub fn calculated(&self, claim: &Claim) -> &[Vec<Finding>] {
        let calculated = self.calculated.get(&claim.id);
        calculated.expect("a claim of this ledger")
    }
}

/// Makes something of every check, by the claim's id; an error names the check and its line.
fn of_each_check<T, E: std::fmt::Display>(
    file: &ClaimFile,
    label: &str,
    text: &str,
    make: impl Fn(&Claim, &Check) -> Result<T, E>,
) -> Result<BTreeMap<String, Vec<T>>, ConfigError> {
    let mut made = BTreeMap::new();
    for (i, claim) in file.claims.iter().enumerate() {
        let checks = claim.checks.iter().enumerate().map(|(k, check)| {
            make(claim, check).map_err(|e| {
                let field = format!("claim[{i}].check[{k}]");
                ConfigError {
                    line: models::line_of_field(text, &field),
                    field: Some(field),
                    ..ConfigError::new(label, format!("claim \"{}\": {e}", claim.id))
                }
            })
        });
        made.insert(claim.id.clone(), checks.collect::<Result<_, _>>()?);
    }
    Ok(made)
}

/// Puts the claim's id into an error about one.
fn name_claim(mut e: ConfigError, text: &str) -> ConfigError {
    let index = e.field.as_deref().and_then(|f| {
        let (index, _) = f.strip_prefix("claim[")?.split_once(']')?;
        index.parse::<usize>().ok()
    });
    let table: Option<toml::Table> = text.parse().ok();
    let id = index.zip(table).and_then(|(i, table)| {
        let id = table.get("claim")?.get(i)?.get("id")?.as_str()?;
        Some(id.to_owned())
    });
    if let Some(id) = id {
        e.message = format!("claim \"{id}\": {}", e.message);
    }
    e
}
