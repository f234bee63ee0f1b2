//! Commands: arguments, progress, printing and exit codes; no arithmetic.

mod assertions;
mod beforehand;
mod breakeven;
mod calibrate;
mod chaos;
mod common;
mod compare;
mod completions;
mod coverage;
mod diff;
mod drawing;
mod explore;
mod failure;
mod fetch;
mod fit;
mod forecast;
mod given;
mod idle;
mod invoice;
mod man;
mod merge;
mod number;
mod plan;
mod print;
mod reconcile;
mod rehearse;
mod replay;
mod report;
mod run;
mod scenario;
mod schema;
mod sensitivity;
mod session;
mod shape;
mod stores;
mod sweep;
mod trace;
mod validate;
mod vary;
mod verify;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use common::Failure;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

/// Everything went well.
pub(crate) const EXIT_OK: u8 = 0;
/// Done, and the answer is no.
pub(crate) const EXIT_NO: u8 = 1;
/// Wrong arguments or wrong input files; nothing was written.
pub(crate) const EXIT_USAGE: u8 = 2;
/// An invariant does not hold: a defect of kvplan.
pub(crate) const EXIT_DEFECT: u8 = 70;
/// Stopped by Ctrl-C; nothing was written.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

#[derive(Parser)]
#[command(
    name = "kvplan",
    version,
    about = "Capacity, cost and latency planning for Cloudflare Workers KV, by running the real code in a simulator",
    after_help = "Examples:
  kvplan sweep                                  the main job: cost, hit ratio and latency from 10k to 100M requests a month
  kvplan sweep --traffic 1M..1B --policy optimised
  kvplan merge shards                           what several machines did with kvplan sweep --shard I/N
  kvplan run --scenario production-1m           one scenario: metrics, invoice, alerts
  kvplan compare naive optimised --traffic 5M   what differs, and whether that is significant
  kvplan diff old.toml new.toml --fail-if 'cost>+10%'   what a change costs, for a pull request
  kvplan compare-stores                         the same work on KV, R2, D1, Durable Objects, Queues and Analytics Engine
  kvplan report output                          one HTML page of the results, to read and to send
  kvplan explore                                one page whose sliders move through simulated points
  kvplan rehearse                               the first 48 hours after a deployment, against its checklist
  kvplan fit latency latencies.csv              a latency profile from what you observed
  kvplan calibrate spans.json                   the same for all kinds of operation at once, from spans or analytics
  kvplan replay requests.csv.gz                 a recorded log instead of a workload model
  kvplan breakeven                              the traffic at which quotas, plans and policies change places
  kvplan forecast --traffic 1M --growth 8%/month   month by month, until which limit
  kvplan invoice workers.requests=15M kv.reads=40M   what known usage costs, with the sum behind each line
  kvplan reconcile usage.json                   what was projected against what was used, and what explains the rest
  kvplan validate --against http://127.0.0.1:8787   the simulator against a real KV, on the same arrivals
  kvplan plan --traffic 20M --slo 'p95_query<500ms,cost<20USD'   the cheapest policy and plan that will do
  kvplan sensitivity                            which inputs move the bill most
  kvplan verify                                 what a document claims, re-derived, simulated and judged
  kvplan chaos                                  random cases against every invariant; or the worst of yours
  kvplan scenario list                          the scenarios that come with kvplan
  kvplan schema --out .kvplan                   JSON Schemas of the model files, for your editor

