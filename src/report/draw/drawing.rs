//! What all drawings share: the file, SVG or PNG, and the heading.

use super::hover::Hover;
use super::labels::wrapped;
use super::look::{Form, Look, Sheet};
use super::png;
use super::style::{FONT, GREY, INK, PNG_SCALE, use_own_font};
use super::svg::{self, Said, shapes, written};
use crate::disk;
use crate::report::error::{NotDrawn, WriteError};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// A picture that draws itself alike as SVG and PNG.
pub(super) trait Drawing: Sized {
    /// Width and height of the SVG in pixels, with a heading of two lines; a PNG has [`PNG_SCALE`] times as many.
    fn size(&self, form: Form) -> (u32, u32);
    /// Title, subtitle, and the note at the bottom.
    fn heading(&self) -> [&str; 3];
    /// Draws everything but the heading, `k` times as large; returns the values to show.
    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sheet: Sheet,
        k: i32,
    ) -> Result<Hover, NotDrawn>;
    /// How values are spaced upwards, if there is a choice.
    fn scale(&self) -> &'static str {
        ""
    }
    /// The same picture otherwise, where it makes sense: with the other scale.
    fn other_scale(&self) -> Option<Self> {
        None
    }
}

/// What can be drawn into a file.
pub(in crate::report) trait Picture {
    /// Draws it into a file: SVG or PNG, by the path's extension.
    ///
    /// # Errors
    /// A message that names the file.
    fn draw(&self, look: Look, path: &Path) -> Result<(), WriteError>;
}

/// Draws into a file: SVG or PNG, by the path's extension.
///
/// # Errors
/// If the file cannot be drawn or written.
pub(super) fn draw(drawing: &impl Drawing, look: Look, path: &Path) -> Result<(), WriteError> {
    use_own_font();
    let sheet = sheet(drawing, look.form);
    let drawn = if path.extension().is_some_and(|e| e == "svg") {
        svg_of(drawing, look, sheet)
            .and_then(|svg| disk::write(path, svg.as_bytes()).map_err(NotDrawn::new))
    } else {
        let (width, height) = size(drawing, sheet);
        let size = (width * PNG_SCALE, height * PNG_SCALE);
        let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        let k = PNG_SCALE as i32;
        let drawn = draw_all(drawing, &root, sheet, k).and_then(|_| Ok(root.present()?));
        drop(root);
        look.theme.pixels(&mut pixels);
        drawn.and_then(|()| png::write(path, size, &pixels))
    };
    drawn.map_err(|why| WriteError::NotDrawn {
        what: path.display().to_string(),
        why,
    })
}

/// The picture with its other forms: with the other scale, and each narrow for a phone.
fn svg_of<D: Drawing>(drawing: &D, look: Look, sheet: Sheet) -> Result<String, NotDrawn> {
    let form = |drawing: &D, sheet: Sheet| -> Result<svg::Form, NotDrawn> {
        let size = size(drawing, sheet);
        let shapes = shapes(size, |root| draw_all(drawing, root, sheet, 1))?;
        Ok(svg::Form {
            size,
            scale: drawing.scale(),
            shapes: look.theme.shapes(shapes),
        })
    };
    let first = form(drawing, sheet)?;
    let other = drawing.other_scale();
    let mut others = Vec::new();
    let is_narrowed = look.form != Form::Phone;
    if let Some(other) = &other {
        others.push(form(other, sheet)?);
        if is_narrowed {
            others.push(form(other, Sheet::bare())?);
        }
    }
    if is_narrowed {
        others.push(form(drawing, Sheet::bare())?);
    }
    let [title, subtitle, note] = drawing.heading();
    let description = &format!("{subtitle}. {note}");
    Ok(written(Said { title, description }, look, &first, &others))
}

/// The sheet of a form, with room for all of the heading.
fn sheet(drawing: &impl Drawing, form: Form) -> Sheet {
    let (title, subtitle, note) = lines(drawing, form);
    let rows = |lines: &[String], few: usize| lines.len().saturating_sub(few) as i32;
    let (above, below) = match form {
        // What a heading of two lines takes is part of the picture's own size.
        Form::Print | Form::Slides => (ROW * rows(&subtitle, 2), ROW * rows(&note, 1)),
        Form::Phone => {
            let title = TITLE_ROW * title.len() as i32;
            (
                20 + title + ROW * rows(&subtitle, 0),
                14 + ROW * rows(&note, 0),
            )
        }
    };
    Sheet {
        above,
        below,
        ..Sheet::of(form)
    }
}

fn size(drawing: &impl Drawing, sheet: Sheet) -> (u32, u32) {
    let (width, height) = drawing.size(sheet.form);
    (width, height + (sheet.above + sheet.below) as u32)
}

