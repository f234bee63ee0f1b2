//! Rows of a log that cannot be used.

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadReason {
    /// It has more or fewer columns than the header.
    Columns,
    /// It is not UTF-8.
    Encoding,
    /// Its time cannot be read.
    Time,
    /// Its kind of call is not known.
    Kind,
    /// Its provider is not among those expected.
    Provider,
    /// Its latency cannot be read.
    Latency,
    /// Its success cannot be read.
    Success,
    /// Its tokens cannot be read.
    Tokens,
    /// It brings one name more than can be numbered.
    Names,
    /// It came later than the window for reordering allows.
    Order,
}

impl BadReason {
    /// All reasons with what reports call them.
    pub const ALL: [(BadReason, &'static str); 10] = [
        (BadReason::Columns, "number of columns"),
        (BadReason::Encoding, "not UTF-8"),
        (BadReason::Time, "time"),
        (BadReason::Kind, "kind"),
        (BadReason::Provider, "unknown provider"),
        (BadReason::Latency, "latency"),
        (BadReason::Success, "success"),
        (BadReason::Tokens, "tokens"),
        (BadReason::Names, "too many names"),
        (BadReason::Order, "out of order"),
    ];
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the log, from 1.
    pub line: u64,
    /// The column at fault.
    pub field: &'static str,
    /// Why it cannot be used.
    pub reason: BadReason,
    /// What was found and what was expected.
    pub message: String,
}
