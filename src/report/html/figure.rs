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
    /// Markup that is safe to put into a page.
    pub svg: String,
}

const SHAPES: [&str; 12] = [
    "svg", "g", "rect", "line", "polyline", "polygon", "path", "circle", "ellipse", "text",
    "tspan", "title",
];

const ATTRIBUTES: [&str; 36] = [
    "viewBox",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "dx",
    "dy",
    "cx",
    "cy",
    "r",
    "rx",
    "ry",
    "width",
    "height",
    "points",
    "d",
    "fill",
    "fill-opacity",
    "fill-rule",
    "stroke",
    "stroke-width",
    "stroke-opacity",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "opacity",
    "transform",
    "text-anchor",
    "font-family",
    "font-size",
    "font-weight",
    "font-style",
    "dominant-baseline",
    "preserveAspectRatio",
];

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
    let mut svg = format!(
        "<svg viewBox=\"{}\" role=\"img\" aria-label=\"{}\">",
        escape(&view_box(root)),
        escape(&title)
    );
    for child in root.children().filter(|n| !n.has_tag_name_local("title")) {
        write(child, DEPTH, &mut svg);
    }
    svg.push_str("</svg>");
    Ok(Figure {
        title,
        about,
        file: file.to_owned(),
        svg,
    })
}

/// The part of the plane that the drawing shows.
fn view_box(root: Node) -> String {
    let size = |name: &str| root.attribute(name).unwrap_or("100").trim_end_matches("px");
    match root.attribute("viewBox") {
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
        let refers = a.value().contains("url(");
        let is_hover = (a.name(), a.value()) == ("class", "hover");
        let is_known = is_hover || ATTRIBUTES.contains(&a.name());
        if is_known && a.namespace().is_none() && !is_default && !refers {
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
