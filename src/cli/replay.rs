//! `kvplan replay`.

use super::assertions::{AssertArgs, tell};
use super::common::{
    Failure, OutputArgs, SimulationArgs, byte_progress, catch_interrupts, interrupt_flag, label,
};
use super::number::seed;
use super::session::Session;
use super::shape::{ShapeArgs, is_for_people};
use clap::ValueEnum;
use kvplan::models::ValueError;
use kvplan::models::quantity::parse_duration;
use kvplan::report::table::Answer;
use kvplan::report::write::replay::Report;
use kvplan::report::write::run as report;
use kvplan::run::Billed;
use kvplan::run::effort::Effort;
use kvplan::run::metric;
use kvplan::run::scenario::Scenario;
use kvplan::study::replay::{ReplaySpec, replay};
use kvplan::units::Timestamp;
use kvplan::workload::trace::{FIELDS, TraceOptions, TraceReader, Unit, open, parse_time};
use std::time::Duration;

/// Arguments of `kvplan replay`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan replay requests.csv                            a recorded log through both policies
  kvplan replay requests.csv.gz --policy optimised --speed 10
  kvplan replay requests.csv --amplify 3 --jitter \"5 s\"   three times the requests
  zcat logs/*.gz | kvplan replay - --column timestamp=EdgeStartTimestamp
  kvplan replay requests.csv --from 2026-11-02T00:00:00Z --to 2026-11-03T00:00:00Z
  kvplan trace --traffic 10M | kvplan replay -          a scenario's own arrivals
  kvplan replay requests.csv --assert 'cost<20USD'      exit code 1 if that does not hold of every policy

The log is CSV with a header; `timestamp` must be there, the others may be:
  timestamp    RFC 3339 with an offset, or a number since 1970 (s, ms, us or ns by its size)
  kind         record, metrics_read, analytics_query, health_check, each a request of its own, or
               metrics_with_record: a read by the request of the last record; without this column
               all rows are recorded requests, and the scenario's workload adds the other calls
  provider     one of the workload's providers
  latency_ms   time the provider took
  success      true, false, 1 or 0
  tokens       a whole number
  location     a place of the fleet; others are given one by its shares
What a row does not say is drawn from the scenario's workload. Rows must be in the order of
time, but for disorder within --reorder-window. The log is read once, in constant memory.

Writes replay.csv, replay_series.csv, run.json and charts as SVG and PNG.")]
pub(crate) struct Args {
    /// The log: a CSV file, gzipped or not, or - for standard input
    log: String,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Play the log so many times as fast: the rate is that many times as high
    #[arg(long, default_value_t = 1.0, value_parser = factor)]
    speed: f64,
    /// Let each row come so many times on average: 0.1 keeps a tenth at random, 3 adds two copies
    #[arg(long, default_value_t = 1.0, value_parser = factor)]
    amplify: f64,
    /// Copies come later than their row by up to this, evenly spread
    #[arg(long, default_value = "1 s", value_parser = parse_duration)]
    jitter: Duration,
    /// Start to measure at this time of the log [default: after the warm-up]
    #[arg(long, value_parser = time)]
    from: Option<Timestamp>,
    /// Stop before this time of the log [default: at its end]
    #[arg(long, value_parser = time)]
    to: Option<Timestamp>,
    /// Replay so much before the measurement starts, without counting it
    #[arg(long, default_value = "0 s", value_parser = parse_duration)]
    warm_up: Duration,
    /// What the invoice is for: a month at the rate of the log, or a month with the log alone
    #[arg(long, default_value = "month")]
    bill: Bill,
    /// Time between the samples of replay_series.csv [default: about a hundred of them]
    #[arg(long, value_parser = interval)]
    interval: Option<Duration>,
    #[command(flatten)]
    trace: TraceArgs,
    #[command(flatten)]
    assertions: AssertArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// How a log is to be read.
#[derive(clap::Args)]
pub(crate) struct TraceArgs {
    /// A field with another header, such as timestamp=ts, or the header of the latencies (may be repeated)
    #[arg(long = "column", value_name = "FIELD=HEADER", value_parser = column)]
    columns: Vec<(String, String)>,
    /// Unit of the latencies: ns, us, ms or s
    #[arg(long, default_value = "ms")]
    unit: Unit,
    /// Leave out up to so many rows that cannot be used, and report them
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = seed)]
    max_bad_rows: u64,
    /// Put rows in order that come later than others by up to this
    #[arg(long, default_value = "1 s", value_parser = parse_duration)]
    reorder_window: Duration,
}

const LATENCY: &str = "latency_ms";

impl TraceArgs {
    /// As the reader wants it; `providers` are those that there may be.
    pub(crate) fn options(self, providers: Option<Vec<String>>) -> TraceOptions {
        TraceOptions {
            columns: self.columns,
            unit: self.unit,
            providers,
            max_bad_rows: self.max_bad_rows,
            reorder_window: self.reorder_window,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Bill {
    Month,
    Period,
}

/// Replays the log and writes what was measured.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    if args.simulation.precision.is_some() {
        return Err(Failure::usage(
            "--precision: the log is read once, for a number of replications that is known before; expected -n",
        ));
    }
    args.simulation
        .without_requests("the log decides how long is simulated: --from and --to")?;
    let scenario = args.simulation.load()?;
    let quiet = args.simulation.quiet;
    let spec = ReplaySpec {
        speed: args.speed,
        amplify: args.amplify,
        jitter: args.jitter,
        from: args.from,
        to: args.to,
        warm_up: args.warm_up,
        billed: match args.bill {
            Bill::Month => Billed::Month,
            Bill::Period => Billed::Period,
        },
        interval: args.interval,
    };
    let bar = byte_progress(quiet);
    let taken = bar.clone();
    let (source, length) = open(&args.log, move |n| taken.inc(n))?;
    if let Some(length) = length {
        bar.set_length(length);
        args.simulation.check(&of_log(&args, &scenario, length))?;
    }
    let label = label(&args.log);
    let providers = scenario.workload.providers.iter();
    let providers = providers.map(|p| p.name.clone()).collect();
    let reader = TraceReader::new(label, source, args.trace.options(Some(providers)))?;
    let session = Session::prepare(&args.output, quiet)?;
    catch_interrupts();
    let replayed = replay(
        &scenario,
        reader,
        &spec,
        rayon::current_num_threads(),
        &|| bar.length().map(|all| bar.position() as f64 / all as f64),
        interrupt_flag(),
    );
    bar.finish_and_clear();
    let replayed = replayed?;
    let judged = args.assertions.judge(&replayed.cells);
    let result = Report {
        scenario: &scenario,
        spec: &spec,
        replay: &replayed,
        judged: &judged,
        label,
    };
    let shape = args.shape.shape();
    let is_told = is_for_people(&shape) && !quiet;
    session.answer(
        &shape,
        |out| result.write(out),
        || {
            let measures = report::metrics_table(metric::METRICS, &replayed.cells);
            let mut answer = Answer::new()
                .say(format!("{}\n\n{}\n", result.settings(), result.summary()))
                .table("measures", measures);
            for (policy, cell) in scenario.policies.iter().zip(&replayed.cells) {
                answer = answer
                    .say(format!(
                        "\nInvoice of plan \"{}\", policy {} (mean usage of all replications)\n",
                        scenario.plan, policy.name
                    ))
                    .table(
                        format!("invoice {}", policy.name),
                        report::invoice_table(&cell.pooled.invoice),
                    );
                if let Some(note) = report::not_billed(&scenario.plan, cell) {
                    answer = answer.say(note);
                }
                let alerts = scenario.alerts.evaluate(&cell.alert_inputs());
                answer = answer
                    .say(format!("\nAlerts, policy {}", policy.name))
                    .say(report::alerts(&alerts));
            }
            answer.gap().say(result.caveat())
        },
    )?;
    Ok(tell(&judged, is_told))
}

/// What a log of so many bytes takes at least: its rows, and as many events again.
fn of_log(args: &Args, scenario: &Scenario, bytes: u64) -> Effort {
    let rows = bytes as f64 / LONGEST_ROW * args.amplify;
    let runs = scenario.policies.len() as f64 * f64::from(scenario.replications);
    Effort {
        events: 2.0 * rows * runs,
        ..Effort::default()
    }
}

/// Bytes of a row that says much; most say less.
const LONGEST_ROW: f64 = 200.0;

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(f) if f.is_finite() && f > 0.0 && f <= 1e6 => Ok(f),
        _ => Err(format!("found \"{text}\", expected a number above 0")),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_time(text)
        .ok_or_else(|| format!("found \"{text}\", expected a time such as 2026-11-02T09:30:00Z"))
}

fn interval(text: &str) -> Result<Duration, ValueError> {
    let interval = parse_duration(text)?;
    if interval.is_zero() {
        return Err(ValueError::new(format!(
            "found \"{text}\", expected more than 0 s"
        )));
    }
    Ok(interval)
}

fn column(text: &str) -> Result<(String, String), String> {
    let expected = || {
        format!(
            "found \"{text}\", expected FIELD=HEADER with a field of: {}",
            FIELDS.join(", ")
        )
    };
    // A header alone is that of the latencies.
    let (field, header) = text.split_once('=').unwrap_or((LATENCY, text));
    if !FIELDS.contains(&field) || header.is_empty() {
        return Err(expected());
    }
    Ok((field.to_owned(), header.to_owned()))
}
