//! How often intervals hold the truth, as a table; and how often they are told as "at most".

use crate::report::table::{Entry, Table, table};
use crate::study::coverage::Coverage;

/// Every measure that varies: the truth, the mean half-width, and how often the interval held it.
pub fn coverage_table(found: &[Coverage]) -> Table {
    let header = [
        "measure",
        "truth",
        "half-width",
        "too few",
        "at most",
        "coverage",
    ];
    let shown = found
        .iter()
        .filter(|c| c.too_few > 0 || (c.stated > 0 && c.varies()));
    let rows = shown.map(|c| {
        vec![
            Entry::from(c.measure),
            Entry::count(c.truth),
            if c.stated > 0 {
                Entry::count(c.half_width)
            } else {
                "-".into()
            },
            Entry::percent(c.too_few as f64 / c.experiments as f64),
            Entry::percent(c.bounds as f64 / c.experiments as f64),
            if c.stated > 0 {
                Entry::percent(c.share())
            } else {
                "-".into()
            },
        ]
    });
    table(&header, 1, rows)
}
