//! What a page calls the tables that kvplan writes, and in which order it shows them.

use crate::report::artefacts;

/// A file that kvplan writes, with what a page calls it.
pub struct Known {
    /// Its name, as `report::artefacts` has it.
    pub file: &'static str,
    /// What a page calls it.
    pub title: &'static str,
    /// How it is to be read, in a sentence or two.
    pub about: &'static str,
    /// Folded at first: raw data that few read.
    pub raw: bool,
}

const fn known(file: &'static str, title: &'static str, about: &'static str) -> Known {
    Known {
        file,
        title,
        about,
        raw: false,
    }
}

const fn raw(file: &'static str, title: &'static str, about: &'static str) -> Known {
    Known {
        raw: true,
        ..known(file, title, about)
    }
}

/// Every table that kvplan writes, in the order of a page; raw data last.
pub const KNOWN: [Known; 30] = [
    known(
        artefacts::SWEEP_CSV,
        "All measures by traffic level and policy",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(
        artefacts::MEASURES_CSV,
        "All measures by policy",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(
        artefacts::INVOICE_CSV,
        "Invoices",
        "Line by line, for the mean usage of all replications.",
    ),
    known(
        artefacts::PLAN_CSV,
        "Candidates for the plan",
        "Settings that were tried, with what each would cost.",
    ),
    known(
        artefacts::PARETO_CSV,
        "Best trade-offs",
        "Candidates that no other one beats in cost, staleness and loss at once.",
    ),
    known(
        artefacts::BREAKEVEN_CSV,
        "Break-even points",
        "Where, as traffic grows, one choice begins to pay.",
    ),
    known(
        artefacts::BREAKEVEN_COST_CSV,
        "Costs between which is compared",
        "What each policy costs at each level, and what is refused and lost.",
    ),
    known(
        artefacts::FORECAST_CSV,
        "Forecast",
        "What the coming months would cost as traffic grows.",
    ),
    known(
        artefacts::FORECAST_LIMITS_CSV,
        "When limits are reached",
        "The month in which it happens, over all futures.",
    ),
    known(
        artefacts::SENSITIVITY_CSV,
        "Sensitivity",
        "How far each assumption moves the result.",
    ),
    known(
        artefacts::EXPLORE_CSV,
        "Explored points",
        "Every combination of the settings that were varied; `_low` and `_high` are the ends of 95% intervals. explore.html shows them one by one.",
    ),
    known(
        artefacts::CLAIMS_CSV,
        "Claims",
        "Every statement that was checked, with verdict and evidence.",
    ),
    known(
        artefacts::SAVINGS_SURFACE_CSV,
        "Claims by traffic and isolates",
        "Where each claim would hold.",
    ),
    known(
        artefacts::STORES_CSV,
        "Stores compared",
        "The same load on other stores.",
    ),
    raw(
        artefacts::STORES_INVOICES_CSV,
        "Invoices of the stores",
        "Line by line, of the first replication.",
    ),
    known(
        artefacts::REPLAY_CSV,
        "Replayed log",
        "Means over the replications, ± the 95% confidence half-width.",
    ),
    known(artefacts::FIT_CSV, "Fit", "Models fitted to measured data."),
    known(
        artefacts::CALIBRATE_CSV,
        "Calibrated latencies",
        "Each kind of operation, measured and fitted, and how far it can be trusted.",
    ),
    known(
        artefacts::RECONCILE_CSV,
        "Projection and actual use",
        "What a day was projected to use, and what it used.",
    ),
    known(
        artefacts::VALIDATE_CSV,
        "Simulated and real",
        "A real KV, and simulations of the same arrivals.",
    ),
    known(
        artefacts::CHAOS_CSV,
        "Seeds that break a promise",
        "Each with what it breaks, and the file of its smallest case.",
    ),
    known(
        artefacts::CHAOS_WORST_CSV,
        "Points tried for the worst",
        "In the order in which they were tried, with a few replications each: the worst found, not the worst there is.",
    ),
    known(
        artefacts::REHEARSAL_CSV,
        "Rehearsed checklist",
        "Each item with its verdict and what was found.",
    ),
    known(
        artefacts::ALERTS_CSV,
        "Alerts",
        "When a threshold was crossed, and for how long.",
    ),
    known(
        artefacts::RECOVERY_CSV,
        "Recovery",
        "How long it took until all was well again.",
    ),
    known(
        artefacts::WARM_UP_CSV,
        "Warm-up",
        "When the samples no longer depended on the start.",
    ),
    raw(
        artefacts::SERIES_CSV,
        "Time series",
        "The run, sample by sample.",
    ),
    raw(
        artefacts::REPLAY_SERIES_CSV,
        "Time series of the replay",
        "The log, sample by sample.",
    ),
    raw(
        artefacts::OPERATIONS_CSV,
        "Operations",
        "Every operation on the real KV.",
    ),
    raw(
        artefacts::REPLICATIONS_CSV,
        "Replications",
        "The raw values that the means and intervals come from.",
    ),
];

/// The entry of a file in [`KNOWN`].
pub fn find_known(file: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.file == file)
}

/// Known tables in their order, then the others, raw data last.
pub fn rank(file: &str) -> usize {
    match KNOWN.iter().position(|k| k.file == file) {
        Some(i) if KNOWN[i].raw => KNOWN.len() + 1 + i,
        Some(i) => i,
        None => KNOWN.len(),
    }
}
