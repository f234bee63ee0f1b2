//! `kvplan man`: manual pages, and where a user's programs look for them and for completions.

use super::common::Failure;
use super::print::{self, say};
use super::{EXIT_OK, command, completions};
use clap::Command;
use clap_complete::Shell;
use kvplan::report::output::OutputDir;
use std::path::{Path, PathBuf};

/// The shells with a place for completions among a user's data, and what the file is called there.
const COMPLETED: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions", "kvplan"),
    (Shell::Fish, "fish/vendor_completions.d", "kvplan.fish"),
    (Shell::Zsh, "zsh/site-functions", "_kvplan"),
];

/// Arguments of `kvplan man`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan man | man -l -
  kvplan man sweep | man -l -
  kvplan man --install                           for you alone, with completions for bash, fish and zsh
  kvplan man --out /usr/local/share/man/man1     kvplan.1, kvplan-sweep.1 and so on")]
pub(crate) struct Args {
    /// Command to print the page of, such as sweep or `scenario show` [default: kvplan itself]
    #[arg(conflicts_with = "out")]
    command: Vec<String>,
    /// Folder to write the pages of all commands to; made if it does not exist
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Put the pages of all commands, and completions for bash, fish and zsh, where they are looked for among your own
    /// data: $XDG_DATA_HOME, or ~/.local/share
    #[arg(long, conflicts_with_all = ["out", "command"])]
    install: bool,
}

/// Prints one page or writes all.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    if let Some(dir) = args.out {
        say!("{} pages written to {}", write_all(&dir)?, dir.display());
        return Ok(EXIT_OK);
    }
    if args.install {
        install(&data_home(&|name| {
            std::env::var_os(name).map(PathBuf::from)
        })?)?;
        return Ok(EXIT_OK);
    }
    let mut root = command().disable_help_subcommand(true);
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

/// Writes the pages of all commands; gives their number.
fn write_all(dir: &Path) -> Result<usize, Failure> {
    let out = OutputDir::prepare(dir)?;
    let root = command().disable_help_subcommand(true);
    clap_mangen::generate_to(root, out.staged("")?).map_err(Failure::usage)?;
    Ok(out.commit()?.len())
}

/// Where a user's programs look for data of the user's own (XDG Base Directory Specification): what is relative
/// does not count.
fn data_home(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, Failure> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or_else(|| {
            Failure::usage("--install: neither XDG_DATA_HOME nor HOME is an absolute path; give a folder with --out")
        })
}

/// Puts pages and completions in their places below `home`.
fn install(home: &Path) -> Result<(), Failure> {
    let pages = write_all(&home.join("man/man1"))?;
    for (shell, folder, name) in COMPLETED {
        let out = OutputDir::prepare(&home.join(folder))?;
        out.write(name, &completions::script(shell))?;
        out.commit()?;
    }
    say!(
        "{pages} manual pages, and completions for bash, fish and zsh, written to {}",
        home.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_where_the_user_has_them() {
        let home = |set: &[(&str, &str)]| {
            let found = |name: &str| {
                let found = set.iter().find(|(n, _)| *n == name);
                found.map(|(_, path)| PathBuf::from(path))
            };
            data_home(&found).map_err(|f| f.message)
        };
        let (xdg, own) = (("XDG_DATA_HOME", "/x"), ("HOME", "/h"));
        assert_eq!(home(&[xdg, own]).unwrap(), Path::new("/x"));
        assert_eq!(home(&[own]).unwrap(), Path::new("/h/.local/share"));
        let relative = ("XDG_DATA_HOME", "x");
        assert_eq!(
            home(&[relative, own]).unwrap(),
            Path::new("/h/.local/share")
        );
        assert!(home(&[relative]).unwrap_err().contains("give a folder"));
    }
}
