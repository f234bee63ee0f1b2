//! `kvplan trace`.

use super::EXIT_OK;
use super::common::{Failure, catch_interrupts, interrupt_flag, interrupted, traffic_of};
use super::given;
use super::idle::Requests;
use super::number::seed;
use kvplan::models::files::words;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::{Count, parse_duration};
use kvplan::report::settings::settings;
use kvplan::report::stream::into_file_with_record;
use kvplan::run::Point;
use kvplan::run::scenario::Scenario;
use kvplan::study::replay::{Extent, write_trace};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `kvplan trace`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan trace > requests.csv                     the default scenario's period
  kvplan trace --scenario production-1m --requests 100k --out requests.csv.gz
  kvplan trace --traffic 10M --length \"2 h\" | kvplan replay -

A row for each recorded request, metrics read, analytics query and health check, with its time to
the nanosecond, provider, latency, success and tokens. With --with-warm-up the log also has what comes before
the measurement, so that a replay from 2026-11-02T00:00:00Z with the scenario's warm-up gives the
results of `kvplan run` to the last digit.")]
pub(crate) struct Args {
    /// Scenario: a name from `kvplan scenario list` or a TOML file
    #[arg(long, short, default_value = "default")]
    scenario: String,
    /// Override one setting, such as workload.spacing=deterministic (may be repeated)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    overrides: Vec<String>,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Seed of all random streams
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Which replication's arrivals to write
    #[arg(long, default_value_t = 0, value_parser = seed)]
    replication: u64,
    /// Write so much time [default: the period that `kvplan run` simulates]
    #[arg(long, value_parser = parse_length)]
    length: Option<Duration>,
    /// Write so many recorded requests, with the calls between them
    #[arg(long, value_name = "N")]
    requests: Option<Count>,
    /// Write what comes before the measurement too
    #[arg(long)]
    with_warm_up: bool,
    /// File to write, gzipped if its name ends in .gz, and FILE.run.json with what made it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn parse_length(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        d if d.is_zero() => Err(format!("found \"{text}\", expected more than 0 s")),
        d => Ok(d),
    }
}

/// Writes the arrivals.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let overrides = parse_overrides(&args.overrides)?;
    let mut scenario = Scenario::load(&args.scenario, &[], None, &overrides)?;
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    let traffic = traffic_of(args.traffic, &scenario)?;
    let requests = Requests::given(&overrides, &args.scenario)?;
    match requests {
        Some(given) if args.length.is_some() => return Err(given.refuse("--length decides")),
        Some(given) if args.requests.is_some() => return Err(given.refuse("--requests decides")),
        Some(given) => given.refuse_if_idle([(&scenario, traffic)])?,
        None => {}
    }
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic,
        replication: args.replication,
    };
    let extent = Extent {
        with_warm_up: args.with_warm_up,
        length: args.length,
        requests: args.requests.map(|n| n.0),
    };
    catch_interrupts();
    let write = |out: &mut dyn Write| write_trace(&point, &extent, out, interrupt_flag());
    let written = match &args.out {
        None => match write(&mut BufWriter::new(io::stdout().lock())) {
            // Whoever reads it may stop at any time.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Some(0)),
            other => {
                other.map_err(|e| format!("standard output: cannot be written ({})", words(&e)))
            }
        },
        Some(path) => {
            let line = settings(&scenario).at(&[traffic]).line();
            let record = given::record().of(&scenario, line).json();
            let written = record.and_then(|r| into_file_with_record(path, &r, write));
            written.map_err(|e| e.to_string())
        }
    };
    match written.map_err(Failure::usage)? {
        Some(_) => Ok(EXIT_OK),
        None => Err(interrupted()),
    }
}
