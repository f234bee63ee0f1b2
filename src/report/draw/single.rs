//! A chart in one plot, each line named at its end.

use super::chart::{Chart, Mark, Series};
use super::cover::Covered;
use super::hover::{Hover, Pixel};
use super::labels::{shortened, spread, uprights};
use super::lines::{self, Plot, line_of};
use super::look::Sheet;
use super::pen::Pen;
use super::style::{FONT, GREY, INK, colour, text_colour};
use super::svg::{Line, group};
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What is left for the names of the lines, beside the plot.
const NAMES_WIDTH: i32 = 250;
/// As many characters of a name have room there.
const NAME_LENGTH: usize = 28;
/// From one name to the next.
const APART: f64 = 21.0;

/// Of the narrow form: its width, where its plot begins below the key, how high that is, and a row of the key.
const NARROW: i32 = 420;
const NARROW_HEAD: i32 = 36;
const NARROW_PLOT: i32 = 340;
const ROW: i32 = 24;
/// Names of at most so many characters stand two in a row.
const HALF_NAME: usize = 18;

/// In how many columns the names of the narrow form stand, and how high that is.
fn narrow_key(chart: &Chart) -> (usize, i32) {
    let is_short = |s: &Series| s.name.chars().count() <= HALF_NAME;
    let columns = if chart.series.iter().all(is_short) {
        2
    } else {
        1
    };
    let rows = chart.series.len().div_ceil(columns) + named_marks(chart).count();
    (columns, rows as i32 * ROW)
}

/// The marks whose names would cross lines in the narrow plot: they stand in its key.
fn named_marks(chart: &Chart) -> impl Iterator<Item = &Mark> {
    chart.marks.iter().filter(|m| !m.label.is_empty())
}

/// How large the narrow form is.
pub(super) fn narrow_size(chart: &Chart) -> (u32, u32) {
    let height = narrow_key(chart).1 + NARROW_HEAD + NARROW_PLOT;
    (NARROW as u32, height as u32)
}

/// Draws plot, marks and names.
pub(super) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    covered: &[Covered],
    root: &DrawingArea<DB, Shift>,
    sheet: Sheet,
    k: i32,
) -> Result<Hover, NotDrawn> {
    let is_narrow = sheet.is_narrow();
    let area = if is_narrow {
        let head = narrow_key(chart).1 + NARROW_HEAD - 8;
        root.margin((head + sheet.above) * k, sheet.below * k, 0, 12 * k)
    } else {
        let (above, below) = (76 + sheet.above, 30 + sheet.below);
        let body = root.margin(above * k, below * k, 12 * k, 12 * k);
        let width = sheet.size().0 - NAMES_WIDTH - 24;
        body.split_horizontally((width * k) as u32).0
    };
    let (x, y) = chart.ticks();
    let mut plot = ChartBuilder::on(&area)
        .margin(8 * k)
        .x_label_area_size(54 * k)
        .y_label_area_size(if is_narrow { 66 } else { 92 } * k)
        .build_cartesian_2d(x, y)?;
    let (write_x, write_y) = (|v: &f64| (chart.x.format)(*v), |v: &f64| chart.y_label(*v));
    let mut mesh = plot.configure_mesh();
    mesh.x_desc(chart.x.label.as_str())
        .max_light_lines(if is_narrow { 0 } else { 1 })
        .x_labels(if is_narrow {
            4
        } else {
            sheet.size().0 as usize / 100
        })
        .y_labels(if is_narrow { 7 } else { 10 })
        .x_label_formatter(&write_x)
        .y_label_formatter(&write_y)
        .label_style(
            (FONT, (14 + 2 * i32::from(is_narrow)) * k)
                .into_font()
                .color(&INK),
        )
        .axis_desc_style((FONT, 16 * k).into_font().color(&INK))
        .bold_line_style(RGBColor(214, 214, 214))
        .light_line_style(RGBColor(240, 240, 240))
        .axis_style(GREY);
    if !is_narrow {
        mesh.y_desc(chart.y.label.as_str());
    }
    mesh.draw()?;
    lines::floor(&plot, root, k)?;
    draw_marks(&mut plot, chart, root, is_narrow, k)?;
    let mut hover = Hover::along(&chart.x.label);
    for (s, covered) in chart.series.iter().zip(covered) {
        group(root, k, line_of(chart, s), || {
            lines::draw(root, &mut plot, chart, (s, covered), &mut hover, k)
        })?;
    }
    if is_narrow {
        draw_key(chart, sheet.above, &Pen { root, k })?;
    } else {
        draw_names(&plot, chart, root, k)?;
    }
    Ok(hover)
}

