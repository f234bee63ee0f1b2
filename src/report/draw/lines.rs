//! Lines with their bands and points, and lines that mark values.

use super::chart::{Chart, Datum, Mark, Series};
use super::hover::Hover;
use super::labels::family;
use super::style::{GREY, colour};
use super::svg::Line;
use super::ticks::Ticks;
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

/// A plot with its axes.
pub(super) type Plot<'a, DB> = ChartContext<'a, DB, Cartesian2d<Ticks, Ticks>>;

/// Dash and gap lengths; `None` is a solid line.
pub(in crate::report) fn dash(i: usize, k: i32) -> Option<(i32, i32)> {
    match i {
        0 => None,
        1 => Some((9 * k, 5 * k)),
        _ => Some((2 * k, 4 * k)),
    }
}

impl Series {
    /// The points that are drawn.
    pub(super) fn points(&self) -> Vec<&Datum> {
        let is_there = |d: &&Datum| d.x.is_finite() && d.y.is_finite();
        self.data.iter().filter(is_there).collect()
    }
}

impl Chart {
    /// Whether any point has an interval, so that one without is something to tell.
    fn has_intervals(&self) -> bool {
        let mut all = self.series.iter().flat_map(|s| &s.data);
        all.any(|d| d.low.is_finite() && d.high.is_finite())
    }
}

/// What a line of a chart is a line of, and which of these: the words before and after what names of its colour share.
pub(super) fn line_of<'a>(chart: &'a Chart, s: &'a Series) -> Line<'a> {
    let all = chart.series.iter().filter(|o| o.colour == s.colour);
    let names: Vec<&str> = all.map(|o| o.name.as_str()).collect();
    let (family, parts) = family(&names);
    let at = names.iter().position(|n| *n == s.name);
    Line {
        // `lazy: refuses or loses` is a line of `lazy` even where it is the only one.
        family: family.split(':').next().unwrap_or(family),
        part: at.map_or("", |i| parts[i]),
        name: &s.name,
    }
}

/// Draws a line with its band and points; the values of these are told to `hover`. Hollow is a point
/// whose interval is not known. `root` is the whole drawing: points on the edge of the plot reach beyond it.
pub(super) fn draw<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    plot: &mut Plot<DB>,
    chart: &Chart,
    s: &Series,
    hover: &mut Hover,
    k: i32,
) -> Result<(), NotDrawn> {
    let ink = colour(s.colour);
    let ys = plot.y_range();
    let clip = |v: f64| v.clamp(ys.start, ys.end);
    let points = s.points();
    let is_banded = |d: &Datum| d.low.is_finite() && d.high.is_finite();
    let banded = || points.iter().filter(|d| is_banded(d));
    let upper = banded().map(|d| (d.x, clip(d.high)));
    let lower = banded().rev().map(|d| (d.x, clip(d.low)));
    let band: Vec<(f64, f64)> = upper.chain(lower).collect();
    if band.len() > 2 && !s.scatter {
        plot.draw_series([Polygon::new(band, ink.mix(0.22).filled())])?;
    }
    if !s.scatter {
        trace(plot, s, ink, 2, k)?;
    }
    // Many points would hide their line.
    let is_marked = s.scatter || points.len() <= 40;
    let has_intervals = chart.has_intervals();
    for d in &points {
        let pixel = plot.plotting_area().map_coordinate(&(d.x, clip(d.y)));
        hover.point_of(pixel, Some(d.x), &s.name, chart.reading(d));
        if is_marked {
            marker(root, pixel, s, has_intervals && !is_banded(d), k)?;
        }
    }
    Ok(())
}

/// Draws the line alone.
pub(super) fn trace<DB: DrawingBackend>(
    plot: &mut Plot<DB>,
    s: &Series,
    ink: RGBColor,
    width: i32,
    k: i32,
) -> Result<(), NotDrawn> {
    let ys = plot.y_range();
    let points = s.points();
    let line = points.iter().map(|d| (d.x, d.y.clamp(ys.start, ys.end)));
    let style = ink.stroke_width((width * k) as u32);
    match dash(s.dash, k) {
        None => plot.draw_series(LineSeries::new(line, style)).map(|_| ())?,
        Some((size, gap)) => plot
            .draw_series(DashedLineSeries::new(line, size, gap, style))
            .map(|_| ())?,
    }
    Ok(())
}

/// A point, round or square, so that lines differ without colour.
pub(super) fn marker<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    (x, y): (i32, i32),
    s: &Series,
    is_hollow: bool,
    k: i32,
) -> Result<(), NotDrawn> {
    let ink = colour(s.colour);
    let fills = [(4 * k, ink), (2 * k + k / 2, WHITE)];
    for (r, fill) in &fills[..1 + usize::from(is_hollow)] {
        if s.colour.is_multiple_of(2) {
            area.draw(&Circle::new((x, y), *r, fill.filled()))?;
        } else {
            let corners = [(x - r, y - r), (x + r, y + r)];
            area.draw(&Rectangle::new(corners, fill.filled()))?;
        }
    }
    Ok(())
}

/// A short piece of a line with its point, as a key has it.
pub(super) fn sample<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    (x, y): (i32, i32),
    s: &Series,
    k: i32,
) -> Result<(), NotDrawn> {
    let style = colour(s.colour).stroke_width(2 * k as u32);
    let line = [(x, y), (x + 34 * k, y)];
    match dash(s.dash, k) {
        _ if s.scatter => {}
        None => area.draw(&PathElement::new(line, style))?,
        Some((size, gap)) => area.draw(&DashedPathElement::new(line, size, gap, style))?,
    }
    marker(area, (x + 17 * k, y), s, false, k)
}

/// Draws the line of a mark, unless it lies outside.
pub(super) fn mark<DB: DrawingBackend>(
    plot: &mut Plot<DB>,
    mark: &Mark,
    k: i32,
) -> Result<bool, NotDrawn> {
    let (xs, ys) = (plot.x_range(), plot.y_range());
    let (span, ends) = if mark.vertical {
        (&xs, [(mark.at, ys.start), (mark.at, ys.end)])
    } else {
        (&ys, [(xs.start, mark.at), (xs.end, mark.at)])
    };
    let is_inside = (span.start..=span.end).contains(&mark.at);
    if is_inside {
        let ink = mark.colour.map_or(GREY, colour);
        let style = ink.stroke_width(k as u32);
        plot.draw_series(DashedLineSeries::new(ends, 3 * k, 5 * k, style))?;
    }
    Ok(is_inside)
}
