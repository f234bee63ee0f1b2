//! Small multiples: a panel for each family of lines, all with the same axes, the others of the chart behind it in grey.

use super::chart::{Chart, Series};
use super::cover::Covered;
use super::hover::Hover;
use super::labels::{family, shortened};
use super::lines::{self, line_of};
use super::look::{self, Form};
use super::pen::Pen;
use super::style::{FONT, GREY, INK, text_colour};
use super::svg::{Line, group};
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Above the panels of the wide form: heading and key.
const TOP: i32 = 122;
/// Of a panel: its plot, that of a single row of them, and the space to the next.
const PLOT: i32 = 150;
const HIGH_PLOT: i32 = 360;
const GAP: (i32, i32) = (38, 16);
const FAINT: RGBColor = RGBColor(208, 208, 208);
/// A row of the key.
const ROW: i32 = 22;

/// Where all is: on a wide page, or on a narrow one without heading.
#[derive(Clone, Copy)]
struct Sheet {
    width: i32,
    columns: usize,
    /// Where the first plot begins, and what is left right of the last.
    left: i32,
    right: i32,
    /// Above the first row of panels, and below the last: labels and name of the axis, note.
    top: i32,
    bottom: i32,
    /// Where the key begins.
    key: (i32, i32),
    /// By how much texts are larger.
    larger: i32,
    /// How high a plot is.
    plot: i32,
    is_narrow: bool,
}

const PRINT: Sheet = Sheet {
    width: 1200,
    columns: 4,
    left: 92,
    right: 34,
    top: TOP,
    bottom: 92,
    key: (24, 90),
    larger: 0,
    plot: PLOT,
    is_narrow: false,
};

const SLIDES: Sheet = Sheet {
    width: 960,
    columns: 3,
    ..PRINT
};

const NARROW: Sheet = Sheet {
    width: 420,
    columns: 2,
    left: 64,
    right: 16,
    top: 30,
    bottom: 52,
    key: (10, 14),
    larger: 3,
    plot: PLOT,
    is_narrow: true,
};

fn sheet(chart: &Chart, on: look::Sheet) -> Sheet {
    let form = match on.form {
        Form::Print => PRINT,
        Form::Slides => SLIDES,
        Form::Phone => NARROW,
    };
    let entries = key(chart);
    let last = entries.last().map_or(0, |e| e.at(&form, &entries).1);
    let rows = last - form.key.1;
    let key = (form.key.0, form.key.1 + on.above);
    let top = match on.form {
        // Of one row, there is as much room as the labels of the axis take.
        Form::Print | Form::Slides => form.top + rows,
        Form::Phone => form.top + last,
    };
    // A few panels share the whole width.
    let panels = chart.families().len();
    let plot = match panels < form.columns && !form.is_narrow {
        true => HIGH_PLOT,
        false => form.plot,
    };
    Sheet {
        top: top + on.above,
        bottom: form.bottom + on.below,
        key,
        columns: form.columns.min(panels.max(1)),
        plot,
        ..form
    }
}

/// What stands over a plot: its name, and in a second line what is marked in it.
fn head(chart: &Chart) -> i32 {
    let has_marks = chart.marks.iter().any(|m| m.vertical);
    if has_marks { 40 } else { 22 }
}

/// How large the chart is.
pub(super) fn size(chart: &Chart, on: look::Sheet) -> (u32, u32) {
    let sheet = sheet(chart, on);
    let rows = chart.families().len().div_ceil(sheet.columns) as i32;
    let height = sheet.top + sheet.bottom + (head(chart) + sheet.plot + GAP.1) * rows;
    (sheet.width as u32, height as u32)
}

/// Draws key and panels.
pub(super) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    covered: &[Covered],
    root: &DrawingArea<DB, Shift>,
    on: look::Sheet,
    k: i32,
) -> Result<Hover, NotDrawn> {
    let sheet = sheet(chart, on);
    let families = chart.families();
    let pen = Pen { root, k };
    draw_key(chart, &sheet, &pen)?;
    let below = if sheet.is_narrow { 12 } else { 48 } + on.below;
    let bottom = size(chart, on).1 as i32 - below;
    pen.label(
        &chart.x.label,
        (sheet.width / 2, bottom),
        14 + sheet.larger / 2,
        INK,
        HPos::Center,
    )?;
    let mut hover = Hover::along(&chart.x.label);
    let count = sheet.columns as i32;
    let width = (sheet.width - sheet.left - sheet.right - GAP.0 * (count - 1)) / count;
    for (i, (colour, family)) in families.iter().enumerate() {
        let (column, row) = ((i % sheet.columns) as i32, (i / sheet.columns) as i32);
        let panel = Panel {
            chart,
            covered,
            sheet,
            colour: *colour,
            family,
            at: (
                sheet.left + column * (width + GAP.0),
                sheet.top + row * (head(chart) + sheet.plot + GAP.1),
            ),
            width,
            is_first: column == 0,
            is_last: i + sheet.columns >= families.len(),
        };
        panel.draw(&pen, &mut hover)?;
    }
    Ok(hover)
}

/// What a line of a look stands for.
struct Entry {
    dash: Option<(i32, i32)>,
    ink: RGBColor,
    what: String,
}

