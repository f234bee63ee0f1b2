//! What the page, the table and the CSV file of an explored grid have in common: the measures that are shown, their
//! words, and the command that gives a point again.

use super::format;
use super::settings::{is_requests, without_requests};
use super::shell;
use crate::models::quantity::Count;
use crate::study::explore::grid::{Grid, Point};
use crate::study::stats::Estimate;
use crate::study::sweep::Cell;

/// What a measure is counted in, which says how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Dollars.
    Usd,
    /// Parts of a whole, in percent.
    Share,
    /// Milliseconds.
    Ms,
    /// Seconds.
    Seconds,
    /// A plain number.
    Count,
}

impl Unit {
    /// What the page's script calls it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Usd => "usd",
            Unit::Share => "share",
            Unit::Ms => "ms",
            Unit::Seconds => "s",
            Unit::Count => "count",
        }
    }
}

/// A measure that is shown of every point.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// As `run::metric::METRICS` has it.
    pub name: &'static str,
    /// What people read.
    pub label: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Whether it is among what is said first of a point.
    pub is_said: bool,
}

const fn shown(name: &'static str, label: &'static str, unit: Unit) -> Shown {
    Shown {
        name,
        label,
        unit,
        is_said: false,
    }
}

const fn said(name: &'static str, label: &'static str, unit: Unit) -> Shown {
    Shown {
        is_said: true,
        ..shown(name, label, unit)
    }
}

/// The measures that are shown, in their order: what is lost and refused stands beside the cost.
pub const SHOWN: [Shown; 13] = [
    said("cost_usd", "cost a month", Unit::Usd),
    said("loss_rate", "records lost", Unit::Share),
    said("requests_refused_share", "requests refused", Unit::Share),
    said(
        "kv_quota_exceeded_share",
        "KV operations refused",
        Unit::Share,
    ),
    shown("error_rate", "calls that fail", Unit::Share),
    said("hit_ratio", "cache hit ratio", Unit::Share),
    shown(
        "operations_per_request",
        "KV operations a request",
        Unit::Count,
    ),
    shown("query_p50_ms", "query p50", Unit::Ms),
    said("query_p95_ms", "query p95", Unit::Ms),
    shown("query_p99_ms", "query p99", Unit::Ms),
    shown("metrics_p95_ms", "metrics endpoint p95", Unit::Ms),
    shown("record_p95_ms", "recording p95", Unit::Ms),
    shown("answer_age_p99_s", "age of answers p99", Unit::Seconds),
];

impl Shown {
    /// What is known of it at a point, with its interval; `too few` where too few calls came.
    pub fn text(&self, cell: &Cell) -> String {
        if cell.is_too_few(self.name) {
            return format::TOO_FEW.into();
        }
        let e = cell.estimate(self.name);
        match self.unit {
            Unit::Usd => format::usd_estimate(e),
            Unit::Ms => format::milliseconds_estimate(e),
            Unit::Count => format::amount(e),
            Unit::Seconds if e.mean.is_finite() => format!("{} s", format::amount(e)),
            Unit::Seconds => format::amount(e),
            Unit::Share if self.name == "hit_ratio" && !e.mean.is_finite() => {
                "no cache asked".into()
            }
            Unit::Share => share(e),
        }
    }
}

/// A share that is never below 0: by its upper end, if its interval would reach there.
fn share(e: Estimate) -> String {
    match e.mean > 0.0 && e.half_width > e.mean {
        true => format!("at most {}", format::percent(e.high())),
        false => format::share_estimate(e),
    }
}

/// `traffic 3M, policy naive`
pub fn point_words(grid: &Grid, number: usize) -> String {
    let at = grid.settings.iter().zip(grid.places(number));
    let words = at.map(|(s, place)| format!("{} {}", s.name, s.values[place].text));
    words.collect::<Vec<_>>().join(", ")
}

/// The commands of `kvplan run` that give points again. It refuses a `period.requests` that decides nothing, which is at
/// some points of a grid and not at others.
pub struct Commands {
    /// The beginning that they have in common.
    pub head: String,
    /// The same for points where `period.requests` decides nothing: without it.
    pub bare: String,
    /// What that number is where no option sets it; none if none does.
    own_requests: Option<Count>,
}

impl Commands {
    /// With these arguments, each an option and its value. `own_requests` is the scenario's own `period.requests`, if
    /// they or a setting that is varied give another.
    pub fn new(
        arguments: &[String],
        own_requests: Option<Count>,
        replications: u32,
        seed: u64,
    ) -> Self {
        Commands {
            head: command_head(arguments, replications, seed),
            bare: command_head(&without_requests(arguments), replications, seed),
            own_requests,
        }
    }

    /// Whether a point's command is without `period.requests`.
    pub fn is_bare(&self, point: &Point) -> bool {
        let own = self.own_requests;
        own.is_some_and(|own| point.scenario.is_idle(own, point.traffic))
    }

    /// That of a point, for a shell.
    pub fn of(&self, grid: &Grid, number: usize) -> String {
        let point = grid.points[number].as_ref();
        let is_bare = point.is_ok_and(|point| self.is_bare(point));
        let mut command = if is_bare { &self.bare } else { &self.head }.clone();
        for (setting, place) in grid.settings.iter().zip(grid.places(number)) {
            if !(is_bare && is_requests(&setting.name)) {
                command.push(' ');
                command.push_str(&shell::command(&setting.values[place].option));
            }
        }
        command
    }
}

fn command_head(arguments: &[String], replications: u32, seed: u64) -> String {
    let mut words = vec!["kvplan".to_owned(), "run".to_owned()];
    words.extend_from_slice(arguments);
    let effort = [
        ("--replications", replications.to_string()),
        ("--seed", seed.to_string()),
    ];
    for (option, value) in effort {
        if !arguments.iter().any(|a| a == option) {
            words.extend([option.to_owned(), value]);
        }
    }
    shell::command(&words)
}
