//! `kvplan breakeven`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs};
use super::given;
use super::number::parse_traffic;
use super::session::Session;
use super::shape::ShapeArgs;
use kvplan::models::quantity::{Count, Probability};
use kvplan::pricing::Money;
use kvplan::report::table::Answer;
use kvplan::report::write::breakeven::BreakevenReport;
use kvplan::study::breakeven::{Settings, breakeven, steps};

/// Arguments of `kvplan breakeven`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan breakeven                                   naive and optimised, from 10k to 100M requests a month
  kvplan breakeven --policy naive,optimised,tiered --traffic 1k..30M
  kvplan breakeven --fixed-cost 20                   from where on a policy that costs $20 a month to run pays for itself
  kvplan breakeven --scenario fleet-20 -n 20 --refused 5%

Says from which traffic on a free quota is exceeded (and which comes first), the free plan refuses work, the
paid bill exceeds its fee, and a policy costs less than another. A policy
that loses records, or whose plan refuses work, never pays off. Writes breakeven.csv, breakeven_cost.csv and charts.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Range to search, in requests a month (10k..100M); a list gives the levels between
    /// which is searched [default: the scenario's levels]
    #[arg(long, value_parser = |t: &str| parse_traffic(t).map(Levels))]
    traffic: Option<Levels>,
    /// What a policy costs beside its bill, in USD a month, to be earned back by its saving
    #[arg(long, default_value = "0", value_name = "USD", value_parser = dollars)]
    fixed_cost: Money,
    /// Share of operations or requests that the free plan may refuse
    #[arg(long, default_value = "1%", value_name = "SHARE")]
    refused: Probability,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Clone)]
struct Levels(Vec<Count>);

/// `20`, `$20` or `20USD`.
fn dollars(text: &str) -> Result<Money, String> {
    let number = text.trim().trim_start_matches('$').trim_end_matches("USD");
    format!("${}", number.trim())
        .parse()
        .map_err(|_| format!("found \"{text}\", expected an amount in USD, such as 20 or $19.50"))
}

/// Searches, writes the results and prints the table.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are those of -n")?;
    let scenario = args.simulation.load()?;
    let mut levels = args
        .traffic
        .map_or_else(|| scenario.sweep_per_month.clone(), |l| l.0);
    levels.sort();
    levels.dedup();
    let settings = Settings {
        levels,
        fixed_cost: args.fixed_cost,
        refused: args.refused.get(),
    };
    if let Some(requests) = args.simulation.requests()? {
        // As they are searched: for no number of calls, under plans with daily allowances and without.
        let mut searched = scenario.clone();
        searched.period.calls = Count(0);
        searched.period.whole_days &= searched.workload.shape.is_some();
        requests.refuse_if_idle_between(settings.levels.iter().map(|l| (&searched, *l)))?;
    }
    // Each question is searched between the levels; the highest takes most.
    let highest = settings.levels.last().copied().unwrap_or(Count(1));
    args.simulation
        .check_runs(&scenario, highest, steps(&scenario))?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let result = session.compute(steps(&scenario), |work, _| {
        breakeven(&scenario, &settings, work)
    })?;
    let report = BreakevenReport {
        scenario: &scenario,
        settings: &settings,
        result: &result,
    };
    session.answer(
        &args.shape.shape(),
        |out| {
            report.write(out)?;
            given::record().of(&scenario, report.settings()).write(out)
        },
        || {
            Answer::new()
                .say(report.settings())
                .gap()
                .table("answers", report.table())
                .gap()
                .table("costs", report.cost_table())
                .gap()
                .say(report.explanation())
        },
    )?;
    Ok(EXIT_OK)
}
