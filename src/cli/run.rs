//! `kvplan run`.

use super::assertions::{AssertArgs, tell};
use super::common::{Failure, SimulationArgs, traffic_of};
use super::drawing::DrawArgs;
use super::invoice::Format;
use super::number::whole;
use super::session::{compute, sweep_levels};
use super::shape::{self, LookArgs};
use kvplan::models::quantity::{Count, parse_duration};
use kvplan::pricing::Usage;
use kvplan::report::output::OutputDir;
use kvplan::report::settings::settings;
use kvplan::report::table::Answer;
use kvplan::report::write::invoice::InvoiceReport;
use kvplan::report::write::precision::precision_note;
use kvplan::report::write::sweep::settings_line;
use kvplan::report::write::{run as report, timeline};
use kvplan::run::effort::Effort;
use kvplan::run::metric;
use kvplan::run::scenario::Scenario;
use kvplan::study::sweep::Cell;
use kvplan::study::timeline::{Timeline, fitting_interval, observe_all};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `kvplan run`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan run                                   the default scenario
  kvplan run --scenario production-1m --policy optimised
  kvplan run --format csv                      every measure at full precision, for a script
  kvplan run --policy optimised --format focus   the projected invoice, for FinOps tools
  kvplan run --assert 'cost<20USD,hit_ratio>80%'   exit code 1 if that does not hold of every policy
  kvplan run --precision 2%                    as many replications as it takes for that
  kvplan run --traffic 5M --plan free --set failures.write.error=5%
  kvplan run --scenario bad-day --out bad-day  what happens over time, as CSV and charts
  kvplan run --scenario retry-storm --interval \"5 s\" --trace 500 --out storm

With --out it writes measures.csv, invoice.csv, run.json and, over time: series.csv (means over
the replications with 95% half-widths), alerts.csv, recovery.csv (after failure windows),
warm_up.csv (MSER-5), trace-POLICY.json (OpenTelemetry, OTLP/JSON) and charts.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Folder for results over time; made if it does not exist
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Length of an interval of the time series, such as "1 min" [default: 1/240 of the period, rounded up]
    #[arg(long, requires = "out", value_parser = parse_interval)]
    interval: Option<Duration>,
    /// Invocations to trace in the first replication of each policy
    #[arg(long, requires = "out", value_name = "N", default_value_t = 100, value_parser = whole(0_usize, MOST_TRACED))]
    trace: usize,
    /// Form of the answer on the terminal; json has all tables and csv the measures, with numbers at full precision, and
    /// nothing else is printed; focus is the projected invoice of one policy, with the columns of FOCUS, for FinOps tools
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    assertions: AssertArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    drawing: DrawArgs,
}

/// More than anybody looks at.
const MOST_TRACED: usize = 1_000_000_000;

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        d if d.is_zero() => Err(format!("found \"{text}\", expected more than 0 s")),
        d => Ok(d),
    }
}

/// Simulates the scenario with each of its policies and prints the results.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let scenario: Scenario = args.simulation.load()?;
    let policies = scenario.policies.len();
    if args.format == Format::Focus && policies > 1 {
        return Err(Failure::usage(format!(
            "--format focus: found {policies} policies, expected one, whose invoice is printed: --policy"
        )));
    }
    let traffic = traffic_of(args.traffic, &scenario)?;
    args.simulation
        .refuse_idle_requests([(&scenario, traffic)])?;
    let replications = u64::from(scenario.replications);
    let mut effort = Effort::of_sweep(&scenario, &[traffic], rayon::current_num_threads());
    if args.out.is_some() {
        let seconds = scenario.horizon(traffic) + scenario.period.warm_up;
        let samples = seconds.as_secs_f64() / args.interval(&scenario, traffic).as_secs_f64();
        let policies = scenario.policies.len();
        effort = effort.observed(samples, replications, policies, args.trace);
    }
    args.simulation.check(&effort)?;
    let out = args.out.as_deref().map(OutputDir::prepare).transpose()?;
    let out = out.map(|out| out.looking(args.drawing.look()));
    let quiet = args.simulation.quiet;
    let timelines = match &out {
        None => Vec::new(),
        Some(_) => observe(&scenario, traffic, &args)?,
    };
    // Observing changes no result: where no precision decides on their number, what was observed
    // need not be simulated again.
    let cells = if timelines.is_empty() || scenario.precision.is_some() {
        sweep_levels(&scenario, &[traffic], quiet)?
    } else {
        let timelines = timelines.iter();
        timelines.map(|t| t.cell(&scenario, traffic)).collect()
    };
    let judged = args.assertions.judge(&cells);
    if let Some(out) = out {
        report::write(&scenario, traffic, &cells, &judged, &out)
            .and_then(|()| {
                let timelines: Vec<&Timeline> = timelines.iter().collect();
                // Those over time are of the scenario's replications, however many a precision took.
                let settings = settings(&scenario).at(&[traffic]).line();
                timeline::write(&scenario, &settings, &timelines, &out)
            })
            .and_then(|()| out.commit())?;
    }
    let is_told = args.format.is_for_people();
    if args.format == Format::Focus {
        print_focus(&scenario, &cells[0], &args.look)?;
    } else if !(is_told && quiet) {
        let settings = settings_line(&scenario, &cells);
        let answer = Answer::new()
            .say(settings)
            .gap()
            .and(measures(&scenario, &cells))
            .and(over_time(&scenario, &timelines, args.out.as_deref()));
        shape::show(&answer, &args.look.shape(args.format.form()))?;
    }
    Ok(tell(&judged, is_told && !quiet))
}

