//! The only loop over replications.
//!
//! A study is many independent runs: each a job that takes its numbers from named random streams and
//! knows of no other. [`Work::map`] does them on all threads of the pool it is called in and gives
//! what they made in the order of the jobs, so that no result depends on the number of threads. It is also
//! the only place that knows how work is watched from outside:
//!
//! - before each job, and at each arrival of the runs that go through [`Work::simulate`], it looks whether it was
//!   told to stop; then the study ends with [`StudyError::Interrupted`];
//! - after each job it tells that one is finished, for whoever draws a bar;
//! - the first job that fails, first in order and not in time, ends the study with its error. What
//!   comes after it is not begun, what comes before it is done: so the error, too, is the same on any
//!   number of threads.
//!
//! Jobs are handed out one by one, as a replication at high traffic takes a thousand times as long as one
//! at low. A job that consists of steps worth telling goes through [`Work::silently`], and calls
//! [`Work::go_on`] and [`Work::finished`] itself. What cannot fail, and is over before anybody wants to
//! stop it (a bootstrap, say), is for [`map`].
//!
//! ```
//! use kvplan::study::error::StudyError;
//! use kvplan::study::replicate::Work;
//! use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
//!
//! let (done, stop) = (AtomicU32::new(0), AtomicBool::new(false));
//! let finished = || {
//!     done.fetch_add(1, Ordering::Relaxed);
//! };
//! let work = Work::new(&finished, &stop);
//! let squares = work.map(0..100_u32, |n| Ok::<_, StudyError>(n * n))?;
//! assert_eq!((squares[99], done.into_inner()), (9_801, 100));
//!
//! stop.store(true, Ordering::Relaxed);
//! let none = Work::new(&|| (), &stop).map(0..100_u32, |n| Ok(n));
//! assert_eq!(none, Err(StudyError::Interrupted));
//! # Ok::<(), StudyError>(())
//! ```

use super::error::StudyError;
use super::partial::points::Points;
use crate::cloud::service::Service;
use crate::run::measure::Outcome;
use crate::run::metric;
use crate::run::result::RunResult;
use crate::run::{Cut, Observation, Observed, Point, observe_until};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How the work of a study is watched, and stopped.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    finished: &'a (dyn Fn() + Sync),
    stop: &'a AtomicBool,
    points: Option<&'a Points>,
}

impl<'a> Work<'a> {
    /// `finished` is called after each replication; `stop` ends the work before the next one.
    pub fn new(finished: &'a (dyn Fn() + Sync), stop: &'a AtomicBool) -> Self {
        Work {
            finished,
            stop,
            points: None,
        }
    }

    /// The same with what is known of an earlier attempt; what [`Work::outcome`] simulates is added to it.
    pub fn keeping(self, points: &'a Points) -> Self {
        Work {
            points: Some(points),
            ..self
        }
    }

    /// Nobody looks on, and nobody stops it.
    pub fn unwatched() -> Work<'static> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Work::new(&|| (), &NEVER)
    }

    /// The same, for jobs that tell by themselves what is finished.
    pub fn silently(self) -> Self {
        Work {
            finished: &|| (),
            ..self
        }
    }

    /// Whether to begin what comes next.
    ///
    /// # Errors
    /// [`StudyError::Interrupted`] if it was told to stop.
    pub fn go_on(&self) -> Result<(), StudyError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(StudyError::Interrupted),
            false => Ok(()),
        }
    }

    /// What says whether it was told to stop, for runs that look at it by themselves.
    pub fn stop(&self) -> &'a AtomicBool {
        self.stop
    }

    /// Simulates a point.
    ///
    /// # Errors
    /// If it was told to stop, or an invariant does not hold.
    pub fn simulate(&self, point: &Point) -> Result<RunResult, StudyError> {
        let observed = self.observe(point, &Service::Kv, &Observation::default());
        Ok(observed?.0)
    }

    /// What is measured of a point: simulated, unless it is known of an earlier attempt.
    ///
    /// # Errors
    /// As [`Work::simulate`], or if it cannot be kept.
    pub fn outcome(&self, point: &Point) -> Result<Outcome, StudyError> {
        let simulate = || Ok(metric::outcome_of(&self.simulate(point)?));
        match self.points {
            Some(points) => points.outcome(point, simulate),
            None => simulate(),
        }
    }

    /// Simulates a point on a store of choice, with what is to be written down.
    ///
    /// # Errors
    /// As [`Work::simulate`].
    pub fn observe(
        &self,
        point: &Point,
        service: &Service,
        observation: &Observation,
    ) -> Result<(RunResult, Observed), StudyError> {
        let run = observe_until(point, service, observation, self.stop);
        run.map_err(|cut| match cut {
            Cut::Stopped => StudyError::Interrupted,
            Cut::Broken(defect) => StudyError::Broken(defect),
        })
    }

    /// Tells that one more is finished.
    pub fn finished(&self) {
        (self.finished)();
    }

    /// What each of the jobs gives, in their order, on all threads.
    ///
    /// # Errors
    /// That of the first job in order that has one; [`StudyError::Interrupted`] if it was told to stop.
    pub fn map<J, T, E>(
        &self,
        jobs: impl IntoParallelIterator<Iter: IndexedParallelIterator, Item = J>,
        job: impl Fn(J) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E>
    where
        J: Send,
        T: Send,
        E: From<StudyError> + Send,
    {
        // The first in order that has failed so far.
        let failed = AtomicUsize::new(usize::MAX);
        let done = map(jobs.into_par_iter().enumerate(), |(number, one)| {
            if number > failed.load(Ordering::Relaxed) {
                return None;
            }
            let result = self.go_on().map_err(E::from).and_then(|()| job(one));
            match result {
                Ok(_) => self.finished(),
                Err(_) => _ = failed.fetch_min(number, Ordering::Relaxed),
            }
            Some(result)
        });
        // None is missing but after an error.
        done.into_iter().flatten().collect()
    }
}

