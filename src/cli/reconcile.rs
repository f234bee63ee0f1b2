//! `kvplan reconcile`.

use super::calibrate::text_of;
use super::common::{Failure, OutputArgs, SimulationArgs, label, traffic_of};
use super::fetch::{fetch, last_week};
use super::given;
use super::invoice::Format;
use super::print::say;
use super::session::Session;
use super::shape::{self, LookArgs};
use super::{EXIT_NO, EXIT_OK};
use kvplan::models::quantity::Count;
use kvplan::pricing::Date;
use kvplan::report::settings::settings;
use kvplan::report::table::Answer;
use kvplan::report::write::invoice::InvoiceReport;
use kvplan::report::write::reconcile::Report;
use kvplan::study::reconcile::reconcile;
use kvplan::study::usage::{Actual, Wanted};

/// Arguments of `kvplan reconcile`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan reconcile operations.json workers.json --policy optimised --traffic 3M
  kvplan reconcile billable.json --strict               exit code 1 if a meter is outside
  kvplan reconcile usage.csv --since 2026-11-01 --until 2026-11-15     columns date,meter,quantity; these days are whole
  kvplan reconcile --fetch --since 2026-11-01 --until 2026-11-15       asks Cloudflare, with the token from the environment
  kvplan reconcile usage.csv --format focus             the invoice of what was used, for FinOps tools

Usage is what Cloudflare's GraphQL answers (kvOperationsAdaptiveGroups, kvStorageAdaptiveGroups, workersInvocationsAdaptive), what its
billable-usage API does, or a CSV file; what a file holds is known by its content. Days that are not whole are not
compared: of data by date the first and the last, unless --since and --until say for which days they were asked; of an hourly
table those of which an hour is missing. With several policies in the scenario the last is projected.
Each replication is a simulated day. Writes reconcile.csv, reconcile.json, a chart for each meter, and calibrated.toml: the scenario that
explains best what was used, for kvplan run --scenario.

Exit codes: 0 done; 1 with --strict: the mean of a meter is outside its 95% interval; 2 wrong arguments or input.")]
pub(crate) struct Args {
    /// Usage data, gzipped or not, or - for standard input
    #[arg(required_unless_present = "fetch", value_name = "USAGE")]
    files: Vec<String>,
    /// Ask Cloudflare for it: CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID must be in the environment
    /// [days: --since to --until, else the last seven]
    #[arg(long)]
    fetch: bool,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests a month, such as 5M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Only this KV namespace, where the data tell them apart
    #[arg(long, value_name = "ID")]
    namespace: Option<String>,
    /// First day of the data, which is whole
    #[arg(long, value_name = "DATE", requires = "until")]
    since: Option<Date>,
    /// The day after the last day of the data
    #[arg(long, value_name = "DATE", requires = "since")]
    until: Option<Date>,
    /// End with exit code 1 if a meter is outside
    #[arg(long)]
    strict: bool,
    /// Form of the invoice of what was used; other forms than a table are printed alone
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Compares and writes.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are days, as many as -n says")?;
    let mut scenario = args.simulation.load()?;
    let last = scenario.policies.len() - 1;
    scenario.policies.drain(..last);
    if scenario.replications < 2 {
        return Err(Failure::usage(
            "--replications: found 1, expected at least 2: one day has no interval",
        ));
    }
    let traffic = traffic_of(args.traffic, &scenario)?;
    let wanted = Wanted {
        namespace: args.namespace.clone(),
        since: args.since,
        until: args.until,
    };
    let mut actual = Actual::default();
    for path in &args.files {
        actual.add(label(path), &text_of(path)?, &wanted)?;
    }
    if args.fetch {
        let days = args.since.zip(args.until).unwrap_or_else(last_week);
        fetch(&mut actual, args.namespace.as_deref(), days.0, days.1)?;
    }
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let steps = u64::from(scenario.replications);
    let found = session.compute(steps, |work, _| {
        reconcile(&scenario, traffic, &actual, work)
    })?;
    let mut labels: Vec<&str> = args.files.iter().map(|f| label(f)).collect();
    if args.fetch {
        labels.push("Cloudflare");
    }
    let report = Report {
        found: &found,
        scenario: &scenario,
        label: &labels.join(", "),
        said: actual.said().collect(),
        folder: &args.output.out,
        settings: format!(
            "{}; policy {}",
            settings(&scenario).at(&[traffic]).line(),
            scenario.policies[0].name
        ),
    };
    let bill = |usage| InvoiceReport::check(scenario.plan(), usage).map_err(Failure::defect);
    let (invoice, excesses) = bill(&found.actual_month)?;
    let (projected, _) = bill(&found.projected_month)?;
    let invoice = InvoiceReport {
        catalog: &scenario.catalog,
        plan: scenario.plan(),
        on: scenario.prices_on,
        invoice: &invoice,
        excesses: &excesses,
    };
    let written = session.write(|out| {
        report.write(out)?;
        let record = given::record();
        record.of(&scenario, &report.settings).write(out)
    })?;
    if !args.format.is_for_people() {
        args.format.print(&invoice, &args.look)?;
    } else if let Some(written) = written {
        let shape = args.look.shape(args.format.form());
        let answer = Answer::new().say(&report.settings).gap();
        shape::show(&answer.and(report.table()).gap(), &shape)?;
        let sampled = found.meters.iter().filter(|m| !m.is_counted());
        let sampled: Vec<&str> = sampled.map(|m| m.meter.name()).collect();
        let note = match sampled.is_empty() {
            true => String::new(),
            false => format!(
                " ({}: sampled, an estimate without interval)",
                sampled.join(", ")
            ),
        };
        say!("What was used, of the meters above with whole days{note}:\n");
        args.format.print(&invoice, &args.look.whole())?;
        say!(
            "\nThe same of what was projected: {}\n{written}",
            projected.total
        );
    }
    Ok(match args.strict && found.is_outside() {
        true => EXIT_NO,
        false => EXIT_OK,
    })
}
