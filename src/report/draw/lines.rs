//! Lines with their bands and points, and lines that mark values.

use super::chart::{Chart, Datum, Mark, Series};
use super::cover::Covered;
use super::hover::Hover;
use super::labels::family;
use super::style::{GREY, colour};
use super::svg::Line;
use super::ticks::Ticks;
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::ops::Range;

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

    /// The same, in the stretches that a line joins, each with the index of its first point: none joins what a
    /// missing value parts, nor what stands beneath the axis to what does not.
    fn stretches(&self, floor: Option<f64>) -> Vec<(usize, Vec<&Datum>)> {
        let is_there = |d: &Datum| d.x.is_finite() && d.y.is_finite();
        let is_beneath = |d: &Datum| floor.is_some_and(|f| d.y <= f);
        let goes_on = |a: &Datum, b: &Datum| {
            is_there(a) == is_there(b) && (!is_there(a) || is_beneath(a) == is_beneath(b))
        };
        let mut next = 0;
        let mut all = Vec::new();
        for run in self
            .data
            .chunk_by(goes_on)
            .filter(|run| run.first().is_some_and(is_there))
        {
            all.push((next, run.iter().collect()));
            next += run.len();
        }
        all
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

/// Many points would hide their line, or each other's intervals.
pub(super) const MOST_MARKED: usize = 40;

fn is_banded(d: &Datum) -> bool {
    d.low.is_finite() && d.high.is_finite()
}

/// Draws a line with its band and points; the values of these are told to `hover`. Hollow is a point
/// whose interval is not known; a point alone has its interval as an upright line. Where others lie on the line
/// (`covered`), it gets a rim. `root` is the whole drawing: points on the edge of the plot reach beyond it.
pub(super) fn draw<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    plot: &mut Plot<DB>,
    chart: &Chart,
    (s, covered): (&Series, &Covered),
    hover: &mut Hover,
    k: i32,
) -> Result<(), NotDrawn> {
    let ink = colour(s.colour);
    let y = chart.ticks().1;
    let clip = |v: f64| v.clamp(y.range.start, y.range.end);
    let stretches = s.stretches(y.floor());
    for (_, stretch) in stretches.iter().filter(|_| !s.scatter) {
        // An interval that reaches beneath the axis ends with the axis.
        let low = |d: &Datum| match y.floor().is_some_and(|f| d.y <= f) {
            true => clip(d.low),
            false => clip(d.low).max(y.least()),
        };
        for run in stretch.chunk_by(|a, b| is_banded(a) == is_banded(b)) {
            let banded = || run.iter().filter(|d| is_banded(d));
            let upper = banded().map(|d| (d.x, clip(d.high)));
            let lower = banded().rev().map(|d| (d.x, low(d)));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            if band.len() > 2 {
                plot.draw_series([Polygon::new(band, ink.mix(0.22).filled())])?;
            } else if band.len() == 2 {
                let whisker = ink.mix(0.6).stroke_width(2 * k as u32);
                plot.draw_series([PathElement::new(band, whisker)])?;
            }
        }
    }
    let points = s.points();
    let is_marked = s.scatter || points.len() <= MOST_MARKED;
    if s.scatter && points.len() <= MOST_MARKED {
        let whisker = ink.mix(0.6).stroke_width(k as u32);
        let ends = points
            .iter()
            .filter(|d| is_banded(d))
            .map(|d| [(d.x, clip(d.low)), (d.x, clip(d.high))]);
        plot.draw_series(ends.map(|ends| PathElement::new(ends, whisker)))?;
    }
    rims(root, plot, s, &stretches, covered, is_marked, k)?;
    if !s.scatter {
        trace(plot, s, ink, 2, k)?;
    }
    let has_intervals = chart.has_intervals();
    let alone: Vec<usize> = stretches
        .iter()
        .filter(|r| r.1.len() == 1)
        .map(|r| r.0)
        .collect();
    for (i, d) in points.iter().enumerate() {
        let pixel = plot.plotting_area().map_coordinate(&(d.x, clip(d.y)));
        hover.point_of(pixel, Some(d.x), &s.name, chart.reading(d));
        if is_marked || alone.contains(&i) {
            marker(root, pixel, s, has_intervals && !is_banded(d), k)?;
        }
    }
    Ok(())
}

