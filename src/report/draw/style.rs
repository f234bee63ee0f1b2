//! The look that all drawings share: font and colours.

use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// A PNG has so many times as many pixels each way as an SVG.
pub(in crate::report) const PNG_SCALE: u32 = 2;
pub(in crate::report) const FONT: &str = "sans-serif";
pub(in crate::report) const INK: RGBColor = RGBColor(40, 40, 40);
pub(in crate::report) const GREY: RGBColor = RGBColor(104, 104, 104);

/// Colours that the colour-blind can tell apart (Okabe and Ito).
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

pub(in crate::report) fn colour(i: usize) -> RGBColor {
    PALETTE[i % PALETTE.len()]
}

/// The same colour dark enough for text on white (contrast of 4.5 or more).
pub(in crate::report) fn text_colour(i: usize) -> RGBColor {
    let RGBColor(r, g, b) = colour(i);
    let dark = |c: u8| (u16::from(c) * 13 / 20) as u8;
    RGBColor(dark(r), dark(g), dark(b))
}

/// Makes the font of the binary known, once.
pub(in crate::report) fn use_own_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("font/DejaVuSans-subset.ttf");
        for style in [FontStyle::Normal, FontStyle::Bold] {
            assert!(
                register_font(FONT, style, font).is_ok(),
                "the font inside the binary can be read"
            );
        }
    });
}
