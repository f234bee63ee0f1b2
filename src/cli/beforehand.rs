//! How long work is going to take, told before it begins.

use super::print::remark;
use kvplan::run::effort::{EVENTS_PER_SECOND, FACTOR};
use std::io::IsTerminal;

/// Says beforehand how long so many events are going to take, to whoever sits at a terminal, if that is worth a word.
pub(crate) fn tell_how_long(events: f64, quiet: bool) {
    let is_told = !quiet && std::io::stderr().is_terminal();
    if let Some(said) = how_long(events, rayon::current_num_threads()).filter(|_| is_told) {
        remark(&said);
    }
}

/// What is to be said of work that takes more than a few seconds.
fn how_long(events: f64, threads: usize) -> Option<String> {
    let seconds = events / (EVENTS_PER_SECOND * threads.max(1) as f64);
    let about = match seconds {
        s if s < 5.0 => return None,
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    };
    let threads = match threads {
        1 => "one thread".to_owned(),
        n => format!("{n} threads"),
    };
    Some(format!(
        "about {about} on {threads}, by an estimate of {:.0}M events that may be off by a factor of {FACTOR}",
        events / 1e6
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_told_in_units_that_people_think_in() {
        let said = |events: f64| how_long(events, 2).unwrap_or_default();
        assert_eq!(how_long(9e6, 2), None);
        assert_eq!(
            said(60e6),
            "about 30 s on 2 threads, by an estimate of 60M events that may be off by a factor of 4"
        );
        assert!(said(600e6).starts_with("about 5 min on "));
        assert!(said(36e9).starts_with("about 5 h on "));
        let one = how_long(60e6, 1).unwrap_or_default();
        assert!(one.starts_with("about 60 s on one thread"), "{one}");
    }
}