impl Args {
    /// The length of an interval of the time series.
    fn interval(&self, scenario: &Scenario, traffic: Count) -> Duration {
        let fitting = || fitting_interval(scenario.horizon(traffic));
        self.interval.unwrap_or_else(fitting)
    }
}

fn observe(scenario: &Scenario, traffic: Count, args: &Args) -> Result<Vec<Timeline>, Failure> {
    let interval = args.interval(scenario, traffic);
    let steps = scenario.policies.len() as u64 * u64::from(scenario.replications);
    compute(steps, args.simulation.quiet, |work, _| {
        observe_all(scenario, traffic, interval, args.trace, work)
    })
}

/// The invoice for the mean usage, alone, for FinOps tools.
fn print_focus(scenario: &Scenario, cell: &Cell, look: &LookArgs) -> Result<(), Failure> {
    let mut usage = Usage::default();
    for line in &cell.pooled.invoice.lines {
        if let Some(meter) = line.item {
            usage.add(meter, line.used);
        }
    }
    let bill = InvoiceReport::check(scenario.plan(), &usage).map_err(Failure::defect)?;
    let report = InvoiceReport {
        catalog: &scenario.catalog,
        plan: scenario.plan(),
        on: scenario.prices_on,
        invoice: &bill.0,
        excesses: &bill.1,
    };
    Format::Focus.print(&report, look)
}

fn measures(scenario: &Scenario, cells: &[Cell]) -> Answer {
    let table = report::metrics_table(metric::METRICS, cells);
    let mut answer = Answer::new().table("measures", table);
    if let Some(note) = precision_note(scenario, cells) {
        answer = answer.gap().say(note);
    }
    for cell in cells {
        let alerts = scenario.alerts.evaluate(&cell.alert_inputs());
        answer = answer
            .say(format!(
                "\nInvoice of plan \"{}\", policy {} (for the mean usage of {} replications)\n",
                scenario.plan,
                cell.policy,
                cell.replications.len()
            ))
            .table(
                format!("invoice {}", cell.policy),
                report::invoice_table(&cell.pooled.invoice),
            );
        if let Some(note) = report::not_billed(&scenario.plan, cell) {
            answer = answer.say(note);
        }
        answer = answer
            .say(format!("\nAlerts, policy {}", cell.policy))
            .say(report::alerts(&alerts));
    }
    answer
}

fn over_time(scenario: &Scenario, timelines: &[Timeline], dir: Option<&Path>) -> Answer {
    let mut answer = Answer::new();
    for t in timelines {
        answer = answer
            .say(format!(
                "\nAlerts over time, policy {} (first replication)",
                t.policy
            ))
            .say(timeline::alert_lines(scenario, t))
            .say(format!("\nWarm-up, policy {} (MSER-5)", t.policy))
            .say(timeline::warm_up_lines(scenario, t));
    }
    if !timelines.is_empty() && !scenario.failures.windows.is_empty() {
        let all: Vec<&Timeline> = timelines.iter().collect();
        answer = answer
            .say("\nRecovery\n")
            .table("recovery", timeline::recovery_table(scenario, &all));
    }
    match dir {
        Some(dir) => answer.say(format!("\nResults written to {}", dir.display())),
        None => answer,
    }
}
