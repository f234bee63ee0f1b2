//! Heat maps: labelled cells over two axes, with a colour bar.

use super::drawing::{self, Drawing, Picture};
use super::hover::Hover;
use super::look::{Form, Look, Sheet};
use super::style::{FONT, INK};
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shade {
    /// Evenly from one value to another.
    Linear(f64, f64),
    /// By magnitude on both sides of 0, for amounts over many decades; even within 1 of it.
    Magnitude,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatCell {
    /// The value, which the colour stands for.
    pub value: f64,
    /// What stands in it, a line each.
    pub lines: Vec<String>,
    /// Whether it is framed.
    pub framed: bool,
}

/// A heat map.
#[derive(Debug, Clone)]
pub struct HeatMap {
    /// What the chart shows.
    pub title: String,
    /// What was simulated, in one line.
    pub subtitle: String,
    /// What the columns stand for.
    pub x_label: String,
    /// Names of the columns, from left to right.
    pub columns: Vec<String>,
    /// What the rows stand for.
    pub y_label: String,
    /// From the bottom up.
    pub rows: Vec<String>,
    /// By row, then column.
    pub cells: Vec<Vec<HeatCell>>,
    /// How colours follow from values.
    pub shade: Shade,
    /// Name of the colour bar, with its unit.
    pub bar_label: String,
    /// How a value is written in its cell.
    pub format: fn(f64) -> String,
    /// What stands below the chart.
    pub note: String,
}

/// Where the cells are on a sheet.
struct Frame {
    left: i32,
    top: i32,
    width: i32,
    height: i32,
}

impl Frame {
    fn on(sheet: Sheet) -> Frame {
        let (width, height) = sheet.size();
        let (left, top, right, bottom) = match sheet.form {
            Form::Print | Form::Slides => (120, 84, 190, 96),
            // Without the bar of colours: each cell holds its value.
            Form::Phone => (52, 8, 10, 64),
        };
        Frame {
            left,
            top: top + sheet.above,
            width: width - left - right,
            height: height - top - bottom,
        }
    }
}

const BAR_WIDTH: i32 = 22;
/// On a phone: a text of at most so many characters has room in a cell, an estimate of their width.
const NARROW_CHAR: i32 = 6;

impl Drawing for HeatMap {
    fn size(&self, form: Form) -> (u32, u32) {
        let (width, height) = Sheet::of(form).size();
        (width as u32, height as u32)
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
        let is_narrow = sheet.is_narrow();
        let write = |text: &str, at: (i32, i32), size: i32, ink: RGBColor, pos: Pos| {
            let style = (FONT, size * k).into_font().color(&ink).pos(pos);
            let at = (at.0 * k, at.1 * k);
            root.draw(&Text::new(text.to_owned(), at, style))
                .map_err(NotDrawn::from)
        };
        let centre = Pos::new(HPos::Center, VPos::Center);
        let Frame {
            left,
            top,
            width,
            height,
        } = Frame::on(sheet);
        let column = |i: usize| left + width * i as i32 / self.columns.len() as i32;
        let row = |i: usize| top + height - height * i as i32 / self.rows.len() as i32;
        let small = if is_narrow { 11 } else { 15 };
        for (i, name) in self.columns.iter().enumerate() {
            let at = ((column(i) + column(i + 1)) / 2, top + height + 16);
            write(name, at, small, INK, centre)?;
        }
        for (i, name) in self.rows.iter().enumerate() {
            let at = (left - 6, (row(i) + row(i + 1)) / 2);
            write(name, at, small, INK, Pos::new(HPos::Right, VPos::Center))?;
        }
        let below = (left + width / 2, top + height + 42);
        write(&self.x_label, below, small + 1, INK, centre)?;
        let turned = (FONT, (small + 1) * k)
            .into_font()
            .transform(FontTransform::Rotate270)
            .color(&INK);
        let beside = (if is_narrow { 12 } else { 28 } * k, (top + height / 2) * k);
        root.draw(&Text::new(self.y_label.clone(), beside, turned.pos(centre)))?;

        let mut hover = Hover::default();
        let range = self.range();
        for (r, cells) in self.cells.iter().enumerate() {
            for (c, cell) in cells.iter().enumerate() {
                let (a, b) = (
                    (column(c) + 1, row(r + 1) + 1),
                    (column(c + 1) - 1, row(r) - 1),
                );
                let (a, b) = ((a.0 * k, a.1 * k), (b.0 * k, b.1 * k));
                let ink = self.colour(cell.value, range);
                root.draw(&Rectangle::new([a, b], ink.filled()))?;
                if cell.framed {
                    let (a, b) = ((a.0 + 2 * k, a.1 + 2 * k), (b.0 - 2 * k, b.1 - 2 * k));
                    let frame = BLACK.stroke_width(5 * k as u32);
                    root.draw(&Rectangle::new([a, b], frame))?;
                    let inner = WHITE.stroke_width(2 * k as u32);
                    root.draw(&Rectangle::new([a, b], inner))?;
                }
                let text = contrast(ink);
                let middle = ((column(c) + column(c + 1)) / 2, (row(r) + row(r + 1)) / 2);
                if is_narrow {
                    // The value alone, turned where the cell is narrower than that.
                    let value = cell.lines.first().map_or("", String::as_str);
                    let room = column(c + 1) - column(c) - 4;
                    let is_turned = NARROW_CHAR * value.chars().count() as i32 > room;
                    let style = (FONT, 11 * k).into_font().color(&text).pos(centre);
                    let style = if is_turned {
                        style.transform(FontTransform::Rotate270)
                    } else {
                        style
                    };
                    let at = (middle.0 * k, middle.1 * k);
                    root.draw(&Text::new(value.to_owned(), at, style))?;
                } else {
                    for (i, line) in cell.lines.iter().enumerate() {
                        let y = middle.1 + 20 * i as i32 - 10 * (cell.lines.len() as i32 - 1);
                        let wide = column(c + 1) - column(c) > 75;
                        let size = match (i, wide) {
                            (0, true) => 17,
                            (0, false) => 14,
                            (_, true) => 13,
                            (_, false) => 11,
                        };
                        write(line, (middle.0, y), size, text, centre)?;
                    }
                }
                let place = format!(
                    "{} {}, {} {}",
                    self.columns[c], self.x_label, self.rows[r], self.y_label
                );
                hover.area(a, b, format!("{place}: {}", cell.lines.join(" ")));
            }
        }
        if !is_narrow {
            self.bar(root, sheet, k, range)?;
        }
        Ok(hover)
    }
}

impl Picture for HeatMap {
    fn draw(&self, look: Look, path: &Path) -> Result<(), WriteError> {
        drawing::draw(self, look, path)
    }
}

impl HeatMap {
    /// The colour bar, with the values at its ends and between.
    fn bar<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sheet: Sheet,
        k: i32,
        range: (f64, f64),
    ) -> Result<(), NotDrawn> {
        let Frame {
            left,
            top,
            width,
            height,
        } = Frame::on(sheet);
        let x = left + width + 28;
        for step in 0..height {
            let f = 1.0 - f64::from(step) / f64::from(height - 1);
            let (a, b) = ((x, top + step), (x + BAR_WIDTH, top + step + 1));
            let ink = shade(f).filled();
            let corners = [(a.0 * k, a.1 * k), (b.0 * k, b.1 * k)];
            root.draw(&Rectangle::new(corners, ink))?;
        }
        let style = (FONT, 14 * k)
            .into_font()
            .color(&INK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        for value in self.bar_values(range) {
            let f = (self.position(value) - range.0) / (range.1 - range.0);
            let y = top + ((1.0 - f) * f64::from(height - 1)).round() as i32;
            let tick = [
                ((x + BAR_WIDTH) * k, y * k),
                ((x + BAR_WIDTH + 5) * k, y * k),
            ];
            root.draw(&PathElement::new(tick, INK))?;
            let at = ((x + BAR_WIDTH + 9) * k, y * k);
            root.draw(&Text::new((self.format)(value), at, style.clone()))?;
        }
        let turned = (FONT, 15 * k)
            .into_font()
            .transform(FontTransform::Rotate270)
            .color(&INK)
            .pos(Pos::new(HPos::Center, VPos::Center));
        let at = ((sheet.size().0 - 26) * k, (top + height / 2) * k);
        root.draw(&Text::new(self.bar_label.clone(), at, turned))
            .map_err(NotDrawn::from)
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let cells = self.cells.iter().flatten();
        cells.map(|c| c.value).filter(|v| v.is_finite())
    }

    /// Where a value lies on the scale of colours.
    fn position(&self, value: f64) -> f64 {
        match self.shade {
            Shade::Linear(..) => value,
            Shade::Magnitude => value.signum() * value.abs().ln_1p(),
        }
    }

    /// The ends of the scale, as positions.
    fn range(&self) -> (f64, f64) {
        let (low, high) = match self.shade {
            Shade::Linear(low, high) => (low, high),
            Shade::Magnitude => {
                let low = self.values().fold(0.0, f64::min);
                let high = self.values().fold(0.0, f64::max);
                (self.position(low), self.position(high))
            }
        };
        if high > low {
            (low, high)
        } else {
            (low, low + 1.0)
        }
    }

    fn bar_values(&self, range: (f64, f64)) -> Vec<f64> {
        match self.shade {
            Shade::Linear(low, high) => (0..=5)
                .map(|i| low + (high - low) * f64::from(i) / 5.0)
                .collect(),
            Shade::Magnitude => {
                let decades = (0..=12).map(|d| 10_f64.powi(d));
                let both = decades.flat_map(|v| [-v, v]).chain([0.0]);
                both.filter(|v| (range.0..=range.1).contains(&self.position(*v)))
                    .collect()
            }
        }
    }

    fn colour(&self, value: f64, (low, high): (f64, f64)) -> RGBColor {
        if !value.is_finite() {
            return RGBColor(225, 225, 225);
        }
        shade(((self.position(value) - low) / (high - low)).clamp(0.0, 1.0))
    }
}

/// Viridis: even to the eye, also without colour vision.
fn shade(f: f64) -> RGBColor {
    ViridisRGB.get_color(f)
}

/// Black or white, whichever stands out more (relative luminance as in WCAG 2).
fn contrast(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    if luminance > 0.179 { BLACK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(shade: Shade, values: &[f64]) -> HeatMap {
        let cell = |v: &f64| HeatCell {
            value: *v,
            lines: vec![v.to_string()],
            framed: false,
        };
        HeatMap {
            title: "t".into(),
            subtitle: "s".into(),
            x_label: "x".into(),
            columns: values.iter().map(f64::to_string).collect(),
            y_label: "y".into(),
            rows: vec!["1".into()],
            cells: vec![values.iter().map(cell).collect()],
            shade,
            bar_label: "b".into(),
            format: |v| v.to_string(),
            note: String::new(),
        }
    }

    #[test]
    fn more_is_brighter_and_nothing_is_grey() {
        let m = map(Shade::Magnitude, &[-1000.0, 0.0, 5.0, 100_000.0, f64::NAN]);
        let range = m.range();
        let brightness = |v: f64| {
            let RGBColor(r, g, b) = m.colour(v, range);
            u32::from(r) + u32::from(g) + u32::from(b)
        };
        assert!(brightness(-1000.0) < brightness(0.0));
        assert!(brightness(5.0) < brightness(100_000.0));
        assert_eq!(m.colour(f64::NAN, range), RGBColor(225, 225, 225));
        assert!(m.bar_values(range).contains(&-100.0));
        assert!(!m.bar_values(range).contains(&1_000_000.0));
    }

    #[test]
    fn text_stands_out_on_every_colour() {
        assert_eq!(contrast(shade(0.0)), WHITE);
        assert_eq!(contrast(shade(1.0)), BLACK);
    }

    #[test]
    fn every_cell_can_be_read_in_the_svg() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.svg");
        map(Shade::Linear(0.0, 1.0), &[0.25, 0.5])
            .draw(Look::default(), &path)
            .unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        assert!(svg.contains("<title>0.25 x, 1 y: 0.25</title>"), "{svg}");
    }
}