impl Entry {
    /// Where it stands among the entries: one after the other, in a new row where there is no room.
    fn at(&self, sheet: &Sheet, all: &[Entry]) -> (i32, i32) {
        let (mut x, mut y) = sheet.key;
        for entry in all {
            let each = 7 + sheet.larger / 2;
            let width = 64 + each * entry.what.chars().count() as i32;
            if x > sheet.key.0 && x + width > sheet.width {
                (x, y) = (sheet.key.0, y + ROW);
            }
            if std::ptr::eq(entry, self) {
                break;
            }
            x += width;
        }
        (x, y)
    }
}

/// What the dashes stand for, the grey lines, and the marks across.
fn key(chart: &Chart) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut entry = |dash: Option<(i32, i32)>, ink: RGBColor, what: &str| {
        let what = what.to_owned();
        entries.push(Entry { dash, ink, what });
    };
    let families = chart.families();
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
            entry(lines::dash(s.dash, 1), INK, what);
        }
    }
    entry(None, FAINT, "the others");
    let (_, y) = chart.ticks();
    let is_drawn = |m: &&super::chart::Mark| !m.vertical && y.range.contains(&m.at);
    for mark in chart.marks.iter().filter(is_drawn) {
        entry(Some((3, 5)), GREY, &mark.label);
    }
    entries
}

fn draw_key<DB: DrawingBackend>(
    chart: &Chart,
    sheet: &Sheet,
    pen: &Pen<DB>,
) -> Result<(), NotDrawn> {
    let size = 13 + sheet.larger;
    let x = sheet.key.0;
    pen.label(&chart.y.label, (x, sheet.top - 12), size, GREY, HPos::Left)?;
    let entries = key(chart);
    for entry in &entries {
        let (x, y) = entry.at(sheet, &entries);
        pen.sample((x, y), (x + 30, y), entry.dash, entry.ink)?;
        pen.label(&entry.what, (x + 38, y), size, INK, HPos::Left)?;
    }
    Ok(())
}

/// A family of lines with its plot.
struct Panel<'a> {
    chart: &'a Chart,
    covered: &'a [Covered],
    sheet: Sheet,
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
    /// What the lines are lines of.
    fn name(&self) -> &str {
        let names: Vec<&str> = self.family.iter().map(|s| s.name.as_str()).collect();
        family(&names).0
    }

    fn draw<DB: DrawingBackend>(&self, pen: &Pen<DB>, hover: &mut Hover) -> Result<(), NotDrawn> {
        let whole = Line {
            family: self.name().split(':').next().unwrap_or_default(),
            part: "",
            name: "",
        };
        group(pen.root, pen.k, whole, || self.draw_all(pen, hover))
    }

    fn draw_all<DB: DrawingBackend>(
        &self,
        pen: &Pen<DB>,
        hover: &mut Hover,
    ) -> Result<(), NotDrawn> {
        let (chart, sheet, k) = (self.chart, self.sheet, pen.k);
        let head = head(chart);
        let (left, top) = (self.at.0, self.at.1 + head);
        let name = self.name();
        let larger = sheet.larger;
        let title = shortened(name, self.width as usize / (8 + larger as usize / 2));
        let ink = text_colour(self.colour);
        pen.label(
            &title,
            (left, top - head + 10),
            15 + larger,
            ink,
            HPos::Left,
        )?;
        let gutter = if self.is_first { sheet.left - 12 } else { 0 };
        let below = if self.is_last { 26 } else { 0 };
        let area = pen.root.clone().shrink(
            ((left - gutter) * k, top * k),
            ((self.width + gutter) * k, (sheet.plot + below) * k),
        );
        let (x, y) = chart.ticks();
        let mut plot = ChartBuilder::on(&area)
            .x_label_area_size(below * k)
            .y_label_area_size(gutter * k)
            .build_cartesian_2d(x, y)?;
        plot.configure_mesh()
            .max_light_lines(0)
            .x_labels((self.width / 90).max(3) as usize)
            .y_labels(5)
            .x_label_formatter(&|v| (chart.x.format)(*v))
            .y_label_formatter(&|v| chart.y_label(*v))
            .label_style((FONT, (13 + larger) * k).into_font().color(&INK))
            .bold_line_style(RGBColor(226, 226, 226))
            .axis_style(GREY)
            .draw()?;
        let others = chart.series.iter().filter(|s| s.colour != self.colour);
        for other in others.filter(|s| s.dash == 0) {
            group(pen.root, k, line_of(chart, other), || {
                lines::trace(&mut plot, other, FAINT, 1, k)
            })?;
        }
        lines::floor(&plot, pen.root, k)?;
        let is_mine = |m: &&super::chart::Mark| m.colour.is_none_or(|c| c == self.colour);
        let mut told = String::new();
        for mark in chart.marks.iter().filter(is_mine) {
            if lines::mark(&mut plot, mark, k)? && mark.vertical {
                let label = mark.label.strip_prefix(name).unwrap_or(&mark.label);
                told = label.trim_start_matches([' ', ':']).to_owned();
            }
        }
        let told = shortened(&told, self.width as usize / (6 + larger as usize / 2));
        pen.label(&told, (left, top - 10), 11 + larger, GREY, HPos::Left)?;
        let mine = chart.series.iter().zip(self.covered);
        for (s, covered) in mine.filter(|(s, _)| s.colour == self.colour) {
            group(pen.root, k, line_of(chart, s), || {
                lines::draw(pen.root, &mut plot, chart, (s, covered), hover, k)
            })?;
        }
        if self.family.iter().all(|s| s.points().is_empty()) {
            let middle = (left + self.width / 2, top + sheet.plot / 2);
            pen.label("too few", middle, 13 + larger, GREY, HPos::Center)?;
        }
        Ok(())
    }
}
