//! The files that kvplan writes into a folder of results, each named once.
//!
//! Writers and the reader of folders take the names from here, so that a page finds what a command left.
//! Charts and what is named after a policy, a fit or a shard are not among them.

/// What a sweep answers, as data.
pub const ANSWERS_JSON: &str = "answers.json";
/// All measures by traffic level and policy.
pub const SWEEP_CSV: &str = "sweep.csv";
/// The raw values of a sweep's replications.
pub const REPLICATIONS_CSV: &str = "replications.csv";
/// What it takes to repeat a command.
pub const RUN_JSON: &str = "run.json";

/// The same of a command that was not the last in its folder.
pub fn run_json_of(command: &str) -> String {
    format!("run-{command}.json")
}

/// All measures of `run`, by policy.
pub const MEASURES_CSV: &str = "measures.csv";
/// Invoices of `run`, line by line.
pub const INVOICE_CSV: &str = "invoice.csv";
/// A run over time, sample by sample.
pub const SERIES_CSV: &str = "series.csv";
/// When a threshold was crossed.
pub const ALERTS_CSV: &str = "alerts.csv";
/// How long it took until all was well again.
pub const RECOVERY_CSV: &str = "recovery.csv";
/// When the samples no longer depended on the start.
pub const WARM_UP_CSV: &str = "warm_up.csv";
/// What changes from an old side to a new one, for people.
pub const DIFF_MD: &str = "diff.md";
/// The same with every measure, for programs.
pub const DIFF_JSON: &str = "diff.json";
/// Every candidate of `plan`.
pub const PLAN_CSV: &str = "plan.csv";
/// The candidates that no other one beats.
pub const PARETO_CSV: &str = "pareto.csv";
/// The chosen candidate as a policy.
pub const PLAN_POLICY_TOML: &str = "plan-policy.toml";
/// Where one choice begins to pay.
pub const BREAKEVEN_CSV: &str = "breakeven.csv";
/// The costs between which `breakeven` compares.
pub const BREAKEVEN_COST_CSV: &str = "breakeven_cost.csv";
/// What the coming months would cost.
pub const FORECAST_CSV: &str = "forecast.csv";
/// When limits are reached.
pub const FORECAST_LIMITS_CSV: &str = "forecast_limits.csv";
/// How far each assumption moves the result.
pub const SENSITIVITY_CSV: &str = "sensitivity.csv";
/// Every claim with its verdict.
pub const CLAIMS_CSV: &str = "claims.csv";
/// What it takes to repeat `verify`.
pub const CLAIMS_JSON: &str = "claims.json";
/// Claims by traffic and isolates.
pub const SAVINGS_SURFACE_CSV: &str = "savings_surface.csv";
/// The same load on several stores.
pub const STORES_CSV: &str = "stores.csv";
/// Invoices of the stores, line by line.
pub const STORES_INVOICES_CSV: &str = "stores_invoices.csv";
/// What it takes to repeat `compare-stores`.
pub const STORES_JSON: &str = "stores.json";
/// A replayed log by policy.
pub const REPLAY_CSV: &str = "replay.csv";
/// The replayed log, sample by sample.
pub const REPLAY_SERIES_CSV: &str = "replay_series.csv";
/// Distributions fitted to measured latencies.
pub const FIT_CSV: &str = "fit.csv";
/// The daily and weekly rhythm of a log.
pub const FIT_RATES_CSV: &str = "fit_rates.csv";
/// How far the arrivals of a log are from Poisson's.
pub const FIT_DISPERSION_CSV: &str = "fit_dispersion.csv";
/// Latencies of every kind of operation, measured and fitted.
pub const CALIBRATE_CSV: &str = "calibrate.csv";
/// The projection against what was used, by meter and day.
pub const RECONCILE_CSV: &str = "reconcile.csv";
/// The same with what explains the difference.
pub const RECONCILE_JSON: &str = "reconcile.json";
/// A real KV and simulations of the same arrivals, measure by measure.
pub const VALIDATE_CSV: &str = "validate.csv";
/// Every operation of such a run on a real KV.
pub const OPERATIONS_CSV: &str = "operations.csv";
/// The scenario that explains best what was used.
pub const CALIBRATED_TOML: &str = "calibrated.toml";
/// The rehearsed checklist, item by item.
pub const REHEARSAL_CSV: &str = "rehearsal.csv";
/// A folder of results as one page.
pub const REPORT_HTML: &str = "report.html";
/// Seeds whose cases break a promise.
pub const CHAOS_CSV: &str = "chaos.csv";
/// Points of ranges that were tried for the worst.
pub const CHAOS_WORST_CSV: &str = "chaos_worst.csv";
/// Every point of a grid that was explored.
pub const EXPLORE_CSV: &str = "explore.csv";
/// The same as one page with sliders.
pub const EXPLORE_HTML: &str = "explore.html";
