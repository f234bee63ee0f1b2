//! What all drawings share: the file, SVG or PNG, and the heading.

use super::hover::Hover;
use super::png;
use super::style::{FONT, GREY, INK, PNG_SCALE, use_own_font};
use super::svg::{Form, Said, shapes, written};
use crate::models::disk;
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// A picture that draws itself alike as SVG and PNG.
pub(in crate::report) trait Drawing: Sized {
    /// Width and height of the SVG in pixels; a PNG has [`PNG_SCALE`] times as many.
    fn size(&self) -> (u32, u32);
    /// Title, subtitle, and the note at the bottom.
    fn heading(&self) -> [&str; 3];
    /// Draws everything but the heading, `k` times as large; returns the values to show.
    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        k: i32,
    ) -> Result<Hover, NotDrawn>;
    /// How values are spaced upwards, if there is a choice.
    fn scale(&self) -> &'static str {
        ""
    }
    /// Whether it is for a narrow screen: the page says beside it what the heading says.
    fn is_narrow(&self) -> bool {
        false
    }
    /// The same picture otherwise: what an SVG holds beside it.
    fn other_forms(&self) -> Vec<Self> {
        Vec::new()
    }
}

/// Draws into a file: SVG or PNG, by the path's extension.
///
/// # Errors
/// If the file cannot be drawn or written.
pub(in crate::report) fn draw(drawing: &impl Drawing, path: &Path) -> Result<(), WriteError> {
    use_own_font();
    let (width, height) = drawing.size();
    let [title, subtitle, note] = drawing.heading();
    let drawn = if path.extension().is_some_and(|e| e == "svg") {
        let description = &format!("{subtitle}. {note}");
        let others = drawing.other_forms();
        let others: Result<Vec<Form>, NotDrawn> = others.iter().map(form).collect();
        let all = form(drawing).and_then(|first| Ok((first, others?)));
        all.and_then(|(first, others)| {
            let said = Said { title, description };
            disk::write(path, written(said, &first, &others).as_bytes()).map_err(NotDrawn::new)
        })
    } else {
        let size = (width * PNG_SCALE, height * PNG_SCALE);
        let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        let drawn = draw_all(drawing, &root, PNG_SCALE as i32).and_then(|_| Ok(root.present()?));
        drop(root);
        drawn.and_then(|()| png::write(path, size, &pixels))
    };
    drawn.map_err(|why| WriteError::NotDrawn {
        what: path.display().to_string(),
        why,
    })
}

fn form(drawing: &impl Drawing) -> Result<Form, NotDrawn> {
    let size = drawing.size();
    Ok(Form {
        size,
        scale: drawing.scale(),
        shapes: shapes(size, |root| draw_all(drawing, root, 1))?,
    })
}

fn draw_all<DB: DrawingBackend>(
    drawing: &impl Drawing,
    root: &DrawingArea<DB, Shift>,
    k: i32,
) -> Result<Hover, NotDrawn> {
    if drawing.is_narrow() {
        root.fill(&WHITE)?;
    } else {
        heading(root, drawing, k)?;
    }
    drawing.draw_on(root, k)
}

/// An estimate of the width of a character of the subtitle.
const SMALL_WIDTH: f64 = 7.2;

/// A subtitle in two lines if one of `most` characters does not hold it, broken between its parts; what
/// does not fit there either stands in the description of the SVG.
fn lines(subtitle: &str, most: usize) -> Vec<String> {
    if subtitle.chars().count() <= most {
        return vec![subtitle.to_owned()];
    }
    let parts: Vec<&str> = subtitle.split("; ").collect();
    let fits = |n: &usize| parts[..*n].join("; ").chars().count() < most;
    let first = (1..parts.len()).rev().find(fits).unwrap_or(1);
    let mut rest = parts[first..].join("; ");
    if rest.chars().count() > most {
        rest = rest
            .chars()
            .take(most.saturating_sub(3))
            .collect::<String>()
            + "...";
    }
    let mut both = vec![parts[..first].join("; ")];
    both.extend((!rest.is_empty()).then_some(rest));
    both
}

/// Fills the background and writes title, subtitle and, at the bottom, the note.
fn heading<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    drawing: &impl Drawing,
    k: i32,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let [title, subtitle, note] = drawing.heading();
    root.fill(&WHITE)?;
    let large = (FONT, 24 * k).into_font().color(&INK);
    root.draw(&Text::new(title, (24 * k, 16 * k), large))?;
    let small = (FONT, 14 * k).into_font().color(&GREY);
    let most = (drawing.size().0 as f64 - 48.0) / SMALL_WIDTH;
    for (i, line) in lines(subtitle, most as usize).iter().enumerate() {
        let top = 44 + 16 * i as i32;
        root.draw(&Text::new(line.as_str(), (24 * k, top * k), small.clone()))?;
    }
    let bottom = drawing.size().1 as i32 - 22;
    root.draw(&Text::new(note, (24 * k, bottom * k), small))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::disk::failing;

    struct Blank;

    impl Drawing for Blank {
        fn size(&self) -> (u32, u32) {
            (60, 40)
        }

        fn heading(&self) -> [&str; 3] {
            ["", "", ""]
        }

        fn draw_on<DB: DrawingBackend>(
            &self,
            _: &DrawingArea<DB, Shift>,
            _: i32,
        ) -> Result<Hover, NotDrawn> {
            Ok(Hover::default())
        }
    }

    #[test]
    fn a_drawing_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.svg", "a.png"] {
            draw(&Blank, &dir.path().join(name)).unwrap();
            let nowhere = dir.path().join("none").join(name);
            let said = draw(&Blank, &nowhere).unwrap_err().to_string();
            assert!(said.contains(": cannot be drawn ("), "{said}");
        }
    }

    /// Whichever call to the disk fails, the drawing says so.
    #[test]
    fn a_disk_that_fails_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.svg", "a.png"] {
            let path = dir.path().join(name);
            let mut calls = 0;
            while let Err(e) = failing::at(calls, || draw(&Blank, &path)).0 {
                let said = e.to_string();
                assert!(said.contains(": cannot be drawn ("), "{said}");
                calls += 1;
            }
            assert_eq!(calls, 2, "{name}: it is made, then written");
        }
    }

    #[test]
    fn a_long_subtitle_is_broken_between_its_parts() {
        assert_eq!(lines("one; two", 20), ["one; two"]);
        assert_eq!(lines("one; two; three", 10), ["one; two", "three"]);
        assert_eq!(lines("one; two; three, four", 9), ["one; two", "three,..."]);
        assert_eq!(lines("far too long for it", 5), ["far too long for it"]);
    }
}
