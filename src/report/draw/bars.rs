//! Charts of rows: horizontal bars or points, each with its interval.

use super::chart::{Axis, Mark, Scale};
use super::drawing::{self, Drawing, Picture};
use super::hover::Hover;
use super::labels::shortened;
use super::look::{Form, Look, Sheet};
use super::style::{FONT, GREY, INK, colour};
use super::ticks::Ticks;
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;
use std::path::Path;

/// A bar from one value to another; a point where they are equal.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Where the bar begins, in the unit of the axis.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Interval of `to`; NaN if it is not known, endless where it goes beyond the axis.
    pub low: f64,
    /// Upper end of the interval of `to`; NaN if it is not known, endless where it goes beyond the axis.
    pub high: f64,
    /// Position in the palette.
    pub colour: usize,
    /// What is written beside it.
    pub label: String,
}

/// A row with its bars, which may overlap.
#[derive(Debug, Clone)]
pub struct Row {
    /// What stands before it.
    pub label: String,
    /// Its bars, those that come later over the earlier.
    pub bars: Vec<Bar>,
    /// Where the label stands in place of bars that there are none.
    pub remark: String,
}

/// A chart of rows, the first one on top.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// What the chart shows.
    pub title: String,
    /// What was simulated, in one line.
    pub subtitle: String,
    /// The axis of the bars.
    pub x: Axis,
    /// The rows, from top to bottom.
    pub rows: Vec<Row>,
    /// Vertical lines.
    pub marks: Vec<Mark>,
    /// Names of the colours that bars use.
    pub legend: Vec<(usize, String)>,
    /// What stands below the chart.
    pub note: String,
}

/// Room for each row, and for what is above and below them.
const ROW_HEIGHT: u32 = 30;
const FRAME: u32 = 210;
/// The same on a phone, where the label of a row stands over its bars.
const NARROW_ROW: u32 = 48;
const NARROW_FRAME: u32 = 92;
/// An estimate of the width of a character of the labels.
const CHAR_WIDTH: f64 = 7.8;

