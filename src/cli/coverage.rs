//! `kvplan coverage`.

use super::EXIT_OK;
use super::common::{Failure, SimulationArgs, traffic_of};
use super::number::whole;
use super::session::compute;
use super::shape::{self, ShapeArgs};
use kvplan::models::quantity::Count;
use kvplan::report::settings::settings;
use kvplan::report::table::Answer;
use kvplan::report::write::coverage::coverage_table;
use kvplan::study::coverage::{DEALS, coverage};

/// Arguments of `kvplan coverage`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan coverage --policy optimised --traffic 1M
  kvplan coverage --policy naive --traffic 1M --experiments 1000 -n 10

Simulates so many experiments of -n replications each, all independent, deals their replications out
to as many experiments several times, and tells how often the 95% interval of each measure holds
what all of them together give. Where an interval reaches below 0 its upper end is what is told: \"at
most\" holds at least as often.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Experiments
    #[arg(long, default_value_t = 400, value_parser = whole(20_u32, 100_000))]
    experiments: u32,
}

/// Measures the coverage of every interval under the scenario's first policy.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its experiments are those of -n replications")?;
    let scenario = args.simulation.load()?;
    if scenario.replications < 2 {
        return Err(Failure::usage(
            "--replications: found 1, expected at least 2: one replication has no interval",
        ));
    }
    let traffic = traffic_of(args.traffic, &scenario)?;
    let steps = u64::from(args.experiments) * u64::from(scenario.replications);
    args.simulation
        .refuse_idle_requests([(&scenario, traffic)])?;
    args.simulation.check_runs(&scenario, traffic, steps)?;
    let found = compute(steps, args.simulation.quiet, |work, _| {
        coverage(&scenario, traffic, args.experiments, work)
    })?;
    let answer = Answer::new()
        .say(format!(
            "{}; policy {}, {} experiments, dealt out {DEALS} times\n",
            settings(&scenario).at(&[traffic]).line(),
            scenario.policies[0].name,
            args.experiments
        ))
        .table("measures", coverage_table(&found));
    shape::show(&answer, &args.shape.shape())?;
    Ok(EXIT_OK)
}
