//! `kvplan merge`.

use super::assertions::AssertArgs;
use super::common::{Failure, OutputArgs};
use super::session::Session;
use super::shape::ShapeArgs;
use super::sweep::write_results;
use kvplan::models::files::{self, FILE_BYTES, reason};
use kvplan::study::grid::Grid;
use kvplan::study::partial::shard::{EXTENSION, Shard, decode, merge};
use kvplan::study::sweep::cells;
use std::path::{Path, PathBuf};

/// Arguments of `kvplan merge`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan sweep --shard 1/2 --out shards      on one machine
  kvplan sweep --shard 2/2 --out shards      on another, with the same scenario and kvplan
  kvplan merge shards --out results          the same bytes as kvplan sweep --out results
  kvplan merge a/shard-1-of-2.kvshard b/shard-2-of-2.kvshard

A shard that is missing, there twice, cut off, damaged or of another sweep is refused (exit code 2).")]
pub(crate) struct Args {
    /// Shards, or folders with them
    #[arg(required = true, value_name = "DIR|FILE")]
    shards: Vec<PathBuf>,
    #[command(flatten)]
    assertions: AssertArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    /// No summary
    #[arg(long, short)]
    quiet: bool,
}

/// Checks the shards, puts them together and writes the results of the sweep.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let shards = files(&args.shards)?
        .iter()
        .map(|path| read(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display()))))
        .collect::<Result<_, _>>()?;
    let whole = merge(shards)?;
    let grid = Grid {
        scenario: &whole.scenario,
        levels: &whole.levels,
    };
    let cells = cells(&grid, &whole.measured);
    let session = Session::prepare(&args.output, args.quiet)?;
    let shape = args.shape.shape();
    write_results(&whole.scenario, &cells, &args.assertions, session, &shape)
}

/// The files that the arguments name, those of a folder in order of name.
fn files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in arguments {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fail = |e: std::io::Error| {
            Failure::usage(format!(
                "{}: cannot be read ({})",
                path.display(),
                reason(&e)
            ))
        };
        let entries = std::fs::read_dir(path).map_err(fail)?;
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()
            .map_err(fail)?;
        found.retain(|p| p.extension().is_some_and(|e| e == EXTENSION));
        if found.is_empty() {
            return Err(Failure::usage(format!(
                "{}: found no file *.{EXTENSION}, expected the shards of a sweep",
                path.display()
            )));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn read(path: &Path) -> Result<(String, Shard), String> {
    let bytes =
        files::read(path, FILE_BYTES).map_err(|e| format!("cannot be read ({})", reason(&e)))?;
    Ok((
        path.display().to_string(),
        decode(&bytes).map_err(|e| e.to_string())?,
    ))
}
