//! What kvplan is made of, from Cargo's own metadata: a software bill of materials, the notices of third parties, and
//! the table of dependencies in CONTRIBUTING.md.
//!
//! ```sh
//! cargo run --example supply sbom > kvplan.cdx.json       CycloneDX 1.5
//! cargo run --example supply notices > NOTICES.txt        the licences of all that is linked in, in full
//! cargo run --example supply table                        direct dependencies: why, features, licence, build script
//! ```

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{fs, io};

/// What is linked into the program on any system: neither what tests nor what build scripts need.
struct Supply {
    packages: BTreeMap<String, Value>,
    linked: BTreeSet<String>,
    direct: BTreeSet<String>,
}

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let made = read().and_then(|supply| match wanted.as_str() {
        "sbom" => Ok(supply.sbom()),
        "notices" => supply.notices(),
        "table" => supply.table(),
        other => Err(io::Error::other(format!(
            "found \"{other}\", expected sbom, notices or table"
        ))),
    });
    match made {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn read() -> io::Result<Supply> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .arg("--manifest-path")
        .arg(manifest)
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(said));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|p| (text(&p["id"]), p))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|n| (text(&n["id"]), n))
        .collect();
    let mut left: Vec<String> = list(&metadata["workspace_default_members"])
        .iter()
        .map(text)
        .collect();
    let mut direct = BTreeSet::new();
    for member in &left {
        let of_member = list(&packages[member]["dependencies"]);
        let registry = of_member.iter().filter(|d| !d["source"].is_null());
        direct.extend(registry.map(|d| text(&d["name"])));
    }
    let mut linked = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !linked.insert(id.clone()) {
            continue;
        }
        for dep in list(&nodes[&id]["deps"]) {
            let is_linked = |k: &Value| k["kind"].is_null();
            if list(&dep["dep_kinds"]).iter().any(is_linked) {
                left.push(text(&dep["pkg"]));
            }
        }
    }
    Ok(Supply {
        packages,
        linked,
        direct,
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// As SPDX writes what Cargo also takes with a slash.
fn licence(package: &Value) -> String {
    text(&package["license"]).replace('/', " OR ")
}

impl Supply {
    fn linked(&self) -> impl Iterator<Item = &Value> {
        self.linked.iter().filter_map(|id| self.packages.get(id))
    }

    /// CycloneDX 1.5: no times and no serial number in it, so that the same sources give the same bytes.
    fn sbom(&self) -> String {
        let component = |p: &Value| {
            let (name, version) = (text(&p["name"]), text(&p["version"]));
            json!({
                "type": "library",
                "bom-ref": format!("{name}@{version}"),
                "name": name,
                "version": version,
                "purl": format!("pkg:cargo/{name}@{version}"),
                "licenses": [{ "expression": licence(p) }],
            })
        };
        let root = self.linked().find(|p| p["name"] == "kvplan");
        let others = self.linked().filter(|p| p["name"] != "kvplan");
        let bom = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "component": root.map(|p| {
                let mut own = component(p);
                own["type"] = "application".into();
                own
            }) },
            "components": others.map(component).collect::<Vec<_>>(),
        });
        format!("{bom:#}\n")
    }

    /// Each package with the texts of its licences.
    fn notices(&self) -> io::Result<String> {
        let mut all = String::from("kvplan contains the following packages.\n");
        for p in self.linked().filter(|p| !p["source"].is_null()) {
            let _ = write!(
                all,
                "\n{}\n{} {}, {}\n{}\n",
                "=".repeat(80),
                text(&p["name"]),
                text(&p["version"]),
                licence(p),
                text(&p["repository"])
            );
            let manifest = text(&p["manifest_path"]);
            let Some(folder) = Path::new(&manifest).parent() else {
                continue;
            };
            let mut texts: Vec<_> = fs::read_dir(folder)?
                .filter_map(|e| Some(e.ok()?.path()))
                .filter(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let name = name.to_ascii_uppercase();
                    let begins = |b: &&str| name.starts_with(*b);
                    path.is_file()
                        && ["LICEN", "COPYING", "NOTICE", "UNLICENSE"]
                            .iter()
                            .any(begins)
                })
                .collect();
            texts.sort();
            for path in texts {
                let bytes = fs::read(&path)?;
                let _ = write!(all, "\n{}\n", String::from_utf8_lossy(&bytes).trim_end());
            }
        }
        Ok(all)
    }

    /// Direct dependencies as a table in Markdown.
    fn table(&self) -> io::Result<String> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dependencies.toml");
        let why: BTreeMap<String, String> =
            toml::from_str(&fs::read_to_string(file)?).map_err(io::Error::other)?;
        let mut table = String::from(
            "| package | why | features | licence | build script |\n| --- | --- | --- | --- | --- |\n",
        );
        for name in &self.direct {
            let why = why.get(name).map_or("", String::as_str);
            let Some(p) = self.packages.values().find(|p| p["name"] == **name) else {
                continue;
            };
            let mut features = BTreeSet::new();
            let mut defaults = false;
            for user in self.packages.values().filter(|p| p["source"].is_null()) {
                let wanted = user["dependencies"].as_array().into_iter().flatten();
                for d in wanted.filter(|d| d["name"] == **name) {
                    defaults |= d["uses_default_features"] == true;
                    features.extend(d["features"].as_array().into_iter().flatten().map(text));
                }
            }
            let mut features: Vec<String> = features.into_iter().collect();
            if defaults {
                features.insert(0, "default".into());
            }
            let targets = p["targets"].as_array().into_iter().flatten();
            let kinds = targets.flat_map(|t| t["kind"].as_array().into_iter().flatten());
            let script = match kinds.into_iter().any(|k| k == "custom-build") {
                true => "yes",
                false => "",
            };
            let _ = writeln!(
                table,
                "| {name} | {why} | {} | {} | {script} |",
                features.join(", "),
                licence(p)
            );
        }
        Ok(table)
    }
}
