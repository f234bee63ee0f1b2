//! Sweeps dealt out over machines, and sweeps that go on after an interruption: the same bytes.

use crate::setup::files;
use assert_cmd::Command;
use saphyr::{LoadableYamlNode, Yaml};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// 2 levels x 2 policies x 3 replications.
const QUICK: [&str; 10] = [
    "sweep",
    "--traffic",
    "100k,3M",
    "--seed",
    "7",
    "-n",
    "3",
    "--set",
    "period.requests=\"500\"",
    "--quiet",
];

fn kvplan() -> Command {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    for name in [
        "SLURM_ARRAY_TASK_ID",
        "JOB_COMPLETION_INDEX",
        "KVPLAN_SHARDS",
    ] {
        command.env_remove(name);
    }
    command
}

/// Exit code, standard output and standard error.
fn run(args: &[&str], out: &Path) -> (Option<i32>, String, String) {
    let output = kvplan().args(args).arg("--out").arg(out).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

pub(crate) fn done(args: &[&str], out: &Path) -> (String, String) {
    let (code, stdout, stderr) = run(args, out);
    assert_eq!(code, Some(0), "{args:?}: {stderr}");
    (stdout, stderr)
}

fn assert_same_files(found: &Path, expected: &Path, what: &str) {
    let (found, expected) = (files(found), files(expected));
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|f| f.0.clone()).collect()
    };
    assert_eq!(names(&found), names(&expected), "{what}");
    assert_eq!(found.len(), 22);
    for (a, b) in found.iter().zip(&expected) {
        assert!(a.1 == b.1, "{what}: {} differs", a.0);
    }
}

/// The shards of a sweep in one folder.
fn shards(args: &[&str], n: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    for i in 1..=n {
        done(
            &[args, &["--shard", &format!("{i}/{n}")]].concat(),
            dir.path(),
        );
    }
    assert_eq!(files(dir.path()).len(), n as usize);
    dir
}

#[test]
fn shards_merge_to_the_bytes_of_one_machine() {
    let whole = TempDir::new().unwrap();
    done(&QUICK, whole.path());
    // One, several, and more than there are replications.
    for n in [1, 3, 5, 15] {
        let shards = shards(&QUICK, n);
        let merged = TempDir::new().unwrap();
        done(
            &["merge", shards.path().to_str().unwrap(), "--quiet"],
            merged.path(),
        );
        assert_same_files(merged.path(), whole.path(), &format!("{n} shards"));
    }
}

#[test]
fn shards_of_a_sweep_with_a_precision_merge_too() {
    let args = [
        &QUICK[..],
        &["--precision", "8%", "--max-replications", "40"],
    ]
    .concat();
    let whole = TempDir::new().unwrap();
    done(&args, whole.path());
    let shards = shards(&args, 3);
    // The third of three shards of two levels has nothing to do.
    let lines = |i: u32| {
        let file = shards.path().join(format!("shard-{i}-of-3.kvshard"));
        fs::read_to_string(file).unwrap().lines().count()
    };
    assert!(lines(1) > 20 && lines(2) > 20, "{} {}", lines(1), lines(2));
    assert_eq!(lines(3), 2);
    let merged = TempDir::new().unwrap();
    done(
        &["merge", shards.path().to_str().unwrap(), "--quiet"],
        merged.path(),
    );
    assert_same_files(merged.path(), whole.path(), "with a precision");
}

#[test]
fn merge_prints_what_the_sweep_prints() {
    let loud = &QUICK[..QUICK.len() - 1];
    let whole = TempDir::new().unwrap();
    let (expected, _) = done(loud, whole.path());
    let shards = shards(&QUICK, 2);
    let merged = TempDir::new().unwrap();
    let (found, _) = done(&["merge", shards.path().to_str().unwrap()], merged.path());
    let without_last = |text: &str| -> Vec<String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[..lines.len() - 1].to_vec()
    };
    assert_eq!(without_last(&found), without_last(&expected));
}