fn draw_all<DB: DrawingBackend>(
    drawing: &impl Drawing,
    root: &DrawingArea<DB, Shift>,
    sheet: Sheet,
    k: i32,
) -> Result<Hover, NotDrawn> {
    root.fill(&WHITE)?;
    if !sheet.is_bare {
        heading(root, drawing, sheet, k)?;
    }
    drawing.draw_on(root, sheet, k)
}

/// An estimate of the width of a character of the subtitle, and of one of a title.
const SMALL_WIDTH: f64 = 7.2;
const LARGE_WIDTH: f64 = 12.0;
/// From one line of the small texts to the next, and of a title on a phone.
const ROW: i32 = 16;
const TITLE_ROW: i32 = 28;

/// A subtitle in as many lines as it takes, broken between its parts where that leaves no line half empty, else
/// between words.
fn subtitle_lines(subtitle: &str, most: usize) -> Vec<String> {
    if subtitle.chars().count() <= most {
        return vec![subtitle.to_owned()];
    }
    let parts: Vec<&str> = subtitle.split("; ").collect();
    let fits = |n: &usize| parts[..*n].join("; ").chars().count() < most;
    let first = (1..parts.len()).rev().find(fits).unwrap_or(1);
    let mut all = wrapped(&parts[..first].join("; "), most);
    all.extend(wrapped(&parts[first..].join("; "), most));
    all.retain(|line| !line.is_empty());
    all
}

/// Title, subtitle and note in the lines of a form.
fn lines(drawing: &impl Drawing, form: Form) -> (Vec<String>, Vec<String>, Vec<String>) {
    let [title, subtitle, note] = drawing.heading();
    let margin = f64::from(margin(form));
    let width = f64::from(drawing.size(form).0) - 2.0 * margin;
    let most = |character: f64| (width / character) as usize;
    let title = match form {
        Form::Print => vec![title.to_owned()],
        Form::Slides | Form::Phone => wrapped(title, most(LARGE_WIDTH)),
    };
    let note_width = 6.2;
    (
        title,
        subtitle_lines(subtitle, most(SMALL_WIDTH)),
        wrapped(note, most(note_width)),
    )
}

fn margin(form: Form) -> i32 {
    match form {
        Form::Print | Form::Slides => 24,
        Form::Phone => 10,
    }
}

/// Writes title, subtitle and, at the bottom, the note.
fn heading<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    drawing: &impl Drawing,
    sheet: Sheet,
    k: i32,
) -> Result<(), NotDrawn> {
    let (title, subtitle, note) = lines(drawing, sheet.form);
    let left = margin(sheet.form) * k;
    let large = (FONT, 24 * k).into_font().color(&INK);
    let large = if sheet.is_narrow() {
        (FONT, 21 * k).into_font().color(&INK)
    } else {
        large
    };
    let mut top = if sheet.is_narrow() { 10 } else { 16 };
    for line in &title {
        root.draw(&Text::new(line.as_str(), (left, top * k), large.clone()))?;
        top += TITLE_ROW;
    }
    let small = (FONT, 14 * k).into_font().color(&GREY);
    for line in &subtitle {
        root.draw(&Text::new(line.as_str(), (left, top * k), small.clone()))?;
        top += ROW;
    }
    let bottom = size(drawing, sheet).1 as i32 - 22 + ROW;
    for (i, line) in note.iter().enumerate() {
        let y = bottom - ROW * (note.len() - i) as i32;
        root.draw(&Text::new(line.as_str(), (left, y * k), small.clone()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::failing;

    struct Blank;

    impl Drawing for Blank {
        fn size(&self, _: Form) -> (u32, u32) {
            (60, 40)
        }

        fn heading(&self) -> [&str; 3] {
            ["", "", ""]
        }

        fn draw_on<DB: DrawingBackend>(
            &self,
            _: &DrawingArea<DB, Shift>,
            _: Sheet,
            _: i32,
        ) -> Result<Hover, NotDrawn> {
            Ok(Hover::default())
        }
    }

    #[test]
    fn a_drawing_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.svg", "a.png"] {
            draw(&Blank, Look::default(), &dir.path().join(name)).unwrap();
            let nowhere = dir.path().join("none").join(name);
            let said = draw(&Blank, Look::default(), &nowhere)
                .unwrap_err()
                .to_string();
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
            while let Err(e) = failing::at(calls, || draw(&Blank, Look::default(), &path)).0 {
                let said = e.to_string();
                assert!(said.contains(": cannot be drawn ("), "{said}");
                calls += 1;
            }
            assert_eq!(calls, 2, "{name}: it is made, then written");
        }
    }

    #[test]
    fn a_long_subtitle_is_broken_between_its_parts_and_never_cut() {
        let lines = subtitle_lines;
        assert_eq!(lines("one; two", 20), ["one; two"]);
        assert_eq!(lines("one; two; three", 10), ["one; two", "three"]);
        assert_eq!(
            lines("one; two; three, four", 9),
            ["one; two", "three,", "four"]
        );
        assert_eq!(
            lines("far too long for it", 5),
            ["far", "too", "long", "for", "it"]
        );
    }
}
