//! Panels of bars, each panel with a scale of its own and a line for what was expected.

use super::drawing::{self, Drawing, Picture};
use super::hover::Hover;
use super::look::{Form, Look, Sheet};
use super::pen::Pen;
use super::style::{GREY, INK, colour};
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::path::Path;

/// A value with its confidence interval.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Which of the chart's kinds it is.
    pub kind: usize,
    /// Height of the bar, in the unit of its panel.
    pub value: f64,
    /// Ends of the interval; NaN without.
    pub low: f64,
    /// Upper end of the interval; NaN without.
    pub high: f64,
    /// What stands over it.
    pub label: String,
}

/// Bars that can be compared.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What the panel shows, with its unit.
    pub title: String,
    /// A line below the title: conditions, unit.
    pub subtitle: String,
    /// A line across: the figure that the bars are held against.
    pub expected: f64,
    /// What the line across is called.
    pub expected_label: String,
    /// The bars, from left to right.
    pub bars: Vec<Bar>,
}

/// Panels side by side.
#[derive(Debug, Clone)]
pub struct Panels {
    /// What the chart shows.
    pub title: String,
    /// What was simulated, in one line.
    pub subtitle: String,
    /// What the colours stand for.
    pub kinds: Vec<String>,
    /// The panels, from left to right.
    pub panels: Vec<Panel>,
    /// What stands below the chart.
    pub note: String,
}

const PANEL_HEIGHT: i32 = 300;
const BOTTOM: i32 = 40;

/// How many panels stand side by side.
fn columns(form: Form) -> usize {
    match form {
        Form::Print => 4,
        Form::Slides => 3,
        Form::Phone => 1,
    }
}

impl Drawing for Panels {
    fn size(&self, form: Form) -> (u32, u32) {
        let rows = self.panels.len().div_ceil(columns(form)) as i32;
        let bottom = if form == Form::Phone { 0 } else { BOTTOM };
        let height = self.top(form) + bottom + PANEL_HEIGHT * rows;
        (Sheet::of(form).size().0 as u32, height as u32)
    }

    fn heading(&self) -> [&str; 3] {
        [&self.title, &self.subtitle, &self.note]
    }

    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sheet: Sheet,
        k: i32,
    ) -> Result<Hover, NotDrawn> {
        let pen = Pen { root, k };
        for (i, (kind, (x, y))) in self.kinds.iter().zip(self.places(sheet.form)).enumerate() {
            let y = y + sheet.above;
            pen.rectangle((x, y), (x + 14, y + 14), colour(i))?;
            pen.text(kind, (x + 20, y - 1), 14, INK, HPos::Left)?;
        }
        let mut hover = Hover::default();
        let columns = columns(sheet.form);
        let width = (sheet.size().0 - 32) / columns as i32;
        for (i, panel) in self.panels.iter().enumerate() {
            let (column, row) = ((i % columns) as i32, (i / columns) as i32);
            let top = self.top(sheet.form) + sheet.above;
            let at = (16 + column * width, top + row * PANEL_HEIGHT);
            panel.draw_on(&pen, at, width - 16, &self.kinds, &mut hover)?;
        }
        Ok(hover)
    }
}

impl Panels {
    /// Where the kinds are told: one after the other, in a new row where there is no room.
    fn places(&self, form: Form) -> Vec<(i32, i32)> {
        let (left, top) = if form == Form::Phone {
            (12, 6)
        } else {
            (24, 80)
        };
        let width = Sheet::of(form).size().0;
        let (mut x, mut y) = (left, top);
        let mut places = Vec::new();
        for kind in &self.kinds {
            let needs = 56 + 7 * kind.chars().count() as i32;
            if x > left && x + needs > width {
                (x, y) = (left, y + 20);
            }
            places.push((x, y));
            x += needs;
        }
        places
    }

    /// Where the panels begin.
    fn top(&self, form: Form) -> i32 {
        self.places(form).last().map_or(80, |p| p.1) + 32
    }
}

impl Picture for Panels {
    fn draw(&self, look: Look, path: &Path) -> Result<(), WriteError> {
        drawing::draw(self, look, path)
    }
}

impl Panel {
    fn draw_on<DB: DrawingBackend>(
        &self,
        pen: &Pen<DB>,
        (left, top): (i32, i32),
        width: i32,
        kinds: &[String],
        hover: &mut Hover,
    ) -> Result<(), NotDrawn> {
        pen.text(&self.title, (left + 8, top + 4), 14, INK, HPos::Left)?;
        pen.text(&self.subtitle, (left + 8, top + 24), 12, GREY, HPos::Left)?;
        let (floor, ceiling) = self.range();
        let (high_y, low_y) = (top + 68, top + PANEL_HEIGHT - 30);
        let y = |v: f64| {
            let f = (v.clamp(floor, ceiling) - floor) / (ceiling - floor);
            low_y - (f * f64::from(low_y - high_y)).round() as i32
        };
        pen.line((left, y(0.0)), (left + width, y(0.0)), GREY, 1)?;
        let mut labels = Vec::new();
        let slot = width / self.bars.len().max(1) as i32;
        for (i, bar) in self.bars.iter().enumerate() {
            let middle = left + slot * i as i32 + slot / 2;
            let half = (slot / 4).min(22);
            let (a, b) = (
                (middle - half, y(bar.value.max(0.0))),
                (middle + half, y(bar.value.min(0.0))),
            );
            pen.rectangle(a, b, colour(bar.kind))?;
            let (mut above, mut below) = (a.1, b.1);
            if bar.low.is_finite() && bar.high.is_finite() {
                let (h, l) = (y(bar.high), y(bar.low));
                pen.line((middle, h), (middle, l), INK, 2)?;
                for end in [h, l] {
                    pen.line((middle - 6, end), (middle + 6, end), INK, 2)?;
                }
                (above, below) = (above.min(h), below.max(l));
            }
            let at = if bar.value >= 0.0 {
                above - 18
            } else {
                below + 5
            };
            labels.push((middle, at, &bar.label));
            let name = &kinds[bar.kind];
            let corners = ((a.0 * pen.k, above * pen.k), (b.0 * pen.k, below * pen.k));
            hover.area(
                corners.0,
                corners.1,
                format!("{}, {name}: {}", self.title, bar.label),
            );
        }
        let at = y(self.expected);
        let mut x = left;
        while x < left + width {
            pen.line((x, at), ((x + 6).min(left + width), at), INK, 1)?;
            x += 11;
        }
        // On white, so that the line does not cross them.
        for (middle, at, label) in labels {
            let half = 4 * label.chars().count() as i32 + 2;
            pen.rectangle((middle - half, at - 1), (middle + half, at + 14), WHITE)?;
            pen.text(label, (middle, at), 12, INK, HPos::Center)?;
        }
        pen.text(
            &self.expected_label,
            (left + width, top + 24),
            12,
            INK,
            HPos::Right,
        )
    }

    /// From the least to the most of all values, their intervals, what was expected, and 0.
    fn range(&self) -> (f64, f64) {
        let bars = self.bars.iter().flat_map(|b| [b.value, b.low, b.high]);
        let all = bars.chain([self.expected, 0.0]).filter(|v| v.is_finite());
        let (low, high) = all.fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        if high > low {
            (low, high)
        } else {
            (low, low + 1.0)
        }
    }
}
