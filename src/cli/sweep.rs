//! `kvplan sweep`.

use super::EXIT_OK;
use super::assertions::{AssertArgs, tell as tell_assertions};
use super::common::{Failure, OutputArgs, SimulationArgs};
use super::number::parse_traffic;
use super::print::{remark, say};
use super::session::{
    KEPT, Session, interrupted_or, remark_idle_requests, tell_what_was_there, watched,
};
use super::shape::{ShapeArgs, is_for_people};
use kvplan::models::files::{self, FILE_BYTES, words};
use kvplan::models::quantity::Count;
use kvplan::report;
use kvplan::report::table::{Answer, Shape};
use kvplan::run::scenario::Scenario;
use kvplan::study::grid::{Grid, Measured, Part};
use kvplan::study::partial::journal::{self, Journal, Opened};
use kvplan::study::partial::record::Header;
use kvplan::study::partial::{environment, shard};
use kvplan::study::sweep::{Cell, Watch, cells, measure};
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Arguments of `kvplan sweep`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan sweep                                      9 levels from 10k to 100M requests a month
  kvplan sweep --traffic 10k..1B                    three levels per decade
  kvplan sweep --traffic 1M,5M,20M --plan free
  kvplan sweep --scenario production-10m --set policy.cache.ttl=\"30 s\"
  kvplan sweep --precision 2%                       as many replications as it takes for that
  kvplan sweep --scenario my.toml --seed 7 --replications 30 --out results
  kvplan sweep --assert 'loss<0.1%,p95_query<500ms'   exit code 1 if that does not hold everywhere
  kvplan sweep --out results --resume               go on after Ctrl-C or a power cut
  kvplan sweep --shard 2/8 --out results            one of eight machines; then: kvplan merge results

Writes sweep.csv (one row per level and policy, with 95% confidence half-widths),
answers.json (what costs least where, and where an allowance ends), replications.csv (raw),
run.json (to reproduce) and charts as SVG and PNG.
While it works, every finished replication is kept in DIR/sweep.kvjournal for --resume.
With --shard it writes DIR/shard-I-of-N.kvshard instead, for `kvplan merge`.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month: a list (10k,1M) or a range (10k..1B) [default: the scenario's levels]
    #[arg(long, value_parser = read_levels)]
    traffic: Option<Levels>,
    /// Simulate one of N parts, I from 1 to N; or auto: as a Slurm job array or a Kubernetes
    /// indexed Job (with KVPLAN_SHARDS) says
    #[arg(long, value_name = "I/N|auto")]
    shard: Option<Shard>,
    /// Go on with an interrupted sweep of the same scenario in the same folder, if there is one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    assertions: AssertArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// Traffic levels.
#[derive(Clone)]
pub(crate) struct Levels(pub Vec<Count>);

/// Reads a list or a range of levels.
pub(crate) fn read_levels(text: &str) -> Result<Levels, String> {
    parse_traffic(text).map(Levels)
}

#[derive(Clone, Copy)]
enum Shard {
    Auto,
    Part(Part),
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Shard::Auto),
            _ => text
                .parse()
                .map(Shard::Part)
                .map_err(|e| format!("{e}, or auto")),
        }
    }
}