/// What each of the jobs gives, in their order, on all threads: for what cannot fail and takes no time
/// to speak of.
pub fn map<J: Send, T: Send>(
    jobs: impl IntoParallelIterator<Iter: IndexedParallelIterator, Item = J>,
    job: impl Fn(J) -> T + Sync,
) -> Vec<T> {
    jobs.into_par_iter().with_max_len(1).map(&job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Defect;
    use std::thread::sleep;
    use std::time::Duration;

    fn on_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
        pool.unwrap().install(work)
    }

    /// The later ones are done first.
    #[test]
    fn results_come_in_the_order_of_the_jobs_on_any_number_of_threads() {
        let jobs: Vec<u64> = (0..20).collect();
        for threads in [1, 2, 3, 8] {
            let done = on_threads(threads, || {
                Work::unwatched().map(&jobs, |n| {
                    sleep(Duration::from_micros(100 * (20 - n)));
                    Ok::<_, StudyError>(*n)
                })
            });
            assert_eq!(done.as_ref(), Ok(&jobs), "{threads} threads");
        }
    }

    #[test]
    fn the_first_error_in_order_is_the_one_that_is_told_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let done = on_threads(threads, || {
                Work::unwatched().map(0..20_u32, |n| match n {
                    // Long after the later one.
                    3 => {
                        sleep(Duration::from_millis(20));
                        Err(StudyError::Broken(Defect::new("third")))
                    }
                    11 => Err(StudyError::Broken(Defect::new("eleventh"))),
                    n => Ok(n),
                })
            });
            let first = StudyError::Broken(Defect::new("third"));
            assert_eq!(done, Err(first), "{threads} threads");
        }
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        let stop = AtomicBool::new(false);
        let (begun, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = || _ = finished.fetch_add(1, Ordering::Relaxed);
        let work = Work::new(&count, &stop);
        let done = on_threads(1, || {
            work.map(0..100_u32, |n| {
                begun.fetch_add(1, Ordering::Relaxed);
                if n == 4 {
                    stop.store(true, Ordering::Relaxed);
                }
                Ok(n)
            })
        });
        assert_eq!(done, Err(StudyError::Interrupted));
        // The one that was under way is finished.
        let seen = [&begun, &finished].map(|n| n.load(Ordering::Relaxed));
        assert_eq!(seen, [5, 5]);
    }

    #[test]
    fn each_job_that_was_done_is_told() {
        let finished = AtomicUsize::new(0);
        let count = || _ = finished.fetch_add(1, Ordering::Relaxed);
        let stop = AtomicBool::new(false);
        let work = Work::new(&count, &stop);
        assert_eq!(work.map(0..7_u32, Ok::<_, StudyError>).unwrap().len(), 7);
        let silent = work.silently();
        assert_eq!(silent.map(0..7_u32, Ok::<_, StudyError>).unwrap().len(), 7);
        assert_eq!(finished.load(Ordering::Relaxed), 7);
    }
}
