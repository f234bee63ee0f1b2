//! Searches and ledgers of claims that go on after an interruption, to the same bytes.
#![cfg(unix)]

use crate::setup::files;
use crate::shards::{done, interrupted};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A search of three candidates that takes a second or two.
const SEARCH: &str = r#"
title = "three times to live"
base = "optimised"
base_many_writers = "optimised-fleet"
plans = ["paid"]

[[dimension]]
name = "cache TTL"
option = [
    { label = "1 s", set = { "cache.ttl" = "1 s" } },
    { label = "5 s", set = { "cache.ttl" = "5 s" } },
    { label = "60 s", set = { "cache.ttl" = "60 s" } },
]
"#;

/// Lets a command run to its end in one folder; in another it is killed, stopped, and resumed twice.
fn goes_on_to_the_same_bytes(args: &[&str], journal: &str) {
    let (whole, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    done(args, whole.path());
    let resume = [args, &["--resume"]].concat();
    assert_eq!(interrupted(args, dir.path(), journal, 5, "-KILL"), None);
    let code = interrupted(&resume, dir.path(), journal, 4, "-INT");
    assert_eq!(code, Some(130));
    let names = |dir: &Path| -> Vec<String> { files(dir).into_iter().map(|f| f.0).collect() };
    assert_eq!(names(dir.path()), [journal]);
    let kept = fs::read_to_string(dir.path().join(journal)).unwrap();
    let kept = kept.lines().count() - 1;
    assert!(kept >= 9, "{kept}");
    let loud: Vec<&str> = resume.iter().copied().filter(|a| *a != "--quiet").collect();
    let (_, message) = done(&loud, dir.path());
    let said = format!("resuming: {kept} replications are there already\n");
    assert_eq!(message, said);
    assert_eq!(names(dir.path()), names(whole.path()));
    for (a, b) in files(dir.path()).iter().zip(&files(whole.path())) {
        assert!(a.1 == b.1, "{} differs", a.0);
    }
}

#[test]
fn a_search_goes_on() {
    let models = TempDir::new().unwrap();
    let search = models.path().join("search.toml");
    fs::write(&search, SEARCH).unwrap();
    let mut args = vec!["plan", "--search", search.to_str().unwrap()];
    args.extend(["--traffic", "3M", "--slo", "hit>50%", "-n", "12"]);
    args.extend(["--set", "period.requests=\"5k\"", "--quiet"]);
    goes_on_to_the_same_bytes(&args, "plan.kvjournal");
}

#[test]
fn a_ledger_goes_on() {
    let mut args = vec!["verify", "--claim", "lazy-70", "--effort", "quick"];
    args.extend(["-n", "20", "--quiet"]);
    goes_on_to_the_same_bytes(&args, "verify.kvjournal");
}
