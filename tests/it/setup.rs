//! What several themes set up or read in the same way.

use kvplan::models::{Override, parse_overrides};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Settings as `--set` takes them: those of a theme, and a test's own after them.
pub(crate) fn overrides(theme: &[&str], own: &[&str]) -> Vec<Override> {
    let all: Vec<String> = [theme, own].concat().iter().map(|s| (*s).into()).collect();
    parse_overrides(&all).unwrap()
}

/// A KV that answers at once, and no queries but one metrics read per request.
pub(crate) const INSTANT: [&str; 5] = [
    "latency.read={kind=\"constant\",value=\"0 s\"}",
    "latency.write={kind=\"constant\",value=\"0 s\"}",
    "latency.list={kind=\"constant\",value=\"0 s\"}",
    "workload.analytics_queries.rate=\"0/s\"",
    "workload.health_checks.rate=\"0/s\"",
];

/// The shortest run with a profile of one's own: what shows that it can be used.
pub(crate) fn short_run(setting: &str) -> [&str; 9] {
    let enough = "period.requests=100";
    [
        "run",
        "--traffic",
        "100k",
        "-n",
        "1",
        "--set",
        setting,
        "--set",
        enough,
    ]
}

/// The files of a folder by name, without those in folders within.
pub(crate) fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    let mut files: Vec<_> = entries
        .filter(|e| e.path().is_file())
        .map(|e| {
            let name = e.file_name().into_string().unwrap();
            (name, fs::read(e.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The rows of a CSV file by the names of its columns.
pub(crate) fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// The most memory that a process has held so far, in KiB, where the system tells and the process is there.
pub(crate) fn peak_kib(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