Exit codes: 0 done; 1 the answer is no, a threshold is crossed or an assertion does not hold; 2 wrong arguments or input; 70 defect of kvplan; 130 interrupted.
Results go to output/ unless --out says otherwise."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sweep traffic levels with policies side by side; write CSV and charts
    Sweep(sweep::Args),
    /// Put the shards of a sweep together that several machines have simulated
    Merge(merge::Args),
    /// Simulate one scenario; print metrics, invoice and alerts
    Run(run::Args),
    /// Compare two policies under the same arrivals and failures
    Compare(compare::Args),
    /// Tell what changes from an old scenario, policy, catalog or folder of results to a new one
    Diff(diff::Args),
    /// Compare Workers KV with the stores beside it under the same work
    CompareStores(stores::Args),
    /// Make one HTML page of a folder of results
    Report(report::Args),
    /// Simulate a grid over up to five settings; make one page whose sliders move through its points
    Explore(explore::Args),
    /// Simulate the first 48 hours after a deployment and judge its checklist
    Rehearse(rehearse::Args),
    /// Fit a latency profile to observed latencies, or a workload to a request log
    Fit(fit::Args),
    /// Make a latency profile of measured latencies, of all kinds of operation at once
    Calibrate(calibrate::Args),
    /// Replay a recorded request log through the policies
    Replay(replay::Args),
    /// Write a scenario's arrivals as a request log
    Trace(trace::Args),
    /// Find the traffic at which quotas are exceeded, plans change and policies pay for themselves
    Breakeven(breakeven::Args),
    /// Forecast traffic, cost and the month in which a limit is first met
    Forecast(forecast::Args),
    /// Price known usage, with the sum behind each line
    Invoice(invoice::Args),
    /// Hold the projection against what was really used, and find what explains the difference
    Reconcile(reconcile::Args),
    /// Play arrivals on a real KV, and compare with simulations of them
    Validate(validate::Args),
    /// Find the cheapest policy and plan that meet objectives
    Plan(plan::Args),
    /// Find which inputs move a measure most
    Sensitivity(sensitivity::Args),
    /// Judge the claims of a document by its arithmetic, published prices and simulation
    Verify(verify::Args),
    /// Search for cases in which kvplan breaks a promise, or for the worst that a scenario may come to
    Chaos(chaos::Args),
    /// Measure how often the confidence intervals hold the truth
    Coverage(coverage::Args),
    /// List, show or check scenario files
    Scenario(scenario::Args),
    /// Print the JSON Schema of a kind of model file, for editors
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print or write manual pages
    Man(man::Args),
}

/// The whole command line.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("compare-stores", |stores| {
        stores.mut_arg("scenario", |a| a.default_value("stores"))
    })
}

/// Parses the arguments, runs the command, and reports an error in one message.
pub(crate) fn main() -> ExitCode {
    let command = command();
    let matches = command.clone().get_matches();
    given::keep(&command, &matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    panic::set_hook(Box::new(report_panic));
    let answer =
        panic::catch_unwind(|| run(cli.command).and_then(|code| print::end().map(|()| code)));
    match answer {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            print::remark(&format!("error: {}", failure.message));
            ExitCode::from(failure.code)
        }
        // The hook has told it.
        Err(_) => ExitCode::from(EXIT_DEFECT),
    }
}

/// Says of a panic what whoever sees it can do.
fn report_panic(panic: &PanicHookInfo) {
    let what = panic.payload_as_str().unwrap_or("of unknown kind");
    let at = panic
        .location()
        .map(|l| format!(", {}:{}", l.file(), l.line()));
    let command: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    print::remark(&format!(
        "error: a defect of kvplan {}: {what}{}; earlier output is untouched\nPlease report it, with the scenario and the command: {}",
        env!("CARGO_PKG_VERSION"),
        at.unwrap_or_default(),
        command.join(" ")
    ));
}

fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Sweep(args) => sweep::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Run(args) => run::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Diff(args) => diff::run(args),
        Command::CompareStores(args) => stores::run(args),
        Command::Report(args) => report::run(args),
        Command::Explore(args) => explore::run(args),
        Command::Rehearse(args) => rehearse::run(args),
        Command::Fit(args) => fit::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Breakeven(args) => breakeven::run(args),
        Command::Forecast(args) => forecast::run(args),
        Command::Invoice(args) => invoice::run(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Sensitivity(args) => sensitivity::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Chaos(args) => chaos::run(args),
        Command::Coverage(args) => coverage::run(args),
        Command::Scenario(args) => scenario::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
