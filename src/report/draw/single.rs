//! A chart in one plot, each line named at its end.

use super::chart::{Chart, Mark, Series};
use super::hover::{Hover, Pixel};
use super::labels::{shortened, spread, uprights};
use super::lines::{self, Plot};
use super::style::{FONT, GREY, INK, SIZE, colour, text_colour};
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What is left for the names of the lines, beside the plot.
const NAMES_WIDTH: u32 = 250;
/// As many characters of a name have room there.
const NAME_LENGTH: usize = 28;
/// From one name to the next.
const APART: f64 = 21.0;

/// Draws plot, marks and names.
pub(super) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    root: &DrawingArea<DB, Shift>,
    k: i32,
) -> Result<Hover, NotDrawn> {
    let body = root.margin(76 * k, 30 * k, 12 * k, 12 * k);
    let (area, _) = body.split_horizontally((SIZE.0 - NAMES_WIDTH - 24) * k as u32);
    let (x, y) = chart.ticks();
    let mut plot = ChartBuilder::on(&area)
        .margin(8 * k)
        .x_label_area_size(54 * k)
        .y_label_area_size(92 * k)
        .build_cartesian_2d(x, y)?;
    plot.configure_mesh()
        .x_desc(chart.x.label.as_str())
        .y_desc(chart.y.label.as_str())
        .max_light_lines(1)
        .x_labels(12)
        .y_labels(10)
        .x_label_formatter(&|v| (chart.x.format)(*v))
        .y_label_formatter(&|v| (chart.y.format)(*v))
        .label_style((FONT, 14 * k).into_font().color(&INK))
        .axis_desc_style((FONT, 16 * k).into_font().color(&INK))
        .bold_line_style(RGBColor(214, 214, 214))
        .light_line_style(RGBColor(240, 240, 240))
        .axis_style(GREY)
        .draw()?;
    draw_marks(&mut plot, chart, k)?;
    let mut hover = Hover::default();
    for s in &chart.series {
        lines::draw(root, &mut plot, chart, s, &mut hover, k)?;
    }
    draw_names(&plot, chart, root, k)?;
    Ok(hover)
}

fn draw_marks<DB: DrawingBackend>(
    plot: &mut Plot<DB>,
    chart: &Chart,
    k: i32,
) -> Result<(), NotDrawn> {
    let (across, along) = plot.plotting_area().get_pixel_range();
    let mut upright: Vec<(&Mark, (i32, i32))> = Vec::new();
    for mark in &chart.marks {
        if !lines::mark(plot, mark, k)? {
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
            let label = Text::new(mark.label.clone(), (8 * k, -16 * k), style);
            plot.plotting_area().draw(&(EmptyElement::at(at) + label))?;
        }
    }
    upright.sort_by_key(|(_, (x, _))| *x);
    let wanted: Vec<(i32, i32)> = upright.iter().map(|u| u.1).collect();
    let places = uprights(&wanted, 16 * k, 8 * k, along.end - along.start);
    for ((mark, (x, _)), place) in upright.into_iter().zip(places) {
        let Some(place) = place else { continue };
        let style = style_of(mark, k).transform(FontTransform::Rotate90);
        // On the side of the line where there is room.
        let is_far_right = (x - across.start) * 10 > (across.end - across.start) * 9;
        let shift = if is_far_right { -6 } else { 18 };
        let label = Text::new(mark.label.clone(), (shift * k, place.from), style);
        let top = EmptyElement::at((mark.at, plot.y_range().end));
        plot.plotting_area().draw(&(top + label))?;
    }
    Ok(())
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
    let wanted: Vec<f64> = names.iter().map(|n| f64::from(height(n.1))).collect();
    let room = (f64::from(along.start), f64::from(along.end));
    let places = spread(&wanted, APART * f64::from(k), room);
    let left = across.end + 26 * k;
    for ((s, end), y) in names.into_iter().zip(places) {
        let y = y.round() as i32;
        if let Some((x, end_y)) = end {
            let faint = colour(s.colour).mix(0.5).stroke_width(k as u32);
            let lead = [
                (x + 6 * k, end_y),
                (across.end + 6 * k, end_y),
                (left - 3 * k, y),
            ];
            root.draw(&PathElement::new(lead, faint))?;
        }
        lines::sample(root, (left, y), s, k)?;
        let is_empty = s.points().is_empty();
        let told = if is_empty { ": too few" } else { "" };
        let name = shortened(&s.name, NAME_LENGTH - told.len()) + told;
        let ink = if is_empty {
            GREY
        } else {
            text_colour(s.colour)
        };
        let pos = Pos::new(HPos::Left, VPos::Center);
        let style = (FONT, 14 * k).into_font().color(&ink).pos(pos);
        root.draw(&Text::new(name, (left + 40 * k, y), style))?;
    }
    Ok(())
}
