//! `kvplan rehearse`.

use super::common::{Failure, OutputArgs, SimulationArgs, traffic_of};
use super::session::Session;
use super::shape::ShapeArgs;
use super::{EXIT_NO, EXIT_OK};
use kvplan::models;
use kvplan::models::quantity::{Count, format_duration, parse_duration};
use kvplan::report::artefacts;
use kvplan::report::error::WriteError;
use kvplan::report::output::OutputDir;
use kvplan::report::record;
use kvplan::report::settings::settings;
use kvplan::report::table::Answer;
use kvplan::report::write::run::not_billed;
use kvplan::report::write::{rehearsal, sweep, timeline};
use kvplan::study::rehearsal::{Checklist, Rehearsal, Verdict, after_deployment, rehearse};
use kvplan::study::timeline::fitting_interval;
use std::time::Duration;

/// Arguments of `kvplan rehearse`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan rehearse                                    48 hours of 1M requests a month on a small fleet
  kvplan rehearse --scenario world --traffic 10M
  kvplan rehearse --length \"24 h\" --checklist mine.toml --strict

The simulation starts on a Monday at 00:00 UTC with an empty KV and no isolate. Each item of the
checklist is met, not met, undecided (its 95% interval holds the bound), for review, or not
testable. Writes rehearsal.csv, and the series, alerts and charts of `kvplan run --out`.

Exit codes: 0 done; 1 with --strict if an item is not met.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// How long to rehearse
    #[arg(long, default_value = "48 h", value_parser = parse_length)]
    length: Duration,
    /// Checklist: a name from models/checklists or a TOML file
    #[arg(long, default_value = "load-testing")]
    checklist: String,
    /// Exit with 1 if an item is not met
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

fn parse_length(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        d if d < Duration::from_secs(3_600) => {
            Err(format!("found \"{text}\", expected 1 h or more"))
        }
        d => Ok(d),
    }
}

/// Rehearses a deployment and judges it by the checklist.
pub(crate) fn run(mut args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are those of -n")?;
    if args.simulation.scenario == "default" {
        args.simulation.scenario = "first-48-hours".into();
    }
    args.simulation
        .without_requests("--length decides how long is simulated")?;
    let scenario = args.simulation.load()?;
    let traffic = traffic_of(args.traffic, &scenario)?;
    let checklist: Checklist = models::load(&args.checklist, None, &[])?;
    let first = after_deployment(&scenario, args.length);
    args.simulation.check_sweep(&first, &[traffic])?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let steps = first.policies.len() as u64 * u64::from(first.replications);
    let interval = fitting_interval(args.length);
    let rehearsals = session.compute(steps, |work, _| {
        rehearse(&first, &checklist, traffic, interval, work)
    })?;
    let settings = settings(&first)
        .at(&[traffic])
        .with("--length", format_duration(args.length))
        .with("--checklist", &args.checklist)
        .line();
    let answer = || {
        let mut answer = Answer::new().say(format!(
            "{settings}\nThe first {} after a deployment: {}",
            format_duration(args.length),
            checklist.title
        ));
        for r in &rehearsals {
            let policy = &r.timeline.policy;
            answer = answer
                .say(format!("\nPolicy {policy}: {}\n", rehearsal::counts(r)))
                .table(policy, rehearsal::checklist_table(r));
            if let Some(note) = not_billed(&first.plan, &r.cell) {
                answer = answer.say(note);
            }
        }
        let (n, seed) = (first.replications, first.seed);
        answer.say(format!("\n{n} replications, seed {seed}."))
    };
    session.answer(
        &args.shape.shape(),
        |out| write(&first, traffic, &settings, &rehearsals, out),
        answer,
    )?;
    let failed = |r: &Rehearsal| r.judged.iter().any(|j| j.verdict == Verdict::NotMet);
    let code = if args.strict && rehearsals.iter().any(failed) {
        EXIT_NO
    } else {
        EXIT_OK
    };
    Ok(code)
}

fn write(
    first: &kvplan::run::scenario::Scenario,
    traffic: Count,
    settings: &str,
    rehearsals: &[Rehearsal],
    out: &OutputDir,
) -> Result<(), WriteError> {
    out.write(
        artefacts::REHEARSAL_CSV,
        &rehearsal::rehearsal_csv(rehearsals),
    )?;
    let run = sweep::run_json("rehearse", first, &[traffic], settings.to_owned(), &[])?;
    record::write(out, &run)?;
    let timelines: Vec<_> = rehearsals.iter().map(|r| &r.timeline).collect();
    timeline::write(first, settings, &timelines, out)
}
