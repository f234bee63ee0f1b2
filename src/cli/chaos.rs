//! `kvplan chaos`.

use super::common::{Failure, SimulationArgs, traffic_of};
use super::given;
use super::idle::{decides_period, own_requests};
use super::number::whole;
use super::print::say;
use super::session::{Session, compute};
use super::shape::ShapeArgs;
use super::{EXIT_NO, EXIT_OK};
use clap::ValueEnum;
use kvplan::models::quantity::Count;
use kvplan::models::{ConfigError, Override};
use kvplan::report::settings::{is_requests, settings, without_requests};
use kvplan::report::shell;
use kvplan::report::table::Answer;
use kvplan::report::write::chaos as report;
use kvplan::run::scenario::Scenario;
use kvplan::study::chaos::draft::Setting;
use kvplan::study::chaos::invariants::ALL;
use kvplan::study::chaos::look::MetricsSystem;
use kvplan::study::chaos::search::search;
use kvplan::study::chaos::trial::first_broken;
use kvplan::study::chaos::worst::goal::Goal;
use kvplan::study::chaos::worst::range::Range;
use kvplan::study::chaos::worst::search::{Task, Worst, search as search_worst, steps};
use kvplan::study::error::StudyError;
use std::panic;
use std::path::PathBuf;

/// Arguments of `kvplan chaos`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan chaos                                       a hundred random cases against every invariant
  kvplan chaos --seeds 10000 --seed 1 --out findings
  kvplan chaos --replay findings/seed-7.toml         a case that was found, or any scenario of your own
  kvplan chaos --worst cost --range traffic_per_month=1M..10M --range 'policy.batch.max_age=1 s..25 s'
  kvplan chaos --worst loss --scenario world --range failures.write.error=0%..20% --range 'fleet.life.mean_life=1 min..6 h'
  kvplan chaos --worst recovery --scenario retry-storm --range policy.queries.retry.max_attempts=1..10 --seeds 60

A seed draws everything at once: policy, fleet, consistency, failures, limits, plan, traffic and timing. Each case is
run as `kvplan run` does it, once more, and until traffic and faults are over and all is at rest. A case that breaks an
invariant is made small and written as a scenario: chaos.csv, seed-N.toml and the models beside it.

With --worst, --seeds is the number of points that are tried; the search is guided by the worst found so far, and
what it finds is simulated anew, under the scenario's own seed and replications. It writes chaos_worst.csv.

Exit codes: 0 no invariant broke; 1 one did.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Seeds to try, from --seed [default: 0] on; with --worst, points
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = whole(1_u32, 10_000_000))]
    seeds: u32,
    /// Cases to make small and write at most; all are counted
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = whole(0_usize, 10_000_000))]
    findings: usize,
    /// Asks every invariant of this scenario instead, with its first policy at its own traffic
    #[arg(long, value_name = "FILE", conflicts_with_all = ["worst", "ranges"])]
    replay: Option<String>,
    /// Searches the ranges of the scenario for the worst of this instead
    #[arg(long, value_enum, requires = "ranges")]
    worst: Option<WorstArg>,
    /// A setting with its range, such as policy.cache.ttl=\"1 s..60 s\" (may be repeated)
    #[arg(long = "range", value_name = "FIELD=FROM..TO", requires = "worst")]
    ranges: Vec<Range>,
    /// Requests a month with --worst, such as 5M [default: the scenario's]
    #[arg(long, requires = "worst")]
    traffic: Option<Count>,
    /// Folder for the results; made if it does not exist
    #[arg(long, short, default_value = "output", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// What is to be as bad as can be.
#[derive(Clone, Copy, ValueEnum)]
enum WorstArg {
    /// The bill of a month
    Cost,
    /// Records lost
    Loss,
    /// Age of answers, 99th percentile
    Staleness,
    /// How long it takes to be well again after a failure window
    Recovery,
}

