//! `kvplan forecast`.

use super::EXIT_OK;
use super::common::{Failure, OutputArgs, SimulationArgs, traffic_of};
use super::given;
use super::number::whole;
use super::session::Session;
use super::shape::ShapeArgs;
use kvplan::models::quantity::Count;
use kvplan::report::table::Answer;
use kvplan::report::write::forecast::ForecastReport;
use kvplan::study::forecast::{Growth, forecast, futures, levels_of};

/// Arguments of `kvplan forecast`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan forecast --traffic 1M --growth 8%/month
  kvplan forecast --traffic 300k --growth 150%/year --growth-sd 4% --months 24
  kvplan forecast --scenario fleet-20 --traffic 1M --growth 5%/month -n 5

Says month by month what traffic and cost to expect, and in which month a quota, an allowance or an alert threshold
is first met. Writes forecast.csv, forecast_limits.csv and fan charts.")]
pub(crate) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Requests in month 0, such as 1M [default: the scenario's]
    #[arg(long)]
    traffic: Option<Count>,
    /// Growth of traffic, such as 8%/month or 150%/year
    #[arg(long, default_value = "5%/month", allow_hyphen_values = true, value_parser = growth)]
    growth: f64,
    /// Standard deviation, over the futures, of the growth per month
    #[arg(long, default_value = "2%", value_name = "SHARE", value_parser = spread)]
    growth_sd: f64,
    /// Standard deviation of one month's growth around that of its future
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = spread)]
    month_sd: f64,
    /// Months to look ahead
    #[arg(long, default_value_t = 36, value_parser = whole(1_u32, 240))]
    months: u32,
    /// Futures to draw
    #[arg(long, default_value_t = 10_000, value_parser = whole(100_u32, 1_000_000))]
    futures: u32,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// `8%/month`, `8%` or `150%/year`, as a share per month above -1.
fn growth(text: &str) -> Result<f64, String> {
    let fail = || format!("found \"{text}\", expected a growth such as 8%/month or 150%/year");
    let (share, period) = text.split_once('/').unwrap_or((text, "month"));
    let share = share.trim().strip_suffix('%').ok_or_else(fail)?;
    let share: f64 = share.trim().parse().map_err(|_| fail())?;
    let factor = 1.0 + share / 100.0;
    if !(factor.is_finite() && factor > 0.0) {
        return Err(format!("found \"{text}\", expected a growth above -100%"));
    }
    match period.trim() {
        "month" => Ok(factor - 1.0),
        "year" => Ok(factor.powf(1.0 / 12.0) - 1.0),
        _ => Err(fail()),
    }
}

/// A standard deviation: `2%`.
fn spread(text: &str) -> Result<f64, String> {
    let share = text
        .trim()
        .strip_suffix('%')
        .and_then(|t| t.trim().parse::<f64>().ok());
    share
        .filter(|s| (0.0..=100.0).contains(s))
        .map(|s| s / 100.0)
        .ok_or_else(|| format!("found \"{text}\", expected a share from 0% to 100%"))
}

/// Forecasts, writes the results and prints the tables.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.simulation
        .without_precision("its replications are those of -n")?;
    let scenario = args.simulation.load()?;
    let traffic = traffic_of(args.traffic, &scenario)?;
    let growth = Growth {
        start: traffic.0 as f64,
        rate: args.growth,
        rate_sd: args.growth_sd,
        month_sd: args.month_sd,
        months: args.months,
        futures: args.futures,
    };
    let levels = levels_of(&futures(&growth, scenario.seed))
        .map_err(|e| Failure::usage(format!("--growth: {e}")))?;
    args.simulation.check_sweep(&scenario, &levels)?;
    let session = Session::prepare(&args.output, args.simulation.quiet)?;
    let points = levels.len() * scenario.policies.len();
    let steps = points as u64 * u64::from(scenario.replications);
    let result = session.compute(steps, |work, _| forecast(&scenario, &growth, work))?;
    let report = ForecastReport {
        scenario: &scenario,
        growth: &growth,
        result: &result,
    };
    session.answer(
        &args.shape.shape(),
        |out| {
            report.write(out)?;
            given::record().of(&scenario, report.settings()).write(out)
        },
        || {
            Answer::new()
                .say(report.settings())
                .gap()
                .and(report.cost_table())
                .gap()
                .and(report.limits_table())
                .gap()
                .say(report.explanation())
        },
    )?;
    Ok(EXIT_OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_per_month_or_year() {
        assert!((growth("8%/month").unwrap() - 0.08).abs() < 1e-12);
        assert!((growth("100%/year").unwrap() - (2_f64.powf(1.0 / 12.0) - 1.0)).abs() < 1e-12);
        assert!((growth("-5%").unwrap() + 0.05).abs() < 1e-12);
        for text in ["8", "8%/week", "-100%", "lots%", "inf%"] {
            assert!(growth(text).unwrap_err().contains("expected"), "{text}");
        }
        assert_eq!(spread("2%"), Ok(0.02));
        assert!(spread("-2%").is_err() && spread("2").is_err());
    }
}
