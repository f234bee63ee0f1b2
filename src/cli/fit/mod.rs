//! `kvplan fit latency|workload`.

mod latency;
mod workload;

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, catch_interrupts, file_name};
use super::session::Session;
use super::shape::ShapeArgs;
use clap::Subcommand;
use kvplan::report::error::WriteError;
use kvplan::report::output::OutputDir;
use kvplan::report::table::Answer;

/// Arguments of `kvplan fit`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan fit latency latencies.csv                  a latency profile: `read` fitted, the rest of kv-2025
  kvplan run --set latency=output/fitted.toml
  kvplan fit workload requests.csv.gz --name mine   a workload: rhythm, bursts, providers
  kvplan run --set workload=output/mine.toml --traffic 3M")]
pub(crate) struct Args {
    #[command(subcommand)]
    model: Model,
}

#[derive(Subcommand)]
enum Model {
    /// Fit a latency profile to a file of latencies
    Latency(latency::Args),
    /// Fit a workload to a request log
    Workload(workload::Args),
}

/// What every fit is told.
#[derive(clap::Args)]
struct ModelArgs {
    /// Name of the model file
    #[arg(long, default_value = "fitted", value_parser = file_name)]
    name: String,
    /// No progress bar and no summary
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Fits and writes the model.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    catch_interrupts();
    match args.model {
        Model::Latency(args) => latency::run(args),
        Model::Workload(args) => workload::run(args),
    }
}

impl ModelArgs {
    /// Writes the model with what belongs to it, and says how to use it; `setting` is what it is the value of,
    /// see `--set`.
    fn deliver(
        &self,
        setting: &str,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
        answer: impl FnOnce() -> Answer,
    ) -> Result<u8, Failure> {
        let file = self.output.out.join(format!("{}.toml", self.name));
        let advice = format!("; use it with --set {setting}={}", file.display());
        let session = Session::prepare(&self.output, self.quiet)?.using(advice);
        session.answer(&self.shape.shape(), write, || answer().gap())?;
        Ok(EXIT_OK)
    }
}
