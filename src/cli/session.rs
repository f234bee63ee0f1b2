//! What commands have in common, in the order in which it happens: prepare the folder, compute under a
//! progress bar until told to stop, write, commit, print. A command is what is its own.

use super::common::{Failure, OutputArgs, catch_interrupts, interrupt_flag, progress};
use super::print::{remark, say};
use super::shape;
use indicatif::ProgressBar;
use kvplan::models::quantity::{Count, format_duration};
use kvplan::report::error::WriteError;
use kvplan::report::output::OutputDir;
use kvplan::report::settings::idle_requests;
use kvplan::report::table::{Answer, Shape};
use kvplan::run::scenario::Scenario;
use kvplan::study::grid::{Grid, Measured, Part};
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{Cell, Watch, cells, measure};
use std::io::IsTerminal;
use std::path::PathBuf;

/// What `study` gives, under a bar over `steps` replications; an interrupt stops its work.
pub(crate) fn watched<T>(
    steps: u64,
    quiet: bool,
    study: impl FnOnce(&Work, &ProgressBar) -> T,
) -> T {
    catch_interrupts();
    let bar = progress(steps, quiet);
    let finished = || bar.inc(1);
    let result = study(&Work::new(&finished, interrupt_flag()), &bar);
    bar.finish_and_clear();
    result
}

/// The same, for what may fail.
pub(crate) fn compute<T, E: Into<Failure>>(
    steps: u64,
    quiet: bool,
    study: impl FnOnce(&Work, &ProgressBar) -> Result<T, E>,
) -> Result<T, Failure> {
    watched(steps, quiet, study).map_err(Into::into)
}

/// Says so to whoever sits at a terminal if `period.requests` was given and decides nothing.
pub(crate) fn remark_idle_requests(scenario: &Scenario, levels: &[Count], quiet: bool) {
    let is_told = !quiet && std::io::stderr().is_terminal();
    if let Some(idle) = idle_requests(scenario, levels).filter(|_| is_told) {
        let (given, period) = (idle.given, format_duration(idle.period));
        remark(&format!(
            "--set {given}: has no effect, as {period} or more are simulated anyway"
        ));
    }
}

/// Sweeps the levels, keeping nothing on the way.
pub(crate) fn sweep_levels(
    scenario: &Scenario,
    levels: &[Count],
    quiet: bool,
) -> Result<Vec<Cell>, Failure> {
    remark_idle_requests(scenario, levels, quiet);
    let grid = Grid { scenario, levels };
    let measured = compute(0, quiet, |work, bar| {
        let watch = Watch {
            planned: &|n| bar.inc_length(n),
            keep: &|_, _| Ok(()),
            work: *work,
        };
        measure(&grid, Part::WHOLE, Measured::new(), &watch)
    })?;
    Ok(cells(&grid, &measured))
}

/// A command that leaves files behind.
pub(crate) struct Session {
    out: OutputDir,
    dir: PathBuf,
    quiet: bool,
    /// What is said behind where the files are.
    advice: String,
}

impl Session {
    /// Whether nothing is to be printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Makes sure that the folder can be written to, before anything takes time.
    pub(crate) fn prepare(output: &OutputArgs, quiet: bool) -> Result<Self, Failure> {
        Ok(Session {
            out: OutputDir::prepare(&output.out)?.until(interrupt_flag()),
            dir: output.out.clone(),
            quiet,
            advice: String::new(),
        })
    }

    /// Says this too where it says where the files are.
    pub(crate) fn using(self, advice: String) -> Self {
        Session { advice, ..self }
    }

    /// See [`compute`].
    pub(crate) fn compute<T, E: Into<Failure>>(
        &self,
        steps: u64,
        study: impl FnOnce(&Work, &ProgressBar) -> Result<T, E>,
    ) -> Result<T, Failure> {
        compute(steps, self.quiet, study)
    }

    /// Writes all files and puts them in place at once; gives the sentence that says so, unless it is to
    /// be quiet.
    pub(crate) fn write(
        self,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
    ) -> Result<Option<String>, Failure> {
        write(&self.out)?;
        let files = self.out.commit()?.len();
        let told = || {
            format!(
                "{files} files written to {}{}",
                self.dir.display(),
                self.advice
            )
        };
        Ok((!self.quiet).then(told))
    }

    /// The same, and shows the answer in its shape, with that sentence if people read it. What cannot be shown is
    /// refused before anything is written.
    pub(crate) fn answer(
        self,
        shape: &Shape,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
        answer: impl FnOnce() -> Answer,
    ) -> Result<(), Failure> {
        let text = shape::text(&answer(), shape)?;
        let written = self.write(write)?;
        match written {
            Some(written) if shape::is_for_people(shape) => {
                shape::print(&text, shape);
                say!("{written}");
            }
            None if shape::is_for_people(shape) => {}
            _ => shape::print(&text, shape),
        }
        Ok(())
    }

    /// The same, and prints the answer with that sentence.
    pub(crate) fn deliver(
        self,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
        print: impl FnOnce(),
    ) -> Result<(), Failure> {
        if let Some(written) = self.write(write)? {
            print();
            say!("{written}");
        }
        Ok(())
    }
}
