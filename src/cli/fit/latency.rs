//! `kvplan fit latency`.

use super::ModelArgs;
use crate::cli::common::{Failure, interrupt_flag, interrupted, label};
use crate::cli::given;
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::{self, ConfigError, read_durations_ms};
use kvplan::report::output::OutputDir;
use kvplan::report::table::Answer;
use kvplan::report::write::fit::latency::Report;
use kvplan::study::fit::latency::{Choice, LatencyFit, Operation};
use kvplan::workload::trace::{Unit, open};
use std::sync::atomic::Ordering;

/// Arguments of `kvplan fit latency`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan fit latency latencies.csv                            `read` fitted, the rest of kv-2025
  kvplan fit latency puts.csv --operation write --base output/fitted.toml --column duration --unit us
  kvplan run --set latency=output/fitted.toml

Lognormal, gamma, Weibull and exponential distributions are fitted by maximum likelihood and compared by AIC
and the Kolmogorov-Smirnov distance, whose p-value comes from a parametric bootstrap. Writes NAME.toml, fit.csv
and a quantile-quantile chart for each family.")]
pub(super) struct Args {
    /// CSV file with a column of latencies, gzipped or not, or - for standard input
    file: String,
    /// The operation that they are of
    #[arg(long, default_value = "read")]
    operation: Operation,
    /// What goes into the profile: best (by AIC), empirical, lognormal, gamma, weibull or exponential
    #[arg(long, default_value = "best")]
    distribution: Choice,
    /// The latency profile to take the other operations from
    #[arg(long, default_value = "kv-2025")]
    base: String,
    /// Header of the column of latencies
    #[arg(long, default_value = "latency_ms", value_name = "HEADER")]
    column: String,
    /// Unit of the latencies: ns, us, ms or s
    #[arg(long, default_value = "ms")]
    unit: Unit,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 20_260_113, value_parser = crate::cli::number::seed)]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
}

/// Fits and writes the profile.
pub(super) fn run(args: Args) -> Result<u8, Failure> {
    let name = &args.model.name;
    let base: LatencyProfile = models::load(&args.base, None, &[])?;
    let (source, _) = open(&args.file, |_| ())?;
    let label = label(&args.file);
    let (unit, column) = (args.unit, &args.column);
    let values = read_durations_ms(label, source, column, unit.nanos() / 1e6, unit.sign())?;
    let fit = LatencyFit::new(values, args.seed)
        .map_err(|message| Failure::usage(ConfigError::new(label, message)))?;
    let chosen = fit
        .chosen(args.distribution, &format!("{name}.csv"))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{label}: found a value of 0, which that distribution cannot have; expected --distribution exponential or empirical"
            ))
        })?;
    if interrupt_flag().load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    let report = Report {
        fit: &fit,
        label,
        name,
        operation: args.operation,
        chosen: &chosen,
        base: &base,
        base_name: &args.base,
    };
    let answer = || {
        let answer = Answer::new().table("distributions", report.table());
        answer.gap().say(report.verdict())
    };
    let write = |out: &OutputDir| {
        report.write(out)?;
        let title = format!("Latency profile fitted to {label}");
        given::record().titled(title, Some(args.seed)).write(out)
    };
    args.model.deliver("latency", write, answer)
}
