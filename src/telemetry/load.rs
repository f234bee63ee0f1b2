//! Running many futures at once, and the seed's helper for concurrent load.

use super::ports::Clock;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Runs all futures side by side; the results are in the order of the futures.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    enum Slot<F: Future> {
        Running(Pin<Box<F>>),
        Done(Option<F::Output>),
    }
    let mut slots: Vec<Slot<F>> = futures
        .into_iter()
        .map(|f| Slot::Running(Box::pin(f)))
        .collect();
    poll_fn(|cx| {
        let mut all_done = true;
        for slot in &mut slots {
            if let Slot::Running(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *slot = Slot::Done(Some(output)),
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let outputs = slots.into_iter().map(|slot| match slot {
        Slot::Done(output) => output.expect("taken once"),
        Slot::Running(_) => unreachable!("all are done"),
    });
    outputs.collect()
}

/// What `work` gives, or nothing if `limit` is over first.
pub async fn race<T>(work: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut limit) = (pin!(work), pin!(limit));
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        limit.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// How a burst of concurrent requests went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadResult {
    /// From the first start to the last end, by the clock given.
    pub duration: Duration,
    /// Requests that returned an error.
    pub errors: usize,
}

/// The seed's `runConcurrentRequests`: starts `count` requests at once, waits for
/// all of them, and counts the failures.
pub async fn run_concurrent_requests<C: Clock, T, E, F: Future<Output = Result<T, E>>>(
    clock: &C,
    count: usize,
    request: impl FnMut(usize) -> F,
) -> LoadResult {
    let start = clock.now();
    let results = join_all((0..count).map(request)).await;
    LoadResult {
        duration: clock.now().since(start),
        errors: results.iter().filter(|r| r.is_err()).count(),
    }
}
