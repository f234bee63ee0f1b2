//! What a measure of a run is, and what is kept of a run so that runs can be taken together.

use crate::pricing::{Invoice, LineItem, Usage};
use crate::sim::latencies::{Bins, Latencies};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A measure of runs of kind `R`.
pub struct Measure<R> {
    /// Column name, with its unit.
    pub name: &'static str,
    /// Meaning, in one line.
    pub meaning: &'static str,
    /// How it is found.
    pub get: Get<R>,
}

/// How a measure is found, which decides how replications are taken together.
pub enum Get<R> {
    /// A value of each run; of several, their mean.
    Each(fn(&R) -> f64),
    /// Likewise, with a long tail: what is seldom far above its mean.
    Skewed(fn(&R) -> f64),
    /// The first over the second; of several runs, the sum of the first over that of the second.
    Ratio(fn(&R) -> (f64, f64)),
    /// Likewise, of how often something happened over how often it might have: where it was seen
    /// but a few times, the interval is that of a Poisson count.
    Rate(fn(&R) -> (f64, f64)),
    /// Likewise, of what happens to several at once: the third tells to how many; 0 where it cannot
    /// happen at all.
    Events(fn(&R) -> (f64, f64), fn(&R) -> f64),
    /// A level that a run ends on or once reached; of several, the mean, for which no interval is
    /// stated: too little is known of how it varies.
    Level(fn(&R) -> f64),
    /// A quantile of latencies, those of several runs pooled; in units of so many milliseconds.
    Quantile {
        /// The latencies.
        of: Calls,
        /// Which quantile, 0 to 1.
        q: f64,
        /// Milliseconds in a unit of the measure.
        unit_ms: f64,
    },
    /// What lines of the invoice come to; of several runs, of the invoice for their mean usage.
    Bill(fn(&LineItem) -> bool),
}

/// Latencies that a run keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// How long a request waits for its recording.
    Record,
    /// Reads of the metrics.
    Metrics,
    /// Analytics queries.
    Analytics,
    /// Health reports.
    Health,
    /// How long a request waits for an isolate to start.
    ColdStart,
    /// How long before its query an answer was read from the store.
    AnswerAge,
    /// For how long a newer value had existed when a key was read.
    ReadAge,
    /// Of a store: queries, those that asked the store, and writes.
    Query,
    /// Of a store: queries that it was asked for.
    Fetch,
    /// Of a store: writes.
    Write,
}

impl<R> Clone for Get<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Get<R> {}

impl<R> Clone for Measure<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Measure<R> {}

/// A list of measures, each with its name, meaning and how it is found.
macro_rules! measures {
    ($($name:literal, $meaning:literal, $get:expr;)*) => {
        &[$($crate::run::measure::Measure { name: $name, meaning: $meaning, get: $get }),*]
    };
}
pub(super) use measures;

/// The position of a measure.
pub fn index_of<R>(measures: &[Measure<R>], name: &str) -> Option<usize> {
    measures.iter().position(|m| m.name == name)
}

/// The position of a measure that the code itself names.
///
/// # Panics
/// If there is no measure of that name: a defect.
pub fn position<R>(measures: &[Measure<R>], name: &str) -> usize {
    index_of(measures, name).unwrap_or_else(|| panic!("no measure is called {name}"))
}

/// A run that measures can be taken of.
pub trait Measurable {
    /// The latencies of these calls; none if there are no such calls.
    fn latencies(&self, calls: Calls) -> Option<Cow<'_, Latencies>>;
    /// A month at the rate of the run, and its invoice; none if it is not billed.
    fn bill(&self) -> Option<(&Usage, &Invoice)>;
    /// Whether less time was simulated than queries look back.
    fn short_history(&self) -> bool {
        false
    }
}

/// Values beyond a quantile that there must be, on either side, for it to be stated.
pub const LEAST_BEYOND: f64 = 10.0;

/// Whether so many values are enough to state a quantile.
pub fn are_enough(values: u64, q: f64) -> bool {
    // 0.95 is not exactly nineteen twentieths.
    values as f64 * q.min(1.0 - q) >= LEAST_BEYOND - 1e-6
}

