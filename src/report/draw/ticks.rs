//! Where the labels of an axis stand.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// How an axis spaces its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By the logarithm.
    Log,
    /// By the logarithm above the least value of the axis. What is no more than that, nothing among it, has no
    /// place there: it stands apart, on a line beneath.
    Floored,
}

impl Scale {
    /// Whether it spaces by the logarithm.
    pub fn is_log(self) -> bool {
        self != Scale::Linear
    }
}

/// Share of a floored axis that is left for what stands beneath it.
const BENEATH: f64 = 0.07;

/// An axis: a range of values, and where its labels stand.
#[derive(Clone)]
pub(in crate::report) struct Ticks {
    pub(in crate::report) range: Range<f64>,
    pub(in crate::report) scale: Scale,
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range;
        let f = match self.scale {
            Scale::Linear => (value - start) / (end - start),
            Scale::Log => (value / start).ln() / (end / start).ln(),
            Scale::Floored if *value <= start => 0.0,
            Scale::Floored => BENEATH + (1.0 - BENEATH) * (value / start).ln() / (end / start).ln(),
        };
        // What lies far outside must not become a way of many pixels, each of which is drawn.
        let f = if f.is_nan() { 0.0 } else { f.clamp(-1.0, 2.0) };
        limit.0 + (f64::from(limit.1 - limit.0) * f).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let most = hint.max_num_points();
        match self.scale {
            Scale::Linear => self.even_points(most),
            Scale::Log => match self.log_points(most) {
                few if few.len() < 3 => {
                    let finer = self.powers(&[1.0, 3.0]);
                    // Within less than a decade there may be none: so narrow, a logarithm is nearly even.
                    let is_narrow = finer.len() < 3;
                    if is_narrow {
                        self.even_points(most)
                    } else {
                        finer
                    }
                }
                points => points,
            },
            Scale::Floored => {
                let above = |v: &f64| *v > self.range.start * 1.5;
                let all = self.log_points(most).into_iter().filter(above);
                std::iter::once(self.range.start).chain(all).collect()
            }
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticks {}

impl Ticks {
    /// The value beneath which what is there stands apart.
    pub(super) fn floor(&self) -> Option<f64> {
        (self.scale == Scale::Floored).then_some(self.range.start)
    }

    /// Where a value stands, as a share of the axis.
    pub(super) fn share(&self, value: f64) -> f64 {
        const FINE: i32 = 1_000_000;
        f64::from(self.map(&value, (0, FINE))) / f64::from(FINE)
    }

    /// The least value that has a place on the axis itself.
    pub(super) fn least(&self) -> f64 {
        match self.floor() {
            Some(floor) => floor * (1.0 + 1e-9),
            None => self.range.start,
        }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn even_points(&self, most: usize) -> Vec<f64> {
        let Range { start, end } = self.range;
        let least = (end - start) / most.max(2) as f64;
        let decade = 10_f64.powf(least.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade);
        let step = steps.into_iter().find(|s| *s >= least).unwrap_or(steps[3]);
        // So narrow that the ends are one and the same number.
        if !(step > 0.0 && step.is_finite() && start + step > start) {
            return vec![start];
        }
        let first = (start / step - 1e-9).ceil() as i64;
        let last = (end / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    /// 1, 3, 10, 30, ... or, over many decades, powers of ten.
    fn log_points(&self, most: usize) -> Vec<f64> {
        let Range { start, end } = self.range;
        let decades = (end / start).log10();
        let steps: &[f64] = match most as f64 / decades {
            n if n >= 6.0 => &[1.0, 2.0, 3.0, 5.0],
            n if n >= 2.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        self.powers(steps)
    }

    /// These multiples of powers of ten.
    fn powers(&self, steps: &[f64]) -> Vec<f64> {
        let Range { start, end } = self.range;
        // An end that is no number has no decades.
        let decade = |v: f64| v.log10().clamp(-308.0, 308.0);
        let (first, last) = (decade(start).floor() as i32, decade(end).ceil() as i32);
        let all = (first..=last).flat_map(|d| steps.iter().map(move |s| s * 10_f64.powi(d)));
        let slack = 1.0 + 1e-9;
        all.filter(|v| *v * slack >= start && *v <= end * slack)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::coord::ranged1d::BoldPoints;

    /// A narrow panel has room for three labels only: of nearly two decades two of them would be at one end.
    #[test]
    fn an_axis_has_three_labels_where_it_can() {
        let labels = |start: f64, end: f64, most: usize| {
            let ticks = Ticks {
                range: start..end,
                scale: Scale::Log,
            };
            ticks.key_points(BoldPoints(most))
        };
        assert_eq!(labels(4.4, 260.0, 3), [10.0, 30.0, 100.0]);
        assert_eq!(labels(0.5, 2e3, 4), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(labels(100.0, 290.0, 3), [100.0, 200.0]);
    }
}
