//! What comes from elsewhere: licences, sources and doubles are those that `.cargo/deny.toml` allows, each package that
//! is named has a reason, and the bill of materials is whole.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// What `cargo run --example supply` prints; Cargo has built it beside this test.
fn supply(what: &str) -> String {
    let here = std::env::current_exe().unwrap();
    let example = here.ancestors().nth(2).unwrap().join("examples/supply");
    let output = Command::new(example).arg(what).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether one licence of each alternative is allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], "");
    plain
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())))
}

#[test]
fn licences_sources_and_doubles_are_those_that_are_allowed() {
    let rules: toml::Table = toml::from_str(&file(".cargo/deny.toml")).unwrap();
    let strings = |value: &'_ toml::Value| -> Vec<String> {
        let all = value.as_array().unwrap().iter();
        all.map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let allowed = strings(&rules["licenses"]["allow"]);
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let registries = strings(&rules["sources"]["allow-registry"]);
    let metadata = metadata();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for p in list(&metadata["packages"]) {
        let (name, version) = (p["name"].as_str().unwrap(), p["version"].as_str().unwrap());
        versions
            .entry(name.into())
            .or_default()
            .insert(version.into());
        let Some(source) = p["source"].as_str() else {
            continue;
        };
        let known = |r: &String| source.strip_prefix("registry+") == Some(r);
        assert!(
            registries.iter().any(known),
            "{name} {version} comes from {source}"
        );
        let licence = p["license"].as_str().unwrap_or("none");
        assert!(
            is_allowed(licence, &allowed),
            "{name} {version} has {licence}"
        );
    }
    let skipped: Vec<&str> = rules["bans"]["skip"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["crate"].as_str().unwrap())
        .collect();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (name, versions) in versions.iter().filter(|(_, v)| v.len() > 1) {
        let unlisted = versions.iter().filter(|version| {
            let of = |s: &&str| {
                let (n, v) = s.split_once('@').unwrap();
                n == name && (*version == v || version.starts_with(&format!("{v}.")))
            };
            let found = skipped.iter().copied().find(of);
            used.extend(found);
            found.is_none()
        });
        let unlisted: Vec<_> = unlisted.collect();
        assert_eq!(
            unlisted.len(),
            1,
            "{name} in {versions:?}: the newest is not listed, the others are"
        );
    }
    let idle: Vec<_> = skipped.iter().filter(|s| !used.contains(*s)).collect();
    assert!(
        idle.is_empty(),
        "listed, and not there twice any more: {idle:?}"
    );
}

#[test]
fn a_licence_beside_an_allowed_one_is_looked_at() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0"]);
    assert!(is_allowed("MIT/GPL-3.0", &allowed));
    assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
    assert!(!is_allowed("GPL-3.0", &allowed));
}

#[test]
fn each_package_that_is_named_has_a_reason() {
    let table = supply("table");
    assert!(!table.contains("|  |  |"), "without a reason:\n{table}");
    for line in table.lines().skip(2) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert!(
            !cells[2].is_empty(),
            "tests/data/dependencies.toml has no reason: {line}"
        );
    }
    let named = table.lines().skip(2).count();
    let reasons: toml::Table = toml::from_str(&file("tests/data/dependencies.toml")).unwrap();
    assert_eq!(reasons.len(), named, "reasons of packages that are gone");
    assert!(
        file("CONTRIBUTING.md").contains(&table),
        "CONTRIBUTING.md has another table than `cargo run --example supply table`"
    );
}

#[test]
fn the_bill_of_materials_holds_what_is_linked_in_and_nothing_else() {
    let bom: Value = serde_json::from_str(&supply("sbom")).unwrap();
    let names: BTreeSet<&str> = list(&bom["components"])
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    for linked in ["clap", "plotters", "ttf-parser", "ring", "kvplan-telemetry"] {
        assert!(names.contains(linked), "{linked}");
    }
    for other in [
        "proptest",
        "insta",
        "worker",
        "wasm-bindgen-cli-support",
        "kvplan",
    ] {
        assert!(!names.contains(other), "{other}");
    }
    let metadata = metadata();
    for c in list(&bom["components"]) {
        let is_it = |p: &&Value| p["name"] == c["name"] && p["version"] == c["version"];
        let p = list(&metadata["packages"]).iter().find(is_it).unwrap();
        let licence = p["license"].as_str().unwrap().replace('/', " OR ");
        assert_eq!(c["licenses"][0]["expression"], licence);
    }
    assert_eq!(supply("sbom"), supply("sbom"));
}

#[test]
fn the_notices_have_the_text_of_each_licence() {
    let notices = supply("notices");
    let rule = "=".repeat(80);
    let parts = notices.split(&rule).skip(1);
    let bare: Vec<&str> = parts
        .filter(|part| part.lines().count() < 6)
        .map(|part| part.trim().lines().next().unwrap_or_default())
        .collect();
    // Packages that come without the text; their licences stand elsewhere in the file.
    assert!(bare.len() <= 12, "{bare:#?}");
    assert!(notices.contains("Apache License") && notices.contains("MIT License"));
}

/// The profile of a Worker inherits what a run is quick with, package by package.
#[test]
fn what_is_quick_in_a_run_is_small_in_a_worker() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .iter()
        .map(|p| (p["id"].as_str().unwrap(), p["name"].as_str().unwrap()))
        .collect();
    let needs: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), &node["deps"]))
        .collect();
    let mut linked = BTreeSet::new();
    let worker = names.iter().find(|(_, name)| **name == "kvplan-worker");
    let mut next = vec![*worker.unwrap().0];
    while let Some(id) = next.pop() {
        if linked.insert(names[id]) {
            // Not what tests need, nor what runs when it is built.
            let needed = list(needs[id])
                .iter()
                .filter(|dep| list(&dep["dep_kinds"]).iter().any(|k| k["kind"].is_null()));
            next.extend(needed.map(|dep| dep["pkg"].as_str().unwrap()));
        }
    }
    assert!(linked.contains("kvplan-telemetry") && linked.contains("serde_json"));
    let manifest: toml::Table = toml::from_str(&file("Cargo.toml")).unwrap();
    let of = |profile: &str| -> BTreeSet<String> {
        let packages = manifest["profile"][profile]["package"].as_table();
        packages.unwrap().keys().cloned().collect()
    };
    let quick = of("release");
    let quick: BTreeSet<&String> = quick
        .iter()
        .filter(|p| linked.contains(p.as_str()))
        .collect();
    let small = of("worker");
    let not: Vec<_> = quick.into_iter().filter(|p| !small.contains(*p)).collect();
    assert!(
        not.is_empty(),
        "quick in `release`, not small in `worker`: {not:?}"
    );
}
