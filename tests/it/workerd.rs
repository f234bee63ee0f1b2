//! Cloudflare's runtime on this machine, with the bridge of `examples/bridge` in it.
//!
//! Skipped, with a message, where it is not installed (`tests/setup/miniflare.sh`); an error instead if
//! `KVPLAN_REQUIRE_WORKERD` is set, as it is in `.ci/run`.

use kvplan_remote::bridge::{Bridge, BridgeConfig};
use kvplan_remote::rest::{Rest, RestConfig};
use kvplan_remote::{Secret, Values};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
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
    /// With the bridge; none, with a message, if it is not installed.
    pub(crate) fn start(secret: Option<&str>) -> Option<Self> {
        Workerd::start_with(Path::new(BRIDGE), secret)
    }

    /// The same with another Worker.
    pub(crate) fn start_with(worker: &Path, secret: Option<&str>) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/miniflare");
        if !folder.join("node_modules/miniflare").exists() {
            let why = "no miniflare found; tests/setup/miniflare.sh installs it";
            let required = std::env::var_os("KVPLAN_REQUIRE_WORKERD").is_some();
            assert!(!required, "KVPLAN_REQUIRE_WORKERD is set, and {why}");
            println!("skipped: {why}");
            return None;
        }
        let mut process = Command::new("node")
            .arg(folder.join("serve.mjs"))
            .arg(worker)
            .args(secret)
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
