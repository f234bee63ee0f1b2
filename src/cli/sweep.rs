//! `kvplan sweep`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs, parse_traffic, sweep_levels};
use kvplan::config::quantity::Count;
use kvplan::report;
use kvplan::report::output::OutputDir;

/// Arguments of `kvplan sweep`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan sweep                                      9 levels from 10k to 100M requests a month
  kvplan sweep --traffic 10k..1B                    three levels per decade
  kvplan sweep --traffic 1M,5M,20M --plan free
  kvplan sweep --scenario production-10m --set policy.cache.ttl=\"30 s\"
  kvplan sweep --precision 2%                       as many replications as it takes for that
  kvplan sweep --scenario my.toml --seed 7 --replications 30 --out results

Writes sweep.csv (one row per level and policy, with 95% confidence half-widths),
replications.csv (raw), run.json (to reproduce) and charts as SVG and PNG.")]
pub struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month: a list (10k,1M) or a range (10k..1B) [default: the scenario's levels]
    #[arg(long, value_parser = |t: &str| parse_traffic(t).map(Levels))]
    traffic: Option<Levels>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone)]
struct Levels(Vec<Count>);

/// Runs the sweep and writes its results.
pub fn run(args: Args) -> Result<u8, Failure> {
    let scenario = args.simulation.load()?;
    let levels = args
        .traffic
        .map_or_else(|| scenario.sweep_per_month.clone(), |l| l.0);
    let out = OutputDir::prepare(&args.output.out).map_err(Failure::usage)?;
    let quiet = args.simulation.quiet;
    let cells = sweep_levels(&scenario, &levels, quiet)?;
    report::sweep::write(&scenario, &cells, &out).map_err(Failure::usage)?;
    let files = out.commit().map_err(Failure::usage)?;
    if !quiet {
        println!("{}\n", scenario.title);
        println!("{}\n", report::sweep::summary(&cells));
        if let Some(note) = report::precision::precision_note(&scenario, &cells) {
            println!("{note}\n");
        }
        println!(
            "{} replications, seed {}; ± is a 95% confidence half-width. Months are scaled from the simulated period, see sweep.csv.",
            report::precision::replications(&cells),
            scenario.seed
        );
        println!(
            "{} files written to {}",
            files.len(),
            args.output.out.display()
        );
    }
    Ok(EXIT_OK)
}
