//! Arguments and effects that several commands share.

use super::EXIT_INTERRUPTED;
use super::beforehand::tell_how_long;
use super::drawing::DrawArgs;
pub(crate) use super::failure::{Failure, interrupted};
use super::number::{expected_of, seed, whole};
use clap::Args;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use kvplan::models::quantity::{Count, Probability};
use kvplan::models::{Override, parse_overrides};
use kvplan::pricing::Date;
use kvplan::run::effort::Effort;
use kvplan::run::precision::{MOST_REPLICATIONS, Precision};
use kvplan::run::scenario::Scenario;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What every simulating command accepts.
#[derive(Args, Clone)]
pub(crate) struct SimulationArgs {
    /// Scenario: a name from `kvplan scenario list` or a TOML file
    #[arg(long, short, default_value = "default")]
    pub scenario: String,
    /// Override one setting, such as policy.cache.ttl="10 s" (may be repeated)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub overrides: Vec<String>,
    /// Policies instead of the scenario's: names from models/policies or files
    #[arg(long = "policy", value_name = "POLICY", value_delimiter = ',')]
    pub policies: Vec<String>,
    /// Plan of the price catalog instead of the scenario's, such as free or paid
    #[arg(long)]
    pub plan: Option<String>,
    /// Day whose prices are taken, such as 2026-12-15 [default: the day on which the price catalog was
    /// checked, whatever the day today, so that a scenario gives the same bytes on any day]
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,
    /// Independent replications of each point
    #[arg(long, short = 'n', value_parser = whole(1, MOST_REPLICATIONS))]
    pub replications: Option<u32>,
    /// Add replications until each 95% half-width is at most this share of its mean, such as 2%
    #[arg(long, value_name = "SHARE")]
    pub precision: Option<Probability>,
    /// Measures to be so precise: columns of sweep.csv
    /// [default: cost_usd,hit_ratio,operations_per_request,metrics_p95_ms]
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub precision_of: Vec<String>,
    /// Replications at which --precision gives up [default: 1000]
    #[arg(long, value_name = "N", value_parser = whole(1, MOST_REPLICATIONS))]
    pub max_replications: Option<u32>,
    /// Seed of all random streams; the same seed gives the same bytes
    #[arg(long, value_parser = seed)]
    pub seed: Option<u64>,
    /// Threads to use; the results do not depend on it [default: all cores]
    #[arg(long, short = 'j', value_parser = whole(1_u32, 512))]
    pub threads: Option<u32>,
    /// Most work to begin, in simulated events: more is refused, and so is more memory or disk than goes with it
    #[arg(long, value_name = "EVENTS", default_value = "20B")]
    pub max_work: Count,
    /// No progress bar and no summary
    #[arg(long, short)]
    pub quiet: bool,
}

impl SimulationArgs {
    /// The scenario with the arguments applied; sets the number of threads.
    pub(crate) fn load(&self) -> Result<Scenario, Failure> {
        let scenario = self.load_alone()?;
        self.use_threads()?;
        Ok(scenario)
    }

    /// The scenario with the arguments applied, for a command that loads several: the number of threads is set once.
    pub(crate) fn load_alone(&self) -> Result<Scenario, Failure> {
        let mut scenario = Scenario::load(
            &self.scenario,
            &self.policies,
            self.plan.as_deref(),
            &self.settings()?,
        )?;
        if let Some(n) = self.replications {
            scenario.replications = n;
        }
        if let Some(seed) = self.seed {
            scenario.seed = seed;
        }
        self.set_precision(&mut scenario)?;
        scenario.arguments = self.arguments();
        Ok(scenario)
    }

    /// Sets the number of threads.
    pub(crate) fn use_threads(&self) -> Result<(), Failure> {
        match self.threads {
            None => Ok(()),
            Some(n) => rayon::ThreadPoolBuilder::new()
                .num_threads(n as usize)
                .build_global()
                .map_err(Failure::usage),
        }
    }

    /// Refuses work that would take more than was asked for.
    pub(crate) fn check(&self, effort: &Effort) -> Result<(), Failure> {
        let events = effort.needs();
        if events <= self.max_work.0 as f64 {
            tell_how_long(effort.events, self.quiet);
            return Ok(());
        }
        let most = Effort::most(self.max_work.0 as f64);
        // Two digits, rounded up: so much would do.
        let step = 10_f64.powf((events.log10().floor() - 1.0).max(0.0));
        let would_do = (events / step).ceil() * step;
        let way_out = match would_do < 1e18 {
            true => format!("; --max-work {} allows it", Count(would_do as u64)),
            false => String::new(),
        };
        Err(Failure::usage(format!(
            "--max-work: found work of about {effort}, expected at most {most}. A shorter period (--set period.at_most=...), fewer levels or fewer replications take less{way_out}"
        )))
    }

    /// The same for all replications of the scenario's policies at each of the levels; refuses a `period.requests`
    /// that decides nothing at any of them, too.
    pub(crate) fn check_sweep(&self, scenario: &Scenario, levels: &[Count]) -> Result<(), Failure> {
        self.refuse_idle_requests(levels.iter().map(|l| (scenario, *l)))?;
        let threads = rayon::current_num_threads();
        self.check(&Effort::of_sweep(scenario, levels, threads))
    }

    /// The same for so many simulations of each of the scenario's policies at one level.
    pub(crate) fn check_runs(
        &self,
        scenario: &Scenario,
        level: Count,
        n: u64,
    ) -> Result<(), Failure> {
        let threads = rayon::current_num_threads();
        self.check(&Effort::of(scenario, &[level], n, threads))
    }

