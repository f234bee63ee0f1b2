//! `kvplan validate`.

mod played;
mod probe;

use super::common::{
    Failure, OutputArgs, SimulationArgs, interrupt_flag, label, real_time, traffic_of,
};
use super::given;
use super::replay::TraceArgs;
use super::session::Session;
use super::shape::ShapeArgs;
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::quantity::{Count, format_duration, parse_duration};
use kvplan::report::settings::settings;
use kvplan::report::table::Answer;
use kvplan::report::write::validate::Report;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, arrivals};
use kvplan::study::replay::arrivals_of;
use kvplan::study::validate::{SIMULATIONS, Seen, check, validate};
use kvplan::units::Timestamp;
use kvplan::workload::Arrival;
use kvplan::workload::trace::{TraceReader, open};
use kvplan_remote::account::Account;
use kvplan_remote::bridge::{Bridge, BridgeConfig};
use kvplan_remote::rest::{Rest, RestConfig};
use kvplan_remote::{BadAddress, Values};
use played::Run;
use probe::Service;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Arguments of `kvplan validate`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan validate --against http://127.0.0.1:8787 --traffic 10M       a bridge (examples/bridge) under wrangler dev, for a minute
  kvplan validate --against https://kvplan-bridge.me.workers.dev --policy batch-keys --duration \"5 min\"
  kvplan validate --against http://127.0.0.1:8787 --trace requests.csv.gz
  kvplan validate --rest-namespace 0f2ac74b498b48028cb68387c421e279 --traffic 1M    Cloudflare's REST API
  kvplan calibrate output/operations.csv                              a latency profile of what was seen

Plays the scenario's arrivals (the same seed, the same arrivals), or a log, in real time through the metrics system of one isolate on
that KV; then simulates what came with the latencies of the very run, many times (-n, 200 if not given). A count that is the same in all
simulations must be the same in the real run; where they differ, as reads do with latency, the real one must lie among them. Latencies
are set side by side and decide nothing. Failures of the scenario are added to the KV (--set failures.write.error=5%). With several policies
in the scenario the last is played.

A bridge is asked with KVPLAN_BRIDGE_SECRET, the REST API with CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID, from the environment.
Keys of its own, under a prefix that nobody else has, are written and deleted at the end; operations and requests are billed as usual.
Ctrl-C stops playing and compares what has been played; a second one ends at once.
Writes validate.csv, operations.csv and a chart as SVG and PNG.

Exit codes: 0 it agrees; 1 it does not; 2 wrong arguments or input, or the KV cannot be used.")]
pub(crate) struct Args {
    /// The bridge; with --rest-namespace the root of a REST form that asks for no token, such as Miniflare's explorer
    #[arg(long, value_name = "URL", required_unless_present = "rest_namespace")]
    against: Option<String>,
    /// A namespace over Cloudflare's REST API instead of a bridge
    #[arg(long, value_name = "ID")]
    rest_namespace: Option<String>,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// How long to play [default: 60 s; of a log, all of it]
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Play a recorded log, as kvplan replay reads it: a CSV file, gzipped or not, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "traffic")]
    trace: Option<String>,
    #[command(flatten)]
    log: TraceArgs,
    /// Wait at most so long until the KV shows what was written: elsewhere that takes up to a minute or more
    #[arg(long, default_value = "70 s", value_parser = parse_duration)]
    settle: Duration,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Simulations without which an honest run would lie outside more often than twice in a hundred times, each count.
const FEWEST: u32 = 100;
/// How long is played, if nobody says it.
const DURATION: Duration = Duration::from_secs(60);
/// The collector waits no longer than this for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Plays, simulates, compares and writes.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    if args.simulation.precision.is_some() {
        return Err(Failure::usage(
            "--precision: a real run is compared with single simulations, of which no mean is taken; expected -n",
        ));
    }
    args.simulation.without_requests(match &args.trace {
        None => "--duration decides how long is played",
        Some(_) => "the log and --duration decide how long is played",
    })?;
    let mut scenario = args.simulation.load()?;
    scenario.replications = args.simulation.replications.unwrap_or(SIMULATIONS);
    if scenario.replications < FEWEST {
        return Err(Failure::usage(format!(
            "--replications: found {}, expected at least {FEWEST}: of n simulations a real run that is one of them lies outside twice in n + 1 times",
            scenario.replications
        )));
    }
    let last = scenario.policies.len() - 1;
    scenario.policies.drain(..last);
    check(&scenario.policies[0])?;
    scenario.traffic_per_month = traffic_of(args.traffic, &scenario)?;
    let arrivals = match &args.trace {
        None => of_scenario(&scenario, args.duration.unwrap_or(DURATION)),
        Some(path) => of_log(&scenario, path, args.log, args.duration)?,
    };
    if arrivals.is_empty() {
        let found = "found no arrival in the time that is played, expected some";
        return Err(Failure::usage(format!(
            "{found}: more --traffic or a longer --duration"
        )));
    }
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let run = Run {
        policy: scenario.policies[0].clone(),
        limits: scenario.limits.of_plan(&scenario.plan),
        scenario: &scenario,
        settle: args.settle,
        quiet: args.simulation.quiet,
    };
    let against = args.against.as_deref();
    let (seen, notes, address) = match &args.rest_namespace {
        None => on_bridge(&run, &arrivals, against.unwrap_or_default())?,
        Some(id) => on_rest(&run, &arrivals, against, id)?,
    };
    let steps = u64::from(scenario.replications);
    let compared = session.compute(steps, |work, _| validate(&scenario, &seen, work))?;
    let line = settings(&compared.scenario).from_nothing();
    let line = line.with("--against", &address);
    let line = match (&args.trace, args.duration) {
        (None, duration) => line
            .at(&[scenario.traffic_per_month])
            .with("--duration", format_duration(duration.unwrap_or(DURATION))),
        (Some(path), None) => line.of_log(label(path)),
        (Some(path), Some(d)) => line
            .of_log(label(path))
            .with("--duration", format_duration(d)),
    };
    let report = Report {
        compared: &compared,
        seen: &seen,
        settings: format!("policy {}; {}", scenario.policies[0].name, line.line()),
    };
    session.answer(
        &args.shape.shape(),
        |out| {
            report.write(out)?;
            let record = given::record();
            record.of(&compared.scenario, &report.settings).write(out)
        },
        || {
            let answer = Answer::new()
                .say(&report.settings)
                .gap()
                .table("measures", report.table())
                .gap()
                .say(format!("{}\n{}", report.verdict(), report.caveat()));
            notes.iter().fold(answer, Answer::say)
        },
    )?;
    Ok(match compared.agrees() {
        true => EXIT_OK,
        false => EXIT_NO,
    })
}

