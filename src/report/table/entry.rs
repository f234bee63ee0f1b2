//! A cell: the text for people, and the numbers behind it for machines.

use crate::models::quantity::Count;
use crate::report::format;
use crate::study::stats::Estimate;

/// What a person reads, and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As on a terminal.
    pub text: String,
    /// The numbers in it, none of what is text only.
    pub numbers: Vec<Number>,
}

/// A number of a cell, with what its column is called where machines read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// The unit, put behind the column's name; or a whole name, see `is_name`.
    pub unit: &'static str,
    /// Whether `unit` is the whole name.
    pub is_name: bool,
    /// The value, as precise as it is known; what is not finite is told by nothing.
    pub value: f64,
}

/// Text that stands for no value.
const NO_VALUE: [&str; 4] = ["", "-", format::TOO_FEW, "unknown"];

impl Entry {
    /// A value with its text and its unit, which may be nothing.
    pub fn of(text: impl Into<String>, unit: &'static str, value: f64) -> Self {
        let number = |unit, value| Number {
            unit,
            is_name: false,
            value,
        };
        Entry {
            text: text.into(),
            numbers: vec![number(unit, value)],
        }
    }

    /// The same with the half-width of its 95% interval, whose column is called `ci95`.
    pub(in crate::report) fn with_half_width(self, ci95: &'static str, half_width: f64) -> Self {
        self.and(ci95, false, half_width)
    }

    fn and(mut self, unit: &'static str, is_name: bool, value: f64) -> Self {
        self.numbers.push(Number {
            unit,
            is_name,
            value,
        });
        self
    }

    /// A text of several values, each with the whole name of its column.
    pub fn named(text: impl Into<String>, values: &[(&'static str, f64)]) -> Self {
        let nothing = Entry {
            text: text.into(),
            numbers: Vec::new(),
        };
        let add = |cell: Entry, (name, value): &(&'static str, f64)| cell.and(name, true, *value);
        values.iter().fold(nothing, add)
    }

    /// See [`format::count`].
    pub fn count(x: f64) -> Self {
        Entry::of(format::count(x), "", x)
    }

    /// Requests a month, or any other whole number of things.
    pub fn level(n: Count) -> Self {
        Entry::of(n.to_string(), "", n.0 as f64)
    }

    /// A whole number as it stands.
    pub fn whole(n: usize) -> Self {
        Entry::of(n.to_string(), "", n as f64)
    }

    /// See [`format::percent`]; machines read a share.
    pub fn percent(x: f64) -> Self {
        Entry::of(format::percent(x), "share", x)
    }

    /// See [`format::share_or_unknown`].
    pub fn share_or_unknown(x: f64) -> Self {
        Entry::of(format::share_or_unknown(x), "share", x)
    }

    /// See [`format::share_estimate`].
    pub fn share_estimate(e: Estimate) -> Self {
        let cell = Entry::of(format::share_estimate(e), "share", e.mean);
        cell.with_half_width("share_ci95", e.half_width)
    }

    /// See [`format::refused`].
    pub fn refused(requests: f64, operations: f64) -> Self {
        let values = [
            ("requests_refused_share", requests),
            ("operations_refused_share", operations),
        ];
        Entry::named(format::refused(requests, operations), &values)
    }

    /// See [`format::usd`].
    pub fn usd(x: f64) -> Self {
        Entry::of(format::usd(x), "usd", x)
    }

    /// See [`format::usd_estimate`].
    pub fn usd_estimate(e: Estimate) -> Self {
        Entry::of(format::usd_estimate(e), "usd", e.mean).with_half_width("usd_ci95", e.half_width)
    }

    /// A time in seconds.
    pub fn seconds(s: f64) -> Self {
        Entry::of(format!("{} s", format::count(s)), "s", s)
    }

    /// See [`format::milliseconds`].
    pub fn milliseconds(x: f64) -> Self {
        Entry::of(format::milliseconds(x), "ms", x)
    }

    /// See [`format::milliseconds_estimate`].
    pub fn milliseconds_estimate(e: Estimate) -> Self {
        let cell = Entry::of(format::milliseconds_estimate(e), "ms", e.mean);
        cell.with_half_width("ms_ci95", e.half_width)
    }

    /// See [`format::interval`].
    pub fn interval(e: Estimate) -> Self {
        Entry::of(format::interval(e), "", e.mean).with_half_width("ci95", e.half_width)
    }

    /// See [`format::amount`].
    pub fn amount(e: Estimate) -> Self {
        Entry::of(format::amount(e), "", e.mean).with_half_width("ci95", e.half_width)
    }

    /// Whether it says something that no number of it does.
    pub(super) fn is_words(&self) -> bool {
        self.numbers.is_empty() && !NO_VALUE.contains(&self.text.as_str())
    }
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Entry {
            text,
            numbers: Vec::new(),
        }
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