/// Runs `kvplan merge` on a folder; checks exit code 2, no output, and that earlier output is
/// untouched; returns the message with the folder left out.
fn refused(shards: &Path) -> String {
    let out = TempDir::new().unwrap();
    fs::write(out.path().join("sweep.csv"), "earlier\n").unwrap();
    let folder = shards.to_str().unwrap();
    let (code, stdout, message) = run(&["merge", folder], out.path());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{message}");
    assert_eq!(
        files(out.path()),
        [("sweep.csv".to_owned(), b"earlier\n".to_vec())]
    );
    message
        .replace(&format!("{folder}/"), "")
        .replace(folder, "DIR")
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let dir = shards(&QUICK, 3);
    let path = |i: u32| dir.path().join(format!("shard-{i}-of-3.kvshard"));
    let good = fs::read(path(2)).unwrap();
    let with = |bytes: &[u8]| {
        fs::write(path(2), bytes).unwrap();
        refused(dir.path())
    };

    fs::remove_file(path(2)).unwrap();
    insta::assert_snapshot!(refused(dir.path()), @"error: shard 2 of 3 is missing; found 1, 3, expected all 3");
    insta::assert_snapshot!(with(&good[..good.len() - 1]), @"error: shard-2-of-3.kvshard: is cut off or damaged: found no closing line, expected one with the number and the checksum of all units");
    insta::assert_snapshot!(with(&good[..good.len() / 2]), @"error: shard-2-of-3.kvshard: is cut off or damaged: found no closing line, expected one with the number and the checksum of all units");
    insta::assert_snapshot!(with(b""), @"error: shard-2-of-3.kvshard: is empty, expected a shard");
    insta::assert_snapshot!(with(b"traffic,policy\n"), @"error: shard-2-of-3.kvshard: is not a partial result of kvplan, or its first line is damaged");
    let mut damaged = good.clone();
    let last_but_one = good.iter().rposition(|b| *b == b'\n').unwrap() - 400;
    damaged[last_but_one] ^= 1;
    let message = with(&damaged);
    assert!(
        message.starts_with("error: shard-2-of-3.kvshard: is damaged: found"),
        "{message}"
    );

    // One line less, and a checksum that is right again, is still one unit less.
    let text = String::from_utf8(good.clone()).unwrap();
    let version = text.replace("\"kvplan\":\"0", "\"kvplan\":\"9");
    insta::assert_snapshot!(with(version.as_bytes()), @"error: shard-2-of-3.kvshard: was written by kvplan 9.1.0, expected 0.1.0: the versions may simulate differently");

    fs::write(path(2), &good).unwrap();
    fs::copy(path(2), dir.path().join("twice.kvshard")).unwrap();
    insta::assert_snapshot!(refused(dir.path()), @"error: twice.kvshard: found shard 2 of 3 again, which is in shard-2-of-3.kvshard already; expected each once");
    fs::remove_file(dir.path().join("twice.kvshard")).unwrap();

    let foreign = |args: &[&str]| {
        let all = [&QUICK[..], args].concat();
        done(&all, dir.path());
        let message = refused(dir.path());
        fs::write(path(2), &good).unwrap();
        message
    };
    insta::assert_snapshot!(foreign(&["--shard", "2/3", "--set", "policy.batch.max_records=7"]), @"error: shard-2-of-3.kvshard: is of another sweep than shard-1-of-3.kvshard: `scenario.policies[0].batch.max_records`: found 7, expected 1");
    insta::assert_snapshot!(foreign(&["--shard", "4/4"]), @"error: shard-4-of-4.kvshard: found a shard of 4, expected one of 3 as in shard-1-of-3.kvshard");
    fs::remove_file(dir.path().join("shard-4-of-4.kvshard")).unwrap();

    let empty = TempDir::new().unwrap();
    insta::assert_snapshot!(refused(empty.path()), @"error: DIR: found no file *.kvshard, expected the shards of a sweep");
    insta::assert_snapshot!(refused(&empty.path().join("none")), @"error: DIR: cannot be read (no such file)");
    // After all this, the good ones are still good.
    done(
        &["merge", dir.path().to_str().unwrap(), "--quiet"],
        empty.path(),
    );
}

#[test]
fn a_wrong_part_is_refused() {
    let out = TempDir::new().unwrap();
    for part in ["0/3", "4/3", "3", "a/b", "1/0", "1/2/3", ""] {
        let (code, _, message) = run(&[&QUICK[..], &["--shard", part]].concat(), out.path());
        assert_eq!(code, Some(2), "{part}");
        assert!(
            message.contains("expected a part and their number, such as 1/4 to 4/4, or auto"),
            "{message}"
        );
    }
    assert!(files(out.path()).is_empty());
}