/// What the simulator would draw for the first replication, from the epoch on: only the differences count.
fn of_scenario(scenario: &Scenario, duration: Duration) -> Vec<Arrival> {
    let point = Point {
        scenario,
        policy: &scenario.policies[0],
        traffic: scenario.traffic_per_month,
        replication: 0,
    };
    let start = kvplan::run::ORIGIN;
    let mut stream = arrivals(&point, start);
    let mut all = vec![];
    while let Some(arrival) = stream.next_arrival()
        && arrival.at < start + duration
    {
        all.push(arrival);
    }
    all
}

fn of_log(
    scenario: &Scenario,
    path: &str,
    log: TraceArgs,
    length: Option<Duration>,
) -> Result<Vec<Arrival>, Failure> {
    let (source, _) = open(path, |_| ())?;
    let providers = scenario.workload.providers.iter();
    let providers = providers.map(|p| p.name.clone()).collect();
    let reader = TraceReader::new(label(path), source, log.options(Some(providers)))?;
    Ok(arrivals_of(reader, scenario, length)?)
}

/// The arrivals, the first of them at `start`.
fn from(start: Timestamp, arrivals: &[Arrival]) -> Vec<Arrival> {
    let first = arrivals.first().map_or(start, |a| a.at);
    let moved = arrivals.iter().map(|a| Arrival {
        at: start + a.at.since(first),
        ..*a
    });
    moved.collect()
}

/// Whether Ctrl-C was pressed since this was last asked.
fn stopped() -> bool {
    interrupt_flag().swap(false, Ordering::Relaxed)
}

/// What was seen, what else is to be told, and where it was.
type Outcome = (Seen, Vec<String>, String);

fn on_bridge(run: &Run, arrivals: &[Arrival], address: &str) -> Result<Outcome, Failure> {
    let config = BridgeConfig {
        timeout: TIMEOUT,
        values: Values::Text,
        ..BridgeConfig::from_environment(address)
    };
    let bridge = Bridge::new(&config).map_err(|e| wrong_address("--against", &e))?;
    let service = Service {
        address: address.to_owned(),
        is_bridge: true,
        last_failure: Box::new({
            let bridge = bridge.clone();
            move || bridge.last_failure()
        }),
    };
    let (seen, notes) = real_time(run.on(bridge, arrivals, &service))?;
    Ok((seen, notes, service.address))
}

fn on_rest(
    run: &Run,
    arrivals: &[Arrival],
    root: Option<&str>,
    namespace: &str,
) -> Result<Outcome, Failure> {
    let (config, address) = match root {
        // The token goes to nobody but the API that the environment names.
        Some(root) => {
            let config = RestConfig {
                root: root.trim_end_matches('/').to_owned(),
                namespace: namespace.to_owned(),
                token: None,
                values: Values::Text,
                timeout: TIMEOUT,
            };
            (config, root.to_owned())
        }
        None => {
            let account = Account::from_environment()
                .map_err(|unset| Failure::usage(format!("{unset} for --rest-namespace")))?;
            let address = account.api().to_owned();
            (RestConfig::of_account(&account, namespace), address)
        }
    };
    let rest = Rest::new(&config).map_err(|e| wrong_address("--rest-namespace", &e))?;
    let service = Service {
        address,
        is_bridge: false,
        last_failure: Box::new({
            let rest = rest.clone();
            move || rest.last_failure()
        }),
    };
    let (seen, notes) = real_time(run.on(rest, arrivals, &service))?;
    Ok((seen, notes, service.address))
}

fn wrong_address(option: &str, e: &BadAddress) -> Failure {
    Failure::usage(format!("{option}: {e}"))
}
