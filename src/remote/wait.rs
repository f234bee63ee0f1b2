//! `waitUntil` on tokio: work that goes on after a response.

use kvplan_telemetry::ports::WaitUntil;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};

/// How long a Worker's work may go on after its response:
/// <https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil>.
pub const WORKERS_LIMIT: Duration = Duration::from_secs(30);

/// Work that was begun and not yet waited for; cheap to clone, and all clones share it.
///
/// It needs a `LocalSet` of tokio around it. Work that is left when the last clone goes is dropped.
#[derive(Debug, Clone, Default)]
pub struct Background(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limit: Option<Duration>,
    tasks: RefCell<JoinSet<bool>>,
    ended: Cell<Ended>,
}

/// How work has ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Came to its end.
    pub done: u64,
    /// Dropped at the limit.
    pub dropped: u64,
    /// Panicked.
    pub panicked: u64,
}

impl Background {
    /// Work is dropped after `limit`, if there is one.
    pub fn new(limit: Option<Duration>) -> Self {
        Background(Rc::new(Shared {
            limit,
            ..Shared::default()
        }))
    }

    /// Waits until all work has ended, also what is begun meanwhile.
    pub async fn drain(&self) -> Ended {
        loop {
            let mut tasks = self.0.tasks.take();
            if tasks.is_empty() {
                return self.0.ended.get();
            }
            while let Some(end) = tasks.join_next().await {
                self.0.note(end);
            }
        }
    }
}

impl Shared {
    fn note(&self, end: Result<bool, JoinError>) {
        let mut ended = self.ended.get();
        match end {
            Ok(true) => ended.done += 1,
            Ok(false) => ended.dropped += 1,
            Err(_) => ended.panicked += 1,
        }
        self.ended.set(ended);
    }
}

impl WaitUntil for Background {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        let limit = self.0.limit;
        let mut tasks = self.0.tasks.borrow_mut();
        // What has ended is let go, so that a long run does not collect it.
        while let Some(end) = tasks.try_join_next() {
            self.0.note(end);
        }
        tasks.spawn_local(async move {
            match limit {
                None => {
                    work.await;
                    true
                }
                Some(limit) => tokio::time::timeout(limit, work).await.is_ok(),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        LocalSet::new().block_on(&runtime.unwrap(), work)
    }

    #[test]
    fn draining_waits_also_for_what_begins_meanwhile() {
        let done = Rc::new(Cell::new(0));
        let ended = run(async {
            let background = Background::default();
            let (inner, d) = (background.clone(), Rc::clone(&done));
            background.wait_until(async move {
                sleep(SECOND).await;
                d.set(d.get() + 1);
                let d = Rc::clone(&d);
                inner.wait_until(async move {
                    sleep(SECOND).await;
                    d.set(d.get() + 1);
                });
            });
            background.drain().await
        });
        assert_eq!((done.get(), ended.done), (2, 2));
    }

    #[test]
    fn work_that_takes_too_long_is_dropped_and_counted() {
        let ended = run(async {
            let background = Background::new(Some(WORKERS_LIMIT));
            background.wait_until(sleep(29 * SECOND));
            background.wait_until(sleep(31 * SECOND));
            background.drain().await
        });
        assert_eq!((ended.done, ended.dropped), (1, 1));
    }
}