impl<R> Measure<R> {
    /// Whether it is a level, of which no interval is stated.
    pub fn is_level(&self) -> bool {
        matches!(self.get, Get::Level(_))
    }
}

impl<R: Measurable> Measure<R> {
    /// The value in a run by itself; NaN where it gives none (no query came, no batch was written) and
    /// of a quantile with too few values. Never infinite.
    pub fn value(&self, run: &R) -> f64 {
        self.value_by(run, |of| run.latencies(of).map(|l| Cow::Owned(l.bins())))
    }

    /// The same, where the bins of latencies are at hand.
    fn value_by<'a>(&self, run: &R, bins: impl FnOnce(Calls) -> Option<Cow<'a, Bins>>) -> f64 {
        let value = match self.get {
            Get::Each(get) | Get::Skewed(get) | Get::Level(get) => get(run),
            Get::Ratio(get) | Get::Rate(get) | Get::Events(get, _) => {
                let (a, b) = get(run);
                a / b
            }
            Get::Quantile { of, q, unit_ms } => match bins(of) {
                Some(all) if are_enough(all.count(), q) => all.quantile_ms(q) / unit_ms,
                _ => f64::NAN,
            },
            Get::Bill(of) => run
                .bill()
                .map_or(f64::NAN, |(_, invoice)| bill(invoice, of).to_usd()),
        };
        match value.is_finite() {
            true => value,
            false => f64::NAN,
        }
    }
}

/// What lines of an invoice come to.
pub fn bill(invoice: &Invoice, of: impl Fn(&LineItem) -> bool) -> crate::pricing::Money {
    let lines = invoice.lines.iter().filter(|l| of(l));
    lines.map(|l| l.amount).sum()
}

/// What is kept of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// By measure: the value by itself, and the two numbers of a ratio (else the value and 1).
    pub terms: Vec<Term>,
    /// In the order in which measures first name them.
    pub latencies: Vec<Bins>,
    /// A month's use of each item.
    pub usage: Usage,
    /// Whether less time was simulated than queries look back.
    pub short_history: bool,
}

/// What a run contributes to a measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The measure of this run alone; NaN if it has none.
    pub value: f64,
    /// What is added up over runs, above the line.
    pub numerator: f64,
    /// What is added up over runs, below the line.
    pub denominator: f64,
    /// To how many an event happens at once.
    pub cluster: f64,
}

impl Term {
    /// A value that is no ratio.
    pub fn alone(value: f64) -> Self {
        Term {
            value,
            numerator: value,
            denominator: 1.0,
            cluster: 1.0,
        }
    }
}

/// The latencies that measures name, each once.
pub fn calls_of<R>(measures: &[Measure<R>]) -> Vec<Calls> {
    let mut all = Vec::new();
    for m in measures {
        if let Get::Quantile { of, .. } = m.get
            && !all.contains(&of)
        {
            all.push(of);
        }
    }
    all
}

impl Outcome {
    /// What is kept of a run for these measures.
    pub fn of<R: Measurable>(measures: &[Measure<R>], run: &R) -> Self {
        let calls = calls_of(measures);
        let bins = |of: &Calls| run.latencies(*of).map_or_else(Bins::default, |l| l.bins());
        let latencies: Vec<Bins> = calls.iter().map(bins).collect();
        let term = |m: &Measure<R>| {
            let value = m.value_by(run, |of| {
                let i = calls.iter().position(|c| *c == of)?;
                Some(Cow::Borrowed(&latencies[i]))
            });
            let shared = |(numerator, denominator), cluster| Term {
                value,
                numerator,
                denominator,
                cluster,
            };
            match m.get {
                Get::Ratio(get) | Get::Rate(get) => shared(get(run), 1.0),
                Get::Events(get, cluster) => shared(get(run), cluster(run)),
                _ => Term::alone(value),
            }
        };
        let terms = measures.iter().map(term).collect();
        Outcome {
            terms,
            latencies,
            usage: run.bill().map_or_else(Usage::default, |b| b.0.clone()),
            short_history: run.short_history(),
        }
    }

    /// The values of the run by itself, in the order of the measures.
    pub fn values(&self) -> Vec<f64> {
        self.terms.iter().map(|t| t.value).collect()
    }
}
