//! `kvplan sensitivity`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs};
use super::given;
use super::idle::decides_period;
use super::number::whole;
use super::session::Session;
use super::shape::ShapeArgs;
use kvplan::models::quantity::Count;
use kvplan::models::{self, Override};
use kvplan::report::table::Answer;
use kvplan::report::write::sensitivity::SensitivityReport;
use kvplan::run::scenario::Scenario;
use kvplan::study::plan::objective::measure;
use kvplan::study::sensitivity::{Inputs, Settings, sensitivity, steps};

/// Arguments of `kvplan sensitivity`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan sensitivity                                 what moves the bill of the scenario's last policy
  kvplan sensitivity --policy naive --traffic 5M
  kvplan sensitivity --measure p95_query --morris 40
  kvplan sensitivity --measure staleness_p99 --sobol 128
  kvplan sensitivity --inputs my-inputs.toml --out results

The inputs and their ranges are data: models/sensitivities/default.toml. Each is varied by itself (tornado chart), then
with all others (Morris' elementary effects; Sobol indices if asked for). The inputs' base values win over --set.
Writes sensitivity.csv and charts.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month at the base; the range keeps its factors [default: that of the inputs]
    #[arg(long)]
    traffic: Option<Count>,
    /// Measure to look at: cost, p95_query, hit, ... or a column of sweep.csv
    #[arg(long, default_value = "cost", value_parser = |t: &str| measure(t).map(Measure))]
    measure: Measure,
    /// Inputs: a name from models/sensitivities or a TOML file
    #[arg(long, default_value = "default")]
    inputs: String,
    /// Trajectories of Morris' method; 0 for none
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = whole(0_u32, 10_000))]
    morris: u32,
    /// Rows for Sobol indices, of inputs + 3 simulations each; 0 for none
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = whole(0_u32, 100_000))]
    sobol: u32,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Clone, Copy)]
struct Measure(usize);

/// Analyses, writes the results and prints the table.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are those of -n")?;
    if args.simulation.policies.len() > 1 {
        return Err(Failure::usage("--policy: found several, expected one"));
    }
    if args.morris == 1 || args.sobol == 1 {
        return Err(Failure::usage(
            "--morris or --sobol: found 1, expected 0, or 2 and more: one tells nothing of its error",
        ));
    }
    let inputs: Inputs = models::load(&args.inputs, None, &[])?;
    let inputs = match args.traffic {
        Some(Count(0)) => {
            return Err(Failure::usage(
                "--traffic: found 0, expected at least 1 request a month",
            ));
        }
        Some(traffic) => inputs.with_base("traffic_per_month", traffic.0 as f64),
        None => inputs,
    };
    let scenario = args.simulation.load()?;
    let own = args.simulation.settings()?;
    let load = |settings: &[Override]| {
        let all: Vec<Override> = own.iter().chain(settings).cloned().collect();
        let mut loaded = Scenario::load(
            &args.simulation.scenario,
            &args.simulation.policies,
            args.simulation.plan.as_deref(),
            &all,
        )?;
        loaded.seed = scenario.seed;
        // One policy: the one that was asked for, or the scenario's last.
        loaded.policies = loaded.policies.pop().into_iter().collect();
        Ok(loaded)
    };
    let mut base = load(&inputs.at_base())?;
    base.arguments.clone_from(&scenario.arguments);
    if let Some(requests) = args.simulation.requests()?
        && let Some(corners) = corners(&inputs)
    {
        let loaded = corners.iter().map(|settings| load(settings));
        let loaded: Vec<Scenario> = loaded.collect::<Result<_, _>>()?;
        requests.refuse_if_idle_between(loaded.iter().map(|s| (s, s.traffic_per_month)))?;
    }
    let settings = Settings {
        metric: args.measure.0,
        replications: scenario.replications,
        seed: scenario.seed,
        trajectories: args.morris,
        rows: args.sobol,
    };
    let runs = steps(&inputs, &settings);
    args.simulation
        .check_runs(&base, base.traffic_per_month, runs)?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let result = session.compute(steps(&inputs, &settings), |work, _| {
        sensitivity(&inputs, &load, &settings, work)
    })?;
    let report = SensitivityReport {
        scenario: &base,
        inputs: &inputs,
        inputs_name: &args.inputs,
        settings: &settings,
        result: &result,
    };
    session.answer(
        &args.shape.shape(),
        |out| {
            report.write(out)?;
            given::record().of(&base, report.settings()).write(out)
        },
        || {
            Answer::new()
                .say(report.settings())
                .gap()
                .table("inputs", report.table())
                .gap()
                .say(report.explanation())
        },
    )?;
    Ok(EXIT_OK)
}

/// Most inputs on which it depends how long is simulated, whose ends are looked at in all combinations.
const MOST_DECIDING: usize = 6;

/// The settings at all combinations of the ends of such inputs, the others at their base; none if they are too many.
fn corners(inputs: &Inputs) -> Option<Vec<Vec<Override>>> {
    let all = inputs.inputs.iter().enumerate();
    let deciding = all.filter(|(_, input)| decides_period(&input.field));
    let deciding: Vec<usize> = deciding.map(|(i, _)| i).collect();
    (deciding.len() <= MOST_DECIDING).then(|| {
        let corner = |number: usize| {
            let mut inputs = inputs.clone();
            for (bit, i) in deciding.iter().enumerate() {
                let input = &mut inputs.inputs[*i];
                input.base = if number >> bit & 1 == 0 {
                    input.low
                } else {
                    input.high
                };
            }
            inputs.at_base()
        };
        (0..1 << deciding.len()).map(corner).collect()
    })
}
