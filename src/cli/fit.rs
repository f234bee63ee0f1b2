//! `kvplan fit`.

use super::EXIT_OK;
use super::common::{
    Failure, OutputArgs, byte_progress, catch_interrupts, interrupt_flag, interrupted,
};
use super::replay::TraceArgs;
use super::session::Session;
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::{self, ConfigError, read_durations_ms};
use kvplan::report::error::WriteError;
use kvplan::report::output::OutputDir;
use kvplan::report::write::fit::{latency, workload};
use kvplan::study::fit::latency::{Choice, LatencyFit, Operation};
use kvplan::study::fit::workload::fit_workload;
use kvplan::workload::WorkloadSpec;
use kvplan::workload::trace::{TraceReader, open};

/// Arguments of `kvplan fit`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan fit latencies.csv                                    a latency profile: `read` fitted, the rest of kv-2025
  kvplan fit puts.csv --operation write --base output/fitted.toml --column duration --unit us
  kvplan run --set latency=output/fitted.toml
  kvplan fit --arrivals requests.csv.gz --name mine           a workload: rhythm, bursts, providers
  kvplan run --set workload=output/mine.toml --traffic 3M

Latencies: a CSV file with a column of durations. Lognormal, gamma, Weibull and exponential
distributions are fitted by maximum likelihood and compared by AIC and the Kolmogorov-Smirnov
distance, whose p-value comes from a parametric bootstrap. Writes NAME.toml, fit.csv and a quantile-quantile
chart for each family.

Arrivals: a request log as for `kvplan replay`. Writes NAME.toml, fit_rates.csv, fit_dispersion.csv and
charts of the rate by hour and weekday and of the index of dispersion by length of the windows.")]
pub(crate) struct Args {
    /// CSV file of latencies, gzipped or not, or - for standard input
    #[arg(required_unless_present = "arrivals", conflicts_with = "arrivals")]
    latencies: Option<String>,
    /// Fit a workload to this request log instead
    #[arg(long, value_name = "LOG")]
    arrivals: Option<String>,
    /// Latencies: the operation that they are of
    #[arg(long, default_value = "read", conflicts_with = "arrivals")]
    operation: Operation,
    /// Latencies: what goes into the profile: best (by AIC), empirical, lognormal, gamma, weibull or exponential
    #[arg(long, default_value = "best", conflicts_with = "arrivals")]
    distribution: Choice,
    /// The model to take the rest from: a latency profile or a workload [default: kv-2025 or gateway]
    #[arg(long)]
    base: Option<String>,
    /// Name of the model file
    #[arg(long, default_value = "fitted", value_parser = file_name)]
    name: String,
    /// Seed of the bootstrap and of random samples
    #[arg(long, default_value_t = 20_260_113)]
    seed: u64,
    /// No progress bar and no summary
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    trace: TraceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Fits and writes the model.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    catch_interrupts();
    match (&args.arrivals, &args.latencies) {
        (Some(log), _) => arrivals(log.clone(), args),
        (None, Some(file)) => latencies(file.clone(), args),
        (None, None) => Err(Failure::usage("expected a file of latencies or --arrivals")),
    }
}

fn label(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

fn latencies(path: String, args: Args) -> Result<u8, Failure> {
    let base_name = args.base.unwrap_or_else(|| "kv-2025".into());
    let base: LatencyProfile = models::load(&base_name, None, &[])?;
    let (source, _) = open(&path, |_| ())?;
    let label = label(&path);
    let unit = args.trace.unit();
    let header = args.trace.latency_header();
    let values = read_durations_ms(label, source, header, unit.nanos() / 1e6, unit.sign())?;
    let fit = LatencyFit::new(values, args.seed)
        .map_err(|message| Failure::usage(ConfigError::new(label, message)))?;
    let chosen = fit
        .chosen(args.distribution, &format!("{}.csv", args.name))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{label}: found a value of 0, which that distribution cannot have; expected --distribution exponential or empirical"
            ))
        })?;
    if interrupt_flag().load(std::sync::atomic::Ordering::Relaxed) {
        return Err(interrupted());
    }
    let report = latency::Report {
        fit: &fit,
        label,
        name: &args.name,
        operation: args.operation,
        chosen: &chosen,
        base: &base,
        base_name: &base_name,
    };
    let answer = || format!("{}\n\n{}", report.table(), report.verdict());
    let made = Made {
        setting: "latency",
        name: &args.name,
    };
    made.deliver(&args.output, args.quiet, |out| report.write(out), answer)
}

fn arrivals(path: String, args: Args) -> Result<u8, Failure> {
    let base_name = args.base.unwrap_or_else(|| "gateway".into());
    let base: WorkloadSpec = models::load(&base_name, None, &[])?;
    let bar = byte_progress(args.quiet);
    let taken = bar.clone();
    let (source, length) = open(&path, move |n| taken.inc(n))?;
    if let Some(length) = length {
        bar.set_length(length);
    }
    let label = label(&path);
    let reader = TraceReader::new(label, source, args.trace.options(None))?;
    let fit = fit_workload(reader, &base, args.seed, interrupt_flag());
    bar.finish_and_clear();
    let fit = fit?;
    let report = workload::Report {
        fit: &fit,
        label,
        name: &args.name,
        base_name: &base_name,
    };
    let answer = || format!("{}\n\n{}", report.summary(), report.table());
    let made = Made {
        setting: "workload",
        name: &args.name,
    };
    made.deliver(&args.output, args.quiet, |out| report.write(out), answer)
}

/// A model file that was made.
struct Made<'a> {
    /// Of what it is the value, see `--set`.
    setting: &'a str,
    name: &'a str,
}

impl Made<'_> {
    /// Writes it with what belongs to it, and says how to use it.
    fn deliver(
        &self,
        output: &OutputArgs,
        quiet: bool,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
        answer: impl FnOnce() -> String,
    ) -> Result<u8, Failure> {
        if let Some(written) = Session::prepare(output, quiet)?.write(write)? {
            let file = output.out.join(format!("{}.toml", self.name));
            println!("{}\n", answer());
            println!(
                "{written}; use it with --set {}={}",
                self.setting,
                file.display()
            );
        }
        Ok(EXIT_OK)
    }
}

fn file_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.starts_with('.') || !text.chars().all(good) {
        return Err(format!(
            "found \"{text}\", expected a file name without extension, of letters, digits, - and _"
        ));
    }
    Ok(text.to_owned())
}
