//! `kvplan fit workload`.

use super::ModelArgs;
use crate::cli::common::{Failure, byte_progress, interrupt_flag, label};
use crate::cli::given;
use crate::cli::replay::TraceArgs;
use kvplan::models;
use kvplan::report::output::OutputDir;
use kvplan::report::table::Answer;
use kvplan::report::write::fit::workload::Report;
use kvplan::study::fit::workload::fit_workload;
use kvplan::workload::WorkloadSpec;
use kvplan::workload::trace::{TraceReader, open};

/// Arguments of `kvplan fit workload`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan fit workload requests.csv.gz --name mine             rhythm, bursts, providers
  zcat logs/*.gz | kvplan fit workload - --column timestamp=EdgeStartTimestamp
  kvplan run --set workload=output/mine.toml --traffic 3M

The log is as for `kvplan replay`. Writes NAME.toml, fit_rates.csv, fit_dispersion.csv and charts of the rate by
hour and weekday and of the index of dispersion by length of the windows.")]
pub(super) struct Args {
    /// The log: a CSV file, gzipped or not, or - for standard input
    log: String,
    /// The workload to take from what the log does not tell
    #[arg(long, default_value = "gateway")]
    base: String,
    /// Seed of the random sample of latencies that is fitted, and of the bootstrap
    #[arg(long, default_value_t = 20_260_113, value_parser = crate::cli::number::seed)]
    seed: u64,
    #[command(flatten)]
    trace: TraceArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// Fits and writes the workload.
pub(super) fn run(args: Args) -> Result<u8, Failure> {
    let base: WorkloadSpec = models::load(&args.base, None, &[])?;
    let bar = byte_progress(args.model.quiet);
    let taken = bar.clone();
    let (source, length) = open(&args.log, move |n| taken.inc(n))?;
    if let Some(length) = length {
        bar.set_length(length);
    }
    let label = label(&args.log);
    let reader = TraceReader::new(label, source, args.trace.options(None))?;
    let fit = fit_workload(reader, &base, args.seed, interrupt_flag());
    bar.finish_and_clear();
    let fit = fit?;
    let report = Report {
        fit: &fit,
        label,
        name: &args.model.name,
        base_name: &args.base,
    };
    let answer = || {
        let answer = Answer::new().say(report.summary()).gap();
        answer.table("windows", report.table())
    };
    let write = |out: &OutputDir| {
        report.write(out)?;
        let title = format!("Workload fitted to {label}");
        given::record().titled(title, Some(args.seed)).write(out)
    };
    args.model.deliver("workload", write, answer)
}