impl Drawing for BarChart {
    fn size(&self, form: Form) -> (u32, u32) {
        let (width, height) = Sheet::of(form).size();
        let rows = self.rows.len() as u32;
        let height = match form {
            Form::Print => (FRAME + ROW_HEIGHT * rows).max(height as u32 / 2),
            Form::Slides => (FRAME + ROW_HEIGHT * rows).max(height as u32),
            Form::Phone => NARROW_FRAME + NARROW_ROW * rows + self.legend_height(form) as u32,
        };
        (width as u32, height)
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
        self.legend(root, sheet, k)?;
        let longest = self.rows.iter().map(|r| r.label.chars().count()).max();
        let mut label_width = (longest.unwrap_or(0) as f64 * CHAR_WIDTH) as i32 + 20;
        let area = if is_narrow {
            label_width = 0;
            let head = 22 + self.legend_height(Form::Phone) + sheet.above;
            root.margin(head * k, sheet.below * k, 14 * k, 26 * k)
        } else {
            root.margin(
                (96 + sheet.above) * k,
                (34 + sheet.below) * k,
                16 * k,
                40 * k,
            )
        };
        let range = self.range();
        let rows = Rows(self.rows.len());
        let x = Ticks {
            range: range.clone(),
            scale: self.x.scale,
        };
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(52 * k)
            .y_label_area_size(label_width.min(sheet.size().0 / 2) * k)
            .build_cartesian_2d(x, rows)?;
        chart
            .configure_mesh()
            .x_desc(self.x.label.as_str())
            .max_light_lines(1)
            .x_labels(if is_narrow { 4 } else { 10 })
            .disable_y_mesh()
            .y_labels(0)
            .x_label_formatter(&|v| (self.x.format)(*v))
            .label_style((FONT, 14 * k).into_font().color(&INK))
            .axis_desc_style((FONT, 16 * k).into_font().color(&INK))
            .bold_line_style(RGBColor(214, 214, 214))
            .light_line_style(RGBColor(240, 240, 240))
            .axis_style(GREY)
            .draw()?;
        let bottom = self.rows.len() as f64;
        for mark in self.marks.iter().filter(|m| range.contains(&m.at)) {
            let ink = mark.colour.map_or(GREY, colour).stroke_width(k as u32);
            let line = [(mark.at, 0.0), (mark.at, bottom)];
            chart.draw_series(DashedLineSeries::new(line, 3 * k, 5 * k, ink))?;
            let label = (FONT, 13 * k).into_font().color(&GREY);
            let label = label.pos(Pos::new(HPos::Center, VPos::Bottom));
            let place = EmptyElement::at((mark.at, 0.0))
                + Text::new(mark.label.clone(), (0, -3 * k), label);
            chart.plotting_area().draw(&place)?;
        }
        let small = (FONT, 14 * k).into_font().color(&INK);
        let clip = |v: f64| v.clamp(range.start, range.end);
        let mut hover = Hover::default();
        let bars = || self.rows.iter().flat_map(|r| &r.bars);
        let has_intervals = bars().any(|b| !b.low.is_nan() && !b.high.is_nan());
        for (i, row) in self.rows.iter().enumerate() {
            let middle = i as f64 + 0.5;
            let plot = chart.plotting_area();
            if is_narrow {
                let over = small.clone().pos(Pos::new(HPos::Left, VPos::Center));
                let place = EmptyElement::at((range.start, middle - 0.36))
                    + Text::new(shortened(&row.label, 58), (0, 0), over);
                plot.draw(&place)?;
            } else {
                let left = small.clone().pos(Pos::new(HPos::Right, VPos::Center));
                let label = EmptyElement::at((range.start, middle))
                    + Text::new(row.label.clone(), (-10 * k, 0), left);
                plot.draw(&label)?;
            }
            if !row.remark.is_empty() {
                let grey = (FONT, 13 * k).into_font().color(&GREY);
                let grey = grey.pos(Pos::new(HPos::Left, VPos::Center));
                let remark = EmptyElement::at((range.start, middle))
                    + Text::new(row.remark.clone(), (8 * k, 0), grey);
                plot.draw(&remark)?;
            }
            for bar in row.bars.iter().filter(|b| b.to.is_finite()) {
                let ink = colour(bar.colour);
                let (from, to) = (clip(bar.from), clip(bar.to));
                let reading = format!("{}: {}", row.label, bar.label);
                let corner = |x: f64, y: f64| plot.map_coordinate(&(x, middle + y));
                let is_known = !bar.low.is_nan() && !bar.high.is_nan();
                let half = if is_narrow { 0.16 } else { 0.32 };
                if bar.from == bar.to {
                    hover.point(corner(to, 0.0), "", reading);
                    plot.draw(&Circle::new((to, middle), 4 * k, ink.filled()))?;
                    if !is_known && has_intervals {
                        plot.draw(&Circle::new((to, middle), 2 * k + k / 2, WHITE.filled()))?;
                    }
                } else {
                    hover.area(corner(from, -half), corner(to, half), reading);
                    let body = [(from, middle - half), (to, middle + half)];
                    plot.draw(&Rectangle::new(body, ink.mix(0.75).filled()))?;
                }
                let mut end = to.max(from);
                let mut start = to.min(from);
                if is_known {
                    let (low, high) = (clip(bar.low), clip(bar.high));
                    let pen = if bar.from == bar.to { ink } else { INK };
                    let pen = pen.stroke_width(2 * k as u32);
                    let across = vec![(low, middle), (high, middle)];
                    plot.draw(&PathElement::new(across, pen))?;
                    // An end beyond the axis is none: it has no stroke across.
                    for end in [bar.low, bar.high]
                        .into_iter()
                        .filter(|e| range.contains(e))
                    {
                        let stroke = vec![(end, middle - half / 2.0), (end, middle + half / 2.0)];
                        plot.draw(&PathElement::new(stroke, pen))?;
                    }
                    (start, end) = (start.min(low), end.max(high));
                }
                // Beside the end that points away from where the bar begins, unless it would be cut off there.
                let room = (f64::from(corner(end, 0.0).0 + 10 * k)
                    + f64::from(k) * CHAR_WIDTH * bar.label.chars().count() as f64)
                    as i32;
                let is_cut =
                    room > sheet.size().0 * k && corner(start, 0.0).0 > sheet.size().0 * k / 2;
                let (at, side, shift) = if bar.to < bar.from || is_cut {
                    (start, HPos::Right, -8)
                } else {
                    (end, HPos::Left, 8)
                };
                let style = (FONT, 13 * k).into_font().color(&INK);
                let style = style.pos(Pos::new(side, VPos::Center));
                let label = EmptyElement::at((at, middle))
                    + Text::new(bar.label.clone(), (shift * k, 0), style);
                plot.draw(&label)?;
            }
        }
        Ok(hover)
    }
}

impl Picture for BarChart {
    fn draw(&self, look: Look, path: &Path) -> Result<(), WriteError> {
        drawing::draw(self, look, path)
    }
}

impl BarChart {
    /// Where the entries of the legend stand: one after the other, in a new row where there is no room.
    fn legend_places(&self, form: Form) -> Vec<(i32, i32)> {
        let (left, top) = if form == Form::Phone {
            (10, 4)
        } else {
            (24, 78)
        };
        let width = Sheet::of(form).size().0;
        let (mut x, mut y) = (left, top);
        let mut places = Vec::new();
        for (_, name) in &self.legend {
            let needs = 50 + (name.chars().count() as f64 * CHAR_WIDTH) as i32;
            if x > left && x + needs > width {
                (x, y) = (left, y + 20);
            }
            places.push((x, y));
            x += needs;
        }
        places
    }