/// What the lines are, above the plot.
fn draw_key<DB: DrawingBackend>(chart: &Chart, top: i32, pen: &Pen<DB>) -> Result<(), NotDrawn> {
    let (columns, height) = narrow_key(chart);
    let width = (NARROW - 16) / columns as i32;
    for (i, s) in chart.series.iter().enumerate() {
        let (column, row) = ((i % columns) as i32, (i / columns) as i32);
        let at = (10 + column * width, top + 14 + row * ROW);
        group(pen.root, pen.k, line_of(chart, s), || {
            lines::sample(pen.root, (at.0 * pen.k, at.1 * pen.k), s, pen.k)?;
            let name = shortened(&s.name, 42 / columns);
            let ink = text_colour(s.colour);
            pen.label(&name, (at.0 + 42, at.1), 16, ink, HPos::Left)
        })?;
    }
    let first = chart.series.len().div_ceil(columns) as i32;
    for (i, mark) in named_marks(chart).enumerate() {
        let at = (10, top + 14 + (first + i as i32) * ROW);
        let ink = mark.colour.map_or(GREY, text_colour);
        group(pen.root, pen.k, owner(chart, mark), || {
            let (a, b) = match mark.vertical {
                true => ((at.0 + 17, at.1 - 9), (at.0 + 17, at.1 + 9)),
                false => (at, (at.0 + 34, at.1)),
            };
            pen.sample(a, b, Some((3, 5)), ink)?;
            let name = shortened(&mark.label, 48);
            pen.label(&name, (at.0 + 42, at.1), 14, ink, HPos::Left)
        })?;
    }
    let at = (10, top + height + 18);
    pen.label(&chart.y.label, at, 15, GREY, HPos::Left)
}

fn draw_marks<DB: DrawingBackend>(
    plot: &mut Plot<DB>,
    chart: &Chart,
    root: &DrawingArea<DB, Shift>,
    is_narrow: bool,
    k: i32,
) -> Result<(), NotDrawn> {
    let (across, along) = plot.plotting_area().get_pixel_range();
    // Names of marks across, each with its height and where it ends.
    let mut named: Vec<(i32, i32)> = Vec::new();
    let mut upright: Vec<(&Mark, (i32, i32))> = Vec::new();
    for mark in &chart.marks {
        let mut is_inside = false;
        group(root, k, owner(chart, mark), || {
            is_inside = lines::mark(plot, mark, k)?;
            Ok(())
        })?;
        if !is_inside || is_narrow {
            continue;
        }
        let style = style_of(mark, k);
        let (length, _) = plot
            .plotting_area()
            .estimate_text_size(&mark.label, &style)?;
        if mark.vertical {
            let x = plot
                .plotting_area()
                .map_coordinate(&(mark.at, plot.y_range().start))
                .0;
            upright.push((mark, (x, length as i32)));
        } else {
            let at = (plot.x_range().start, mark.at);
            let height = plot.plotting_area().map_coordinate(&at).1;
            let near = named.iter().filter(|n| (n.0 - height).abs() < 15 * k);
            let first = near.map(|n| n.1 + 12 * k).max().unwrap_or(8 * k);
            // Where no line goes through it, as far left as can be; above its own line rather than beneath.
            let last = (across.end - across.start - length as i32 - 8 * k).max(first);
            let steps = (first..=last).step_by(8 * k as usize);
            let is_clear = |from: &i32, rise: i32| {
                let left = across.start + from - 2 * k;
                let drawn = lines::heights(plot, chart, left..left + length as i32 + 4 * k);
                let (above, below) = (height + rise - k, height + rise + 14 * k);
                drawn.iter().all(|d| d.1 < above || below < d.0)
            };
            let clear = |rise: i32| steps.clone().find(|from| is_clear(from, rise));
            let (from, rise) = [-16 * k, 4 * k]
                .into_iter()
                .find_map(|rise| clear(rise).map(|from| (from, rise)))
                .unwrap_or((first, -16 * k));
            named.push((height, from + length as i32));
            let label = Text::new(mark.label.clone(), (from, rise), style);
            plot.plotting_area().draw(&(EmptyElement::at(at) + label))?;
        }
    }
    upright.sort_by_key(|(_, (x, _))| *x);
    let wanted: Vec<(i32, i32)> = upright.iter().map(|u| u.1).collect();
    let beside = |x: i32, is_left: bool| {
        let span = match is_left {
            true => x - 22 * k..x,
            false => x..x + 22 * k,
        };
        lines::heights(plot, chart, span)
            .into_iter()
            .map(|(a, b)| (a - along.start - 4 * k, b - along.start + 4 * k))
    };
    // On the side of the line where there is room, and no other line through the label.
    let is_left = |x: i32, length: i32| {
        let is_far_right = (x - across.start) * 10 > (across.end - across.start) * 9;
        let other = |side: i32| {
            wanted
                .iter()
                .any(|o| (1..20 * k).contains(&((o.0 - x) * side)))
        };
        let is_crossed = |left: bool| beside(x, left).any(|d| d.0 < 8 * k + length && 8 * k < d.1);
        let is_better = is_crossed(false) && !is_crossed(true) && x - across.start > 22 * k;
        is_far_right || (!other(-1) && (other(1) || is_better))
    };
    let drawn = |(x, length): &(i32, i32)| beside(*x, is_left(*x, *length)).collect();
    let drawn: Vec<Vec<(i32, i32)>> = wanted.iter().map(drawn).collect();
    let places = uprights(&wanted, &drawn, 16 * k, 8 * k, along.end - along.start);
    for ((mark, (x, length)), place) in upright.into_iter().zip(places) {
        let Some(place) = place else { continue };
        let style = style_of(mark, k).transform(FontTransform::Rotate90);
        let shift = if is_left(x, length) { -6 } else { 18 };
        let label = Text::new(mark.label.clone(), (shift * k, place.from), style);
        let top = EmptyElement::at((mark.at, plot.y_range().end));
        group(root, k, owner(chart, mark), || {
            plot.plotting_area().draw(&(top + label))?;
            Ok(())
        })?;
    }
    Ok(())
}

