//! `kvplan report`.

use super::EXIT_OK;
use super::common::Failure;
use super::print::{remark, say};
use kvplan::report::artefacts;
use kvplan::report::html::comparison::Comparison;
use kvplan::report::html::{folder::Folder, report_of};
use kvplan::report::output::{OutputDir, finish_pending};
use kvplan::report::results;
use kvplan::study::diff::diff;
use std::path::{Path, PathBuf};

/// Arguments of `kvplan report`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan report                                 output/report.html from what the last command left in output/
  kvplan report results --out q3-review.html
  kvplan sweep --out results && kvplan report results
  kvplan report before after                    a page of after, held against before

The page needs nothing else: no network, no other file. It begins with the answer and its
picture, then holds a summary, the charts with their values, tables that sort, claims with their evidence, assumptions with their sources,
and how to reproduce the results. The same results give the same bytes.")]
pub(crate) struct Args {
    /// Folder that a command of kvplan wrote; of two, of kvplan sweep or kvplan run --out, the second is held against the
    /// first, as kvplan diff compares them
    #[arg(default_value = "output", value_name = "DIR", num_args = 1..=2)]
    dirs: Vec<PathBuf>,
    /// Where to write the page [default: report.html in DIR, the last of two]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print nothing
    #[arg(long, short)]
    quiet: bool,
}

/// Reads the folder and writes the page.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    for dir in &args.dirs {
        finish_pending(dir)?;
    }
    let dir = args
        .dirs
        .last()
        .map_or(Path::new("output"), PathBuf::as_path);
    let folder = Folder::read(dir)?;
    let comparison = match args.dirs.as_slice() {
        [old, new] => {
            let differences = diff(results::read(old)?.sides, results::read(new)?.sides);
            Some(Comparison::of(&Folder::read(old)?, &folder, &differences))
        }
        _ => None,
    };
    let page = report_of(&folder, comparison.as_ref());
    let out = args.out.unwrap_or_else(|| dir.join(artefacts::REPORT_HTML));
    write(&out, &page.html)?;
    for e in &folder.left_out {
        remark(&format!("left out: {e}"));
    }
    if !args.quiet {
        say!("{}: {}", out.display(), page.contents());
    }
    Ok(EXIT_OK)
}

/// Writes the page beside its place first, so that nobody ever finds half of it.
fn write(path: &Path, page: &str) -> Result<(), Failure> {
    let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(|| {
        Failure::usage(format!(
            "--out {}: expected the name of a file",
            path.display()
        ))
    })?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let out = OutputDir::prepare(parent.unwrap_or(Path::new(".")))?;
    out.write(name, page.as_bytes())?;
    out.commit()?;
    Ok(())
}