impl From<WorstArg> for Goal {
    fn from(worst: WorstArg) -> Self {
        match worst {
            WorstArg::Cost => Goal::Cost,
            WorstArg::Loss => Goal::Loss,
            WorstArg::Staleness => Goal::Staleness,
            WorstArg::Recovery => Goal::Recovery,
        }
    }
}

/// Searches, as it is asked to.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    match (&args.replay, args.worst) {
        (Some(file), _) => replay(file, &args),
        (None, Some(worst)) => worst_of(worst.into(), &args),
        (None, None) => random(&args),
    }
}

/// Options that only a scenario of one's own has a use for.
fn refuse_scenario(args: &Args) -> Result<(), Failure> {
    let s = &args.simulation;
    let given = [
        ("--scenario", s.scenario != "default"),
        ("--set", !s.overrides.is_empty()),
        ("--policy", !s.policies.is_empty()),
        ("--plan", s.plan.is_some()),
        ("--on", s.on.is_some()),
        ("--replications", s.replications.is_some()),
        ("--precision", s.precision.is_some()),
    ];
    match given.iter().find(|g| g.1) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::usage(format!(
            "{option}: found without --worst, expected it with --worst: a seed draws everything itself"
        ))),
    }
}

/// Does what may panic without a word for each panic: it is an answer here.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let done = work();
    panic::set_hook(hook);
    done
}

fn random(args: &Args) -> Result<u8, Failure> {
    refuse_scenario(args)?;
    args.simulation.use_threads()?;
    let session = Session::prepare_folder(&args.out, args.simulation.quiet)?;
    let first = args.simulation.seed.unwrap_or(0);
    let seeds = first..first.saturating_add(u64::from(args.seeds));
    let found = quietly(|| {
        session.compute(u64::from(args.seeds), |work, _| {
            search(seeds, args.findings, &MetricsSystem, work)
        })
    })?;
    let dir = args.out.display();
    session.deliver(
        |out| {
            report::write_found(&found, out)?;
            let title = "Random cases against every invariant";
            given::record().titled(title, Some(first)).write(out)
        },
        || {
            for finding in &found.findings {
                say!("{}", report::finding_text(finding));
                let file = report::scenario_file(finding);
                say!("  again: kvplan chaos --replay {dir}/{file}\n");
            }
            say!(
                "{} cases, seeds {} to {}: {} broke one of {} invariants.",
                args.seeds,
                found.seeds.start,
                found.seeds.end - 1,
                match found.broken {
                    0 => "none".to_owned(),
                    n => n.to_string(),
                },
                ALL.len()
            );
        },
    )?;
    Ok(if found.broken > 0 { EXIT_NO } else { EXIT_OK })
}

fn replay(file: &str, args: &Args) -> Result<u8, Failure> {
    refuse_scenario(args)?;
    args.simulation.use_threads()?;
    let mut scenario = Scenario::load(file, &[], None, &[])?;
    if let Some(seed) = args.simulation.seed {
        scenario.seed = seed;
    }
    let broken = quietly(|| {
        compute(1, args.simulation.quiet, |work, _| {
            first_broken(&scenario, &MetricsSystem, work.stop())
        })
    })?;
    if !args.simulation.quiet {
        match &broken {
            Some(broken) => say!("{file} breaks \"{}\": {}", broken.invariant, broken.what),
            None => say!("{file} breaks none of {} invariants.", ALL.len()),
        }
    }
    Ok(if broken.is_some() { EXIT_NO } else { EXIT_OK })
}

/// Replications of a point that is tried: the search is after what is bad by far.
const TRIED: u32 = 2;

