//! The tests: how long each takes, and which mutants it reaches, each in a process of its own.

use crate::compile::Executable;
use crate::process::{self, Ended};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Themes that look at the source and not at what it does, or want what a machine may not have.
const BUT: [&str; 6] = [
    "cloudflare::worker::",
    "cloudflare::workerd::",
    "house_rules::",
    "setup::",
    "slurm::",
    "supply::",
];

/// Which tests are asked, and how.
pub(crate) struct Asked {
    /// Beginnings of the names of those that are not.
    pub(crate) without: Vec<String>,
    /// Nor is one that takes longer.
    pub(crate) longest: Duration,
    /// Nor are for one mutant more than take so long together, without the mutant.
    pub(crate) budget: Duration,
    /// How many at a time.
    pub(crate) jobs: usize,
}

/// A test that passes without mutants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Test {
    pub(crate) executable: Executable,
    pub(crate) name: String,
    pub(crate) seconds: f64,
    pub(crate) reached: BTreeSet<u32>,
}

impl Test {
    /// The same test as it was known before, now in this executable.
    fn known(known: &[Test], executable: &Executable, name: &str) -> Option<Test> {
        let is_same = |t: &&Test| t.name == name && t.executable.target() == executable.target();
        let test = known.iter().find(is_same)?.clone();
        let executable = executable.clone();
        Some(Test { executable, ..test })
    }
}

/// Runs each test of these executables without mutants, but for those that are known.
pub(crate) fn measure(
    executables: &[Executable],
    known: &[Test],
    scratch: &Path,
    asked: &Asked,
) -> io::Result<Vec<Test>> {
    let mut names = Vec::new();
    let mut kept = Vec::new();
    for executable in executables {
        let list = Command::new(&executable.path)
            .args(["--list", "--format", "terse"])
            .output()?;
        for line in String::from_utf8_lossy(&list.stdout).lines() {
            let Some(name) = line.strip_suffix(": test") else {
                continue;
            };
            let without = asked.without.iter().map(String::as_str);
            if BUT.into_iter().chain(without).any(|b| name.starts_with(b)) {
                continue;
            }
            match Test::known(known, executable, name) {
                Some(test) => kept.push(test),
                None => names.push((executable.clone(), name.to_owned())),
            }
        }
    }
    eprintln!("{} tests to measure, {} known", names.len(), kept.len());
    fs::create_dir_all(scratch)?;
    let waiting = Mutex::new(names.into_iter().enumerate());
    let done = Mutex::new(kept);
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no test panics here").next();
                    let Some((n, (executable, name))) = next else {
                        break;
                    };
                    let notes = scratch.join(format!("{n}.txt"));
                    let test = measure_one(executable, name, &notes, asked.longest);
                    done.lock().expect("no test panics here").extend(test);
                }
            });
        }
    });
    Ok(done.into_inner().expect("no test panics here"))
}

/// One test; nothing if it fails by itself or takes too long.
fn measure_one(
    executable: Executable,
    name: String,
    notes: &Path,
    longest: Duration,
) -> Option<Test> {
    let _ = fs::remove_file(notes);
    let start = Instant::now();
    let env = [("KVPLAN_MUTANTS_REACHED", notes.display().to_string())];
    let ended = process::tests(&executable, &[&name], &env, longest);
    if !matches!(ended, Ok(Ended::Passed)) {
        eprintln!("not asked: {name}: {ended:?}");
        return None;
    }
    let reached = fs::read_to_string(notes).unwrap_or_default();
    Some(Test {
        executable,
        name,
        seconds: start.elapsed().as_secs_f64(),
        reached: reached.lines().filter_map(|l| l.parse().ok()).collect(),
    })
}
