//! In what a measure is stated, which its name ends in.

/// What the figures of a measure are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// US dollars.
    Money,
    /// Time, in units of so many to a second: 1000 for milliseconds.
    Time {
        /// Units of the measure in a second.
        per_second: u32,
    },
    /// A part of a whole, from 0 to 1.
    Share,
    /// Bytes.
    Bytes,
    /// Any other number.
    Number,
}

impl Dimension {
    /// That of a measure by its name.
    pub fn of(measure: &str) -> Self {
        let is_one_of = |endings: &[&str]| endings.iter().any(|e| measure.ends_with(e));
        if is_one_of(&["_usd"]) {
            Dimension::Money
        } else if is_one_of(&["_ms"]) {
            Dimension::Time { per_second: 1_000 }
        } else if is_one_of(&["_s"]) {
            Dimension::Time { per_second: 1 }
        } else if is_one_of(&["_rate", "_share", "_ratio"]) {
            Dimension::Share
        } else if is_one_of(&["_bytes"]) {
            Dimension::Bytes
        } else {
            Dimension::Number
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::metric::METRICS;

    #[test]
    fn a_measure_is_what_its_name_ends_in() {
        let of = |name: &str| {
            assert!(METRICS.iter().any(|m| m.name == name), "{name}");
            Dimension::of(name)
        };
        assert_eq!(of("cost_usd"), Dimension::Money);
        assert_eq!(of("query_p95_ms"), Dimension::Time { per_second: 1_000 });
        assert_eq!(of("answer_age_p99_s"), Dimension::Time { per_second: 1 });
        assert_eq!(of("loss_rate"), Dimension::Share);
        assert_eq!(of("requests_refused_share"), Dimension::Share);
        assert_eq!(of("hit_ratio"), Dimension::Share);
        assert_eq!(of("stored_bytes"), Dimension::Bytes);
        assert_eq!(of("retries_per_write"), Dimension::Number);
    }
}
