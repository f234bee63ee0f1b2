//! One small change of the source, and which of all changes are tried.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a change stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Form {
    /// One expression for another.
    Expression,
    /// A statement that is left out.
    Statement,
    /// A function that returns at once.
    Body,
}

/// A small change of the source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mutant {
    /// Its number; 0 is that of none.
    pub(crate) id: u32,
    /// Where it is and what is changed, without numbers of lines, so that it holds while the source moves.
    pub(crate) name: String,
    /// The name before those that share it are told apart.
    #[serde(skip)]
    pub(crate) first_name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) form: Form,
    /// Bytes of the file that are replaced.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// By what.
    pub(crate) instead: String,
}

/// At most `most` of them, as evenly over the files as there are some; each gets its number.
///
/// Which of a file's are taken follows from their names alone, so that a change elsewhere changes no choice.
pub(crate) fn sample(all: Vec<Mutant>, most: usize, seed: u64) -> Vec<Mutant> {
    let mut files: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in all {
        files.entry(mutant.file.clone()).or_default().push(mutant);
    }
    for mutants in files.values_mut() {
        // By the names of before there was a folder for it, so that the choice is what it was.
        let name = |m: &Mutant| m.name.replacen("src/simulator/", "src/", 1);
        mutants.sort_by_key(|m| std::cmp::Reverse(hash(&name(m), seed)));
    }
    let mut chosen = Vec::new();
    while chosen.len() < most && files.values().any(|f| !f.is_empty()) {
        let round: Vec<Mutant> = files.values_mut().filter_map(Vec::pop).collect();
        chosen.extend(round);
    }
    chosen.truncate(most);
    chosen.sort_by(|a, b| (&a.file, a.from, &a.name).cmp(&(&b.file, b.from, &b.name)));
    for (id, mutant) in (1..).zip(&mut chosen) {
        mutant.id = id;
    }
    chosen
}

/// FNV-1a with a finish that spreads it: the same on every machine.
fn hash(text: &str, seed: u64) -> u64 {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let h = text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, step);
    let h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    h ^ (h >> 32)
}
