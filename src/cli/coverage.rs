//! `kvplan coverage`.

use super::EXIT_OK;
use super::common::{
    Failure, SimulationArgs, catch_interrupts, interrupt_flag, progress, study_failure,
};
use kvplan::models::quantity::Count;
use kvplan::report::settings::settings;
use kvplan::report::write::coverage::coverage_table;
use kvplan::study::coverage::coverage;
use kvplan::study::replicate::Work;

/// Arguments of `kvplan coverage`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan coverage --policy optimised --traffic 1M
  kvplan coverage --policy naive --traffic 1M --experiments 1000 -n 10

Simulates so many experiments of -n replications each, all independent, and tells how often the
95% interval of each measure holds what all of them together give.")]
pub struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Experiments
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    experiments: u32,
}

/// Measures the coverage of every interval under the scenario's first policy.
pub fn run(args: Args) -> Result<u8, Failure> {
    let scenario = args.simulation.load()?;
    if scenario.replications < 2 {
        return Err(Failure::usage(
            "--replications: found 1, expected at least 2: one replication has no interval",
        ));
    }
    let traffic = args.traffic.unwrap_or(scenario.traffic_per_month);
    if traffic == Count(0) {
        return Err(Failure::usage(
            "--traffic: found 0, expected at least 1 request a month",
        ));
    }
    catch_interrupts();
    let steps = u64::from(args.experiments) * u64::from(scenario.replications);
    let bar = progress(steps, args.simulation.quiet);
    let found = coverage(
        &scenario,
        traffic,
        args.experiments,
        &Work::new(&|| bar.inc(1), interrupt_flag()),
    );
    bar.finish_and_clear();
    let found = found.map_err(study_failure)?;
    println!(
        "{}; policy {}, {} experiments\n",
        settings(&scenario).at(&[traffic]).line(),
        scenario.policies[0].name,
        args.experiments
    );
    println!("{}", coverage_table(&found));
    Ok(EXIT_OK)
}
