//! Two policies side by side, with what can be said about their difference.

use crate::report::format;
use crate::report::table::{Entry, Table, table};
use crate::run::metric::METRICS;
use crate::study::stats::Estimate;
use crate::study::sweep::{Cell, paired_difference};

/// Every measure that both have: the two means, the paired difference, and the verdict.
pub fn comparison(a: &Cell, b: &Cell) -> Table {
    let difference = format!("{} - {}", b.policy, a.policy);
    let header = ["measure", &a.policy, &b.policy, &difference, "verdict"];
    let rows = METRICS.iter().enumerate().filter_map(|(i, m)| {
        let (ea, eb) = (a.pooled.estimates[i], b.pooled.estimates[i]);
        let d = paired_difference(a, b, i);
        let few = [a, b].map(|c| c.pooled.too_few[i]);
        if few[0] || few[1] {
            let mean = |few: bool, e: Estimate| match few {
                true => format::TOO_FEW.into(),
                false => Entry::interval(Estimate {
                    half_width: f64::NAN,
                    ..e
                }),
            };
            return Some(vec![
                Entry::from(m.name),
                mean(few[0], ea),
                mean(few[1], eb),
                "-".into(),
                "cannot tell: too few calls".into(),
            ]);
        }
        if d.n == 0 || (ea.mean == 0.0 && eb.mean == 0.0) {
            return None;
        }
        Some(vec![
            Entry::from(m.name),
            Entry::count(ea.mean),
            Entry::count(eb.mean),
            Entry::interval(d),
            match m.is_level() {
                true => "a level, no interval is stated".into(),
                false if d.half_width.is_nan() && d.n > 1 => {
                    "cannot tell: less time is simulated than queries look back".into()
                }
                false => verdict(d, &a.policy, &b.policy).into(),
            },
        ])
    });
    table(&header, 1, rows)
}

/// What a paired difference says.
fn verdict(d: Estimate, a: &str, b: &str) -> String {
    if d.half_width.is_nan() {
        "cannot tell from one replication".into()
    } else if d.mean == 0.0 && d.half_width == 0.0 {
        "identical".into()
    } else if d.low() > 0.0 {
        format!("{b} is higher")
    } else if d.high() < 0.0 {
        format!("{a} is higher")
    } else {
        "no significant difference".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_interval() {
        let say = |values: &[f64]| verdict(Estimate::of(values.iter().copied()), "a", "b");
        assert_eq!(say(&[1.0, 1.1, 0.9]), "b is higher");
        assert_eq!(say(&[-1.0, -1.1, -0.9]), "a is higher");
        assert_eq!(say(&[-1.0, 1.1, 0.2]), "no significant difference");
        assert_eq!(say(&[0.0, 0.0, 0.0]), "identical");
        assert_eq!(say(&[3.0]), "cannot tell from one replication");
    }
}