/// Runs the sweep, or a part of it, and writes its results.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let scenario = args.simulation.load()?;
    let levels = args
        .traffic
        .map_or_else(|| scenario.sweep_per_month.clone(), |l| l.0);
    let quiet = args.simulation.quiet;
    args.simulation.check_sweep(&scenario, &levels)?;
    if args.shard.is_some() && !args.assertions.is_empty() {
        return Err(Failure::usage(
            "--assert: expected no --shard with it, as a part has no results yet: give it to kvplan merge",
        ));
    }
    remark_idle_requests(&scenario, &levels, quiet);
    let part = find_part(args.shard, quiet)?;
    let dir = &args.output.out;
    std::fs::create_dir_all(dir).map_err(|e| {
        Failure::usage(format!(
            "{}: cannot be written ({})",
            dir.display(),
            words(&e)
        ))
    })?;
    let header = Header::new(&scenario, &levels, part.unwrap_or(Part::WHOLE));
    if let Some(part) = part.filter(|_| args.resume)
        && is_complete(&dir.join(shard::file_name(part)), &header)
    {
        tell(quiet, &format!("shard {part} is complete already"));
        return Ok(EXIT_OK);
    }
    let path = dir.join(journal::file_name(part));
    let opened = Journal::open(&path, &header, args.resume)?;
    if !quiet {
        let (known, damaged) = (opened.known.len(), opened.damaged);
        tell_what_was_there(args.resume, known, damaged, opened.discarded);
    }
    let Opened { journal, known, .. } = opened;
    let grid = Grid {
        scenario: &scenario,
        levels: &levels,
    };
    let measured = simulate(&grid, header.part(), known, &journal, quiet)?;
    let session = Session::prepare(&args.output, quiet)?;
    let mut code = EXIT_OK;
    match part {
        Some(part) => {
            let name = shard::file_name(part);
            let bytes = shard::encode(&header, &measured);
            if session.write(|out| out.write(&name, &bytes))?.is_some() {
                say!(
                    "shard {part}: {} replications written to {}; when all {} shards are there: kvplan merge {}",
                    measured.len(),
                    dir.join(name).display(),
                    part.of,
                    dir.display()
                );
            }
        }
        None => {
            let cells = cells(&grid, &measured);
            let shape = args.shape.shape();
            code = write_results(&scenario, &cells, &args.assertions, session, &shape)?;
        }
    }
    journal.remove()?;
    Ok(code)
}

/// Writes all files of a sweep and prints its summary; the exit code says whether the assertions hold.
pub(crate) fn write_results(
    scenario: &Scenario,
    cells: &[Cell],
    assertions: &AssertArgs,
    session: Session,
    shape: &Shape,
) -> Result<u8, Failure> {
    let judged = assertions.judge(cells);
    let is_told = !session.is_quiet() && is_for_people(shape);
    session.answer(
        shape,
        |out| report::write::sweep::write(scenario, cells, &judged, out),
        || {
            let settings = report::write::sweep::settings_line(scenario, cells);
            let summary = report::write::summary::summary(cells);
            let mut answer = Answer::new().say(settings).gap().and(summary).gap();
            if let Some(note) = report::write::precision::precision_note(scenario, cells) {
                answer = answer.say(note).gap();
            }
            answer.say(format!(
                "{} replications, seed {}; ± is a 95% confidence half-width. Months are scaled from the simulated period, see sweep.csv.",
                report::write::precision::replications(cells),
                scenario.seed
            ))
        },
    )?;
    Ok(tell_assertions(&judged, is_told))
}

/// The part that was asked for; none is the whole sweep.
fn find_part(shard: Option<Shard>, quiet: bool) -> Result<Option<Part>, Failure> {
    match shard {
        None => Ok(None),
        Some(Shard::Part(part)) => Ok(Some(part)),
        Some(Shard::Auto) => {
            let variable = |name: &str| std::env::var(name).ok();
            let (part, from) = environment::detect(&variable)?;
            tell(quiet, &format!("shard {part}, from {from}"));
            Ok(Some(part))
        }
    }
}

/// Whether there is the file of a shard with the results of this very part.
fn is_complete(path: &Path, header: &Header) -> bool {
    let shard = files::read(path, FILE_BYTES)
        .ok()
        .and_then(|b| shard::decode(&b).ok());
    shard.is_some_and(|s| s.header == *header)
}

/// A remark that is not a result.
fn tell(quiet: bool, text: &str) {
    if !quiet {
        remark(text);
    }
}

/// Simulates what is not known, with a progress bar, and keeps it in the journal.
fn simulate(
    grid: &Grid,
    part: Part,
    known: Measured,
    journal: &Journal,
    quiet: bool,
) -> Result<Measured, Failure> {
    let kept = AtomicUsize::new(known.len());
    let measured = watched(0, quiet, |work, bar| {
        bar.set_message(KEPT);
        let watch = Watch {
            planned: &|n| bar.inc_length(n),
            keep: &|unit, values| {
                journal.add(unit, values)?;
                kept.fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
            work: *work,
        };
        measure(grid, part, known, &watch)
    });
    measured.map_err(|e| interrupted_or(e, kept.load(Ordering::Relaxed)))
}