/// What a mark belongs to: lines of its colour, or none.
fn owner<'a>(chart: &'a Chart, mark: &Mark) -> Line<'a> {
    let series = chart.series.iter().find(|s| Some(s.colour) == mark.colour);
    Line {
        family: series.map_or("", |s| line_of(chart, s).family),
        part: "",
        name: "",
    }
}

fn style_of(mark: &Mark, k: i32) -> TextStyle<'static> {
    let ink = mark.colour.map_or(GREY, text_colour);
    (FONT, 13 * k).into_font().color(&ink)
}

/// Writes the name of each line beside its end, as near as the others allow; points that no line joins and lines
/// without a point have no end.
fn draw_names<DB: DrawingBackend>(
    plot: &Plot<DB>,
    chart: &Chart,
    root: &DrawingArea<DB, Shift>,
    k: i32,
) -> Result<(), NotDrawn> {
    let (across, along) = plot.plotting_area().get_pixel_range();
    let ys = plot.y_range();
    let end_of = |s: &Series| -> Option<Pixel> {
        let last = *s.points().last()?;
        let at = (last.x, last.y.clamp(ys.start, ys.end));
        (!s.scatter).then(|| plot.plotting_area().map_coordinate(&at))
    };
    let mut names: Vec<(&Series, Option<Pixel>)> =
        chart.series.iter().map(|s| (s, end_of(s))).collect();
    let without_end = if chart.series.iter().any(|s| s.scatter) {
        along.start
    } else {
        along.end
    };
    let height = |end: Option<Pixel>| end.map_or(without_end, |e| e.1);
    names.sort_by_key(|n| height(n.1));
    let latest = names.iter().filter_map(|n| n.1).map(|end| end.0).max();
    let wanted: Vec<f64> = names.iter().map(|n| f64::from(height(n.1))).collect();
    let room = (f64::from(along.start), f64::from(along.end));
    let places = spread(&wanted, APART * f64::from(k), room);
    let left = across.end + 26 * k;
    for ((s, end), y) in names.into_iter().zip(places) {
        let y = y.round() as i32;
        let is_empty = s.points().is_empty();
        // A line that ends before others is told to, as nothing leads from its end to its name.
        let is_early = end.is_some_and(|(x, _)| latest.is_some_and(|l| x < l - 12 * k));
        let ends = match s.points().last() {
            None => ": too few".to_owned(),
            Some(d) if is_early => format!(" (to {})", (chart.x.format)(d.x)),
            Some(_) => String::new(),
        };
        group(root, k, line_of(chart, s), || {
            if let Some((x, end_y)) = end.filter(|_| !is_early) {
                let faint = colour(s.colour).mix(0.5).stroke_width(k as u32);
                let lead = [
                    (x + 6 * k, end_y),
                    (across.end + 6 * k, end_y),
                    (left - 3 * k, y),
                ];
                root.draw(&PathElement::new(lead, faint))?;
            }
            lines::sample(root, (left, y), s, k)?;
            let name = shortened(&s.name, NAME_LENGTH - ends.len()) + &ends;
            let ink = if is_empty {
                GREY
            } else {
                text_colour(s.colour)
            };
            let pos = Pos::new(HPos::Left, VPos::Center);
            let style = (FONT, 14 * k).into_font().color(&ink).pos(pos);
            root.draw(&Text::new(name, (left + 40 * k, y), style))?;
            Ok(())
        })?;
    }
    Ok(())
}