    /// Refuses what belongs to `--precision`, of a command that it would not move.
    pub(crate) fn without_precision(&self, instead: &str) -> Result<(), Failure> {
        let given = [
            ("--precision", self.precision.is_some()),
            ("--precision-of", !self.precision_of.is_empty()),
            ("--max-replications", self.max_replications.is_some()),
        ];
        match given.iter().find(|option| option.1) {
            Some((option, _)) => Err(Failure::usage(format!(
                "{option}: has no effect here, {instead}"
            ))),
            None => Ok(()),
        }
    }

    /// The settings of `--set`, and the day of `--on`.
    pub(crate) fn settings(&self) -> Result<Vec<Override>, Failure> {
        let mut settings = parse_overrides(&self.overrides)?;
        settings.extend(self.on.map(|day| Override {
            text: format!("--on {day}"),
            path: vec!["billing".into(), "on".into()],
            value: toml::Value::String(day.to_string()),
        }));
        Ok(settings)
    }

    /// The options that decide the results, as they can be given again.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
        let number = |n: Option<u32>| n.map(|n| n.to_string());
        let sets = self.overrides.iter().map(|o| ("--set", Some(o.clone())));
        let options = [
            ("--scenario", Some(self.scenario.clone())),
            ("--policy", list(&self.policies)),
            ("--plan", self.plan.clone()),
            ("--on", self.on.map(|day| day.to_string())),
        ];
        let effort = [
            ("--replications", number(self.replications)),
            ("--precision", self.precision.map(|p| p.to_string())),
            ("--precision-of", list(&self.precision_of)),
            ("--max-replications", number(self.max_replications)),
            ("--seed", self.seed.map(|s| s.to_string())),
        ];
        let given = options.into_iter().chain(sets).chain(effort);
        given
            .filter_map(|(option, value)| Some([option.to_owned(), value?]))
            .flatten()
            .collect()
    }

    /// Applies `--precision` and the options that belong to it.
    fn set_precision(&self, scenario: &mut Scenario) -> Result<(), Failure> {
        if let Some(relative) = self.precision {
            let precision = scenario
                .precision
                .get_or_insert_with(|| Precision::of(relative));
            precision.relative = relative;
        }
        let Some(precision) = &mut scenario.precision else {
            let alone = [
                ("--precision-of", !self.precision_of.is_empty()),
                ("--max-replications", self.max_replications.is_some()),
            ];
            return match alone.iter().find(|option| option.1) {
                Some((option, _)) => Err(Failure::usage(format!(
                    "{option}: expected --precision with it, such as --precision 2%"
                ))),
                None => Ok(()),
            };
        };
        if !self.precision_of.is_empty() {
            precision.measures.clone_from(&self.precision_of);
        }
        if let Some(n) = self.max_replications {
            precision.max_replications = n;
        }
        precision.validate().map_err(|e| {
            let option = match e.field.as_str() {
                "relative" => "--precision",
                "max_replications" => "--max-replications",
                _ => "--precision-of",
            };
            Failure::usage(format!("{option}: {}", e.message))
        })?;
        if precision.max_replications < scenario.replications {
            return Err(Failure::usage(format!(
                "--max-replications: found {}, expected at least the {} replications to start with",
                precision.max_replications, scenario.replications
            )));
        }
        Ok(())
    }
}

/// Where results go.
#[derive(Args)]
pub(crate) struct OutputArgs {
    /// Folder for the results; made if it does not exist
    #[arg(long, short, default_value = "output", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub drawing: DrawArgs,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C and termination requests are noted, see [`interrupt_flag`]; a second one ends the command
/// at once.
pub(crate) fn catch_interrupts() {
    // A second handler cannot be set; that is no reason to stop.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // Asked for twice: what is half written is in a hidden folder that the next command removes.
            std::process::exit(EXIT_INTERRUPTED.into());
        }
    });
}

/// The flag that long computations look at.
pub(crate) fn interrupt_flag() -> &'static AtomicBool {
    &INTERRUPTED
}

/// Does work on the network, in real time, on one thread.
pub(crate) fn real_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::usage)?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// The traffic that was asked for, or the scenario's: at least a request a month.
pub(crate) fn traffic_of(asked: Option<Count>, scenario: &Scenario) -> Result<Count, Failure> {
    let traffic = asked.unwrap_or(scenario.traffic_per_month);
    match expected_of(traffic) {
        Some(expected) => Err(Failure::usage(format!(
            "--traffic: found {traffic}, {expected}"
        ))),
        None => Ok(traffic),
    }
}

/// A progress bar over `steps`: only on a terminal, and not if `quiet`.
pub(crate) fn progress(steps: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} replications, {left}{msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key(
            "left",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&left(state.pos(), state.len(), state.elapsed()));
            },
        );
    ProgressBar::new(steps).with_style(style)
}

/// How long the rest takes, by the mean of all that is done: nothing is said before there is anything to go by.
fn left(done: u64, all: Option<u64>, elapsed: Duration) -> String {
    let Some(rest) = all.map(|all| all.saturating_sub(done)).filter(|_| done > 0) else {
        return "the first is on its way".into();
    };
    let seconds = elapsed.as_secs_f64() / done as f64 * rest as f64;
    format!(
        "about {:#} left",
        HumanDuration(Duration::from_secs_f64(seconds))
    )
}

/// A progress bar over bytes, whose number may be set later: only on a terminal, and not if `quiet`.
pub(crate) fn byte_progress(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let template = "{bar:40} {bytes} of {total_bytes} read, {bytes_per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}

/// What messages call an input.
pub(crate) fn label(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// The name of a model file that is written.
pub(crate) fn file_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.starts_with('.') || !text.chars().all(good) {
        return Err(format!(
            "found \"{text}\", expected a file name without extension, of letters, digits, - and _"
        ));
    }
    Ok(text.to_owned())
}
