//! `kvplan compare-stores`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs};
use super::number::parse_traffic;
use super::session::Session;
use super::shape::ShapeArgs;
use kvplan::cloud::service::StoreSpec;
use kvplan::models::nearest::nearest;
use kvplan::models::quantity::Count;
use kvplan::models::{self, Override};
use kvplan::report::table::Answer;
use kvplan::report::write::stores::Comparison;
use kvplan::run::effort::Effort;
use kvplan::study::stores::{check, compare_stores, take_overs};

/// Arguments of `kvplan compare-stores`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan compare-stores                                  all stores from 100k to 1B requests a month
  kvplan compare-stores --traffic 1M,100M --policy optimised
  kvplan compare-stores --store kv,analytics-engine,my-store.toml
  kvplan compare-stores --set store.r2.service.latency.read.median=\"30 ms\"

The same arrivals, records and queries (common random numbers) meet each store in turn: Workers KV,
R2, D1, a Durable Object with SQLite, Queues in front of KV, and Analytics Engine. A store is not able
where a bound of models/stores or of the plan is exceeded, or more than 1% of calls fail.

Writes stores.csv, stores_invoices.csv, stores.json (to reproduce) and a chart for each policy.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Stores: names from models/stores or files [default: all of models/stores]
    #[arg(long = "store", value_name = "STORE", value_delimiter = ',')]
    stores: Vec<String>,
    /// Requests a month: a list (10k,1M) or a range (100k..1B) [default: the scenario's levels]
    #[arg(long, value_parser = |t: &str| parse_traffic(t).map(Levels))]
    traffic: Option<Levels>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Clone)]
struct Levels(Vec<Count>);

/// The order of tables and charts.
const ALL: [&str; 6] = [
    "kv",
    "r2",
    "d1",
    "durable-object",
    "queues",
    "analytics-engine",
];

/// Compares the stores and writes the results.
pub(crate) fn run(mut args: Args) -> Result<u8, Failure> {
    let (mine, others): (Vec<String>, Vec<String>) = args
        .simulation
        .overrides
        .drain(..)
        .partition(|o| o.trim_start().starts_with("store."));
    args.simulation.overrides = others;
    let scenario = args.simulation.load()?;
    check(&scenario)?;
    let stores = load_stores(&args.stores, &models::parse_overrides(&mine)?)?;
    let levels = args
        .traffic
        .map_or_else(|| scenario.sweep_per_month.clone(), |l| l.0);
    let points = levels.iter().map(|l| (&scenario, *l));
    args.simulation.refuse_idle_requests(points)?;
    let of_one = Effort::of_sweep(&scenario, &levels, rayon::current_num_threads());
    args.simulation.check(&of_one.times(stores.len() as f64))?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let points = levels.len() * scenario.policies.len() * stores.len();
    let steps = points as u64 * u64::from(scenario.replications);
    let cells = session.compute(steps, |work, _| {
        compare_stores(&scenario, &stores, &levels, work)
    })?;
    let comparison = Comparison {
        scenario: &scenario,
        stores: &stores,
        changed: &mine,
        take_overs: &take_overs(&cells),
        cells: &cells,
    };
    session.answer(
        &args.shape.shape(),
        |out| comparison.write(out),
        || {
            let answer = Answer::new().say(comparison.settings()).gap();
            answer.and(comparison.summary()).gap().say(format!(
            "{} replications, seed {}; ± is a 95% confidence half-width. Write and query: what the store itself takes; see stores.csv for the rest.",
            scenario.replications, scenario.seed
            ))
        },
    )?;
    Ok(EXIT_OK)
}

/// Reads the stores; an override `store.NAME.FIELD=VALUE` changes the one of that name.
fn load_stores(names: &[String], overrides: &[Override]) -> Result<Vec<StoreSpec>, Failure> {
    let all: Vec<String>;
    let names = if names.is_empty() {
        all = ALL.map(str::to_owned).to_vec();
        &all
    } else {
        names
    };
    for o in overrides {
        let known = o.path.len() > 2 && names.contains(&o.path[1]);
        if !known {
            return Err(Failure::usage(format!(
                "{}: expected store.NAME.FIELD=VALUE with one of: {}{}",
                o.text,
                names.join(", "),
                nearest(
                    o.path.get(1).map_or("", String::as_str),
                    names.iter().map(String::as_str)
                )
            )));
        }
    }
    let mut stores: Vec<StoreSpec> = Vec::new();
    for name in names {
        let of_store = overrides.iter().filter(|o| o.path[1] == *name);
        let of_store: Vec<Override> = of_store
            .map(|o| Override {
                path: o.path[2..].to_vec(),
                ..o.clone()
            })
            .collect();
        let store: StoreSpec = models::load(name, None, &of_store)?;
        if stores.iter().any(|s| s.name == store.name) {
            return Err(Failure::usage(format!(
                "--store {name}: found two stores called \"{}\", expected different names",
                store.name
            )));
        }
        stores.push(store);
    }
    Ok(stores)
}
