//! The rules of the house, held against the source itself: who may name whom, what a file looks like,
//! what is not written. Each list of exceptions may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from bottom to top: a module names its own floor and those below.
const FLOORS: [&str; 15] = [
    "telemetry",
    "remote",
    "worker",
    "sim",
    "models",
    "pricing",
    "workload",
    "cloud",
    "app",
    "run",
    "disk",
    "study",
    "report",
    "guide",
    "cli",
];

/// Most lines of a file.
const MOST_LINES: usize = 500;

/// Files that are longer, with the most lines that each may have.
const LONG: [(&str, usize); 7] = [
    ("src/simulator/cloud/kv/store.rs", 590),
    ("src/report/write/claims.rs", 570),
    ("src/study/fit/workload.rs", 550),
    ("src/study/plan/race.rs", 610),
    ("src/study/sensitivity.rs", 790),
    ("src/study/stats/pool.rs", 770),
    ("src/simulator/workload/trace/reader.rs", 680),
];

/// What is not written outside tests: what cannot be is said by `expect`, with the reason.
const UNSAID: [&str; 5] = [".unwrap()", "panic!(", "todo!(", "unimplemented!(", "dbg!("];

/// Files in which it is written, and how often.
const SAID: [(&str, usize); 3] = [
    ("src/simulator/app/telemetry/points.rs", 1),
    ("src/simulator/cloud/store.rs", 1),
    ("src/simulator/run/measure.rs", 1),
];

/// Files that name each other, directly or through others.
const CIRCLES: [&[&str]; 0] = [];

/// Names that say nothing of what is in a file.
const EMPTY_NAMES: [&str; 5] = ["util", "utils", "helper", "helpers", "misc"];

/// A file of Rust.
struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
}

impl Source {
    /// All files under these folders, in order of their paths.
    fn all(folders: &[&str]) -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        for folder in folders {
            collect(&root.join(folder), &mut paths);
        }
        paths.sort();
        assert!(!paths.is_empty());
        let source = |path: PathBuf| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/"),
        };
        paths.into_iter().map(source).collect()
    }

    /// The text without comments and without the tests at its end; nothing of a file that is those of the one beside its
    /// folder.
    fn code(&self) -> String {
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let tests = self.text.find("#[cfg(test)]\nmod tests");
        let code = &self.text[..tests.unwrap_or(self.text.len())];
        let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Its module below `src`, or below the simulator: `cloud/kv/store`; a folder's own file has the folder's name.
    fn module(&self) -> String {
        let module = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        // All that is in there can be named from the root, too.
        let within = module.strip_prefix("simulator/").filter(|m| *m != "lib");
        let module = within.unwrap_or(module);
        let module = module.strip_suffix("/mod").unwrap_or(module);
        module.strip_suffix("/lib").unwrap_or(module).to_owned()
    }

    /// The modules that it names from the root or from above, as far as paths in lower case go.
    fn names(&self) -> BTreeSet<String> {
        let own = self.module();
        let mut packages = ["telemetry", "remote", "worker"].into_iter();
        let package = packages.find(|p| own.split('/').next() == Some(p));
        let package = package.unwrap_or_default();
        let mut names = BTreeSet::new();
        for path in paths(&self.code()) {
            let mut parts: Vec<&str> = path.split("::").collect();
            let mut at: Vec<&str> = match parts[0] {
                "super" => own.split('/').collect(),
                "crate" => package.split('/').filter(|p| !p.is_empty()).collect(),
                _ => Vec::new(),
            };
            while parts.first() == Some(&"super") {
                at.pop();
                parts.remove(0);
            }
            match parts[..] {
                ["crate" | "kvplan" | "kvplan_simulator", ..] => drop(parts.remove(0)),
                ["kvplan_telemetry", ..] => parts[0] = "telemetry",
                ["kvplan_remote", ..] => parts[0] = "remote",
                _ => {}
            }
            at.extend(parts);
            // The units live in the telemetry's package.
            if at.first() == Some(&"units") {
                at.insert(0, "telemetry");
            }
            names.insert(at.join("/"));
        }
        names
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// Every path that begins with `crate`, `super` or a package of the house, up to its last part in lower
/// case; groups in braces give a path for each of their parts.
fn paths(code: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut all = BTreeSet::new();
    for start in [
        "crate::",
        "super::",
        "kvplan::",
        "kvplan_remote::",
        "kvplan_simulator::",
        "kvplan_telemetry::",
    ] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| is_word(c) || c == ':') {
                continue;
            }
            follow(
                start.trim_end_matches("::"),
                &code[at + start.len()..],
                &mut all,
            );
        }
    }
    all
}

/// Adds `before` with what goes on in `rest`.
fn follow(before: &str, rest: &str, all: &mut BTreeSet<String>) {
    let rest = rest.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' | ',' if depth == 0 => {
                    follow(before, &group[start..i], all);
                    start = i + 1;
                }
                _ => {}
            }
            if c == '}' && depth == 0 && start == i + 1 {
                break;
            }
        }
        return;
    }
    let is_lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let end = rest.find(|c| !is_lower(c)).unwrap_or(rest.len());
    let (part, after) = rest.split_at(end);
    let is_module = !part.is_empty() && !after.starts_with(|c: char| c.is_alphanumeric());
    if !is_module {
        all.insert(before.to_owned());
        return;
    }
    let path = format!("{before}::{part}");
    match after.strip_prefix("::") {
        Some(rest) => follow(&path, rest, all),
        None => {
            all.insert(path);
        }
    }
}

