//! Tests in a process of their own, which may hang or want all memory there is.

use crate::compile::Executable;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Most memory of a process, in KiB: a mutant may ask for ever more.
const MEMORY_KIB: u64 = 6_000_000;

/// How tests ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    /// With the first that failed.
    Failed(String),
    Hung,
}

/// Runs these tests of an executable one after the other, until the first fails or the time is over.
pub(crate) fn tests(
    executable: &Executable,
    names: &[&str],
    env: &[(&str, String)],
    most: Duration,
) -> io::Result<Ended> {
    let limit = format!("ulimit -v {MEMORY_KIB}; exec \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limit, "sh"])
        .arg(&executable.path)
        .args(["--exact", "--test-threads=1"])
        .args(names)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(&executable.folder)
        .env("CARGO_MANIFEST_DIR", &executable.folder)
        .env("INSTA_UPDATE", "no")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + most;
    loop {
        match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.ends_with("FAILED") => {
                stop(&mut child)?;
                let name = line.trim_start_matches("test ").split(' ').next();
                return Ok(Ended::Failed(name.unwrap_or_default().to_owned()));
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => {
                stop(&mut child)?;
                return Ok(Ended::Hung);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(match child.wait()?.success() {
                    true => Ended::Passed,
                    false => Ended::Failed(names.join(" ")),
                });
            }
        }
    }
}

/// Ends the process and those that it has started, which are of its group.
fn stop(child: &mut Child) -> io::Result<()> {
    let group = format!("-{}", child.id());
    Command::new("kill")
        .args(["-KILL", "--", &group])
        .status()?;
    child.wait()?;
    Ok(())
}
