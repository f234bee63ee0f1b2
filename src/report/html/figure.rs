//! Drawings of a page: SVG cleaned of all that a picture does not need.
//!
//! A page holds many drawings and must not depend on anything outside it, so each is written anew
//! from its shapes: no scripts, styles, links, ids or foreign content.

use super::table::sentence;
use crate::report::draw::hover::escape;
use roxmltree::{Document, Node};

/// A drawing as the page shows it.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// How it is to be read.
    pub about: String,
    /// Its name in the folder.
    pub file: String,
    /// Markup that is safe to put into a page: an SVG for each form of the drawing.
    pub svg: String,
    /// Whether one of the forms is for a narrow screen.
    pub has_narrow: bool,
}

const SHAPES: [&str; 12] = [
    "svg", "g", "rect", "line", "polyline", "polygon", "path", "circle", "ellipse", "text",
    "tspan", "title",
];

/// What the value of an attribute may be.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Numbers, with signs, exponents, units and percent signs.
    Numbers,
    /// The steps of a path.
    Path,
    /// Functions of numbers, such as `rotate(90 1,2)`.
    Transform,
    /// A colour: a name, hexadecimal digits, or a function of numbers.
    Paint,
    /// Words and commas.
    Words,
}

/// Classes that the script of the page knows.
const CLASSES: [&str; 2] = ["hover", "line"];

/// What it reads there as text, whatever that is.
const TEXTS: [&str; 4] = ["data-axis", "data-family", "data-part", "data-name"];

const ATTRIBUTES: [(&str, Form); 36] = [
    ("data-x", Form::Numbers),
    ("x", Form::Numbers),
    ("y", Form::Numbers),
    ("x1", Form::Numbers),
    ("y1", Form::Numbers),
    ("x2", Form::Numbers),
    ("y2", Form::Numbers),
    ("dx", Form::Numbers),
    ("dy", Form::Numbers),
    ("cx", Form::Numbers),
    ("cy", Form::Numbers),
    ("r", Form::Numbers),
    ("rx", Form::Numbers),
    ("ry", Form::Numbers),
    ("width", Form::Numbers),
    ("height", Form::Numbers),
    ("points", Form::Numbers),
    ("d", Form::Path),
    ("fill", Form::Paint),
    ("fill-opacity", Form::Numbers),
    ("fill-rule", Form::Words),
    ("stroke", Form::Paint),
    ("stroke-width", Form::Numbers),
    ("stroke-opacity", Form::Numbers),
    ("stroke-dasharray", Form::Numbers),
    ("stroke-linecap", Form::Words),
    ("stroke-linejoin", Form::Words),
    ("opacity", Form::Numbers),
    ("transform", Form::Transform),
    ("text-anchor", Form::Words),
    ("font-family", Form::Words),
    ("font-size", Form::Numbers),
    ("font-weight", Form::Words),
    ("font-style", Form::Words),
    ("dominant-baseline", Form::Words),
    ("preserveAspectRatio", Form::Words),
];

const TRANSFORMS: [&str; 6] = ["translate", "scale", "rotate", "skewX", "skewY", "matrix"];

const COLOURS: [&str; 4] = ["rgb", "rgba", "hsl", "hsla"];

impl Form {
    /// Whether a value has this form. What has not could be a reference to something outside.
    fn allows(self, value: &str) -> bool {
        match self {
            Form::Numbers => is_numbers(value),
            Form::Path => value
                .chars()
                .all(|c| is_digit(c) || is_space(c) || "MmZzLlHhVvCcSsQqTtAa".contains(c)),
            Form::Transform => is_functions(value, &TRANSFORMS),
            Form::Paint => match value.trim().strip_prefix('#') {
                Some(digits) => digits.chars().all(|c| c.is_ascii_hexdigit()),
                None => is_words(value) || is_functions(value, &COLOURS),
            },
            Form::Words => is_words(value),
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | ',' | '\n' | '\t' | '\r')
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')
}

fn is_numbers(value: &str) -> bool {
    let unit = |c: char| matches!(c, '%' | 'p' | 'x' | 't' | 'm');
    value.chars().all(|c| is_digit(c) || is_space(c) || unit(c))
}

fn is_words(value: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '\'');
    value.chars().all(|c| letter(c) || is_space(c))
}

