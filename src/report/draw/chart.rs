//! Line charts, drawn alike as SVG and PNG, with text from a font inside the binary.

use super::drawing::{self, Drawing};
use super::hover::Hover;
use super::style::{FONT, GREY, INK, SIZE, colour, text_colour};
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

/// How an axis spaces its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By the logarithm.
    Log,
}

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
    /// Its name in the legend.
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

const LEGEND_WIDTH: u32 = 250;

impl Drawing for Chart {
    fn size(&self) -> (u32, u32) {
        SIZE
    }

    fn heading(&self) -> [&str; 3] {
        [&self.title, &self.subtitle, &self.note]
    }

    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        k: i32,
    ) -> Result<Hover, NotDrawn> {
        let body = root.margin(76 * k, 30 * k, 12 * k, 12 * k);
        let (plot, legend) = body.split_horizontally((SIZE.0 - LEGEND_WIDTH - 24) * k as u32);
        let x = self.range(&self.x, |d| [d.x; 3], true);
        let y = self.range(&self.y, |d| [d.y, d.low, d.high], false);
        let ticks = |range, scale| Ticks { range, scale };
        let hover = self.plot(&plot, ticks(x, self.x.scale), ticks(y, self.y.scale), k)?;
        self.legend(&legend, k)?;
        Ok(hover)
    }
}

