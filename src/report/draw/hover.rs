//! SVG drawings whose values can be read: a name for screen readers, and native tooltips.
//!
//! Every drawing of kvplan goes through [`draw_svg`], so that a page which shows many of them can
//! rely on their form: no ids, a `<title>` and a `<desc>` first, and one group of class `hover`
//! last, whose shapes cover the data and hold the text to show.

use crate::models::disk;
use crate::report::error::NotDrawn;
use askama::filters::Html;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// A position in pixels of the drawing, as plotters' backends count them.
pub type Pixel = (i32, i32);

/// How far around a point the pointer may be.
const REACH: i32 = 9;
/// Points of one square of this size show their texts together: nobody can point at one of them.
const SQUARE: i32 = 6;

#[derive(Debug)]
enum Place {
    Point(Pixel),
    Area(Pixel, Pixel),
}

/// The texts of a drawing, and where they show.
#[derive(Debug, Default)]
pub struct Hover {
    shapes: Vec<(Place, Vec<Line>)>,
    /// Which shape is the point of a square.
    squares: BTreeMap<Pixel, usize>,
}

#[derive(Debug)]
struct Line {
    of: String,
    text: String,
}

impl Hover {
    /// `text` shows near `at`, after `of` (the series, or nothing). Points too close to be told
    /// apart show together, each series once.
    pub fn point(&mut self, at: Pixel, of: &str, text: impl Into<String>) {
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
        self.shapes.push((Place::Point(at), vec![line]));
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
    fn svg(&self) -> String {
        let mut svg =
            String::from("<g class=\"hover\" fill=\"#000\" fill-opacity=\"0\" stroke=\"none\">\n");
        let is_point = |p: &Place| matches!(p, Place::Point(_));
        for points in [false, true] {
            for (place, lines) in self.shapes.iter().filter(|s| is_point(&s.0) == points) {
                let text: Vec<String> = lines.iter().map(Line::to_text).collect();
                let title = format!("<title>{}</title>", escape(&text.join("\n")));
                // Writing to a string does not fail.
                let _ = match *place {
                    Place::Point((x, y)) => writeln!(
                        svg,
                        "<circle cx=\"{x}\" cy=\"{y}\" r=\"{REACH}\">{title}</circle>"
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

/// Draws an SVG of `size` into a file with `draw`, which returns the texts to show over it.
/// `title` names the picture to those who do not see it, `description` says more.
///
/// # Errors
/// What went wrong, without the name of the file.
pub fn draw_svg(
    path: &Path,
    size: (u32, u32),
    title: &str,
    description: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<Hover, NotDrawn>,
) -> Result<(), NotDrawn> {
    let mut drawing = String::new();
    let root = SVGBackend::with_string(&mut drawing, size).into_drawing_area();
    let hover = draw(&root)?;
    root.present()?;
    drop(root);
    let svg = readable(&drawing, title, description, &hover)
        .ok_or_else(|| NotDrawn::new("no SVG came of it"))?;
    disk::write(path, svg.as_bytes()).map_err(NotDrawn::new)
}

/// A drawing with name, description and texts; None if it is no SVG.
fn readable(drawing: &str, title: &str, description: &str, hover: &Hover) -> Option<String> {
    let rest = drawing.trim_start().strip_prefix("<svg ")?;
    let (attributes, rest) = rest.split_once('>')?;
    let (body, _) = rest.rsplit_once("</svg>")?;
    Some(format!(
        "<svg {attributes} role=\"img\">\n<title>{}</title>\n<desc>{}</desc>{}{}</svg>\n",
        escape(title),
        escape(description),
        body,
        hover.svg(),
    ))
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
        let mut hover = Hover::default();
        hover.point((12, 12), "naive", "10k, $5.00");
        hover.point((14, 13), "optimised", "10k, $5.00");
        hover.point((15, 13), "optimised", "10.1k, $5.00");
        hover.point((200, 13), "optimised", "1M, $6.00");
        hover.area((40, 90), (10, 60), "a <bar>");
        insta::assert_snapshot!(hover.svg(), @r##"
        <g class="hover" fill="#000" fill-opacity="0" stroke="none">
        <rect x="10" y="60" width="30" height="30"><title>a &#60;bar&#62;</title></rect>
        <circle cx="12" cy="12" r="9"><title>naive: 10k, $5.00
        optimised: 10k, $5.00</title></circle>
        <circle cx="200" cy="13" r="9"><title>optimised: 1M, $6.00</title></circle>
        </g>
        "##);
    }

    #[test]
    fn a_drawing_gets_a_name_and_keeps_its_shapes() {
        let drawing = "<svg width=\"2\" height=\"1\">\n<line/>\n</svg>\n";
        let svg = readable(drawing, "a & b", "how \"it\" went", &Hover::default()).unwrap();
        assert!(svg.starts_with("<svg width=\"2\" height=\"1\" role=\"img\">\n<title>a &#38; b</title>\n<desc>how &#34;it&#34; went</desc>\n<line/>\n<g class=\"hover\""), "{svg}");
        assert!(svg.ends_with("</g>\n</svg>\n"), "{svg}");
        assert_eq!(readable("PNG", "", "", &Hover::default()), None);
    }
}
