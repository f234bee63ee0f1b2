//! `--assert`: what must hold of the results, for a script.

use super::print::{remark, say};
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::ValueError;
use kvplan::report::write::assertions::{list, unmet};
use kvplan::study::condition::assertion::{Judged, judge};
use kvplan::study::condition::{Bound, parse_bounds};
use kvplan::study::sweep::Cell;

/// What a command that simulates points accepts.
#[derive(clap::Args)]
pub(crate) struct AssertArgs {
    /// What must hold of every policy and level, such as 'cost<20USD,hit_ratio>80%' (may be repeated): a
    /// column of sweep.csv or a short name (cost, loss, refused, hit, p95_query), <, <=, > or >=, and a value in the
    /// measure's unit. It holds if the whole 95% interval meets it; else, or if that is undecided, the exit code is 1
    #[arg(long = "assert", value_name = "CONDITIONS", value_parser = read)]
    asserted: Vec<Bounds>,
}

#[derive(Clone)]
struct Bounds(Vec<Bound>);

fn read(text: &str) -> Result<Bounds, ValueError> {
    parse_bounds(text).map(Bounds)
}

impl AssertArgs {
    /// Whether nothing is asserted.
    pub(crate) fn is_empty(&self) -> bool {
        self.asserted.is_empty()
    }

    /// What becomes of the assertions at these points.
    pub(crate) fn judge(&self, cells: &[Cell]) -> Vec<Judged> {
        let bounds: Vec<Bound> = self.asserted.iter().flat_map(|b| b.0.clone()).collect();
        judge(&bounds, cells)
    }
}

/// Prints what became of the assertions, all of them, or on standard error those alone that are not met; the exit code.
pub(crate) fn tell(judged: &[Judged], all: bool) -> u8 {
    let held = judged.iter().all(Judged::holds);
    if all && !judged.is_empty() {
        say!("\n{}", list(judged));
    } else if !held {
        remark(&unmet(judged));
    }
    if held { EXIT_OK } else { EXIT_NO }
}
