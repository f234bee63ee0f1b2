//! An SVG of a drawing: a name for screen readers, groups that say what they draw, and all forms of the drawing.
//!
//! Every drawing of kvplan is written here, so that a page which shows many of them can rely on their form: no ids,
//! a `<title>` and a `<desc>` first, what belongs to a line in groups of class `line`, and one group of class
//! `hover` last, whose shapes cover the data and hold the text to show. Other forms of the same drawing (another
//! scale, narrow for a phone) follow in hidden groups of class `form`, each with its shapes and values.

use super::hover::{Hover, escape};
use super::look::{self, Look, Theme};
use super::style::FONT;
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::fmt::Write as _;

/// What is said of a picture in an SVG.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Names the picture to those who do not see it.
    pub(super) title: &'a str,
    /// Says more.
    pub(super) description: &'a str,
}

/// One of the forms of a picture.
pub(super) struct Form {
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// How values are spaced upwards; empty if there is but one way.
    pub(super) scale: &'static str,
    /// Its shapes.
    pub(super) shapes: String,
}

/// A line of a chart: what it is a line of (such as a policy), which of its lines, and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) family: &'a str,
    pub(super) part: &'a str,
    pub(super) name: &'a str,
}

/// Texts that stand for the beginning and the end of a group; no drawing has any other with these characters.
const BEGIN: char = '\u{1}';
const END: char = '\u{2}';

/// Draws what belongs to a line; in an SVG, which alone is drawn once as large, that is a group.
pub(super) fn group<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    k: i32,
    line: Line,
    draw: impl FnOnce() -> Result<(), NotDrawn>,
) -> Result<(), NotDrawn> {
    if k != 1 {
        return draw();
    }
    let clean = |text: &str| text.replace(char::is_control, "\u{fffd}");
    let words = [line.family, line.part, line.name].map(clean).join("\u{1}");
    let note = |text: String| root.draw(&Text::new(text, (0, 0), (FONT, 1)));
    note(format!("{BEGIN}{words}"))?;
    draw()?;
    note(END.to_string())?;
    Ok(())
}

/// The shapes of a drawing of this size, and the texts to show over it.
pub(super) fn shapes(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<Hover, NotDrawn>,
) -> Result<String, NotDrawn> {
    let mut drawing = String::new();
    let root = SVGBackend::with_string(&mut drawing, size).into_drawing_area();
    let hover = draw(&root)?;
    root.present()?;
    drop(root);
    let body = body(&drawing).ok_or_else(|| NotDrawn::new("no SVG came of it"))?;
    Ok(joined(&grouped(body)) + &hover.svg())
}

/// What stands between the tags of an SVG.
fn body(drawing: &str) -> Option<&str> {
    let rest = drawing.trim_start().strip_prefix("<svg ")?;
    let (_, rest) = rest.split_once('>')?;
    let (body, _) = rest.rsplit_once("</svg>")?;
    Some(body)
}

/// Groups in place of the texts that stand for them.
fn grouped(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find([BEGIN, END]) {
        let start = rest[..at].rfind("<text").unwrap_or(at);
        let end = rest[at..].find("</text>").map_or(rest.len(), |e| at + e);
        out.push_str(&rest[..start]);
        match rest[at..end].trim_end().strip_prefix(BEGIN) {
            Some(words) => {
                let mut words = words.split(BEGIN);
                out.push_str("<g class=\"line\"");
                for name in ["family", "part", "name"] {
                    let word = words.next().unwrap_or_default();
                    // Writing to a string does not fail.
                    let _ = write!(out, " data-{name}=\"{word}\"");
                }
                out.push('>');
            }
            None => out.push_str("</g>"),
        }
        rest = rest[end..].trim_start_matches("</text>");
    }
    out + rest
}

