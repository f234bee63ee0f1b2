//! Hosts that fail: readers that go away, full disks, signals, and links laid in the way.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

fn kvplan(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    command.args(args);
    command
}

const SHORT: [&str; 4] = ["-n", "2", "--set", "period.requests=\"500\""];

/// `kvplan ... | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let with = |args: &[&str]| {
        let mut command = kvplan(args);
        command.args(SHORT);
        command
    };
    let commands = [
        kvplan(&["scenario", "list"]),
        kvplan(&["scenario", "show", "default"]),
        kvplan(&["invoice", "kv.reads=20M"]),
        kvplan(&["schema"]),
        kvplan(&["man"]),
        kvplan(&["completions", "bash"]),
        with(&["run"]),
        with(&["compare", "naive", "optimised"]),
        with(&["sweep", "--traffic", "1M", "--out", out]),
        with(&["breakeven", "--traffic", "1M..3M", "--out", out]),
    ];
    for mut command in commands {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{command:?}: {said}");
        assert!(!said.contains("panicked"), "{command:?}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_told() {
    for args in [&["scenario", "list"][..], &["invoice", "kv.reads=20M"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = kvplan(args);
        let output = command.stdout(full.unwrap()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("standard output: cannot be written"),
            "{said}"
        );
    }
}

/// One replication that takes minutes.
fn long_run() -> Child {
    let args = [
        "run",
        "--traffic",
        "1B",
        "-n",
        "1",
        "-j",
        "1",
        "--set",
        "period.requests=\"2B\"",
    ];
    let mut command = kvplan(&args);
    command.args(["--set", "period.at_most=\"60 d\"", "--policy", "optimised"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}

/// How a long run ends that gets a signal; it would be at work for minutes, and then end with 0. A signal that
/// comes before it has begun ends it in the system's way: then once more, later.
#[cfg(unix)]
fn signalled(name: &str) -> Option<i32> {
    for wait in [300, 1_000, 5_000, 20_000] {
        let mut child = long_run();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        signal(&child, name);
        if let Some(code) = child.wait().unwrap().code() {
            return Some(code);
        }
    }
    None
}

#[cfg(unix)]
#[test]
fn a_signal_stops_a_replication_that_is_under_way() {
    for name in ["-INT", "-TERM", "-HUP"] {
        assert_eq!(signalled(name), Some(130), "{name}");
    }
}

/// A signal while charts are drawn: the command ends within seconds, and nobody finds a file of it.
#[cfg(unix)]
#[test]
fn a_signal_stops_the_drawing_of_charts() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let mut command = kvplan(&["sweep", "--traffic", "1k..1B", "--quiet", "--out", out]);
    command.args(["-n", "2", "--set", "period.requests=\"50\""]);
    command.args(["--set", "period.at_least=\"1 s\""]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let draws = || {
        let folders = fs::read_dir(dir.path()).unwrap().flatten();
        let mut staged = folders
            .filter_map(|f| fs::read_dir(f.path()).ok())
            .flatten();
        staged.any(|f| f.is_ok_and(|f| f.path().extension().is_some_and(|e| e == "svg")))
    };
    while !draws() {
        assert_eq!(child.try_wait().unwrap(), None, "it was too fast");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let told = std::time::Instant::now();
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(told.elapsed().as_secs() < 5, "{:?}", told.elapsed());
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["sweep.kvjournal"]);
}

/// What a link points to is not the journal's.
#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_journal_is_not_followed() {
    let dir = TempDir::new().unwrap();
    let precious = dir.path().join("precious");
    fs::write(&precious, "mine\n").unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink(&precious, out.join("sweep.kvjournal")).unwrap();
    let mut command = kvplan(&["sweep", "--traffic", "1M", "--out", out.to_str().unwrap()]);
    let output = command.args(SHORT).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("sweep.kvjournal: found a link"), "{said}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine\n");
}