fn floor(module: &str) -> Option<usize> {
    let top = module.split('/').next()?;
    FLOORS.iter().position(|f| *f == top)
}

#[test]
fn paths_are_found_in_groups_too() {
    let code = "use crate::a::{b::C, d::{e::f, G}, h};\nuse super::super::x::Y; fn z() { kvplan::k::l(); xcrate::no::n }";
    let found: Vec<String> = paths(code).into_iter().collect();
    assert_eq!(
        found,
        [
            "crate::a::b",
            "crate::a::d",
            "crate::a::d::e::f",
            "crate::a::h",
            "kvplan::k::l",
            "super::super::x"
        ]
    );
}

#[test]
fn modules_name_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for source in Source::all(&["src"]) {
        let module = source.module();
        let Some(own) = floor(&module) else { continue };
        for name in source.names() {
            if floor(&name).is_some_and(|f| f > own) {
                wrong.push(format!("{} names {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "upwards: {wrong:#?}");
}

#[test]
fn every_folder_of_the_source_has_its_floor() {
    let mut tops: Vec<String> = Source::all(&["src"])
        .iter()
        .filter_map(|s| {
            let path = s.path.strip_prefix("src/")?;
            let path = path.strip_prefix("simulator/").unwrap_or(path);
            let top = path.split_once('/').map_or_else(
                // A file that is a floor by itself.
                || {
                    path.strip_suffix(".rs")
                        .filter(|f| !["lib", "main"].contains(f))
                },
                |(folder, _)| Some(folder),
            );
            top.map(str::to_owned)
        })
        .collect();
    tops.sort();
    tops.dedup();
    let mut floors = FLOORS.map(str::to_owned).to_vec();
    floors.sort();
    assert_eq!(tops, floors);
}

#[test]
fn files_do_not_name_each_other_in_circles() {
    let sources = Source::all(&["src"]);
    let modules: BTreeSet<String> = sources.iter().map(Source::module).collect();
    let file_of = |name: &str| -> Option<String> {
        let mut parts: Vec<&str> = name.split('/').collect();
        while !parts.is_empty() {
            let module = parts.join("/");
            if modules.contains(&module) {
                return Some(module);
            }
            parts.pop();
        }
        None
    };
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &sources {
        let own = source.module();
        let mut others: BTreeSet<String> =
            source.names().iter().filter_map(|n| file_of(n)).collect();
        others.remove(&own);
        named.insert(own, others);
    }
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            next.extend(named[module].iter().filter(|m| seen.insert((*m).clone())));
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        named.keys().map(|m| (m, reach(m))).collect();
    let circles: BTreeSet<Vec<&str>> = named
        .keys()
        .filter(|m| reached[m].contains(*m))
        .map(|m| {
            let mutual = |o: &&String| reached[m].contains(*o) && reached[o].contains(m);
            named.keys().filter(mutual).map(String::as_str).collect()
        })
        .collect();
    let held: BTreeSet<Vec<&str>> = CIRCLES.iter().map(|c| c.to_vec()).collect();
    assert_eq!(circles, held, "circles found, and those that are known");
}

#[test]
fn every_file_begins_with_what_it_is_and_has_no_tabs() {
    for source in Source::all(&["src", "tests", "benches", "examples"]) {
        let path = &source.path;
        assert!(source.text.starts_with("//! "), "{path}: no doc comment");
        assert!(!source.text.contains('\t'), "{path}: a tab");
        let stem = Path::new(path).file_stem().unwrap().to_str().unwrap();
        let is_empty = EMPTY_NAMES.contains(&stem);
        assert!(!is_empty, "{path}: the name says nothing");
    }
}

#[test]
fn files_are_short() {
    let long: BTreeMap<&str, usize> = LONG.into();
    for source in Source::all(&["src"]) {
        let (path, lines) = (source.path.as_str(), source.text.lines().count());
        match long.get(path) {
            None => assert!(lines <= MOST_LINES, "{path}: {lines} lines"),
            Some(most) => assert!(
                (MOST_LINES + 1..=*most).contains(&lines),
                "{path}: {lines} lines; it may have {most}, and leaves the list at {MOST_LINES}"
            ),
        }
    }
}

#[test]
fn what_cannot_be_is_said_with_its_reason() {
    let said = |s: &Source| -> usize {
        let code = s.code();
        UNSAID.iter().map(|u| code.matches(u).count()).sum()
    };
    let sources = Source::all(&["src"]);
    let found: Vec<(&str, usize)> = sources
        .iter()
        .map(|s| (s.path.as_str(), said(s)))
        .filter(|(_, n)| *n > 0)
        .collect();
    assert_eq!(found, SAID, "found, and known");
}

#[test]
fn files_that_are_written_are_named_once() {
    let sources = Source::all(&["src"]);
    let artefacts = sources.iter().find(|s| s.path == "src/report/artefacts.rs");
    let code = artefacts.unwrap().code();
    let names: Vec<&str> = code.split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"sweep.csv"), "{names:?}");
    for source in sources
        .iter()
        .filter(|s| s.path != "src/report/artefacts.rs")
    {
        let code = source.code();
        for name in &names {
            let named = code.contains(&format!("\"{name}\""));
            assert!(
                !named,
                "{}: {name} stands in src/report/artefacts.rs",
                source.path
            );
        }
    }
}
