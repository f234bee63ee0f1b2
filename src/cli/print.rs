//! Printing: whoever reads it may stop at any time, a disk may be full, and a name may hold anything.
//!
//! A reader that has gone (`| head -1`) is no failure: what is said then is said to nobody, and the exit code is
//! that of the answer. Any other trouble is kept, and ends the command with a message. Control
//! characters never reach a terminal from an input.

use super::failure::Failure;
use kvplan::models::files::words;
use std::fmt::{Arguments, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

/// Why standard output could not be written, the first time.
static FAILED: OnceLock<String> = OnceLock::new();

/// Longest message in characters; what an input holds may be longer.
const LONGEST: usize = 4_000;

/// Says a line on standard output, in the way of `println!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::print::line(format_args!($($text)*))
    };
}
pub(crate) use say;

/// See [`say`].
pub(crate) fn line(text: Arguments) {
    let mut shown = String::new();
    text.to_string().chars().for_each(|c| push(&mut shown, c));
    shown.push('\n');
    note(io::stdout().lock().write_all(shown.as_bytes()));
}

/// Says bytes as they are; to a terminal without what it would obey, as they may be an input's.
pub(crate) fn bytes(bytes: &[u8]) {
    match io::stdout().is_terminal() {
        true => line(format_args!(
            "{}",
            String::from_utf8_lossy(bytes).trim_end_matches('\n')
        )),
        false => note(io::stdout().lock().write_all(bytes)),
    }
}

/// Says a text with its colours.
pub(crate) fn coloured(text: &str) {
    note(io::stdout().lock().write_all(text.as_bytes()));
}

fn note(written: io::Result<()>) {
    if let Err(e) = written
        && e.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILED.set(words(&e));
    }
}

/// What became of all that was said.
pub(crate) fn end() -> Result<(), Failure> {
    note(io::stdout().lock().flush());
    match FAILED.get() {
        None => Ok(()),
        Some(why) => Err(Failure::usage(format!(
            "standard output: cannot be written ({why})"
        ))),
    }
}

/// A remark on standard error; where nobody can read it, nothing is left to do.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", readable(text));
}

/// A message that is fit for a terminal: control characters as escapes, the middle of what is too long left out.
fn readable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(2 * LONGEST));
    let length = text.chars().count();
    let cut = length > LONGEST;
    for (i, c) in text.chars().enumerate() {
        if cut && i == LONGEST / 2 {
            let left_out = length - LONGEST;
            let _ = write!(shown, " … ({left_out} characters left out) … ");
        }
        let within = !cut || i < LONGEST / 2 || i >= length - LONGEST / 2;
        match c {
            _ if !within => {}
            c => push(&mut shown, c),
        }
    }
    shown
}

/// A control character as an escape.
fn push(shown: &mut String, c: char) {
    match c {
        '\n' | '\t' => shown.push(c),
        c if c.is_control() => shown.extend(c.escape_default()),
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(readable("a\u{1b}[31mb\nc\r"), "a\\u{1b}[31mb\nc\\r");
        assert_eq!(readable("größer"), "größer");
    }

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        let long = format!("a{}z", "ü".repeat(200_000));
        let shown = readable(&long);
        assert!(shown.starts_with("aü") && shown.ends_with("üz"), "{shown}");
        assert!(
            shown.contains(" … (196002 characters left out) … "),
            "{shown}"
        );
        assert!(shown.chars().count() < LONGEST + 50);
    }
}
