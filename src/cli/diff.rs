//! `kvplan diff`.

use super::common::{Failure, SimulationArgs, interrupt_flag, traffic_of};
use super::print::{self, remark, say};
use super::session::compute;
use super::sweep::{Levels, read_levels};
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::quantity::Count;
use kvplan::models::{Model, ValueError, embedded_names};
use kvplan::pricing::Catalog;
use kvplan::report::output::OutputDir;
use kvplan::report::results;
use kvplan::report::write::diff::DiffReport;
use kvplan::report::write::sweep::settings_line;
use kvplan::run::effort::Effort;
use kvplan::run::scenario::Scenario;
use kvplan::study::condition::{Answer, Change, parse_change};
use kvplan::study::diff::simulate::{meet, simulate};
use kvplan::study::diff::{Checked, Diff, Kind, Side, check, diff};
use kvplan::study::sweep::{Cell, Watch};
use std::path::{Path, PathBuf};

/// Arguments of `kvplan diff`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan diff old/prod.toml new/prod.toml                what a change of a scenario changes
  kvplan diff naive optimised --scenario production-1m   of a policy, in a scenario
  kvplan diff cloudflare my-prices.toml --traffic 1M,20M of a price catalog
  kvplan diff results-before results-after               of two folders of kvplan sweep or kvplan run --out
  kvplan diff old.toml new.toml --fail-if 'cost>+10%' --fail-if 'loss>+0.1pp' --out diff
  kvplan diff old.toml new.toml --format json

Models are simulated under the same random numbers: with the seed, replications and precision of OLD unless options say
otherwise. Folders are compared by what their files state; replications are paired if seed and period agree. A name that
comes with kvplan is that model; ./NAME is a folder or file.

--fail-if MEASURE RELATION CHANGE: a column of sweep.csv or a short name (cost, loss, refused, hit, p95_query);
<, <=, > or >=; and + or - with a percentage of the old value (+10%) or an amount in the measure's unit
(+5USD, -50ms, +2GB, +10k), of shares in points of a percentage (-2pp). hit_ratio<-2% means: if the hit ratio falls by more than 2%
of what it was. A threshold is crossed if the whole 95% interval of the change is beyond it, undecided if it lies within the
interval or there is none (one replication, too few calls); what is undecided is told, and fails only with --fail-undecided.

Exit codes: 0 done; 1 a threshold is crossed; 2 wrong arguments or input.")]
pub(crate) struct Args {
    /// Before: a scenario, a policy, a price catalog, or a folder of results
    old: String,
    /// After: of the same kind
    new: String,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month: a list (10k,1M) or a range (10k..1B) [default: the scenario's]
    #[arg(long, value_parser = read_levels)]
    traffic: Option<Levels>,
    /// End with exit code 1 if a measure changes by more than that, such as 'cost>+10%' (may be repeated)
    #[arg(long, value_name = "THRESHOLD", value_parser = read_change)]
    fail_if: Vec<Change>,
    /// End with exit code 1 also if a threshold is undecided
    #[arg(long, requires = "fail_if")]
    fail_undecided: bool,
    /// Form of what is printed
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Folder for both forms and run.json; made if it does not exist
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Markdown,
    Json,
}

fn read_change(text: &str) -> Result<Change, ValueError> {
    parse_change(text)
}

/// Both sides, wherever they come from.
struct Compared {
    diff: Diff,
    settings: [Option<String>; 2],
    scenarios: Option<[Scenario; 2]>,
}

/// Compares both sides, and judges the thresholds.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let kind = Kind::of_both(&args.old, &args.new)?;
    let out = args.out.as_deref().map(OutputDir::prepare).transpose()?;
    let compared = match kind {
        Kind::Folder => of_folders(&args)?,
        _ => of_models(&args, kind)?,
    };
    let [old, new] = [&args.old, &args.new];
    if compared.diff.pairs.is_empty() {
        return Err(Failure::usage(format!(
            "{new}: found no policy at a level that {old} has too, expected one at least"
        )));
    }
    let checked = check(&args.fail_if, &compared.diff);
    let report = DiffReport {
        kind,
        names: [old, new],
        settings: compared.settings,
        diff: &compared.diff,
        checked: &checked,
        scenarios: compared.scenarios.as_ref().map(|[a, b]| [a, b]),
        arguments: arguments(&args, kind),
    };
    let quiet = args.simulation.quiet;
    if let Some(out) = out.map(|out| out.until(interrupt_flag())) {
        report.write(&out)?;
        out.commit()?;
    }
    match args.format {
        _ if quiet && args.out.is_some() => {}
        Format::Markdown => say!("{}", report.markdown().trim_end()),
        Format::Json => print::bytes(&report.json()?),
    }
    if let Some(crossed) = report.crossed(args.fail_undecided) {
        remark(&crossed);
    }
    Ok(match fails(&checked, args.fail_undecided) {
        true => EXIT_NO,
        false => EXIT_OK,
    })
}

fn fails(checked: &[Checked], undecided_too: bool) -> bool {
    checked.iter().any(|c| match c.crossed {
        Answer::Yes => true,
        Answer::No => false,
        Answer::Undecided(_) => undecided_too,
    })
}