/// Neighbouring strokes of one look as one path: each dash of a line is a stroke of its own.
fn joined(body: &str) -> String {
    let stroke = |line: &str| -> Option<(String, String)> {
        let rest = line.strip_prefix("<polyline ")?;
        let (look, points) = rest.strip_suffix("\"/>")?.split_once(" points=\"")?;
        let is_stroke = look.contains("fill=\"none\"");
        is_stroke.then(|| (look.to_owned(), format!("M{}", points.trim_end())))
    };
    let mut out = String::with_capacity(body.len());
    let mut path: Option<(String, String)> = None;
    let flush = |path: Option<(String, String)>, out: &mut String| {
        if let Some((look, steps)) = path {
            let _ = writeln!(out, "<path {look} d=\"{steps}\"/>");
        }
    };
    for line in body.split_inclusive('\n') {
        match (stroke(line.trim_end_matches('\n')), &mut path) {
            (Some((look, steps)), Some(open)) if open.0 == look => open.1.push_str(&steps),
            (Some(next), _) => flush(path.replace(next), &mut out),
            (None, _) => {
                flush(path.take(), &mut out);
                out.push_str(line);
            }
        }
    }
    flush(path, &mut out);
    out
}

/// The SVG of the forms of a picture, of which the first is seen.
pub(super) fn written(said: Said, look: Look, first: &Form, others: &[Form]) -> String {
    let (width, height) = first.size;
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"{}{}{}>\n<title>{}</title>\n<desc>{}</desc>{}",
        scale(first),
        if look.theme == Theme::Dark {
            " data-theme=\"dark\""
        } else {
            ""
        },
        match look.form {
            look::Form::Print | look::Form::Slides => "",
            look::Form::Phone => " data-form=\"phone\"",
        },
        escape(said.title),
        escape(said.description),
        first.shapes,
    );
    for form in others {
        let (width, height) = form.size;
        let _ = writeln!(
            svg,
            "<g class=\"form\" data-size=\"{width} {height}\"{} display=\"none\">{}</g>",
            scale(form),
            form.shapes
        );
    }
    svg + "</svg>\n"
}

fn scale(form: &Form) -> String {
    match form.scale {
        "" => String::new(),
        scale => format!(" data-scale=\"{scale}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(size: (u32, u32), scale: &'static str, shapes: &str) -> Form {
        let shapes = shapes.to_owned();
        Form {
            size,
            scale,
            shapes,
        }
    }

    #[test]
    fn a_drawing_gets_a_name_and_keeps_its_shapes_and_forms() {
        let said = Said {
            title: "a & b",
            description: "how \"it\" went",
        };
        let (first, other) = (
            form((2, 1), "log", "\n<line/>\n"),
            form((1, 1), "", "<rect/>"),
        );
        assert_eq!(
            written(said, Look::default(), &first, &[other]),
            "<svg width=\"2\" height=\"1\" viewBox=\"0 0 2 1\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" data-scale=\"log\">
<title>a &#38; b</title>
<desc>how &#34;it&#34; went</desc>
<line/>
<g class=\"form\" data-size=\"1 1\" display=\"none\"><rect/></g>
</svg>
"
        );
        assert_eq!(body("PNG"), None);
    }

    #[test]
    fn what_belongs_to_a_line_is_a_group_and_its_dashes_one_path() {
        let svg = shapes((9, 9), |root| {
            let line = Line {
                family: "naive",
                part: "p<95>",
                name: "naive p<95>",
            };
            group(root, 1, line, || {
                for x in [1, 4] {
                    root.draw(&PathElement::new([(x, 1), (x + 1, 1)], RED.stroke_width(1)))?;
                }
                Ok(())
            })?;
            Ok(Hover::default())
        })
        .unwrap();
        let expected = "<g class=\"line\" data-family=\"naive\" data-part=\"p&lt;95&gt;\" data-name=\"naive p&lt;95&gt;\">
<path fill=\"none\" opacity=\"1\" stroke=\"#FF0000\" stroke-width=\"1\" d=\"M1,1 2,1M4,1 5,1\"/>
</g>";
        assert!(svg.contains(expected), "{svg}");
        assert!(!svg.contains([BEGIN, END]));
    }
}
