//! `kvplan plan`.

use super::common::{Failure, OutputArgs, SimulationArgs, traffic_of};
use super::given;
use super::session::Session;
use super::shape::ShapeArgs;
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::quantity::{Count, Probability};
use kvplan::models::{self, Override, parse_overrides};
use kvplan::report::table::Answer;
use kvplan::report::write::plan::PlanReport;
use kvplan::run::effort::Effort;
use kvplan::run::scenario::Scenario;
use kvplan::study::plan::objective::parse;
use kvplan::study::plan::space::Search;
use kvplan::study::plan::{
    Objective, Settings, is_carried, look_back, plan, shortened, with_implied,
};
use std::collections::BTreeSet;

/// Arguments of `kvplan plan`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan plan --traffic 20M --slo 'p95_query<500ms,loss<0.1%,staleness_p99<60s,cost<20USD'
  kvplan plan --traffic 300k --slo 'staleness_p99<10s,store_delay<5s'
  kvplan plan --traffic 20M --slo 'hit>90%' --search my-search.toml --out plans
  kvplan run --traffic 20M --policy output/plan-policy.toml      use what was found
  kvplan plan --traffic 300k --slo 'hit>90%' --resume            go on after Ctrl-C or a power cut

Measures: cost, loss, errors, hit, staleness_p50, staleness_p99, store_delay, refused, lost_updates, p95_query (p50, p99;
record, metrics, health), and every column of sweep.csv. A plan may not refuse more than 0.1% of requests or KV
operations, nor lose more than 0.1% of the records (lost updates among them), unless an objective says otherwise. With -n, replications of a candidate at most [default: 20].
Replications of the search have a period.requests of 5k at most; those on which the choice is tried again, the scenario's own.

Writes plan.csv (all candidates), pareto.csv, plan-policy.toml and charts. While it works, every finished
replication is kept in DIR/plan.kvjournal for --resume. Exit code 1 if nothing meets the objectives.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 20M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Objectives: measure < or > bound, separated by commas
    #[arg(long, value_name = "OBJECTIVES", value_parser = |t: &str| parse(t).map(Slo))]
    slo: Slo,
    /// Search space: a name from models/searches or a TOML file
    #[arg(long, default_value = "default")]
    search: String,
    /// Costs that differ by no more than this share are equal: then the fresher answer wins
    #[arg(long, default_value = "1%", value_name = "SHARE")]
    tie: Probability,
    /// Go on with an interrupted search in the same folder: what was finished of it is not simulated again
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Clone)]
struct Slo(Vec<Objective>);

const MOST_REPLICATIONS: u32 = 20;
const FIRST_REPLICATIONS: u32 = 6;
/// `period.requests` of the race, at most.
const RACE_REQUESTS: Count = Count(5_000);

/// Replications of a candidate as races go: all have the first round, and of the rest a quarter.
fn as_a_race_goes(settings: &Settings) -> u64 {
    u64::from(settings.first + (settings.most - settings.first).div_ceil(4))
}