/// What the files of both folders state.
fn of_folders(args: &Args) -> Result<Compared, Failure> {
    // All that decides on a simulation; there is always a scenario.
    let given = args.simulation.arguments();
    let option = given
        .chunks_exact(2)
        .find(|p| *p != ["--scenario", "default"]);
    let traffic = args.traffic.as_ref().map(|_| "--traffic");
    if let Some(option) = option.map(|p| p[0].as_str()).or(traffic) {
        return Err(Failure::usage(format!(
            "{option}: expected no such option, as two folders of results are compared as they are"
        )));
    }
    let [old, new] = [&args.old, &args.new].map(|dir| results::read(Path::new(dir)));
    let (old, new) = (old?, new?);
    Ok(Compared {
        diff: diff(old.sides, new.sides),
        settings: [old.settings, new.settings],
        scenarios: None,
    })
}

/// Both models, simulated.
fn of_models(args: &Args, kind: Kind) -> Result<Compared, Failure> {
    let old = load(args, kind, &args.old)?;
    let mut new = load(args, kind, &args.new)?;
    meet(&old, &mut new);
    args.simulation.use_threads()?;
    let scenarios = [old, new];
    let levels: Vec<[Count; 2]> = match &args.traffic {
        Some(levels) => levels.0.iter().map(|l| [*l; 2]).collect(),
        None => {
            let [old, new] = [&scenarios[0], &scenarios[1]].map(|s| traffic_of(None, s));
            vec![[old?, new?]]
        }
    };
    refuse_idle_requests(args, kind, &scenarios, &levels)?;
    for (side, scenario) in scenarios.iter().enumerate() {
        let levels: Vec<Count> = levels.iter().map(|l| l[side]).collect();
        let of_one = Effort::of_sweep(scenario, &levels, rayon::current_num_threads());
        args.simulation.check(&of_one.times(2.0))?;
    }
    let cells = compute(0, args.simulation.quiet, |work, bar| {
        let watch = Watch {
            planned: &|n| bar.inc_length(n),
            keep: &|_, _| Ok(()),
            work: *work,
        };
        let both = [&scenarios[0], &scenarios[1]];
        let of_level = |level: &[Count; 2]| simulate(both, *level, &watch);
        levels.iter().map(of_level).collect::<Result<Vec<_>, _>>()
    })?;
    let cells =
        |side: usize| -> Vec<Cell> { cells.iter().flat_map(|both| both[side].clone()).collect() };
    let sides = |side: usize| -> Vec<Side> {
        let scenario = &scenarios[side];
        cells(side).iter().map(|c| Side::of(scenario, c)).collect()
    };
    let settings = |side: usize| Some(settings_line(&scenarios[side], &cells(side)));
    Ok(Compared {
        diff: diff(sides(0), sides(1)),
        settings: [settings(0), settings(1)],
        scenarios: Some(scenarios),
    })
}

/// Refuses a `period.requests` that decides nothing at any level of either side.
fn refuse_idle_requests(
    args: &Args,
    kind: Kind,
    scenarios: &[Scenario; 2],
    levels: &[[Count; 2]],
) -> Result<(), Failure> {
    let mut refused = Ok(());
    for (side, name) in [&args.old, &args.new].into_iter().enumerate() {
        let points = levels.iter().map(|level| (&scenarios[side], level[side]));
        refused = match of_side(args, kind, name)?.requests()? {
            Some(given) => given.refuse_if_idle(points),
            None => Ok(()),
        };
        if refused.is_ok() {
            break;
        }
    }
    refused
}

/// A side's scenario: itself, or the one of `--scenario` with its policy or its prices.
fn load(args: &Args, kind: Kind, name: &str) -> Result<Scenario, Failure> {
    let mut scenario = of_side(args, kind, name)?.load_alone()?;
    // As they were given: what both sides are is told by themselves.
    scenario.arguments = args.simulation.arguments();
    Ok(scenario)
}

/// The arguments that make a side.
fn of_side(args: &Args, kind: Kind, name: &str) -> Result<SimulationArgs, Failure> {
    let mut simulation = args.simulation.clone();
    match kind {
        Kind::Scenario if simulation.scenario != "default" => {
            return Err(Failure::usage(format!(
                "--scenario: found \"{}\", expected none, as OLD and NEW are scenarios",
                simulation.scenario
            )));
        }
        Kind::Scenario => simulation.scenario = name.to_owned(),
        Kind::Policy if !simulation.policies.is_empty() => {
            return Err(Failure::usage(
                "--policy: expected none, as OLD and NEW are policies",
            ));
        }
        Kind::Policy => simulation.policies = vec![name.to_owned()],
        Kind::Catalog | Kind::Folder => {
            let path = match embedded_names(Catalog::FOLDER).iter().any(|n| n == name) {
                true => PathBuf::from(name),
                // A scenario's own names are relative to its file.
                false => std::path::absolute(name).map_err(Failure::usage)?,
            };
            let path = toml::Value::String(path.display().to_string());
            simulation.overrides.push(format!("billing.catalog={path}"));
        }
    }
    Ok(simulation)
}

/// The arguments, as they can be given again.
fn arguments(args: &Args, kind: Kind) -> Vec<String> {
    let mut given = vec![args.old.clone(), args.new.clone()];
    if kind != Kind::Folder {
        let options = args.simulation.arguments();
        let is_own = |p: &&[String]| kind != Kind::Scenario || p[0] != "--scenario";
        given.extend(options.chunks_exact(2).filter(is_own).flatten().cloned());
    }
    if let Some(levels) = &args.traffic {
        let levels: Vec<String> = levels.0.iter().map(Count::to_string).collect();
        given.extend(["--traffic".to_owned(), levels.join(",")]);
    }
    for change in &args.fail_if {
        given.extend(["--fail-if".to_owned(), change.text.clone()]);
    }
    if args.fail_undecided {
        given.push("--fail-undecided".to_owned());
    }
    given
}
