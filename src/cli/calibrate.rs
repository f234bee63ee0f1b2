//! `kvplan calibrate`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, catch_interrupts, file_name, label};
use super::given;
use super::number::seed;
use super::session::Session;
use super::shape::ShapeArgs;
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::files::{self, FILE_BYTES};
use kvplan::models::{self, ConfigError};
use kvplan::report::table::Answer;
use kvplan::report::write::calibrate::Report;
use kvplan::study::calibrate::{Measured, calibrate};
use kvplan::workload::trace::open;

/// Arguments of `kvplan calibrate`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan calibrate latencies.csv                       columns operation,latency_ms and, if you have them, cache_status, outcome
  kvplan calibrate output/operations.csv               what kvplan validate has seen of a KV
  kvplan calibrate spans.json --name mine              spans kv_get, kv_put, kv_delete and kv_list as OTLP/JSON
  kvplan calibrate analytics.json                      quantiles of kvOperationsAdaptiveGroups, as GraphQL answers them
  kvplan run --set latency=output/calibrated.toml

What a file holds is known by its content. Lognormal, gamma, Weibull and exponential distributions are fitted to each
kind of operation; where the values speak against all of them (Kolmogorov-Smirnov, 1%), the observed values go into the
profile. To quantiles a family is fitted if it is within 10% of each, else a distribution goes through them. A kind with
fewer than 30 values is taken from the base; a 99th percentile with fewer than ten values beyond it is not judged.
Writes NAME.toml, calibrate.csv and a chart for each kind.")]
pub(crate) struct Args {
    /// Measured latencies, gzipped or not, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The latency profile to take what was not measured from
    #[arg(long, default_value = "kv-2025")]
    base: String,
    /// Name of the model file
    #[arg(long, default_value = "calibrated", value_parser = file_name)]
    name: String,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 20_260_113, value_parser = seed)]
    seed: u64,
    /// No summary
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Fits all kinds and writes the profile.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    catch_interrupts();
    let base: LatencyProfile = models::load(&args.base, None, &[])?;
    let session = Session::prepare(&args.output, args.quiet)?;
    let mut measured = Measured::default();
    for path in &args.files {
        measured.add(label(path), &text_of(path)?)?;
    }
    let found = session.compute(0, |_, _| calibrate(&measured, args.seed))?;
    let labels: Vec<&str> = args.files.iter().map(|f| label(f)).collect();
    let report = Report {
        found: &found,
        label: &labels.join(", "),
        name: &args.name,
        base: &base,
        base_name: &args.base,
    };
    let file = args.output.out.join(format!("{}.toml", args.name));
    let shape = args.shape.shape();
    session
        .using(format!("; use it with --set latency={}", file.display()))
        .answer(
            &shape,
            |out| {
                report.write(out)?;
                let title = format!("Latency profile calibrated by {}", labels.join(", "));
                given::record().titled(title, Some(args.seed)).write(out)
            },
            || {
                let left_out = measured.left_out();
                let said = left_out.map(|(what, times)| format!("{what} ({times})"));
                let answer = report.table().gap();
                said.fold(answer, Answer::say)
            },
        )?;
    Ok(EXIT_OK)
}

/// The whole text of an input, gzipped or not.
pub(crate) fn text_of(path: &str) -> Result<String, Failure> {
    let (source, _) = open(path, |_| ())?;
    let text = files::read_all(source, FILE_BYTES).and_then(files::text);
    text.map_err(|e| {
        ConfigError::new(
            label(path),
            format!("cannot be read ({})", files::reason(&e)),
        )
        .into()
    })
}