/// Searches, writes the results and prints the choice.
pub(crate) fn run(mut args: Args) -> Result<u8, Failure> {
    args.simulation.without_precision("it simulates until objectives are met or missed; expected -n, the most replications of a candidate")?;
    let most = args.simulation.replications.unwrap_or(MOST_REPLICATIONS);
    if most < 2 {
        return Err(Failure::usage(
            "--replications: found 1, expected at least 2: one replication tells nothing of its error",
        ));
    }
    if args.simulation.policies.len() > 1 {
        return Err(Failure::usage(
            "--policy: found several, expected the one whose settings are varied",
        ));
    }
    let search: Search = models::load(&args.search, None, &[])?;
    let arguments = args.simulation.arguments();
    let base = args.simulation.policies.pop();
    // The scenario's own policies play no part; its settings of the policy do.
    let overrides = parse_overrides(&args.simulation.overrides)?;
    let (of_policy, others): (Vec<Override>, Vec<Override>) = overrides
        .into_iter()
        .partition(|o| o.path[0] == "policy" && o.path.len() > 1);
    let of_policy: Vec<Override> = of_policy
        .into_iter()
        .map(|o| Override {
            path: o.path[1..].to_vec(),
            ..o
        })
        .collect();
    args.simulation.overrides = others
        .iter()
        .map(|o| o.text.trim_start_matches("--set ").to_owned())
        .collect();
    let mut scenario = args.simulation.load()?;
    scenario.arguments = arguments;
    let traffic = traffic_of(args.traffic, &scenario)?;
    let mut search = search;
    if let Some(plan) = &args.simulation.plan {
        search.plans = vec![plan.clone()];
    }
    let space = search.space(&args.search, &scenario, base.as_deref(), &of_policy)?;
    let settings = Settings {
        traffic,
        requests: RACE_REQUESTS,
        first: FIRST_REPLICATIONS.min(most),
        most,
        tie: args.tie.get(),
    };
    let objectives = with_implied(args.slo.0);
    let carried = |name: &str| {
        let plan = scenario.catalog.plan(name);
        plan.is_ok_and(|plan| is_carried(plan, traffic, &objectives))
    };
    let in_race = space.candidates.iter().filter(|c| carried(&c.plan));
    let all = Scenario {
        policies: in_race.map(|c| c.policy.clone()).collect(),
        ..scenario.clone()
    };
    let short = Scenario {
        policies: all.policies.clone(),
        ..shortened(
            &scenario,
            traffic,
            RACE_REQUESTS,
            look_back(&space.candidates),
        )
    };
    if let Some(requests) = args.simulation.requests()? {
        let plans: BTreeSet<&str> = space.candidates.iter().map(|c| c.plan.as_str()).collect();
        let of_plans = |s: &Scenario| -> Vec<Scenario> {
            let of_plan = |plan: &&str| Scenario {
                plan: (*plan).to_owned(),
                ..s.clone()
            };
            plans.iter().map(of_plan).collect()
        };
        let own = requests.own.min(RACE_REQUESTS);
        let is_idle = |s: &Scenario| s.horizon_of(own, traffic) == s.horizon(traffic);
        if of_plans(&short).iter().all(is_idle) {
            requests.refuse_if_idle(of_plans(&scenario).iter().map(|s| (s, traffic)))?;
        }
    }
    // Those under a plan with daily limits have whole days; most of them are refused by what their twins use.
    let threads = rayon::current_num_threads();
    let race = Effort::of(&short, &[traffic], as_a_race_goes(&settings), threads);
    let one = 1.0 / all.policies.len().max(1) as f64;
    let tried = Effort::of(&all, &[traffic], u64::from(most), threads).times(one);
    args.simulation.check(&race.and(tried))?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let (result, points) = session.compute_kept("plan.kvjournal", args.resume, |work, bar| {
        let planned = |n| bar.inc_length(n);
        let candidates = space.candidates.clone();
        plan(
            &scenario,
            candidates,
            objectives.clone(),
            &settings,
            &planned,
            work,
        )
    })?;
    let report = PlanReport {
        scenario: &scenario,
        settings: &settings,
        search: &args.search,
        dimensions: search.dimensions.iter().map(|d| d.name.as_str()).collect(),
        space: &space,
        result: &result,
    };
    session.answer(
        &args.shape.shape(),
        |out| {
            report.write(out)?;
            given::record().of(&scenario, report.settings()).write(out)
        },
        || {
            let mut answer = Answer::new().say(report.settings()).gap();
            answer = match result.choice {
                Some(_) => answer.table("choices", report.choices_table()),
                None => answer.say(report.failure()),
            };
            answer = answer.gap().and(report.objectives_table()).gap();
            if result.choice.is_some() {
                if let Some(note) = report.unsure_note() {
                    answer = answer.say(note);
                }
                answer = answer.say(report.binding());
            }
            answer.say(report.effort())
        },
    )?;
    points.remove()?;
    Ok(if result.choice.is_some() {
        EXIT_OK
    } else {
        EXIT_NO
    })
}
