//! What commands have in common, in the order in which it happens: prepare the folder, compute under a
//! progress bar until told to stop, write, commit, print. A command is what is its own.

use super::EXIT_INTERRUPTED;
use super::common::{Failure, OutputArgs, catch_interrupts, interrupt_flag, progress};
use super::print::{remark, say};
use super::shape;
use indicatif::ProgressBar;
use kvplan::models::quantity::{Count, format_duration};
use kvplan::report::error::WriteError;
use kvplan::report::output::OutputDir;
use kvplan::report::record;
use kvplan::report::settings::idle_requests;
use kvplan::report::table::{Answer, Shape};
use kvplan::run::scenario::Scenario;
use kvplan::study::error::StudyError;
use kvplan::study::grid::{Grid, Measured, Part};
use kvplan::study::partial::points::Points;
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{Cell, Watch, cells, measure};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

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

/// What a bar says of work that can be resumed.
pub(crate) const KEPT: &str = "; Ctrl-C keeps what is finished, for --resume";

/// Says what was found of an earlier attempt.
pub(crate) fn tell_what_was_there(resume: bool, known: usize, damaged: usize, discarded: usize) {
    if discarded > 0 {
        remark(&format!(
            "starting over: {discarded} finished replications of an interrupted run are discarded (--resume would go on)"
        ));
    }
    if damaged > 0 {
        remark(&format!(
            "{damaged} damaged lines of the journal: their replications are simulated again"
        ));
    }
    if resume {
        remark(&format!("resuming: {known} replications are there already"));
    }
}

/// Why a study ended that keeps what is finished.
pub(crate) fn interrupted_or(e: StudyError, kept: usize) -> Failure {
    match e {
        StudyError::Interrupted => Failure {
            message: format!(
                "interrupted; earlier output is untouched; {kept} finished replications are kept: go on with --resume"
            ),
            code: EXIT_INTERRUPTED,
        },
        other => other.into(),
    }
}

/// The same, for what may fail.
pub(crate) fn compute<T, E: Into<Failure>>(
    steps: u64,
    quiet: bool,
    study: impl FnOnce(&Work, &ProgressBar) -> Result<T, E>,
) -> Result<T, Failure> {
    watched(steps, quiet, study).map_err(Into::into)
}

/// Says so to whoever sits at a terminal if `period.requests` was given and is less than what is simulated anyway.
pub(crate) fn remark_idle_requests(scenario: &Scenario, levels: &[Count], quiet: bool) {
    let is_told = !quiet && std::io::stderr().is_terminal();
    if let Some(idle) = idle_requests(scenario, levels).filter(|_| is_told) {
        let (given, period) = (idle.given, format_duration(idle.period));
        remark(&format!(
            "--set {given}: {period} or more are simulated anyway, as period.at_least or whole days want it"
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
        let session = Session::prepare_folder(&output.out, quiet)?;
        let out = session.out.looking(output.drawing.look());
        Ok(Session { out, ..session })
    }

    /// The same, for a command that draws nothing.
    pub(crate) fn prepare_folder(dir: &Path, quiet: bool) -> Result<Self, Failure> {
        Ok(Session {
            out: OutputDir::prepare(dir)?.until(interrupt_flag()),
            dir: dir.to_path_buf(),
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

    /// The same for a study that can be resumed: every finished replication is kept in a file of this name beside the
    /// results. That is given back, to be removed when they are written.
    pub(crate) fn compute_kept<T>(
        &self,
        file: &str,
        resume: bool,
        study: impl FnOnce(&Work, &ProgressBar) -> Result<T, StudyError>,
    ) -> Result<(T, Points), Failure> {
        let points = Points::open(&self.dir.join(file), resume)?;
        if !self.quiet {
            tell_what_was_there(resume, points.len(), points.damaged(), points.discarded());
        }
        let result = watched(0, self.quiet, |work, bar| {
            bar.set_message(KEPT);
            study(&work.keeping(&points), bar)
        });
        match result {
            Ok(result) => Ok((result, points)),
            Err(e) => Err(interrupted_or(e, points.len())),
        }
    }

    /// Writes all files and puts them in place at once; gives the sentence that says so, unless it is to
    /// be quiet.
    pub(crate) fn write(
        mut self,
        write: impl FnOnce(&OutputDir) -> Result<(), WriteError>,
    ) -> Result<Option<String>, Failure> {
        write(&self.out)?;
        record::complete(&mut self.out)?;
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