impl Chart {
    /// Draws the chart into a file: SVG or PNG, by the path's extension.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn draw(&self, path: &Path) -> Result<(), WriteError> {
        drawing::draw(self, path)
    }

    /// The ends of an axis, from its settings and the data.
    fn range(&self, axis: &Axis, get: fn(&Datum) -> [f64; 3], tight: bool) -> Range<f64> {
        let usable = |v: &f64| v.is_finite() && (axis.scale == Scale::Linear || *v > 0.0);
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

    fn plot<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        x: Ticks,
        y: Ticks,
        k: i32,
    ) -> Result<Hover, NotDrawn> {
        let (xs, ys) = (x.range(), y.range());
        let mut chart = ChartBuilder::on(area)
            .margin(8 * k)
            .x_label_area_size(54 * k)
            .y_label_area_size(92 * k)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(self.x.label.as_str())
            .y_desc(self.y.label.as_str())
            .max_light_lines(1)
            .x_labels(12)
            .y_labels(10)
            .x_label_formatter(&|v| (self.x.format)(*v))
            .y_label_formatter(&|v| (self.y.format)(*v))
            .label_style((FONT, 14 * k).into_font().color(&INK))
            .axis_desc_style((FONT, 16 * k).into_font().color(&INK))
            .bold_line_style(RGBColor(214, 214, 214))
            .light_line_style(RGBColor(240, 240, 240))
            .axis_style(GREY)
            .draw()?;
        for mark in &self.marks {
            let ink = mark.colour.map_or(GREY, colour);
            let (from, to) = if mark.vertical {
                ((mark.at, ys.start), (mark.at, ys.end))
            } else {
                ((xs.start, mark.at), (xs.end, mark.at))
            };
            let span = if mark.vertical { &xs } else { &ys };
            if !(span.start..=span.end).contains(&mark.at) {
                continue;
            }
            let style = ink.stroke_width(k as u32);
            chart.draw_series(DashedLineSeries::new([from, to], 3 * k, 5 * k, style))?;
            let label_ink = mark.colour.map_or(GREY, text_colour);
            let label = (FONT, 13 * k).into_font().color(&label_ink);
            if mark.vertical {
                let label = label.transform(FontTransform::Rotate90);
                // On the side of the line where there is room.
                let f = match self.x.scale {
                    Scale::Linear => (mark.at - xs.start) / (xs.end - xs.start),
                    Scale::Log => (mark.at / xs.start).ln() / (xs.end / xs.start).ln(),
                };
                let shift = if f > 0.9 { -6 } else { 18 };
                let place =
                    EmptyElement::at(to) + Text::new(mark.label.clone(), (shift * k, 8 * k), label);
                chart.plotting_area().draw(&place)?;
            } else {
                let place =
                    EmptyElement::at(from) + Text::new(mark.label.clone(), (8 * k, -16 * k), label);
                chart.plotting_area().draw(&place)?;
            }
        }
        let clip = |v: f64| v.clamp(ys.start, ys.end);
        let mut hover = Hover::default();
        for s in &self.series {
            let ink = colour(s.colour);
            let data: Vec<&Datum> = s
                .data
                .iter()
                .filter(|d| d.x.is_finite() && d.y.is_finite())
                .collect();
            let banded = || {
                data.iter()
                    .filter(|d| d.low.is_finite() && d.high.is_finite())
            };
            let upper = banded().map(|d| (d.x, clip(d.high)));
            let lower = banded().rev().map(|d| (d.x, clip(d.low)));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            if band.len() > 2 && !s.scatter {
                let shade = ink.mix(0.22).filled();
                chart.draw_series([Polygon::new(band, shade)])?;
            }
            let line = data.iter().map(|d| (d.x, clip(d.y)));
            let style = ink.stroke_width(2 * k as u32);
            match dash(s.dash, k) {
                _ if s.scatter => Ok(()),
                None => chart.draw_series(LineSeries::new(line, style)).map(|_| ()),
                Some((size, gap)) => chart
                    .draw_series(DashedLineSeries::new(line, size, gap, style))
                    .map(|_| ()),
            }?;
            // Many points would hide their line.
            let marked = s.scatter || data.len() <= 40;
            for d in &data {
                let at = (d.x, clip(d.y));
                let area = chart.plotting_area();
                hover.point(area.map_coordinate(&at), &s.name, self.reading(d));
                if !marked {
                    continue;
                }
                // Round or square, so that lines differ without colour.
                if s.colour.is_multiple_of(2) {
                    area.draw(&Circle::new(at, 4 * k, ink.filled()))?;
                } else {
                    let square = Rectangle::new([(-4 * k, -4 * k), (4 * k, 4 * k)], ink.filled());
                    area.draw(&(EmptyElement::at(at) + square))?;
                }
            }
        }
        Ok(hover)
    }

    /// A point in words: `10M, $5.02 ± $0.01`.
    fn reading(&self, d: &Datum) -> String {
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

    fn legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: i32,
    ) -> Result<(), NotDrawn> {
        let font = (FONT, 15 * k).into_font().color(&INK);
        for (i, s) in self.series.iter().enumerate() {
            let y = (24 + 28 * i as i32) * k;
            let ink = colour(s.colour);
            let style = ink.stroke_width(2 * k as u32);
            let line = [(12 * k, y), (58 * k, y)];
            match dash(s.dash, k) {
                _ if s.scatter => {}
                None => area.draw(&PathElement::new(line, style))?,
                Some((size, gap)) => {
                    let path = DashedPathElement::new(line, size, gap, style);
                    area.draw(&path)?;
                }
            }
            if s.colour.is_multiple_of(2) {
                area.draw(&Circle::new((35 * k, y), 4 * k, ink.filled()))?;
            } else {
                let square =
                    Rectangle::new([(31 * k, y - 4 * k), (39 * k, y + 4 * k)], ink.filled());
                area.draw(&square)?;
            }
            area.draw(&Text::new(
                s.name.clone(),
                (68 * k, y - 8 * k),
                font.clone(),
            ))?;
        }
        Ok(())
    }
}

/// Dash and gap lengths; `None` is a solid line.
pub(in crate::report) fn dash(i: usize, k: i32) -> Option<(i32, i32)> {
    match i {
        0 => None,
        1 => Some((9 * k, 5 * k)),
        _ => Some((2 * k, 4 * k)),
    }
}

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
        };
        // What lies far outside must not become a way of many pixels, each of which is drawn.
        let f = if f.is_nan() { 0.0 } else { f.clamp(-1.0, 2.0) };
        limit.0 + (f64::from(limit.1 - limit.0) * f).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let most = hint.max_num_points();
        match self.scale {
            Scale::Linear => self.even_points(most),
            Scale::Log => self.log_points(most),
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticks {}

impl Ticks {
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
        // An end that is no number has no decades.
        let decade = |v: f64| v.log10().clamp(-308.0, 308.0);
        let (first, last) = (decade(start).floor() as i32, decade(end).ceil() as i32);
        let all = (first..=last).flat_map(|d| steps.iter().map(move |s| s * 10_f64.powi(d)));
        let slack = 1.0 + 1e-9;
        all.filter(|v| *v * slack >= start && *v <= end * slack)
            .collect()
    }
}
