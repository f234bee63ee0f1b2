//! A mutant against the tests that reach it, the quick ones first.

use crate::compile::Executable;
use crate::mutant::Mutant;
use crate::process::{self, Ended};
use crate::suite::{Asked, Test};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

/// What a first process of tests may take; each further one may take this many times as much.
const FIRST_S: f64 = 0.5;
const GROWTH: f64 = 4.0;

/// Times what its tests take without mutants, and how much more, after which a process hangs.
const PATIENCE: f64 = 5.0;
const SPARE_S: f64 = 10.0;

/// What became of a mutant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) line: usize,
    /// The test that noticed.
    pub(crate) killed_by: Option<String>,
    /// Tests that reach it and are asked.
    pub(crate) tests: usize,
}

/// Tries all mutants, some at a time; `note` hears of each as soon as it is decided.
pub(crate) fn all(
    mutants: &[Mutant],
    tests: &[Test],
    asked: &Asked,
    note: impl Fn(&Outcome) + Sync,
) {
    let waiting = Mutex::new(mutants.iter());
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no trial panics").next();
                    let Some(mutant) = next else { break };
                    match one(mutant, tests, asked) {
                        Ok(outcome) => note(&outcome),
                        Err(e) => eprintln!("{}: {e}", mutant.name),
                    }
                }
            });
        }
    });
}

fn one(mutant: &Mutant, tests: &[Test], asked: &Asked) -> io::Result<Outcome> {
    let mut reaching: Vec<&Test> = tests
        .iter()
        .filter(|t| t.reached.contains(&mutant.id))
        .collect();
    reaching.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let mut sum = 0.0;
    reaching.retain(|t| {
        sum += t.seconds;
        sum <= asked.budget.as_secs_f64()
    });
    let mut outcome = Outcome {
        id: mutant.id,
        name: mutant.name.clone(),
        line: mutant.line,
        killed_by: None,
        tests: reaching.len(),
    };
    let env = [("KVPLAN_MUTANT", mutant.id.to_string())];
    let mut most = FIRST_S;
    let mut rest = &reaching[..];
    while !rest.is_empty() && outcome.killed_by.is_none() {
        let mut sum = 0.0;
        let fits = rest.iter().take_while(|t| {
            sum += t.seconds;
            sum <= most
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        let mut of: BTreeMap<&Executable, Vec<&Test>> = BTreeMap::new();
        for test in now {
            of.entry(&test.executable).or_default().push(test);
        }
        for (executable, tests) in of {
            let names: Vec<&str> = tests.iter().map(|t| t.name.as_str()).collect();
            let usual: f64 = tests.iter().map(|t| t.seconds).sum();
            let most = Duration::from_secs_f64(PATIENCE * usual + SPARE_S);
            match process::tests(executable, &names, &env, most)? {
                Ended::Passed => continue,
                Ended::Failed(test) => outcome.killed_by = Some(test),
                Ended::Hung => outcome.killed_by = Some(format!("hung: {}", names.join(" "))),
            }
            break;
        }
        rest = later;
        most *= GROWTH;
    }
    Ok(outcome)
}
