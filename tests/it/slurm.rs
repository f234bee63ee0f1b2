//! A sweep as a real Slurm job array on this machine: one task is requeued, another's process is
//! killed, and the merged bytes are those of one machine.
//!
//! Skipped, with a message, where Slurm is not installed (`tests/setup/slurm.sh`) or does not start.

use crate::setup::files;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SWEEP: [&str; 9] = [
    "--traffic",
    "100k,3M",
    "--seed",
    "7",
    "-n",
    "60",
    "--set",
    "period.requests=\"3k\"",
    "--plan=paid",
];

/// Slurm on this machine alone; ends with this.
struct Cluster {
    dir: TempDir,
}

impl Cluster {
    /// None if it cannot be started, with a message that says why.
    fn start() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let port = || {
            TcpListener::bind("127.0.0.1:0")?
                .local_addr()
                .map(|a| a.port())
        };
        let ports = [port().unwrap(), port().unwrap()].map(|p| p.to_string());
        let cluster = Cluster { dir };
        let output = Command::new("bash")
            .arg(script("tests/slurm/start.sh"))
            .arg(cluster.dir.path())
            .args(ports)
            .output()
            .unwrap();
        if output.status.success() {
            return Some(cluster);
        }
        eprintln!(
            "skipped: Slurm does not start here (tests/setup/slurm.sh installs it):\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        None
    }

    fn conf(&self) -> PathBuf {
        self.dir.path().join("slurm.conf")
    }

    /// A command that knows this cluster, this kvplan, and where results go.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_kvplan")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command
            .env("SLURM_CONF", self.conf())
            .env("PATH", path)
            .env("KVPLAN_OUT", self.results())
            .current_dir(self.dir.path());
        command
    }

    fn results(&self) -> PathBuf {
        self.dir.path().join("results")
    }

    /// Jobs that wait or run, a line each.
    fn queue(&self) -> String {
        text(
            &self
                .command("squeue")
                .args(["-h", "-o", "%F_%K %T %r"])
                .output()
                .unwrap(),
        )
    }

    /// Finished replications of a part that is under way.
    fn finished(&self, shard: u32) -> usize {
        let journal = self
            .results()
            .join(format!("shards/shard-{shard}-of-4.kvjournal"));
        fs::read(journal).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count())
    }

    fn log(&self, array: &str, task: u32) -> String {
        let name = format!("kvplan-sweep-{array}_{task}.log");
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// The process of kvplan that works on a task of the array.
    fn process(&self, task: u32) -> String {
        let conf = format!("SLURM_CONF={}", self.conf().display());
        let task = format!("SLURM_ARRAY_TASK_ID={task}");
        let is_it = |dir: &Path| {
            let name = fs::read_to_string(dir.join("comm")).unwrap_or_default();
            let environment = fs::read(dir.join("environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let has = |variable: &str| environment.split('\0').any(|v| v == variable);
            name.trim() == "kvplan" && has(&conf) && has(&task)
        };
        let mut processes = fs::read_dir("/proc").unwrap().map(|e| e.unwrap().path());
        let dir = processes.find(|dir| is_it(dir)).expect("the task runs");
        dir.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(240);
        while !is_so() {
            let queue = self.queue();
            assert!(Instant::now() < end, "{what} does not come:\n{queue}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("bash")
            .arg(script("tests/slurm/stop.sh"))
            .arg(self.dir.path())
            .status();
    }
}

fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_array_with_a_requeued_and_a_killed_task_gives_the_bytes_of_one_machine() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let submitted = text(
        &cluster
            .command("bash")
            .arg(script("examples/slurm/submit.sh"))
            .args(["--array=1-4", "--cpus-per-task=1", "--"])
            .args(SWEEP)
            .output()
            .unwrap(),
    );
    let array = submitted
        .strip_prefix("sweep: job array ")
        .and_then(|s| s.split(';').next())
        .unwrap_or_else(|| panic!("{submitted}"));

    cluster.wait_until("the first replications of task 2", || {
        cluster.finished(2) > 3
    });
    let task = format!("{array}_2");
    let requeue = cluster
        .command("scontrol")
        .args(["requeue", &task])
        .output();
    text(&requeue.unwrap());
    cluster.wait_until("the first replications of task 3", || {
        cluster.finished(3) > 3
    });
    let kill = Command::new("kill")
        .args(["-KILL", &cluster.process(3)])
        .status();
    assert!(kill.unwrap().success());

    cluster.wait_until("the end of all jobs", || cluster.queue().is_empty());
    for task in 1..=4 {
        let log = cluster.log(array, task);
        let from = format!(
            "shard {task}/4, from SLURM_ARRAY_TASK_ID={task}, Slurm array 1-4:1 of 4 tasks"
        );
        assert!(log.contains(&from), "{log}");
        let resumed: Vec<usize> = log
            .lines()
            .filter_map(|l| {
                l.strip_prefix("resuming: ")?
                    .split(' ')
                    .next()?
                    .parse()
                    .ok()
            })
            .collect();
        let expected = if task == 2 || task == 3 { 2 } else { 1 };
        assert_eq!(resumed.len(), expected, "starts of task {task}:\n{log}");
        assert_eq!(resumed[0], 0, "{log}");
        assert!(resumed[1..].iter().all(|n| (3..60).contains(n)), "{log}");
    }
    let whole = TempDir::new().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .arg("sweep")
        .args(SWEEP)
        .args(["--quiet", "--out"])
        .arg(whole.path())
        .status();
    assert!(status.unwrap().success());
    let (found, expected) = (files(&cluster.results()), files(whole.path()));
    assert_eq!(expected.len(), 22);
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|f| f.0.clone()).collect()
    };
    assert_eq!(names(&found), names(&expected));
    for (a, b) in found.iter().zip(&expected) {
        assert!(a.1 == b.1, "{} differs", a.0);
    }
}
