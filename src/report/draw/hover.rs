//! The values of a drawing, which its SVG tells where they stand.

use askama::filters::Html;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A position in pixels of the drawing, as plotters' backends count them.
pub type Pixel = (i32, i32);

/// How far around a point the pointer may be.
const REACH: i32 = 9;
/// Points of one square of this size show their texts together: nobody can point at one of them.
const SQUARE: i32 = 6;

#[derive(Debug)]
enum Place {
    /// A point, and its value on the axis across.
    Point(Pixel, Option<f64>),
    Area(Pixel, Pixel),
}

/// The texts of a drawing, and where they show.
#[derive(Debug, Default)]
pub struct Hover {
    shapes: Vec<(Place, Vec<Line>)>,
    /// Which shape is the point of a square.
    squares: BTreeMap<Pixel, usize>,
    /// What the axis across is called, if points have a place on it.
    axis: String,
}

#[derive(Debug)]
struct Line {
    of: String,
    text: String,
}

impl Hover {
    /// Values of a chart whose axis across is called so.
    pub fn along(axis: &str) -> Self {
        Hover {
            axis: axis.to_owned(),
            ..Hover::default()
        }
    }

    /// `text` shows near `at`, after `of` (the series, or nothing). Points too close to be told
    /// apart show together, each series once.
    pub fn point(&mut self, at: Pixel, of: &str, text: impl Into<String>) {
        self.point_of(at, None, of, text);
    }

    /// The same for a point whose value on the axis across is `x`.
    pub fn point_of(&mut self, at: Pixel, x: Option<f64>, of: &str, text: impl Into<String>) {
        let square = (at.0.div_euclid(SQUARE), at.1.div_euclid(SQUARE));
        let line = Line {
            of: of.to_owned(),
            text: text.into(),
        };
        if let Some(&i) = self.squares.get(&square) {
            let lines = &mut self.shapes[i].1;
            if lines.iter().all(|l| l.of != line.of) {
                lines.push(line);
            }
            return;
        }
        self.squares.insert(square, self.shapes.len());
        self.shapes.push((Place::Point(at, x), vec![line]));
    }

    /// `text` shows over the rectangle between two corners: a bar, a cell.
    pub fn area(&mut self, a: Pixel, b: Pixel, text: impl Into<String>) {
        let line = Line {
            of: String::new(),
            text: text.into(),
        };
        self.shapes.push((Place::Area(a, b), vec![line]));
    }

    /// The group of invisible shapes, larger ones first so that none hides another.
    pub(super) fn svg(&self) -> String {
        let axis = match self.axis.as_str() {
            "" => String::new(),
            axis => format!(" data-axis=\"{}\"", escape(axis)),
        };
        let mut svg =
            format!("<g class=\"hover\"{axis} fill=\"#000\" fill-opacity=\"0\" stroke=\"none\">\n");
        let is_point = |p: &Place| matches!(p, Place::Point(..));
        for points in [false, true] {
            for (place, lines) in self.shapes.iter().filter(|s| is_point(&s.0) == points) {
                let text: Vec<String> = lines.iter().map(Line::to_text).collect();
                let title = format!("<title>{}</title>", escape(&text.join("\n")));
                // Writing to a string does not fail.
                let _ = match *place {
                    Place::Point((x, y), value) => writeln!(
                        svg,
                        "<circle cx=\"{x}\" cy=\"{y}\" r=\"{REACH}\"{}>{title}</circle>",
                        value.map_or_else(String::new, |v| format!(" data-x=\"{v}\"")),
                    ),
                    Place::Area(a, b) => writeln!(
                        svg,
                        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{title}</rect>",
                        a.0.min(b.0),
                        a.1.min(b.1),
                        (a.0 - b.0).abs(),
                        (a.1 - b.1).abs(),
                    ),
                };
            }
        }
        svg.push_str("</g>\n");
        svg
    }
}

impl Line {
    fn to_text(&self) -> String {
        if self.of.is_empty() {
            self.text.clone()
        } else {
            format!("{}: {}", self.of, self.text)
        }
    }
}

/// Text as XML and HTML hold it, in elements and attributes.
pub fn escape(text: &str) -> String {
    // No XML may hold control characters.
    let clean = text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
    match askama::filters::escape(&clean, Html) {
        Ok(escaped) => escaped.to_string(),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_one_place_show_together_each_series_once() {
        let mut hover = Hover::along("requests & more");
        hover.point((12, 12), "naive", "10k, $5.00");
        hover.point((14, 13), "optimised", "10k, $5.00");
        hover.point((15, 13), "optimised", "10.1k, $5.00");
        hover.point((200, 13), "optimised", "1M, $6.00");
        hover.point_of((300, 13), Some(3e6), "optimised", "3M, $6.00");
        hover.area((40, 90), (10, 60), "a <bar>");
        insta::assert_snapshot!(hover.svg(), @r##"
        <g class="hover" data-axis="requests &#38; more" fill="#000" fill-opacity="0" stroke="none">
        <rect x="10" y="60" width="30" height="30"><title>a &#60;bar&#62;</title></rect>
        <circle cx="12" cy="12" r="9"><title>naive: 10k, $5.00
        optimised: 10k, $5.00</title></circle>
        <circle cx="200" cy="13" r="9"><title>optimised: 1M, $6.00</title></circle>
        <circle cx="300" cy="13" r="9" data-x="3000000"><title>optimised: 3M, $6.00</title></circle>
        </g>
        "##);
    }
}
