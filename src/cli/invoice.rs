//! `kvplan invoice`.

use super::EXIT_OK;
use super::common::Failure;
use super::print;
use super::shape::{self, LookArgs};
use kvplan::models::files::{self, FILE_BYTES, reason};
use kvplan::models::{self, ConfigError, Override, parse_overrides};
use kvplan::pricing::quantity::parse;
use kvplan::pricing::{Catalog, Date, MeterItem, Usage};
use kvplan::report::table::Form;
use kvplan::report::write::invoice::InvoiceReport;
use std::path::{Path, PathBuf};

/// Arguments of `kvplan invoice`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan invoice workers.requests=15M workers.cpu_ms=105M      $8.00 a month on the paid plan
  kvplan invoice --plan free kv.reads=6M kv.storage=1.5GB      what the free plan would refuse
  kvplan invoice r2.class_a=2000001 r2.storage=1.1TB           each item rounded up to its billing unit
  kvplan invoice --on 2026-12-15 observability.ingest=75GB     the prices that are in force then
  kvplan invoice --prices kv-instant kv_instant.class_b=1M     a catalog of its own: KV Instant is a beta
  kvplan invoice --usage usage.csv --format json               columns meter,usage; for scripts: total_usd, lines
  kvplan invoice --format focus kv.reads=40M           the columns of FOCUS, for FinOps tools
  kvplan invoice --set prices.round_up='[\"workers.cpu_ms\"]' workers.cpu_ms=76.2M

Usage is of one month. Counts may be written 250, 10k, 2.5M or 1B; what is stored or transferred 1.5GB (the average
over the month, of what is stored); do.duration_mb_ms as \"400000 GB-s\". An unknown meter is answered with all there are.

Exit codes: 0 done, also if a plan's limits are exceeded; 2 wrong arguments or input.")]
pub(crate) struct Args {
    /// What a month uses of a meter, such as workers.requests=15M
    #[arg(value_name = "METER=USAGE")]
    usage_of: Vec<String>,
    /// CSV file with the columns meter and usage
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Plan of the price catalog
    #[arg(long, default_value = "paid")]
    plan: String,
    /// Price catalog: a name from models/prices or a TOML file
    #[arg(long, default_value = "cloudflare", value_name = "CATALOG")]
    prices: String,
    /// Day whose prices are taken [default: the day on which the catalog was checked, whatever the day today]
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Override a setting of the catalog: prices.FIELD=VALUE (may be repeated)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    overrides: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    look: LookArgs,
}

/// Form of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Markdown,
    Json,
    Csv,
    /// The columns of FOCUS, for FinOps tools
    Focus,
}

impl Format {
    /// Whether other things may be printed with it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Markdown)
    }

    /// The form of tables that goes with it.
    pub(crate) fn form(self) -> Form {
        match self {
            Format::Markdown => Form::Markdown,
            Format::Json => Form::Json,
            Format::Csv => Form::Csv,
            Format::Table | Format::Focus => Form::Table,
        }
    }

    /// Prints the invoice in that form.
    pub(crate) fn print(self, report: &InvoiceReport, look: &LookArgs) -> Result<(), Failure> {
        print::bytes(&match self {
            Format::Table | Format::Markdown => {
                return shape::show(&report.table(), &look.shape(self.form()));
            }
            Format::Json => report.json().map_err(Failure::defect)?,
            Format::Csv => report.csv(),
            Format::Focus => report.focus(),
        });
        Ok(())
    }
}

/// Prices the usage and prints the invoice.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let all: Catalog = models::load(&args.prices, None, &of_prices(&args.overrides)?)?;
    let on = args.on.unwrap_or_else(|| all.checked_on());
    all.check_known(on)
        .map_err(|e| Failure::usage(format!("--on: {e}")))?;
    let plan = all
        .plan(&args.plan)
        .map_err(|e| Failure::usage(format!("--plan: {}", e.message)))?;
    let stated = stated(&args)?;
    let mut usage = Usage::default();
    for s in &stated {
        all.check_priced(plan, s.meter, on)
            .map_err(|e| Failure::usage(format!("{}: {e}", s.place)))?;
        usage.add(s.meter, s.quantity);
    }
    let catalog = all.clone().on(on);
    let plan = catalog
        .plan(&args.plan)
        .map_err(|e| Failure::defect(e.message))?;
    let (invoice, excesses) = InvoiceReport::check(plan, &usage).map_err(Failure::defect)?;
    let report = InvoiceReport {
        catalog: &catalog,
        plan,
        on,
        invoice: &invoice,
        excesses: &excesses,
    };
    args.format.print(&report, &args.look)?;
    Ok(EXIT_OK)
}