/// As the batch systems set them; the last is a Kubernetes Job without our variable.
#[test]
fn the_part_is_found_in_the_environment() {
    let loud = [&QUICK[..QUICK.len() - 1], &["--shard", "auto"]].concat();
    let with = |variables: &[(&str, &str)]| {
        let out = TempDir::new().unwrap();
        let output = kvplan()
            .args(&loud)
            .arg("--out")
            .arg(out.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let names: Vec<String> = files(out.path()).into_iter().map(|f| f.0).collect();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
            names,
        )
    };
    let (code, message, names) = with(&[
        ("SLURM_ARRAY_TASK_ID", "5"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
        ("SLURM_ARRAY_TASK_MAX", "9"),
        ("SLURM_ARRAY_TASK_STEP", "4"),
        ("SLURM_ARRAY_TASK_COUNT", "3"),
    ]);
    assert_eq!(
        (code, &names[..]),
        (Some(0), &["shard-2-of-3.kvshard".to_owned()][..])
    );
    insta::assert_snapshot!(message, @"shard 2/3, from SLURM_ARRAY_TASK_ID=5, Slurm array 1-9:4 of 3 tasks");
    let (code, message, names) = with(&[("JOB_COMPLETION_INDEX", "0")]);
    assert_eq!((code, names.len()), (Some(2), 0));
    insta::assert_snapshot!(message, @"error: --shard auto: found JOB_COMPLETION_INDEX, but not KVPLAN_SHARDS; expected both");
}

fn text<'a>(node: &'a Yaml, path: &[&str]) -> &'a str {
    field(node, path).as_str().unwrap()
}

fn field<'a, 'b>(node: &'a Yaml<'b>, path: &[&str]) -> &'a Yaml<'b> {
    path.iter().fold(node, |node, name| &node[*name])
}

/// The Job's files parse, and a pod's command with the variables that Kubernetes and the file give
/// it does the part of each index; the merge's command then gives what one machine does.
#[test]
fn the_kubernetes_jobs_do_what_one_machine_does() {
    let documents =
        Yaml::load_from_str(include_str!("../../examples/kubernetes/sweep-job.yaml")).unwrap();
    let [claim, job] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!(text(job, &["kind"]), "Job");
    assert_eq!(text(job, &["spec", "completionMode"]), "Indexed");
    let completions = field(job, &["spec", "completions"]).as_integer().unwrap();
    let pod = field(job, &["spec", "template", "spec"]);
    let container = &pod["containers"][0];
    let env = container["env"].as_vec().unwrap();
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|v| (text(v, &["name"]), text(v, &["value"])))
        .collect();
    assert_eq!(env, [("KVPLAN_SHARDS", completions.to_string().as_str())]);
    let documents =
        Yaml::load_from_str(include_str!("../../examples/kubernetes/merge-job.yaml")).unwrap();
    let merge_pod = field(&documents[0], &["spec", "template", "spec"]);
    for pod in [pod, merge_pod] {
        let volume = &pod["volumes"][0];
        assert_eq!(
            text(volume, &["persistentVolumeClaim", "claimName"]),
            text(claim, &["metadata", "name"])
        );
        let mount = &pod["containers"][0]["volumeMounts"][0];
        assert_eq!(text(mount, &["name"]), text(volume, &["name"]));
        assert_eq!(text(mount, &["mountPath"]), "/results");
        assert_eq!(text(&pod["containers"][0]["command"][0], &[]), "kvplan");
    }

    // The volume is a folder here, and the scenario a smaller one.
    let volume = TempDir::new().unwrap();
    let args = |container: &Yaml| -> Vec<String> {
        let args = container["args"].as_vec().unwrap().iter();
        args.map(|a| a.as_str().unwrap())
            .map(|a| a.replace("/results", volume.path().to_str().unwrap()))
            .map(|a| a.replace("production-10m", "default"))
            .collect()
    };
    for index in 0..completions {
        kvplan()
            .args(args(container))
            .args(&QUICK[1..])
            .envs(env.iter().copied())
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .assert()
            .success();
    }
    let merge = args(&merge_pod["containers"][0]);
    kvplan().args(merge).assert().success();
    let whole = TempDir::new().unwrap();
    done(&QUICK, whole.path());
    assert_same_files(volume.path(), whole.path(), "Kubernetes");
}

/// Long enough to be interrupted.
const LONG: [&str; 10] = [
    "sweep",
    "--traffic",
    "100k,3M",
    "--seed",
    "7",
    "-n",
    "40",
    "--set",
    "period.requests=\"1500\"",
    "--quiet",
];

