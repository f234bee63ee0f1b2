//! `kvplan compare`.

use super::assertions::{AssertArgs, tell};
use super::common::{Failure, SimulationArgs, traffic_of};
use super::session::sweep_levels;
use super::shape::{self, ShapeArgs};
use kvplan::models::quantity::Count;
use kvplan::report::table::Answer;
use kvplan::report::write::compare::comparison;
use kvplan::report::write::precision::precision_note;
use kvplan::report::write::run::not_billed;
use kvplan::report::write::sweep::settings_line;

/// Arguments of `kvplan compare`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan compare naive optimised --traffic 5M
  kvplan compare optimised my-policy.toml --scenario production-1m -n 30
  kvplan compare naive optimised --precision 1% --precision-of cost_usd
  kvplan compare naive optimised --assert 'loss<0.1%'   exit code 1 if that does not hold of both

Both policies meet the same arrivals, latencies and failures in each replication (common random
numbers); the interval is that of the paired differences, at 95% for each measure by itself.")]
pub(crate) struct Args {
    /// First policy: a name from models/policies or a file
    a: String,
    /// Second policy
    b: String,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    #[command(flatten)]
    assertions: AssertArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Simulates both policies and prints what differs.
pub(crate) fn run(mut args: Args) -> Result<u8, Failure> {
    if !args.simulation.policies.is_empty() {
        return Err(Failure::usage(
            "--policy: has no effect here, the policies are those that are compared: kvplan compare A B",
        ));
    }
    args.simulation.policies = vec![args.a, args.b];
    let scenario = args.simulation.load()?;
    let traffic = traffic_of(args.traffic, &scenario)?;
    args.simulation.check_sweep(&scenario, &[traffic])?;
    let cells = sweep_levels(&scenario, &[traffic], args.simulation.quiet)?;
    let settings = settings_line(&scenario, &cells);
    let mut answer = Answer::new()
        .say(format!("{settings}; common random numbers"))
        .gap()
        .table("measures", comparison(&cells[0], &cells[1]));
    let notes = cells.iter().filter_map(|c| not_billed(&scenario.plan, c));
    for note in notes.chain(precision_note(&scenario, &cells)) {
        answer = answer.gap().say(note);
    }
    let shape = args.shape.shape();
    shape::show(&answer, &shape)?;
    let judged = args.assertions.judge(&cells);
    Ok(tell(&judged, shape::is_for_people(&shape)))
}