/// The settings of `--set`, without their first step `prices`.
fn of_prices(options: &[String]) -> Result<Vec<Override>, Failure> {
    let of_prices = |o: Override| match o.path.split_first() {
        Some((model, rest)) if model == "prices" && !rest.is_empty() => Ok(Override {
            path: rest.to_vec(),
            ..o
        }),
        _ => Err(Failure::usage(format!(
            "{}: expected a setting of the catalog, such as prices.round_up='[\"workers.cpu_ms\"]'",
            o.text
        ))),
    };
    parse_overrides(options)?
        .into_iter()
        .map(of_prices)
        .collect()
}

/// A quantity, and where it was stated.
struct Stated {
    place: String,
    meter: MeterItem,
    quantity: u128,
}

impl Stated {
    fn read(place: &str, meter: &str, quantity: &str) -> Result<Self, String> {
        let meter: MeterItem = meter.trim().parse()?;
        let quantity = parse(quantity, meter.unit()).map_err(|e| format!("{meter}: {e}"))?;
        Ok(Stated {
            place: place.to_owned(),
            meter,
            quantity,
        })
    }
}

/// What the arguments and the file state, each meter once.
fn stated(args: &Args) -> Result<Vec<Stated>, Failure> {
    let mut all = match &args.usage {
        Some(path) => read_csv(path)?,
        None => Vec::new(),
    };
    for text in &args.usage_of {
        let (meter, quantity) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!(
                "{text}: expected METER=USAGE, such as workers.requests=15M"
            ))
        })?;
        let read = Stated::read(text, meter, quantity);
        all.push(read.map_err(|e| Failure::usage(format!("{text}: {e}")))?);
    }
    if all.is_empty() && args.usage.is_none() {
        return Err(Failure::usage(
            "found no usage, expected METER=USAGE, such as workers.requests=15M, or --usage FILE",
        ));
    }
    for (i, s) in all.iter().enumerate() {
        if let Some(first) = all[..i].iter().find(|other| other.meter == s.meter) {
            return Err(Failure::usage(format!(
                "{}: found {} a second time (first: {}), expected each meter once",
                s.place, s.meter, first.place
            )));
        }
    }
    Ok(all)
}

fn read_csv(path: &Path) -> Result<Vec<Stated>, Failure> {
    let label = path.display().to_string();
    let fail = |line: Option<u64>, field: Option<&str>, message: String| {
        Failure::from(ConfigError {
            line: line.map(|l| l as usize),
            field: field.map(str::to_owned),
            ..ConfigError::new(&label, message)
        })
    };
    let text = files::read_text(path, FILE_BYTES)
        .map_err(|e| fail(None, None, format!("cannot be read ({})", reason(&e))))?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let headers = reader
        .headers()
        .map_err(|e| fail(None, None, e.to_string()))?
        .clone();
    let column = |name: &str| {
        let found: Vec<&str> = headers.iter().collect();
        headers
            .iter()
            .position(|h| h.trim() == name)
            .ok_or_else(|| {
                let message = format!(
                    "found columns {}, expected meter and usage",
                    found.join(", ")
                );
                fail(Some(1), Some(name), message)
            })
    };
    let (meter, usage) = (column("meter")?, column("usage")?);
    let mut all = Vec::new();
    for row in reader.records() {
        let row =
            row.map_err(|e| fail(e.position().map(csv::Position::line), None, e.to_string()))?;
        let line = row.position().map(csv::Position::line);
        let place = format!("{label}:{}", line.unwrap_or(0));
        let (Some(meter), Some(usage)) = (row.get(meter), row.get(usage)) else {
            let message = format!("found {} columns, expected {}", row.len(), headers.len());
            return Err(fail(line, None, message));
        };
        all.push(Stated::read(&place, meter, usage).map_err(|e| fail(line, None, e))?);
    }
    Ok(all)
}