/// Functions one after the other, each of numbers and with one of these names.
fn is_functions(value: &str, names: &[&str]) -> bool {
    value.split_inclusive(')').all(|function| {
        let function = function.trim_matches(is_space);
        let parts = function.strip_suffix(')').and_then(|f| f.split_once('('));
        function.is_empty()
            || parts.is_some_and(|(name, of)| names.contains(&name.trim()) && is_numbers(of))
    })
}

/// Elements deeper than this are left out.
const DEPTH: usize = 32;

/// The figure of an SVG, with its `<title>` and `<desc>` as the words beside it.
///
/// # Errors
/// The line, and what is wrong there.
pub fn of_svg(file: &str, svg: &str) -> Result<Figure, (u32, String)> {
    let document = Document::parse(svg).map_err(|e| (e.pos().row, format!("no SVG ({e})")))?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" {
        let found = root.tag_name().name();
        return Err((1, format!("found <{found}>, expected <svg>")));
    }
    let words = |name: &str| {
        let node = root.children().find(|n| n.has_tag_name_local(name))?;
        Some(node.text()?.trim().to_owned()).filter(|t| !t.is_empty())
    };
    let stem = file.trim_end_matches(".svg");
    let title = words("title").unwrap_or_else(|| sentence(stem));
    let about = words("desc").unwrap_or_default();
    let mut figure = Figure {
        title,
        about,
        file: file.to_owned(),
        svg: String::new(),
        has_narrow: false,
    };
    let width = |size: &str| size.split(' ').next().and_then(|w| w.parse::<f64>().ok());
    let full = root.attribute("width").and_then(width);
    // What was drawn for a dark ground stays so, and what was drawn for a phone is not blown up.
    let mut looks = String::new();
    if root.attribute("data-theme") == Some("dark") {
        looks.push_str(" dark");
    }
    if root.attribute("data-form") == Some("phone") {
        looks.push_str(" small");
    }
    figure.add(root, &view_box(root), &format!("wide{looks}"), false);
    for form in root.children().filter(|n| is_form(*n)) {
        let Some(size) = form.attribute("data-size").filter(|s| is_numbers(s)) else {
            continue;
        };
        let is_narrow = width(size) < full;
        figure.has_narrow |= is_narrow;
        let is_other = form.attribute("data-scale") != root.attribute("data-scale");
        let class = if is_narrow { "narrow" } else { "wide" };
        figure.add(
            form,
            &format!("0 0 {size}"),
            &format!("{class}{looks}"),
            is_other,
        );
    }
    Ok(figure)
}

/// Whether it holds another form of the drawing.
fn is_form(node: Node) -> bool {
    node.attribute("class") == Some("form")
}

impl Figure {
    /// Adds the form of the drawing that a node holds; one of another scale is not shown at first.
    fn add(&mut self, form: Node, view_box: &str, class: &str, is_other: bool) {
        let scale = form.attribute("data-scale").filter(|s| is_words(s));
        let scale = scale.map_or_else(String::new, |s| format!(" data-scale=\"{s}\""));
        let off = if is_other { " data-off" } else { "" };
        self.svg.push_str(&format!(
            "<svg class=\"{class}\" viewBox=\"{}\" role=\"img\" aria-label=\"{}\"{scale}{off}>",
            escape(view_box),
            escape(&self.title)
        ));
        for child in form.children() {
            if !child.has_tag_name_local("title") && !is_form(child) {
                write(child, DEPTH, &mut self.svg);
            }
        }
        self.svg.push_str("</svg>");
    }
}