/// What [`LONG`] leaves behind if nothing interrupts it.
fn uninterrupted() -> &'static Path {
    static WHOLE: OnceLock<PathBuf> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uninterrupted");
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        done(&LONG, &dir);
        dir
    })
}

fn start(args: &[&str], out: &Path) -> Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .args(args)
        .arg("--out")
        .arg(out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a command run until its journal has so many units more than it had; then sends the signal, and
/// says how it ended. Where in a unit, or in the writing of its line, that is, is left to chance.
#[cfg(unix)]
pub(crate) fn interrupted(
    args: &[&str],
    out: &Path,
    journal: &str,
    more: usize,
    signal: &str,
) -> Option<i32> {
    let journal = out.join(journal);
    let lines = || fs::read(&journal).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count());
    let before = lines();
    let mut child = start(args, out);
    while lines() < before.max(1) + more {
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before the signal"
        );
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args([signal, &id])
        .status();
    assert!(sent.unwrap().success());
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn a_sweep_goes_on_after_interruptions_to_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let resume = [&LONG[..], &["--resume"]].concat();
    let journal = "sweep.kvjournal";
    assert_eq!(interrupted(&LONG, dir.path(), journal, 9, "-KILL"), None);
    assert_eq!(
        interrupted(&resume, dir.path(), journal, 31, "-INT"),
        Some(130)
    );
    assert_eq!(interrupted(&resume, dir.path(), journal, 1, "-KILL"), None);
    assert_eq!(
        interrupted(&resume, dir.path(), journal, 23, "-TERM"),
        Some(130)
    );
    // A line that was being written when the power went is no harm.
    let path = dir.path().join(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 300);
    fs::write(&path, bytes).unwrap();
    // Whoever asks for another sweep is told that this is not it.
    let other = [&resume[..LONG.len() - 1], &["--resume", "--plan", "free"]].concat();
    let (code, _, message) = run(&other, dir.path());
    assert_eq!(code, Some(2));
    assert!(message.contains("sweep.kvjournal: is the journal of another sweep: `scenario.plan`: found \"paid\", expected \"free\""), "{message}");

    let loud: Vec<&str> = resume.iter().copied().filter(|a| *a != "--quiet").collect();
    let (_, message) = done(&loud, dir.path());
    let there: usize = message
        .strip_prefix("resuming: ")
        .and_then(|m| m.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{message}"));
    assert!((63..160).contains(&there), "{there}");
    assert_same_files(dir.path(), uninterrupted(), "after four interruptions");
}

#[cfg(unix)]
#[test]
fn a_shard_goes_on_too_and_is_left_alone_once_it_is_complete() {
    let args = |i: u32| {
        let mut args: Vec<String> = LONG.iter().map(|s| (*s).to_owned()).collect();
        args.extend(["--resume".into(), "--shard".into(), format!("{i}/2")]);
        args
    };
    let dir = TempDir::new().unwrap();
    for i in [1, 2] {
        let args = args(i);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let journal = format!("shard-{i}-of-2.kvjournal");
        assert_eq!(interrupted(&args, dir.path(), &journal, 17, "-KILL"), None);
        done(&args, dir.path());
    }
    let names: Vec<String> = files(dir.path()).into_iter().map(|f| f.0).collect();
    assert_eq!(names, ["shard-1-of-2.kvshard", "shard-2-of-2.kvshard"]);
    // As when a batch system repeats a task that had ended.
    let again = args(2);
    let again: Vec<&str> = again
        .iter()
        .map(String::as_str)
        .filter(|a| *a != "--quiet")
        .collect();
    let (_, message) = done(&again, dir.path());
    assert_eq!(message, "shard 2/2 is complete already\n");
    let merged = TempDir::new().unwrap();
    done(
        &["merge", dir.path().to_str().unwrap(), "--quiet"],
        merged.path(),
    );
    assert_same_files(merged.path(), uninterrupted(), "resumed shards");
}

#[cfg(unix)]
#[test]
fn without_resume_a_sweep_starts_over_and_says_so() {
    let dir = TempDir::new().unwrap();
    let code = interrupted(&LONG, dir.path(), "sweep.kvjournal", 9, "-KILL");
    assert_eq!(code, None);
    let (_, message) = done(&QUICK[..QUICK.len() - 1], dir.path());
    assert!(message.starts_with("starting over: "), "{message}");
    assert!(message.contains("--resume would go on"), "{message}");
    assert_eq!(files(dir.path()).len(), 22);
}
