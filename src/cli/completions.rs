//! `kvplan completions`.

use super::common::Failure;
use super::print;
use super::{EXIT_OK, command};
use clap_complete::Shell;

/// Arguments of `kvplan completions`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  source <(kvplan completions bash)                                   this shell
  kvplan completions bash > ~/.local/share/bash-completion/completions/kvplan
  kvplan completions fish > ~/.config/fish/completions/kvplan.fish")]
pub(crate) struct Args {
    /// Shell to complete for
    shell: Shell,
}

/// Prints the completion script.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    print::bytes(&script(args.shell));
    Ok(EXIT_OK)
}

/// The completion script for a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "kvplan", &mut script);
    script
}
