//! For whom a picture is: on paper, on a wall or in a hand; on light or on dark.

use plotters::prelude::RGBColor;

/// The light that a picture is seen in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on black, with the hues of the other.
    Dark,
}

/// The size of a picture, and so of its texts beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// For a document or a page.
    #[default]
    Print,
    /// Sixteen to nine, with texts that are read from afar.
    Slides,
    /// As narrow as a phone.
    Phone,
}

/// How pictures are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Light or dark.
    pub theme: Theme,
    /// How large, in relation to the texts.
    pub form: Form,
}

impl Look {
    /// The options that ask for it; none where it is as usual.
    pub(in crate::report) fn options(self) -> Vec<&'static str> {
        let theme: &[&str] = match self.theme {
            Theme::Light => &[],
            Theme::Dark => &["--theme", "dark"],
        };
        let form: &[&str] = match self.form {
            Form::Print => &[],
            Form::Slides => &["--form", "slides"],
            Form::Phone => &["--form", "phone"],
        };
        [theme, form].concat()
    }
}

/// A sheet to draw on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Sheet {
    pub(super) form: Form,
    /// Whether the page around it says what a heading would.
    pub(super) is_bare: bool,
    /// Beyond what a heading of the form has: lines above and below the picture, in pixels.
    pub(super) above: i32,
    pub(super) below: i32,
}

impl Sheet {
    /// A sheet whose heading takes no more than it always does.
    pub(super) fn of(form: Form) -> Sheet {
        let (is_bare, above, below) = (false, 0, 0);
        Sheet {
            form,
            is_bare,
            above,
            below,
        }
    }

    /// The narrow sheet that a page shows on a phone.
    pub(super) fn bare() -> Sheet {
        let is_bare = true;
        Sheet {
            is_bare,
            ..Sheet::of(Form::Phone)
        }
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.form == Form::Phone
    }

    /// Width, and the height that there is for a plot that may have any.
    pub(super) fn size(&self) -> (i32, i32) {
        match self.form {
            Form::Print => (1200, 720),
            Form::Slides => (960, 540),
            Form::Phone => (420, 560),
        }
    }
}

impl Theme {
    /// A colour in this light. It is the same linear change for all, so that a mixture of two becomes the mixture of
    /// what they become; and the one that the page makes where the system is dark.
    pub(super) fn colour(self, RGBColor(r, g, b): RGBColor) -> RGBColor {
        if self == Theme::Light {
            return RGBColor(r, g, b);
        }
        // CSS: invert(.9) hue-rotate(180deg).
        let [r, g, b] = [r, g, b].map(|c| 0.9 - 0.8 * f64::from(c) / 255.0);
        let channel = |x: f64, y: f64, z: f64| {
            let c = x * r + y * g + z * b;
            (c.clamp(0.0, 1.0) * 255.0).round() as u8
        };
        RGBColor(
            channel(-0.574, 1.430, 0.144),
            channel(0.426, 0.430, 0.144),
            channel(0.426, 1.430, -0.856),
        )
    }

    /// The shapes of an SVG in this light.
    pub(super) fn shapes(self, shapes: String) -> String {
        if self == Theme::Light {
            return shapes;
        }
        const BEFORE: &str = "=\"#";
        let mut parts = shapes.split(BEFORE);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(BEFORE);
            match part
                .get(..6)
                .map(|hex| (u32::from_str_radix(hex, 16), part.get(6..7)))
            {
                Some((Ok(hex), Some("\""))) => {
                    let [_, r, g, b] = hex.to_be_bytes();
                    let RGBColor(r, g, b) = self.colour(RGBColor(r, g, b));
                    out.push_str(&format!("{r:02X}{g:02X}{b:02X}"));
                    out.push_str(&part[6..]);
                }
                _ => out.push_str(part),
            }
        }
        out
    }

    /// Pixels in this light, three bytes for each.
    pub(super) fn pixels(self, pixels: &mut [u8]) {
        if self == Theme::Light {
            return;
        }
        let mut last = (
            RGBColor(255, 255, 255),
            self.colour(RGBColor(255, 255, 255)),
        );
        for p in pixels.chunks_exact_mut(3) {
            let here = RGBColor(p[0], p[1], p[2]);
            if here != last.0 {
                last = (here, self.colour(here));
            }
            (p[0], p[1], p[2]) = (last.1.0, last.1.1, last.1.2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::{GREY, INK, colour, text_colour};
    use super::*;

    /// Relative luminance as in WCAG 2.
    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |c: u8| match f64::from(c) / 255.0 {
            c if c <= 0.04045 => c / 12.92,
            c => ((c + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: RGBColor, b: RGBColor) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn texts_and_lines_stand_out_in_both_lights() {
        for theme in [Theme::Light, Theme::Dark] {
            let ground = theme.colour(RGBColor(255, 255, 255));
            let on_ground = |c: RGBColor| contrast(theme.colour(c), ground);
            let texts = [INK, GREY].into_iter().chain((0..7).map(text_colour));
            for text in texts {
                assert!(
                    on_ground(text) >= 4.5,
                    "{theme:?} {text:?} {}",
                    on_ground(text)
                );
            }
            for i in 0..7 {
                assert!(
                    on_ground(colour(i)) >= 2.0,
                    "{theme:?} {i} {}",
                    on_ground(colour(i))
                );
            }
        }
    }

    #[test]
    fn an_svg_and_its_pixels_get_the_same_colours_and_nothing_else_changes() {
        let svg = "<text fill=\"#0072B2\" data-x=\"#12\">#0072B2</text><rect fill=\"#000\"/>";
        let RGBColor(r, g, b) = Theme::Dark.colour(RGBColor(0, 0x72, 0xB2));
        let dark = svg.replacen("0072B2", &format!("{r:02X}{g:02X}{b:02X}"), 1);
        assert_eq!(Theme::Dark.shapes(svg.into()), dark);
        let mut pixels = [0, 0x72, 0xB2, 255, 255, 255];
        Theme::Dark.pixels(&mut pixels);
        assert_eq!(pixels, [r, g, b, 25, 25, 25]);
        assert_eq!(Theme::Light.shapes(svg.into()), svg);
    }
}
