//! Cloudflare's runtime on this machine, with the bridge of `examples/bridge` in it, or the Worker of `src/worker`.
//!
//! Skipped, with a message, where it is not installed (`tests/setup/miniflare.sh`); an error instead if
//! `KVPLAN_REQUIRE_WORKERD` is set (for the Worker `KVPLAN_REQUIRE_WORKER`), as it is in `.ci/run`.

use kvplan_remote::bridge::{Bridge, BridgeConfig};
use kvplan_remote::rest::{Rest, RestConfig};
use kvplan_remote::{Secret, Values};
use serde_json::{Map, Value};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// The bridge's Worker.
pub(crate) const BRIDGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bridge/worker.js");

/// The runtime as a process of its own; it ends with this, as its standard input then closes.
pub(crate) struct Workerd {
    process: Child,
    /// Where it is, without a slash at the end.
    pub root: String,
}

impl Workerd {
    /// With the bridge. None, with a message, if it is not installed.
    pub(crate) fn start(secret: Option<&str>) -> Option<Self> {
        Workerd::start_with(Path::new(BRIDGE), secret)
    }

    /// The same with another Worker in the bridge's place.
    pub(crate) fn start_with(worker: &Path, secret: Option<&str>) -> Option<Self> {
        let secret = secret.map(|s| ("BRIDGE_SECRET", Value::from(s)));
        Workerd::serve(worker, secret.into_iter())
    }

    /// With the Worker, as `tests/setup/worker.sh` has built it. None, with a message, if it has not, or of
    /// other source than there is now.
    pub(crate) fn start_worker<'a>(
        variables: impl Iterator<Item = (&'a str, Value)>,
    ) -> Option<Self> {
        const BUILT: &str = "target/kvplan-worker/index.js";
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = root.join(BUILT).metadata().and_then(|m| m.modified());
        let sources = ["src/telemetry", "src/worker", "Cargo.lock"];
        let changed = sources.map(|s| last_change(&root.join(s)));
        let why = match built {
            Err(_) => "no Worker found",
            Ok(built) if changed.iter().any(|c| *c > built) => {
                "the Worker is older than its source"
            }
            Ok(_) => return Workerd::serve(&root.join(BUILT), variables),
        };
        skipped(
            "KVPLAN_REQUIRE_WORKER",
            &format!("{why}; tests/setup/worker.sh builds it"),
        );
        None
    }

    fn serve<'a>(script: &Path, variables: impl Iterator<Item = (&'a str, Value)>) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/miniflare");
        if !folder.join("node_modules/miniflare").exists() {
            skipped(
                "KVPLAN_REQUIRE_WORKERD",
                "no miniflare found; tests/setup/miniflare.sh installs it",
            );
            return None;
        }
        let variables: Map<String, Value> =
            variables.map(|(name, v)| (name.to_owned(), v)).collect();
        let mut command = Command::new("node");
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            // The namespace is in files, each write of which waits for the disk; here it is not kept anyway.
            command.env("TMPDIR", memory);
        }
        let mut process = command
            .arg(folder.join("serve.mjs"))
            .arg(script)
            .arg(Value::from(variables).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let root = line.trim().trim_end_matches('/').to_owned();
        let workerd = Workerd { process, root };
        assert!(workerd.root.starts_with("http://127.0.0.1:"), "{line}");
        Some(workerd)
    }

    /// The namespace behind the bridge.
    pub(crate) fn bridge(&self, values: Values, secret: Option<&str>) -> Bridge {
        let config = BridgeConfig {
            root: self.root.clone(),
            secret: secret.map(Secret::new),
            values,
            timeout: Duration::from_secs(60),
        };
        Bridge::new(&config).unwrap()
    }

    /// The same namespace in the REST form, which the runtime's explorer speaks.
    pub(crate) fn rest(&self, values: Values) -> Rest {
        let config = RestConfig {
            root: format!("{}/cdn-cgi/explorer/api", self.root),
            namespace: "kv".into(),
            token: None,
            values,
            timeout: Duration::from_secs(60),
        };
        Rest::new(&config).unwrap()
    }
}

/// Says why a test is skipped, unless it must not be.
fn skipped(unless: &str, why: &str) {
    let required = std::env::var_os(unless).is_some();
    assert!(!required, "{unless} is set, and {why}");
    println!("skipped: {why}");
}

/// When a file, or anything in a folder, was last changed.
fn last_change(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return path.metadata().unwrap().modified().unwrap();
    }
    let entries = path
        .read_dir()
        .unwrap()
        .map(|e| last_change(&e.unwrap().path()));
    entries.max().unwrap()
}

impl Drop for Workerd {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Runs `work` in real time on one thread.
pub(crate) fn in_real_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}