fn worst_of(goal: Goal, args: &Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are those of -n")?;
    let mut scenario = args.simulation.load()?;
    scenario.policies.truncate(1);
    let traffic = traffic_of(args.traffic, &scenario)?;
    if args.traffic.is_some() && args.ranges.iter().any(|r| r.path == "traffic_per_month") {
        return Err(Failure::usage(
            "--traffic: found beside --range traffic_per_month, expected one of the two",
        ));
    }
    let given = args.simulation.settings()?;
    let load = |more: &[Override]| -> Result<Scenario, ConfigError> {
        let all: Vec<Override> = given.iter().chain(more).cloned().collect();
        let s = &args.simulation;
        let mut loaded = Scenario::load(&s.scenario, &s.policies, s.plan.as_deref(), &all)?;
        loaded.policies.truncate(1);
        loaded.seed = scenario.seed;
        loaded.replications = scenario.replications;
        if args.traffic.is_some() {
            loaded.traffic_per_month = traffic;
        }
        goal.check(&loaded).map_err(|e| ConfigError {
            field: Some(e.field),
            ..ConfigError::new("--worst recovery", e.message)
        })?;
        Ok(loaded)
    };
    let task = Task {
        goal,
        ranges: &args.ranges,
        load: &load,
        points: args.seeds as usize,
        replications: TRIED.min(scenario.replications),
        seed: scenario.seed,
    };
    if !args.ranges.iter().any(|r| decides_period(&r.path)) {
        let point = load(&[]).map_err(StudyError::from)?;
        args.simulation
            .refuse_idle_requests([(&point, point.traffic_per_month)])?;
    }
    let session = Session::prepare_folder(&args.out, args.simulation.quiet)?;
    let steps = steps(&task, &scenario);
    let worst = session.compute(steps, |work, _| search_worst(&task, work))?;
    let is_idle = is_idle_at(&worst, args, &scenario, &load)?;
    session.answer(
        &args.shape.shape(),
        |out| {
            report::write_worst(goal, &args.ranges, &worst, out)?;
            let line = settings(&scenario).at(&[traffic]).line();
            given::record().of(&scenario, line).write(out)
        },
        || {
            let line = settings(&scenario).at(&[traffic]).line();
            let mut answer = Answer::new()
                .say(format!("{line}; policy {}\n", scenario.policies[0].name))
                .table("settings", report::settings_table(&args.ranges, &worst))
                .gap()
                .table("measures", report::figures_table(goal, &worst))
                .gap();
            if worst.figures.never > 0 {
                answer = answer.say(format!(
                    "Not well again by the end of the run: {} of {} replications, counted until then.",
                    worst.figures.never,
                    scenario.replications
                ));
            }
            answer.say(format!(
                "The worst {} found in {} points, which is not to say the worst there is. Again:\n  {}\n",
                goal.measure(),
                worst.tried.len(),
                again(args, &scenario, &worst, is_idle)
            ))
        },
    )?;
    Ok(EXIT_OK)
}

/// Whether a `period.requests` that an option or a range gives decides nothing at the worst point.
fn is_idle_at(
    worst: &Worst,
    args: &Args,
    scenario: &Scenario,
    load: &dyn Fn(&[Override]) -> Result<Scenario, ConfigError>,
) -> Result<bool, Failure> {
    let is_varied = args.ranges.iter().any(|r| is_requests(&r.path));
    let given = args.simulation.requests()?;
    let own = own_requests(given.as_ref(), is_varied, scenario);
    let all: Vec<Override> = worst.settings.iter().map(Setting::to_override).collect();
    let point = load(&all).map_err(StudyError::from)?;
    Ok(own.is_some_and(|own| point.is_idle(own, point.traffic_per_month)))
}

/// The command that runs the worst point again; without a `period.requests` that is idle there, as it would be refused.
fn again(args: &Args, scenario: &Scenario, worst: &Worst, is_idle: bool) -> String {
    let mut words = vec!["kvplan".to_owned(), "run".to_owned()];
    let arguments = args.simulation.arguments();
    words.extend(match is_idle {
        true => without_requests(&arguments),
        false => arguments,
    });
    if args.simulation.policies.is_empty() {
        words.extend(["--policy".into(), scenario.policies[0].name.clone()]);
    }
    if let Some(traffic) = args.traffic {
        words.extend(["--traffic".into(), traffic.to_string()]);
    }
    let told = worst.settings.iter();
    for s in told.filter(|s| !(is_idle && is_requests(&s.path))) {
        words.extend(["--set".into(), format!("{}={}", s.path, s.value)]);
    }
    shell::command(&words)
}
