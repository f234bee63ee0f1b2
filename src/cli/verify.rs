//! `kvplan verify`.

use super::beforehand::tell_how_long;
use super::common::{Failure, OutputArgs};
use super::number::{seed, whole};
use super::session::Session;
use super::shape::{self, ShapeArgs, is_for_people};
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::encoding::misread;
use kvplan::models::files::{self, FILE_BYTES, reason};
use kvplan::models::nearest::nearest;
use kvplan::report;
use kvplan::report::table::Answer;
use kvplan::report::write::claims::Ran;
use kvplan::study::claims::cells::Plan;
use kvplan::study::claims::{Claim, Effort, Ledger, Verdict, judge, quote, simulate_cells};
use std::path::PathBuf;

/// Arguments of `kvplan verify`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan verify                                  every claim of the document on load testing
  kvplan verify --list                           its claims and how each is checked
  kvplan verify --claim saving-10m --claim lazy-70
  kvplan verify --document load-testing.md       first, whether the document says what is quoted
  kvplan verify --strict --quiet                 for scripts: exit code 1 if a claim is refuted
  kvplan verify my-claims.toml --effort quick
  kvplan verify --resume                         go on after Ctrl-C or a power cut

Verdicts: confirmed; holds only if (under the conditions given); refuted; inconsistent (the document contradicts
itself); not testable. Each is looked at through the document's own arithmetic, the published prices and limits, and
the simulation of the real components on one isolate and on a fleet.

Writes claims.csv (one row per claim), savings_surface.csv, claims.json (to reproduce), and charts as SVG and PNG.
While it works, every finished replication is kept in DIR/verify.kvjournal for --resume.
Exit codes: 0 done; 1 with --strict, if any claim is refuted or inconsistent; 2 wrong arguments or input.")]
pub(crate) struct Args {
    /// Claims: a name from models/claims or a TOML file
    #[arg(default_value = "load-testing")]
    claims: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Only this claim, in detail (may be repeated)
    #[arg(long = "claim", value_name = "ID")]
    only: Vec<String>,
    /// Print the claims without judging them
    #[arg(long)]
    list: bool,
    /// Exit with code 1 if any claim is refuted or inconsistent
    #[arg(long)]
    strict: bool,
    /// The document itself: every quote must stand in it
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// How much to simulate: quick leaves out all but one isolate, the fleet, and the traffic that claims name;
    /// none judges only what needs no simulation
    #[arg(long, value_enum, default_value = "full")]
    effort: EffortArg,
    /// Independent replications of each point [default: the grid's]; beside one isolate and the realistic fleet, fewer
    /// where they decide
    #[arg(long, short = 'n', value_parser = whole(1_u32, u32::MAX))]
    replications: Option<u32>,
    /// Seed of all random streams; the same seed gives the same bytes
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Threads to use; the results do not depend on it [default: all cores]
    #[arg(long, short = 'j', value_parser = whole(1_u32, u32::MAX))]
    threads: Option<u32>,
    /// Go on with an interrupted run in the same folder: what was finished of it is not simulated again
    #[arg(long)]
    resume: bool,
    /// No progress bar and no table
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EffortArg {
    None,
    Quick,
    Full,
}

/// Judges the claims and writes the ledger.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let ledger = Ledger::load(&args.claims)?;
    if let Some(path) = &args.document {
        check_quotes(&ledger, path)?;
    }
    if args.list {
        let list = report::write::claims::list(&ledger);
        let answer = Answer::new().say(&ledger.file.title).gap();
        shape::show(&answer.table("claims", list), &args.shape.shape())?;
        return Ok(EXIT_OK);
    }
    let effort = match args.effort {
        EffortArg::None => Effort::None,
        EffortArg::Quick => Effort::Quick,
        EffortArg::Full => Effort::Full,
    };
    let claims = chosen(&ledger, &args.only, effort)?;
    if let Some(n) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n as usize)
            .build_global()
            .map_err(Failure::usage)?;
    }
    let plan = Plan::prepare(&ledger, &claims, effort, args.replications, args.seed)?;
    let session = Session::prepare(&args.output, args.quiet)?;
    tell_how_long(plan.events(), args.quiet);
    let (cells, points) = session.compute_kept("verify.kvjournal", args.resume, |work, bar| {
        let planned = |n| bar.inc_length(n);
        simulate_cells(&plan, (&ledger, &claims), &planned, work)
    })?;
    let judgements: Vec<_> = claims
        .iter()
        .map(|c| judge(&ledger, c, &plan.axes, &cells))
        .collect();
    let ran = Ran {
        ledger: &ledger,
        judgements: &judgements,
        plan: &plan,
        effort,
    };
    session.answer(
        &args.shape.shape(),
        |out| report::write::claims::write(&ran, out),
        || {
            let shape = args.shape.shape();
            let mut answer = Answer::new().say(&ledger.file.title).gap();
            if args.only.is_empty() || !is_for_people(&shape) {
                let table = report::write::claims::ledger_table(&judgements);
                answer = answer.table("claims", table).gap();
            } else {
                for j in &judgements {
                    answer = answer.say(report::write::claims::detail(j)).gap();
                }
            }
            answer.say(report::write::claims::counts(&judgements))
        },
    )?;
    points.remove()?;
    let negative = judgements
        .iter()
        .any(|j| matches!(j.verdict, Verdict::Refuted | Verdict::Inconsistent));
    Ok(if args.strict && negative {
        EXIT_NO
    } else {
        EXIT_OK
    })
}

/// The claims of these ids, or all; without simulation only those that can be judged so.
fn chosen<'a>(
    ledger: &'a Ledger,
    ids: &[String],
    effort: Effort,
) -> Result<Vec<&'a Claim>, Failure> {
    let claims = &ledger.file.claims;
    if let Some(unknown) = ids.iter().find(|id| claims.iter().all(|c| c.id != **id)) {
        return Err(Failure::usage(format!(
            "--claim: found \"{unknown}\"{}, expected an id from `kvplan verify --list`",
            nearest(unknown, claims.iter().map(|c| c.id.as_str()))
        )));
    }
    let chosen = claims
        .iter()
        .filter(|c| ids.is_empty() || ids.contains(&c.id))
        .filter(|c| effort != Effort::None || c.checks.iter().any(|k| k.simulation().is_none()));
    Ok(chosen.collect())
}

fn check_quotes(ledger: &Ledger, path: &std::path::Path) -> Result<(), Failure> {
    let text = files::read_text(path, FILE_BYTES).map_err(|e| {
        let why = reason(&e);
        Failure::usage(format!("{}: cannot be read ({why})", path.display()))
    })?;
    let missing = quote::missing(&ledger.file, &text);
    if missing.is_empty() {
        return Ok(());
    }
    let hint = misread(&text).map_or(String::new(), |meant| {
        let start: String = meant.trim().chars().take(60).collect();
        format!("looks like UTF-8 read as Windows-1252 (\"{start}\" is meant somewhere); ")
    });
    Err(Failure::usage(format!(
        "{}: {hint}does not hold the quotes of: {}",
        path.display(),
        missing.join(", ")
    )))
}
