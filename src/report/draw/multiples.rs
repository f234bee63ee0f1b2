//! Small multiples: a panel for each family of lines, all with the same axes, the others of the chart behind it in grey.

use super::chart::{Chart, Series};
use super::hover::Hover;
use super::labels::{family, shortened};
use super::lines;
use super::pen::Pen;
use super::style::{FONT, GREY, INK, SIZE, text_colour};
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const COLUMNS: usize = 4;
/// Where the first plot begins, and what is left right of the last.
const LEFT: i32 = 92;
const RIGHT: i32 = 34;
/// Above the panels: heading and key.
const TOP: i32 = 122;
/// Below them: labels and name of the axis, note.
const BOTTOM: i32 = 92;
/// Of a panel: its plot, and the space to the next.
const PLOT: i32 = 150;
const GAP: (i32, i32) = (38, 16);
const FAINT: RGBColor = RGBColor(208, 208, 208);

/// What stands over a plot: its name, and in a second line what is marked in it.
fn head(chart: &Chart) -> i32 {
    let has_marks = chart.marks.iter().any(|m| m.vertical);
    if has_marks { 40 } else { 22 }
}

/// How high the chart is.
pub(super) fn height(chart: &Chart) -> u32 {
    let rows = chart.families().len().div_ceil(COLUMNS) as i32;
    (TOP + BOTTOM + (head(chart) + PLOT + GAP.1) * rows) as u32
}

/// Draws key and panels.
pub(super) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    root: &DrawingArea<DB, Shift>,
    k: i32,
) -> Result<Hover, NotDrawn> {
    let families = chart.families();
    let pen = Pen { root, k };
    draw_key(chart, &families, &pen)?;
    let bottom = height(chart) as i32 - 48;
    pen.label(
        &chart.x.label,
        (SIZE.0 as i32 / 2, bottom),
        14,
        INK,
        HPos::Center,
    )?;
    let mut hover = Hover::default();
    let count = COLUMNS as i32;
    let width = (SIZE.0 as i32 - LEFT - RIGHT - GAP.0 * (count - 1)) / count;
    for (i, (colour, family)) in families.iter().enumerate() {
        let (column, row) = ((i % COLUMNS) as i32, (i / COLUMNS) as i32);
        let panel = Panel {
            chart,
            colour: *colour,
            family,
            at: (
                LEFT + column * (width + GAP.0),
                TOP + row * (head(chart) + PLOT + GAP.1),
            ),
            width,
            is_first: column == 0,
            is_last: i + COLUMNS >= families.len(),
        };
        panel.draw(&pen, &mut hover)?;
    }
    Ok(hover)
}

/// What the dashes stand for, the grey lines, and the marks across.
fn draw_key<DB: DrawingBackend>(
    chart: &Chart,
    families: &[(usize, Vec<&Series>)],
    pen: &Pen<DB>,
) -> Result<(), NotDrawn> {
    pen.label(&chart.y.label, (24, 110), 13, GREY, HPos::Left)?;
    let y = 90;
    let mut x = 24;
    let mut entry = |line: Option<(i32, i32)>, ink: RGBColor, what: &str| {
        pen.sample((x, y), (x + 30, y), line, ink)?;
        pen.label(what, (x + 38, y), 13, INK, HPos::Left)?;
        x += 64 + 7 * what.chars().count() as i32;
        Ok::<_, NotDrawn>(())
    };
    let largest = families.iter().max_by_key(|f| f.1.len());
    if let Some((_, lines)) = largest.filter(|f| f.1.len() > 1) {
        let names: Vec<&str> = lines.iter().map(|s| s.name.as_str()).collect();
        let (_, parts) = family(&names);
        for (s, part) in lines.iter().zip(parts) {
            let what = if part.is_empty() {
                "served in full"
            } else {
                part
            };
            entry(lines::dash(s.dash, 1), INK, what)?;
        }
    }
    entry(None, FAINT, "the others")?;
    for mark in chart.marks.iter().filter(|m| !m.vertical) {
        entry(Some((3, 5)), GREY, &mark.label)?;
    }
    Ok(())
}

/// A family of lines with its plot.
struct Panel<'a> {
    chart: &'a Chart,
    colour: usize,
    family: &'a [&'a Series],
    /// Its upper left corner.
    at: (i32, i32),
    width: i32,
    /// Whether it has the labels of the axis upwards, and of that across.
    is_first: bool,
    is_last: bool,
}

impl Panel<'_> {
    fn draw<DB: DrawingBackend>(&self, pen: &Pen<DB>, hover: &mut Hover) -> Result<(), NotDrawn> {
        let (chart, k) = (self.chart, pen.k);
        let head = head(chart);
        let (left, top) = (self.at.0, self.at.1 + head);
        let names: Vec<&str> = self.family.iter().map(|s| s.name.as_str()).collect();
        let (name, _) = family(&names);
        let title = shortened(name, self.width as usize / 8);
        let ink = text_colour(self.colour);
        pen.label(&title, (left, top - head + 10), 15, ink, HPos::Left)?;
        let gutter = if self.is_first { LEFT - 12 } else { 0 };
        let below = if self.is_last { 26 } else { 0 };
        let area = pen.root.clone().shrink(
            ((left - gutter) * k, top * k),
            ((self.width + gutter) * k, (PLOT + below) * k),
        );
        let (x, y) = chart.ticks();
        let mut plot = ChartBuilder::on(&area)
            .x_label_area_size(below * k)
            .y_label_area_size(gutter * k)
            .build_cartesian_2d(x, y)?;
        plot.configure_mesh()
            .max_light_lines(0)
            .x_labels(3)
            .y_labels(5)
            .x_label_formatter(&|v| (chart.x.format)(*v))
            .y_label_formatter(&|v| (chart.y.format)(*v))
            .label_style((FONT, 13 * k).into_font().color(&INK))
            .bold_line_style(RGBColor(226, 226, 226))
            .axis_style(GREY)
            .draw()?;
        let others = chart.series.iter().filter(|s| s.colour != self.colour);
        for other in others.filter(|s| s.dash == 0) {
            lines::trace(&mut plot, other, FAINT, 1, k)?;
        }
        let is_mine = |m: &&super::chart::Mark| m.colour.is_none_or(|c| c == self.colour);
        let mut told = String::new();
        for mark in chart.marks.iter().filter(is_mine) {
            if lines::mark(&mut plot, mark, k)? && mark.vertical {
                let label = mark.label.strip_prefix(name).unwrap_or(&mark.label);
                told = label.trim_start_matches([' ', ':']).to_owned();
            }
        }
        let told = shortened(&told, self.width as usize / 6);
        pen.label(&told, (left, top - 10), 11, GREY, HPos::Left)?;
        for s in self.family {
            lines::draw(pen.root, &mut plot, chart, s, hover, k)?;
        }
        if self.family.iter().all(|s| s.points().is_empty()) {
            let middle = (left + self.width / 2, top + PLOT / 2);
            pen.label("too few", middle, 13, GREY, HPos::Center)?;
        }
        Ok(())
    }
}