/// The rims of a line where others lie on it, the wider the more there are.
fn rims<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    plot: &Plot<DB>,
    s: &Series,
    stretches: &[(usize, Vec<&Datum>)],
    covered: &Covered,
    is_marked: bool,
    k: i32,
) -> Result<(), NotDrawn> {
    let ink = colour(s.colour).mix(0.5);
    let ys = plot.y_range();
    for (first, stretch) in stretches {
        let pixel = |i: usize| {
            let d = stretch[i];
            let at = (d.x, d.y.clamp(ys.start, ys.end));
            plot.plotting_area().map_coordinate(&at)
        };
        // A piece lies under others if both of its ends do.
        let under = |i: usize| covered[first + i].min(covered[first + i + 1]);
        let pieces: Vec<usize> = (1..stretch.len()).map(|i| i - 1).collect();
        for run in pieces.chunk_by(|a, b| under(*a) == under(*b)) {
            let n = under(run[0]);
            if n > 0 {
                let path: Vec<_> = (run[0]..=run[run.len() - 1] + 1).map(pixel).collect();
                let style = ink.stroke_width(((3 + 3 * n as i32) * k) as u32);
                root.draw(&PathElement::new(path, style))?;
            }
        }
        for i in (0..stretch.len()).filter(|_| is_marked) {
            let n = covered[first + i] as i32;
            if n > 0 {
                let r = (4 + 2 * n) * k;
                root.draw(&Circle::new(pixel(i), r, ink.filled()))?;
            }
        }
    }
    Ok(())
}

/// Draws the line alone, in its stretches.
pub(super) fn trace<DB: DrawingBackend>(
    plot: &mut Plot<DB>,
    s: &Series,
    ink: RGBColor,
    width: i32,
    k: i32,
) -> Result<(), NotDrawn> {
    let ys = plot.y_range();
    let style = ink.stroke_width((width * k) as u32);
    let floor = plot.as_coord_spec().y_spec().floor();
    for (_, stretch) in s.stretches(floor) {
        let line = stretch.iter().map(|d| (d.x, d.y.clamp(ys.start, ys.end)));
        match dash(s.dash, k) {
            None => plot.draw_series(LineSeries::new(line, style)).map(|_| ())?,
            Some((size, gap)) => plot
                .draw_series(DashedLineSeries::new(line, size, gap, style))
                .map(|_| ())?,
        }
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

/// The heights, from top to bottom in pixels, at which lines go through a stretch across.
pub(super) fn heights<DB: DrawingBackend>(
    plot: &Plot<DB>,
    chart: &Chart,
    across: Range<i32>,
) -> Vec<(i32, i32)> {
    let floor = plot.as_coord_spec().y_spec().floor();
    let lines = chart.series.iter().filter(|s| !s.scatter);
    let pixel = |d: &Datum| plot.plotting_area().map_coordinate(&(d.x, d.y));
    let mut all = Vec::new();
    for (_, stretch) in lines.flat_map(|s| s.stretches(floor)) {
        let pixels: Vec<(i32, i32)> = stretch.into_iter().map(pixel).collect();
        for (a, b) in pixels.iter().zip(pixels.iter().skip(1)) {
            let (from, to) = (across.start.max(a.0), across.end.min(b.0));
            if from > to {
                continue;
            }
            let at = |x: i32| {
                let f = f64::from(x - a.0) / f64::from((b.0 - a.0).max(1));
                a.1 + (f64::from(b.1 - a.1) * f).round() as i32
            };
            let (p, q) = (at(from), at(to));
            all.push((p.min(q), p.max(q)));
        }
    }
    all
}

/// Sets apart what stands beneath the axis: two white strokes across where it ends.
pub(super) fn floor<DB: DrawingBackend>(
    plot: &Plot<DB>,
    root: &DrawingArea<DB, Shift>,
    k: i32,
) -> Result<(), NotDrawn> {
    let axis = plot.as_coord_spec().y_spec();
    if axis.floor().is_none() {
        return Ok(());
    }
    let (across, along) = plot.plotting_area().get_pixel_range();
    let (x, end) = plot
        .plotting_area()
        .map_coordinate(&(plot.x_range().start, axis.least()));
    let middle = (end + along.end) / 2;
    let half = ((along.end - end) / 4).min(4 * k);
    let corners = [(x - k, middle - half), (across.end, middle + half)];
    root.draw(&Rectangle::new(corners, WHITE.filled()))?;
    for y in [middle - half, middle + half] {
        let stroke = [(x - 7 * k, y + 3 * k), (x + 7 * k, y - 3 * k)];
        root.draw(&PathElement::new(stroke, GREY.stroke_width(k as u32)))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use crate::report::draw::chart::tests::{chart, datum};

    #[test]
    fn no_line_joins_what_a_missing_value_parts_or_what_stands_beneath_the_axis() {
        let mut chart = chart(&["naive"]);
        let s = &mut chart.series[0];
        s.data = [10.0, 20.0, f64::NAN, 40.0, 50.0].map(datum).to_vec();
        s.data[2].x = 30.0;
        let stretches = |floor: Option<f64>| -> Vec<(usize, usize)> {
            let all = chart.series[0].stretches(floor);
            all.iter().map(|(first, run)| (*first, run.len())).collect()
        };
        assert_eq!(stretches(None), [(0, 2), (2, 2)]);
        assert_eq!(stretches(Some(40.0)), [(0, 2), (2, 1), (3, 1)]);
    }
}
