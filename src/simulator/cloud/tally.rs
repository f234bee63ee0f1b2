//! Operations asked for and answered, counted apart from a store's own meter.

use crate::Defect;
use crate::cloud::kv::KvMeter;
use crate::telemetry::ports::{KvError, OpKind};
use std::cell::Cell;
use std::future::Future;

/// Counts by kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    asked: Cell<[u64; OpKind::ALL.len()]>,
    answered: Cell<[u64; OpKind::ALL.len()]>,
}

fn add(counts: &Cell<[u64; OpKind::ALL.len()]>, kind: OpKind, n: u64) {
    let mut c = counts.get();
    c[kind as usize] += n;
    counts.set(c);
}

impl Tally {
    /// Counts an operation on `n` keys before and after it. One that the invocation may not make
    /// any more never reaches the store.
    pub(crate) async fn count<T>(
        &self,
        kind: OpKind,
        n: usize,
        operation: impl Future<Output = Result<T, KvError>>,
    ) -> Result<T, KvError> {
        add(&self.asked, kind, n as u64);
        let result = operation.await;
        if !matches!(result, Err(KvError::InvocationLimit)) {
            add(&self.answered, kind, n as u64);
        }
        result
    }

    /// The invariant: the store has metered what was answered, and nothing that was not asked for
    /// (operations under way may be on either side).
    ///
    /// # Errors
    /// What does not agree.
    pub(crate) fn check(&self, meter: &KvMeter) -> Result<(), Defect> {
        meter.check()?;
        for kind in OpKind::ALL {
            let (asked, answered) = (
                self.asked.get()[kind as usize],
                self.answered.get()[kind as usize],
            );
            if !(answered..=asked).contains(&meter.issued(kind)) {
                return Err(Defect::new(format!(
                    "{asked} {} asked for, {answered} answered, but {} metered",
                    kind.plural(),
                    meter.issued(kind)
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    /// What is told of an operation on two keys that ended so, and that no store has metered.
    fn told(result: Result<(), KvError>) -> Option<String> {
        let tally = Tally::default();
        let count = pin!(tally.count(OpKind::Write, 2, async move { result }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(count.poll(&mut cx).is_ready());
        let checked = tally.check(&KvMeter::default());
        checked.err().map(|defect| defect.to_string())
    }

    #[test]
    fn what_was_answered_has_been_metered() {
        let unmetered = "2 writes asked for, 2 answered, but 0 metered";
        assert_eq!(told(Ok(())).as_deref(), Some(unmetered));
        assert_eq!(told(Err(KvError::Timeout)).as_deref(), Some(unmetered));
        // It never came to the store.
        assert_eq!(told(Err(KvError::InvocationLimit)), None);
    }
}
