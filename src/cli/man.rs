//! `kvplan man`.

use super::common::Failure;
use super::print::{self, say};
use super::{EXIT_OK, command};
use clap::Command;
use kvplan::report::output::OutputDir;
use std::path::PathBuf;

/// Arguments of `kvplan man`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan man | man -l -
  kvplan man sweep | man -l -
  kvplan man --out ~/.local/share/man/man1       kvplan.1, kvplan-sweep.1 and so on")]
pub(crate) struct Args {
    /// Command to print the page of, such as sweep or `scenario show` [default: kvplan itself]
    #[arg(conflicts_with = "out")]
    command: Vec<String>,
    /// Folder to write the pages of all commands to; made if it does not exist
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints one page or writes all.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut root = command().disable_help_subcommand(true);
    if let Some(dir) = args.out {
        let out = OutputDir::prepare(&dir)?;
        clap_mangen::generate_to(root, out.staged("")?).map_err(Failure::usage)?;
        let pages = out.commit()?;
        say!("{} pages written to {}", pages.len(), dir.display());
        return Ok(EXIT_OK);
    }
    root.build();
    let mut found = &root;
    for name in &args.command {
        found = found.find_subcommand(name).ok_or_else(|| {
            let names: Vec<&str> = found.get_subcommands().map(Command::get_name).collect();
            Failure::usage(format!(
                "found \"{name}\", expected one of: {}",
                names.join(", ")
            ))
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone())
        .render(&mut page)
        .map_err(Failure::defect)?;
    print::bytes(&page);
    Ok(EXIT_OK)
}
