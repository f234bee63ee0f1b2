//! `kvplan explore`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs, traffic_of};
use super::idle::own_requests;
use super::session::Session;
use super::shape::ShapeArgs;
use super::vary;
use kvplan::models::quantity::Count;
use kvplan::models::{self, Override, embedded_names, source_text};
use kvplan::report::explored::Commands;
use kvplan::report::settings::is_requests;
use kvplan::report::table::Answer;
use kvplan::report::write::explore::ExploreReport;
use kvplan::run::scenario::{Scenario, ScenarioFile};
use kvplan::study::explore::grid::Grid;
use kvplan::study::explore::points::explore;
use kvplan::study::explore::setting::{Choice, Setting};

/// Arguments of `kvplan explore`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan explore                                     the scenario's levels of traffic and policies
  kvplan explore --vary traffic=1M,3M,10M --vary ttl='\"5 s\",\"60 s\"' --vary plan=free,paid
  kvplan explore --vary traffic=100k..10M --vary batch=10,100,1000 --policy optimised
  kvplan explore --scenario fleet-20 --vary isolates=4,20,100 --vary 'failures.write.error=0%,5%'

Varies one to five settings: traffic, policy, plan, ttl (policy.cache.ttl), batch (policy.batch.max_records),
isolates (fleet.isolates), or any field that --set takes. Where the scenario has several policies and no one is chosen,
they are a setting of their own. Every combination is simulated, with the same random numbers at all points.

Writes explore.html, one page with a slider for each setting, explore.csv (a row for each point, with intervals and the
command of kvplan run that gives it again) and run.json. While it works, every finished replication is kept in
DIR/explore.kvjournal for --resume.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// A setting and its values, such as traffic=1M,3M (may be repeated, up to five times)
    #[arg(long, value_name = "NAME=VALUES", value_parser = vary::parse)]
    vary: Vec<Setting>,
    /// Requests a month where traffic is not varied, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Go on with an interrupted grid in the same folder: what was finished of it is not simulated again
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// What is finished, until the results are written.
const JOURNAL: &str = "explore.kvjournal";

/// Simulates the grid, writes the page and prints what stands out.
pub(crate) fn run(mut args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("all points have the replications of -n")?;
    check_options(&args)?;
    let mut simulation = args.simulation.clone();
    // The scenario's own policies play no part where others take their place.
    simulation
        .policies
        .extend(args.vary.iter().find_map(first_policy));
    let mut base = simulation.load()?;
    let settings = settings(&mut args, &base)?;
    let traffic = args
        .traffic
        .map(|t| traffic_of(Some(t), &base))
        .transpose()?;
    let own = args.simulation.settings()?;
    let load = |policy: Option<&str>, plan: Option<&str>, fields: &[Override]| {
        let policies = match policy {
            Some(policy) => vec![policy.to_owned()],
            None => args.simulation.policies.clone(),
        };
        let all: Vec<Override> = own.iter().chain(fields).cloned().collect();
        let plan = plan.or(args.simulation.plan.as_deref());
        let mut loaded = Scenario::load(&args.simulation.scenario, &policies, plan, &all)?;
        loaded.seed = base.seed;
        Ok(loaded)
    };
    let grid = Grid::new(settings, traffic, &load)?;
    let requests = args.simulation.requests()?;
    if let Some(requests) = &requests {
        requests.refuse_if_idle(grid.able().map(|(_, p)| (&p.scenario, p.traffic)))?;
    }
    let threads = rayon::current_num_threads();
    let effort = grid.effort(base.replications, threads);
    args.simulation.check(&effort)?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let steps = grid.able().count() as u64 * u64::from(base.replications);
    let (explored, points) = session.compute_kept(JOURNAL, args.resume, |work, bar| {
        bar.inc_length(steps);
        explore(&grid, base.replications, work)
    })?;
    // Of `kvplan run` for any point, and of this command.
    let mut run_arguments = args.simulation.arguments();
    if let Some(traffic) = traffic {
        run_arguments.extend(["--traffic".into(), traffic.to_string()]);
    }
    let is_varied = grid.settings.iter().any(|s| is_requests(&s.name));
    let own = own_requests(requests.as_ref(), is_varied, &base);
    let commands = Commands::new(&run_arguments, own, base.replications, base.seed);
    base.arguments.clone_from(&run_arguments);
    let varied = grid.settings.iter();
    let varied = varied.flat_map(|s| ["--vary".into(), s.argument()]);
    base.arguments.extend(varied);
    let report = ExploreReport {
        scenario: &base,
        explored: &explored,
        commands: &commands,
    };
    let page = report.page();
    let size = page.size();
    session.answer(
        &args.shape.shape(),
        |out| report.write(&page, out),
        || {
            Answer::new()
                .say(report.settings())
                .gap()
                .and(report.summary())
                .gap()
                .say(format!(
                    "explore.html is one file of {size}, which can be mailed as it is."
                ))
        },
    )?;
    points.remove()?;
    Ok(EXIT_OK)
}

