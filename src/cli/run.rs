//! `kvplan run`.

use super::EXIT_OK;
use super::common::{Failure, SimulationArgs, sweep_levels};
use kvplan::config::quantity::Count;
use kvplan::experiment::metric;
use kvplan::experiment::scenario::Scenario;
use kvplan::experiment::simulate::{Point, simulate};
use kvplan::experiment::sweep::SweepError;
use kvplan::report::precision::precision_note;
use kvplan::report::run as report;

/// Arguments of `kvplan run`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan run                                   the default scenario
  kvplan run --scenario production-1m --policy optimised
  kvplan run --precision 2%                    as many replications as it takes for that
  kvplan run --traffic 5M --plan free --set failures.write.error=5%")]
pub struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
}

/// Simulates the scenario with each of its policies and prints the results.
pub fn run(args: Args) -> Result<u8, Failure> {
    let scenario: Scenario = args.simulation.load()?;
    let traffic = args.traffic.unwrap_or(scenario.traffic_per_month);
    if traffic == Count(0) {
        return Err(Failure::usage(
            "--traffic: found 0, expected at least 1 request a month",
        ));
    }
    let cells = sweep_levels(&scenario, &[traffic], args.simulation.quiet)?;
    println!("{}: {traffic} requests a month\n", scenario.title);
    println!("{}", report::metrics_table(metric::METRICS, &cells));
    if let Some(note) = precision_note(&scenario, &cells) {
        println!("\n{note}");
    }
    for policy in &scenario.policies {
        let first = simulate(&Point {
            scenario: &scenario,
            policy,
            traffic,
            replication: 0,
        })
        .map_err(|e| Failure::defect(SweepError::Broken(e)))?;
        println!(
            "\nInvoice of plan \"{}\", policy {} (first replication)\n",
            scenario.plan, policy.name
        );
        println!("{}", report::invoice_table(&first.invoice));
        println!("\nAlerts, policy {}", policy.name);
        println!(
            "{}",
            report::alerts(&scenario.alerts.evaluate(&first.alert_inputs()))
        );
    }
    Ok(EXIT_OK)
}
