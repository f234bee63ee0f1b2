//! Texts, lines and areas in pixels of an SVG, whatever the scale.

use super::style::FONT;
use crate::report::error::NotDrawn;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Draws on `root`, `k` times as large.
pub(super) struct Pen<'a, DB: DrawingBackend> {
    pub(super) root: &'a DrawingArea<DB, Shift>,
    pub(super) k: i32,
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    /// A text that begins at this height.
    pub(super) fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        ink: RGBColor,
        h: HPos,
    ) -> Result<(), NotDrawn> {
        self.write(text, at, size, ink, Pos::new(h, VPos::Top))
    }

    /// A text whose middle is at this height.
    pub(super) fn label(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        ink: RGBColor,
        h: HPos,
    ) -> Result<(), NotDrawn> {
        self.write(text, at, size, ink, Pos::new(h, VPos::Center))
    }

    fn write(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        ink: RGBColor,
        pos: Pos,
    ) -> Result<(), NotDrawn> {
        let style = (FONT, size * self.k).into_font().color(&ink).pos(pos);
        let [at] = self.scaled([at]);
        let text = Text::new(text.to_owned(), at, style);
        self.root.draw(&text).map_err(NotDrawn::from)
    }

    /// A filled rectangle between two corners.
    pub(super) fn rectangle(
        &self,
        a: (i32, i32),
        b: (i32, i32),
        ink: RGBColor,
    ) -> Result<(), NotDrawn> {
        let shape = Rectangle::new(self.scaled([a, b]), ink.filled());
        self.root.draw(&shape).map_err(NotDrawn::from)
    }

    /// A line of this width.
    pub(super) fn line(
        &self,
        a: (i32, i32),
        b: (i32, i32),
        ink: RGBColor,
        width: u32,
    ) -> Result<(), NotDrawn> {
        let style = ink.stroke_width(width * self.k as u32);
        let path = PathElement::new(self.scaled([a, b]), style);
        self.root.draw(&path).map_err(NotDrawn::from)
    }

    /// A line as a key has it, of dashes if it is one of these (length and gap).
    pub(super) fn sample(
        &self,
        a: (i32, i32),
        b: (i32, i32),
        dash: Option<(i32, i32)>,
        ink: RGBColor,
    ) -> Result<(), NotDrawn> {
        let Some((size, gap)) = dash else {
            return self.line(a, b, ink, 2);
        };
        let style = ink.stroke_width(2 * self.k as u32);
        let path = DashedPathElement::new(self.scaled([a, b]), size * self.k, gap * self.k, style);
        self.root.draw(&path).map_err(NotDrawn::from)
    }

    fn scaled<const N: usize>(&self, points: [(i32, i32); N]) -> [(i32, i32); N] {
        points.map(|p| (p.0 * self.k, p.1 * self.k))
    }
}