/// The part of the plane that the drawing shows.
fn view_box(root: Node) -> String {
    let numbers = |name: &str| root.attribute(name).filter(|v| is_numbers(v));
    let size = |name: &str| numbers(name).unwrap_or("100").trim_end_matches("px");
    match numbers("viewBox") {
        Some(view_box) => view_box.to_owned(),
        None => format!("0 0 {} {}", size("width"), size("height")),
    }
}

/// Writes a node and what it holds, as far as both are known.
fn write(node: Node, depth: usize, out: &mut String) {
    if node.is_text() {
        let text = node.text().unwrap_or_default();
        let in_text = node.parent().is_some_and(|p| p.is_written_text());
        if in_text {
            out.push_str(&escape(text.trim_matches('\n')));
        }
        return;
    }
    let name = node.tag_name().name();
    if depth == 0 || !node.is_element() || !SHAPES.contains(&name) {
        return;
    }
    out.push('<');
    out.push_str(name);
    for a in node.attributes() {
        let is_default = a.name() == "opacity" && a.value() == "1";
        let is_marked = a.name() == "class" && CLASSES.contains(&a.value());
        let is_text = TEXTS.contains(&a.name());
        let known = ATTRIBUTES.iter().find(|known| known.0 == a.name());
        let is_allowed =
            is_marked || is_text || known.is_some_and(|(_, form)| form.allows(a.value()));
        if is_allowed && a.namespace().is_none() && !is_default {
            out.push_str(&format!(" {}=\"{}\"", a.name(), escape(a.value())));
        }
    }
    out.push('>');
    for child in node.children() {
        write(child, depth - 1, out);
    }
    out.push_str(&format!("</{name}>"));
}

trait NodeExt {
    fn has_tag_name_local(&self, name: &str) -> bool;
    fn is_written_text(&self) -> bool;
}

impl NodeExt for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }

    /// Whether the text in it is to be read.
    fn is_written_text(&self) -> bool {
        ["text", "tspan", "title"]
            .iter()
            .any(|n| self.has_tag_name_local(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_forms_of_values_are_kept() {
        for (form, good, bad) in [
            (Form::Numbers, "-1.5e3px, 20%", "url(1)"),
            (Form::Path, "M1,2 L-3.5 4Z", "M1 2 url(#x)"),
            (
                Form::Transform,
                "rotate(270, 10, 20) scale(2)",
                "rotate(1) url(2)",
            ),
            (
                Form::Transform,
                "matrix(1 0 0 1 0 0)",
                "rotate(expression(1))",
            ),
            (Form::Paint, "#00ff7f", "#x"),
            (Form::Paint, "rgba(1, 2, 3, 0.5)", "URL(http://example.com)"),
            (Form::Paint, "none", "u\\72l(#a)"),
            (Form::Words, "sans-serif, 'DejaVu Sans'", "a:b"),
        ] {
            assert!(form.allows(good), "{good}");
            assert!(!form.allows(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_from_outside_is_loaded() {
        let outside = "http://example.com/x";
        for value in [
            "url(X)",
            "URL(X)",
            "uRl( 'X' )",
            "image(X)",
            "image-set('X')",
            "X",
            "var(--x, url(X))",
            "red url(X)",
        ] {
            let value = value.replace('X', outside);
            let everywhere: String = ATTRIBUTES
                .iter()
                .map(|(name, _)| format!(" {name}=\"{value}\""))
                .collect();
            let svg = format!(
                "<svg viewBox=\"{value}\" width=\"{value}\"><rect{everywhere} style=\"fill:{value}\" href=\"{outside}\"/><image href=\"{outside}\"/><use href=\"{outside}\"/><style>@import '{outside}';</style></svg>"
            );
            let figure = of_svg("x.svg", &svg).unwrap();
            let clean = "<svg class=\"wide\" viewBox=\"0 0 100 100\" role=\"img\" aria-label=\"X\"><rect></rect></svg>";
            assert_eq!(figure.svg, clean, "{value}");
        }
    }
}