/// The first policy of a setting that is the policy.
fn first_policy(setting: &Setting) -> Option<String> {
    match &setting.values[0].choice {
        Choice::Policy(name) => Some(name.clone()),
        _ => None,
    }
}

/// Refuses options that a setting which is varied would overrule.
fn check_options(args: &Args) -> Result<(), Failure> {
    for setting in &args.vary {
        let given = match setting.values[0].choice {
            Choice::Traffic(_) => args.traffic.is_some().then_some("--traffic"),
            Choice::Policy(_) => (!args.simulation.policies.is_empty()).then_some("--policy"),
            Choice::Plan(_) => args.simulation.plan.is_some().then_some("--plan"),
            Choice::Field(_) => {
                let is_same = |o: &String| {
                    let path = o.split_once('=').map_or("", |(path, _)| path);
                    path.trim() == setting.column
                };
                let is_set = args.simulation.overrides.iter().any(is_same);
                is_set.then_some("--set")
            }
        };
        if let Some(option) = given {
            return Err(Failure::usage(format!(
                "{option}: has no effect here, as {} is varied",
                setting.name
            )));
        }
    }
    Ok(())
}

/// What is varied: what was asked for, or the scenario's levels; and its policies, if there are several and none was
/// chosen.
fn settings(args: &mut Args, base: &Scenario) -> Result<Vec<Setting>, Failure> {
    let mut settings = std::mem::take(&mut args.vary);
    if settings.is_empty() && args.traffic.is_none() && base.sweep_per_month.len() > 1 {
        settings.push(Setting::traffic(&base.sweep_per_month));
    }
    let is_policy = |s: &Setting| matches!(s.values[0].choice, Choice::Policy(_));
    if base.policies.len() > 1 && !settings.iter().any(is_policy) {
        let given = std::mem::take(&mut args.simulation.policies);
        let names = match given.is_empty() {
            true => policies_of(&args.simulation)?,
            false => given,
        };
        settings.push(Setting::policies(&names));
    }
    Ok(settings)
}

/// The scenario's policies, as `--policy` takes them.
fn policies_of(simulation: &SimulationArgs) -> Result<Vec<String>, Failure> {
    let own: Vec<Override> = simulation
        .settings()?
        .into_iter()
        .filter(|o| o.path[0] == "policies")
        .collect();
    let file: ScenarioFile = models::load(&simulation.scenario, None, &own)?;
    let (_, _, dir) = source_text("scenarios", &simulation.scenario, None)?;
    let shipped = embedded_names("policies");
    let of = |name: String| match dir.as_ref().filter(|_| !shipped.contains(&name)) {
        Some(dir) => dir.join(name).display().to_string(),
        None => name,
    };
    Ok(file.policies.into_iter().map(of).collect())
}
