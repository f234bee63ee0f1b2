//! Do the tests notice? Breaks the production code in many small ways, and looks for each whether a test fails.
//!
//! All mutants are compiled at once into a copy of the repository, and one is chosen when a test runs; see
//! `tests/mutants/README.md` for how to run it and what it leaves.

mod compile;
mod find;
mod mutant;
mod plant;
mod process;
mod suite;
mod tree;
mod trial;
mod verdict;

use mutant::Mutant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use suite::{Asked, Test};
use tree::Tree;
use trial::Outcome;

const USAGE: &str = "kvplan-mutants [all|again|try|list] [--sample N] [--seed N] [--jobs N] [--longest S] [--budget S] [--without THEME]...
  all    build, measure the tests, try all mutants
  again  the same, but only those that were not killed the last time
  try    go on with those that have no outcome yet; nothing is built
  list   print all mutants that there are";

struct Arguments {
    command: String,
    sample: usize,
    seed: u64,
    asked: Asked,
}

impl Arguments {
    fn parse() -> Option<Arguments> {
        let mut args = Arguments {
            command: "all".into(),
            sample: 480,
            seed: 1,
            asked: Asked {
                without: Vec::new(),
                longest: Duration::from_secs(30),
                budget: Duration::from_secs(600),
                jobs: 2,
            },
        };
        let mut given = std::env::args().skip(1);
        while let Some(arg) = given.next() {
            match arg.as_str() {
                "--sample" => args.sample = given.next()?.parse().ok()?,
                "--seed" => args.seed = given.next()?.parse().ok()?,
                "--jobs" => args.asked.jobs = given.next()?.parse().ok()?,
                "--longest" => {
                    args.asked.longest = Duration::from_secs(given.next()?.parse().ok()?);
                }
                "--budget" => {
                    args.asked.budget = Duration::from_secs(given.next()?.parse().ok()?);
                }
                "--without" => args.asked.without.push(given.next()?),
                "all" | "again" | "try" | "list" => args.command = arg,
                _ => return None,
            }
        }
        Some(args)
    }
}

/// The files in which one step leaves what the next needs.
struct Work {
    folder: PathBuf,
}

impl Work {
    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        let text = fs::read_to_string(self.folder.join(name))?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    fn write(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(what).map_err(io::Error::other)?;
        fs::write(self.folder.join(name), text)
    }

    /// The outcomes so far, by the mutant's name; the last word on each holds.
    fn outcomes(&self) -> BTreeMap<String, Outcome> {
        let text = fs::read_to_string(self.folder.join("outcomes.jsonl")).unwrap_or_default();
        let all = text
            .lines()
            .filter_map(|l| serde_json::from_str::<Outcome>(l).ok());
        all.map(|o| (o.name.clone(), o)).collect()
    }
}

fn main() -> ExitCode {
    let Some(args) = Arguments::parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Arguments) -> io::Result<bool> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = package.ancestors().nth(2).expect("it is tests/mutants");
    let folder = repository.join("target/mutants");
    fs::create_dir_all(&folder)?;
    let work = Work { folder };
    let tree = Tree::new(repository, work.folder.join("tree"))?;
    if args.command == "list" {
        for mutant in tree.mutants()? {
            println!("{} (line {})", mutant.name, mutant.line);
        }
        return Ok(true);
    }
    if args.command != "try" {
        build(args, &tree, &work)?;
    }
    let mutants: Vec<Mutant> = work.read("planted.json")?;
    let tests: Vec<Test> = work.read("tests.json")?;
    let old = work.outcomes();
    let is_done = |m: &&Mutant| match old.get(&m.name) {
        Some(outcome) => args.command == "try" || outcome.killed_by.is_some(),
        None => false,
    };
    let waiting: Vec<Mutant> = mutants.iter().filter(|m| !is_done(m)).cloned().collect();
    eprintln!("{} mutants to try", waiting.len());
    let mut to = fs::OpenOptions::new();
    let to = Mutex::new(
        to.create(true)
            .append(true)
            .open(work.folder.join("outcomes.jsonl"))?,
    );
    trial::all(&waiting, &tests, &args.asked, |outcome| {
        let line = serde_json::to_string(outcome).expect("an outcome is plain");
        let written = writeln!(to.lock().expect("no trial panics"), "{line}");
        if let Err(e) = written {
            eprintln!("outcomes.jsonl: {e}");
        }
    });
    let planted: BTreeSet<&str> = mutants.iter().map(|m| m.name.as_str()).collect();
    let mut outcomes: Vec<Outcome> = work.outcomes().into_values().collect();
    outcomes.retain(|o| planted.contains(o.name.as_str()));
    outcomes.sort_by_key(|o| o.id);
    verdict::print(&outcomes, &package.join("survivors.toml"))
}

/// Plants, builds and measures; `all` forgets what came of earlier runs.
fn build(args: &Arguments, tree: &Tree, work: &Work) -> io::Result<()> {
    if args.command == "all" {
        let _ = fs::remove_file(work.folder.join("outcomes.jsonl"));
    }
    let all = tree.mutants()?;
    let there = all.len();
    let mut mutants = mutant::sample(all, args.sample, args.seed);
    // What the compiler refused before, it will refuse again.
    let mut refused: BTreeSet<String> = work.read("refused.json").unwrap_or_default();
    let chosen: BTreeSet<String> = mutants.iter().map(|m| m.name.clone()).collect();
    mutants.retain(|m| !refused.contains(&m.name));
    let executables = compile::build(tree, &mut mutants, &work.folder.join("build"))?;
    let left: BTreeSet<String> = mutants.iter().map(|m| m.name.clone()).collect();
    refused.extend(chosen.difference(&left).cloned());
    work.write("refused.json", &refused)?;
    eprintln!(
        "{there} mutants, {} chosen, {} compile",
        chosen.len(),
        mutants.len()
    );
    // What a test reaches is noted by number.
    let before: Vec<Mutant> = work.read("planted.json").unwrap_or_default();
    let numbered = |all: &[Mutant]| -> Vec<(u32, String)> {
        all.iter().map(|m| (m.id, m.name.clone())).collect()
    };
    let known: Vec<Test> = match args.command.as_str() {
        "again" if numbered(&before) == numbered(&mutants) => work.read("tests.json")?,
        _ => Vec::new(),
    };
    let tests = suite::measure(
        &executables,
        &known,
        &work.folder.join("reached"),
        &args.asked,
    )?;
    work.write("tests.json", &tests)?;
    work.write("planted.json", &mutants)
}
