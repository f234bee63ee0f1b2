//! What a line chart is made from.

pub use super::ticks::Scale;
use super::ticks::Ticks;
use std::collections::BTreeMap;
use std::ops::Range;

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Name with unit.
    pub label: String,
    /// How values are spaced.
    pub scale: Scale,
    /// How its values are written.
    pub format: fn(f64) -> String,
    /// Ends of the axis, where the data should not decide.
    pub min: Option<f64>,
    /// Right or upper end, where the data should not decide.
    pub max: Option<f64>,
}

/// A value with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datum {
    /// Where it stands across.
    pub x: f64,
    /// The value; NaN leaves a gap.
    pub y: f64,
    /// Lower end of the interval; NaN for none.
    pub low: f64,
    /// Upper end of the interval; NaN for none.
    pub high: f64,
}

/// A line, with a band where the data have intervals.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name. Names of lines of one colour begin alike: with what they are lines of.
    pub name: String,
    /// Its points, with `x` rising.
    pub data: Vec<Datum>,
    /// Lines of one colour belong together; see [`Series::dash`].
    pub colour: usize,
    /// Tells lines of one colour apart.
    pub dash: usize,
    /// Points that no line joins (a scatter plot).
    pub scatter: bool,
}

/// A line across the chart that marks a value on one axis.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The value, in the unit of its axis.
    pub at: f64,
    /// What stands beside the line.
    pub label: String,
    /// Whether it is a value of `x`, and the line upright.
    pub vertical: bool,
    /// The colour of the series that it belongs to, or grey.
    pub colour: Option<usize>,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What the chart shows.
    pub title: String,
    /// What was simulated, in one line.
    pub subtitle: String,
    /// The axis across.
    pub x: Axis,
    /// The axis upwards.
    pub y: Axis,
    /// The lines, by colour.
    pub series: Vec<Series>,
    /// Lines that mark values.
    pub marks: Vec<Mark>,
    /// What a reader must know: confidence, clipping.
    pub note: String,
}

impl Chart {
    /// The ends of an axis, from its settings and the data.
    fn range(&self, axis: &Axis, get: fn(&Datum) -> [f64; 3], tight: bool) -> Range<f64> {
        let usable = |v: &f64| v.is_finite() && (!axis.scale.is_log() || *v > 0.0);
        let data = self.series.iter().flat_map(|s| &s.data);
        let values: Vec<f64> = data.flat_map(get).filter(usable).collect();
        let mut low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let mut high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() {
            (low, high) = (1.0, 10.0);
        }
        match axis.scale {
            Scale::Log => {
                if !tight || low == high {
                    (low, high) = (low / 1.25, high * 1.25);
                }
            }
            Scale::Floored => {
                let floor = axis.min.unwrap_or(low);
                (low, high) = (floor, (high * 1.25).max(floor * 10.0));
            }
            Scale::Linear => {
                let pad = if tight && low < high {
                    0.0
                } else {
                    ((high - low) * 0.05).max(1e-9).max(high.abs() * 1e-12)
                };
                (low, high) = (low - pad, high + pad);
            }
        }
        axis.min.unwrap_or(low)..axis.max.unwrap_or(high).max(axis.min.unwrap_or(low) + 1e-9)
    }

    /// A value of the axis upwards, as its labels have it.
    pub(super) fn y_label(&self, v: f64) -> String {
        let floor = self.y.min.filter(|_| self.y.scale == Scale::Floored);
        match floor.is_some_and(|floor| v <= floor) {
            // What stands beneath the axis is nothing, or as good as that.
            true => (self.y.format)(0.0),
            false => (self.y.format)(v),
        }
    }

    /// A point in words: `10M, $5.02 ± $0.01`.
    pub(super) fn reading(&self, d: &Datum) -> String {
        let (x, y) = ((self.x.format)(d.x), (self.y.format)(d.y));
        let (below, above) = (d.y - d.low, d.high - d.y);
        if !below.is_finite() || !above.is_finite() {
            format!("{x}, {y}")
        } else if (below - above).abs() <= 1e-6 * d.y.abs() {
            format!("{x}, {y} ± {}", (self.y.format)(above.max(0.0)))
        } else {
            let (low, high) = ((self.y.format)(d.low), (self.y.format)(d.high));
            format!("{x}, {y} ({low} to {high})")
        }
    }

    /// The lines by their colours, in the order of these.
    pub(super) fn families(&self) -> Vec<(usize, Vec<&Series>)> {
        let mut families: BTreeMap<usize, Vec<&Series>> = BTreeMap::new();
        for s in &self.series {
            families.entry(s.colour).or_default().push(s);
        }
        families.into_iter().collect()
    }

    /// The axes of a plot.
    pub(super) fn ticks(&self) -> (Ticks, Ticks) {
        let x = self.range(&self.x, |d| [d.x; 3], true);
        // On a logarithm an interval that reaches to nothing has no end: it is cut off a decade below its value.
        let get: fn(&Datum) -> [f64; 3] = match self.y.scale.is_log() {
            true => |d| {
                [
                    d.y,
                    if d.low < d.y / 10.0 {
                        d.y / 10.0
                    } else {
                        d.low
                    },
                    d.high,
                ]
            },
            false => |d| [d.y, d.low, d.high],
        };
        let y = self.range(&self.y, get, false);
        let ticks = |range, scale| Ticks { range, scale };
        (ticks(x, self.x.scale), ticks(y, self.y.scale))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn datum(v: f64) -> Datum {
        Datum {
            x: v,
            y: v,
            low: v,
            high: v,
        }
    }

    pub(in super::super) fn mark(label: &str) -> Mark {
        Mark {
            at: 30.0,
            label: label.into(),
            vertical: true,
            colour: None,
        }
    }

    /// A chart of lines from (10, 10) to (100, 100), all in one place.
    pub(in super::super) fn chart(names: &[&str]) -> Chart {
        let axis = || Axis {
            label: String::new(),
            scale: Scale::Log,
            format: |v| format!("{v}"),
            min: None,
            max: None,
        };
        let lines = names.iter().enumerate().map(|(i, name)| Series {
            name: (*name).to_owned(),
            data: vec![datum(10.0), datum(100.0)],
            colour: i,
            dash: 0,
            scatter: false,
        });
        Chart {
            title: String::new(),
            subtitle: String::new(),
            x: axis(),
            y: axis(),
            series: lines.collect(),
            marks: Vec::new(),
            note: String::new(),
        }
    }

    #[test]
    fn an_interval_that_reaches_to_nothing_does_not_stretch_a_logarithmic_axis() {
        let mut chart = chart(&["naive"]);
        chart.series[0].data[0].low = 1e-6;
        let range = chart.ticks().1.range;
        assert!((0.5..1.0).contains(&range.start), "{range:?}");
        chart.series[0].data[0].low = f64::NAN;
        assert_eq!(chart.ticks().1.range.start, 8.0);
    }

    #[test]
    fn what_is_nothing_stands_beneath_a_floored_axis() {
        let mut chart = chart(&["naive"]);
        (chart.y.scale, chart.y.min) = (Scale::Floored, Some(1.0));
        chart.series[0].data[0].y = 0.0;
        let axis = chart.ticks().1;
        assert_eq!(axis.floor(), Some(1.0));
        assert_eq!((axis.share(0.0), axis.share(1.0)), (0.0, 0.0));
        assert_eq!(
            (chart.y_label(1.0), chart.y_label(2.0)),
            ("0".into(), "2".into())
        );
        assert!(axis.share(axis.least()) > 0.05 && axis.share(1.5) > axis.share(axis.least()));
    }
}