    fn legend_height(&self, form: Form) -> i32 {
        let places = self.legend_places(form);
        let last = places.last().map(|p| p.1 - places[0].1 + 20);
        last.unwrap_or(0)
    }

    fn legend<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sheet: Sheet,
        k: i32,
    ) -> Result<(), NotDrawn> {
        let font = (FONT, 14 * k).into_font().color(&INK);
        let places = self.legend_places(sheet.form);
        for ((i, name), (x, y)) in self.legend.iter().zip(places) {
            let y = y + sheet.above;
            let key = [(x * k, (y + 1) * k), ((x + 14) * k, (y + 15) * k)];
            root.draw(&Rectangle::new(key, colour(*i).mix(0.75).filled()))?;
            let text = Text::new(name.clone(), ((x + 20) * k, y * k), font.clone());
            root.draw(&text)?;
        }
        Ok(())
    }

    /// The ends of the axis, with room for what is written beside the bars.
    fn range(&self) -> Range<f64> {
        let usable = |v: &f64| v.is_finite() && (!self.x.scale.is_log() || *v > 0.0);
        let bars = self.rows.iter().flat_map(|r| &r.bars);
        let values = bars.flat_map(|b| [b.from, b.to, b.low, b.high]);
        let marks = self.marks.iter().map(|m| m.at);
        let values: Vec<f64> = values.chain(marks).filter(usable).collect();
        let mut low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let mut high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() {
            (low, high) = (1.0, 10.0);
        }
        match self.x.scale {
            Scale::Log | Scale::Floored => {
                let room = (high / low).max(1.5).powf(0.2);
                (low, high) = (low / room.min(1.5), high * room);
            }
            Scale::Linear => {
                let room = match low < high {
                    true => ((high - low) * 0.16).max(1e-9),
                    // Of one value, so much about it that the labels of the axis differ.
                    false => (high.abs() * 0.1).max(1e-9),
                };
                (low, high) = (low - room, high + room);
            }
        }
        let start = self.x.min.unwrap_or(low);
        start..self.x.max.unwrap_or(high).max(start + 1e-9)
    }
}

/// The vertical axis: rows from top to bottom.
#[derive(Clone)]
struct Rows(usize);

impl Ranged for Rows {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        // The limits of a vertical axis come with the lower end first.
        let f = 1.0 - value / self.0.max(1) as f64;
        limit.0 + (f64::from(limit.1 - limit.0) * f).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        Vec::new()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.0.max(1) as f64
    }
}

impl ValueFormatter<f64> for Rows {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::format;

    fn point(low: f64, high: f64) -> Row {
        Row {
            label: "row".into(),
            bars: vec![Bar {
                from: 50.0,
                to: 50.0,
                low,
                high,
                colour: 0,
                label: String::new(),
            }],
            remark: String::new(),
        }
    }

    fn svg(rows: Vec<Row>) -> String {
        let chart = BarChart {
            title: String::new(),
            subtitle: String::new(),
            x: Axis {
                label: String::new(),
                scale: Scale::Log,
                format: format::count,
                min: Some(10.0),
                max: Some(100.0),
            },
            rows,
            marks: Vec::new(),
            legend: Vec::new(),
            note: String::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.svg");
        chart.draw(Look::default(), &path).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        // The form that is seen.
        svg.split("<g class=\"form\"").next().unwrap().to_owned()
    }

    /// White discs within points.
    fn hollow(svg: &str) -> usize {
        let is_hollow = |l: &&str| l.starts_with("<circle") && l.contains("fill=\"#FFFFFF\"");
        svg.lines().filter(is_hollow).count()
    }

    /// Strokes of the colour of points.
    fn strokes(svg: &str) -> usize {
        let lines = svg.lines().filter(|l| l.contains("stroke=\"#0072B2\""));
        lines.map(|l| l.matches('M').count().max(1)).sum()
    }

    #[test]
    fn a_point_whose_interval_is_not_known_is_hollow() {
        let unknown = point(f64::NAN, f64::NAN);
        assert_eq!(hollow(&svg(vec![point(40.0, 60.0), unknown])), 1);
        assert_eq!(hollow(&svg(vec![point(40.0, 60.0)])), 0);
    }

    #[test]
    fn an_end_beyond_the_axis_has_no_stroke_across() {
        let within = strokes(&svg(vec![point(40.0, 60.0)]));
        let beyond = strokes(&svg(vec![point(40.0, f64::INFINITY)]));
        assert_eq!(within, beyond + 1, "{within} {beyond}");
    }
}
