//! The arguments as they were given, for the record that a command leaves: those on which its results depend.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use kvplan::report::record::Record;
use std::sync::OnceLock;

/// Options on which no result depends: whether it goes on, where it goes, how it is shown, how much work may be done at once or at all.
const WITHOUT_EFFECT: [&str; 9] = [
    "resume", "out", "quiet", "threads", "max_work", "format", "columns", "width", "color",
];

/// The command's name and its arguments.
static GIVEN: OnceLock<(String, Vec<String>)> = OnceLock::new();

/// Keeps what was given.
pub(super) fn keep(command: &Command, matches: &ArgMatches) {
    if let Some((name, of_command)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        // It is kept once: there is one command line.
        let _ = GIVEN.set((name.to_owned(), words(command, of_command)));
    }
}

/// A record of the command that was given.
pub(super) fn record() -> Record<'static> {
    let nothing = || (String::new(), Vec::new());
    let (command, arguments) = GIVEN.get_or_init(nothing);
    Record::new(command, arguments)
}

/// The arguments in the order of the command's own, options by their long names.
fn words(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let has_effect = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        let is_given = || matches.value_source(id) == Some(ValueSource::CommandLine);
        !WITHOUT_EFFECT.contains(&id) && matches.try_contains_id(id).is_ok() && is_given()
    };
    let has_value = |arg: &&Arg| arg.get_action().takes_values();
    let mut words: Vec<String> = Vec::new();
    if let Some((name, of_command)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        words.push(name.to_owned());
        words.extend(self::words(command, of_command));
    }
    for arg in command.get_positionals().filter(has_effect) {
        words.extend(values(arg, matches).concat());
    }
    for arg in command.get_opts().filter(has_effect).filter(has_value) {
        let option = format!("--{}", arg.get_long().unwrap_or_default());
        for values in values(arg, matches) {
            let value = match arg.get_value_delimiter() {
                Some(delimiter) => values.join(&delimiter.to_string()),
                None => values.join(" "),
            };
            match value.starts_with('-') {
                true => words.push(format!("{option}={value}")),
                false => words.extend([option.clone(), value]),
            }
        }
    }
    let flags = command.get_arguments();
    let flags = flags.filter(|arg| !has_value(arg));
    for arg in flags.filter(has_effect) {
        words.push(format!("--{}", arg.get_long().unwrap_or_default()));
    }
    words
}

/// The values of each time that an argument was given.
fn values(arg: &Arg, matches: &ArgMatches) -> Vec<Vec<String>> {
    let all = matches.get_raw_occurrences(arg.get_id().as_str());
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    all.into_iter()
        .flatten()
        .map(|values| values.map(text).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;

    fn given(line: &[&str]) -> Vec<String> {
        let matches = command().try_get_matches_from(line).unwrap();
        let (name, of_command) = matches.subcommand().unwrap();
        let all = command();
        let mut given = vec![name.to_owned()];
        given.extend(words(all.find_subcommand(name).unwrap(), of_command));
        given
    }

    #[test]
    fn what_has_an_effect_is_kept_by_its_long_name() {
        let line = [
            "kvplan",
            "sweep",
            "-n",
            "3",
            "-j",
            "2",
            "--policy",
            "naive,lazy",
            "--set",
            "seed=7",
            "--set",
            "a.b=1",
            "-q",
            "--out",
            "x",
            "--format",
            "json",
        ];
        let expected = [
            "sweep",
            "--set",
            "seed=7",
            "--set",
            "a.b=1",
            "--policy",
            "naive,lazy",
            "--replications",
            "3",
        ];
        let mut found = given(&line);
        found.sort();
        let mut expected = expected.map(str::to_owned);
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn arguments_come_first_and_flags_have_no_value() {
        assert_eq!(
            given(&["kvplan", "fit", "workload", "log.csv", "--seed", "3"]),
            ["fit", "workload", "log.csv", "--seed", "3"]
        );
        assert_eq!(
            given(&["kvplan", "trace", "--with-warm-up", "--out", "x.csv"]),
            ["trace", "--with-warm-up"]
        );
        assert_eq!(
            given(&["kvplan", "forecast", "--growth=-5%/month"]),
            ["forecast", "--growth=-5%/month"]
        );
    }

    /// What is kept can be given again, and means the same.
    #[test]
    fn what_is_kept_is_accepted_again() {
        let line = [
            "kvplan",
            "plan",
            "--slo",
            "cost<20USD,loss<1%",
            "-n",
            "4",
            "--on",
            "2026-12-15",
        ];
        let once = given(&line);
        let mut again = vec!["kvplan"];
        again.extend(once.iter().map(String::as_str));
        assert_eq!(given(&again), once);
    }
}
