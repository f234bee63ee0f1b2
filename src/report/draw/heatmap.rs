//! Heat maps: labelled cells over two axes, with a colour bar.

use super::drawing::{self, Drawing};
use super::hover::Hover;
use super::style::{FONT, INK, SIZE};
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

const LEFT: i32 = 120;
const TOP: i32 = 84;
const RIGHT: i32 = 190;
const BOTTOM: i32 = 96;
const BAR_WIDTH: i32 = 22;

impl Drawing for HeatMap {
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
        let write = |text: &str, at: (i32, i32), size: i32, ink: RGBColor, pos: Pos| {
            let style = (FONT, size * k).into_font().color(&ink).pos(pos);
            let at = (at.0 * k, at.1 * k);
            root.draw(&Text::new(text.to_owned(), at, style))
                .map_err(NotDrawn::from)
        };
        let centre = Pos::new(HPos::Center, VPos::Center);
        let (width, height) = (SIZE.0 as i32 - LEFT - RIGHT, SIZE.1 as i32 - TOP - BOTTOM);
        let column = |i: usize| LEFT + width * i as i32 / self.columns.len() as i32;
        let row = |i: usize| TOP + height - height * i as i32 / self.rows.len() as i32;
        for (i, name) in self.columns.iter().enumerate() {
            let at = ((column(i) + column(i + 1)) / 2, TOP + height + 16);
            write(name, at, 15, INK, centre)?;
        }
        for (i, name) in self.rows.iter().enumerate() {
            let at = (LEFT - 10, (row(i) + row(i + 1)) / 2);
            write(name, at, 15, INK, Pos::new(HPos::Right, VPos::Center))?;
        }
        let below = (LEFT + width / 2, TOP + height + 42);
        write(&self.x_label, below, 16, INK, centre)?;
        let turned = (FONT, 16 * k)
            .into_font()
            .transform(FontTransform::Rotate270)
            .color(&INK);
        let beside = (28 * k, (TOP + height / 2) * k);
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
                for (i, line) in cell.lines.iter().enumerate() {
                    let y = middle.1 + 20 * i as i32 - 10 * (cell.lines.len() as i32 - 1);
                    let size = if i == 0 { 17 } else { 13 };
                    write(line, (middle.0, y), size, text, centre)?;
                }
                let place = format!(
                    "{} {}, {} {}",
                    self.columns[c], self.x_label, self.rows[r], self.y_label
                );
                hover.area(a, b, format!("{place}: {}", cell.lines.join(" ")));
            }
        }
        self.bar(root, k, range, height)?;
        Ok(hover)
    }
}

impl HeatMap {
    /// Draws the map into a file: SVG or PNG, by the path's extension.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn draw(&self, path: &Path) -> Result<(), WriteError> {
        drawing::draw(self, path)
    }

    /// The colour bar, with the values at its ends and between.
    fn bar<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        k: i32,
        range: (f64, f64),
        height: i32,
    ) -> Result<(), NotDrawn> {
        let x = SIZE.0 as i32 - RIGHT + 28;
        for step in 0..height {
            let f = 1.0 - f64::from(step) / f64::from(height - 1);
            let (a, b) = ((x, TOP + step), (x + BAR_WIDTH, TOP + step + 1));
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
            let y = TOP + ((1.0 - f) * f64::from(height - 1)).round() as i32;
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
        let at = ((SIZE.0 as i32 - 26) * k, (TOP + height / 2) * k);
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
            .draw(&path)
            .unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        assert!(svg.contains("<title>0.25 x, 1 y: 0.25</title>"), "{svg}");
    }
}
