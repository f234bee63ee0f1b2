//! A trace of a bounded number of invocations.

use super::kv::{OpLog, Operation};
use crate::units::Timestamp;

/// An invocation with its operations on the KV.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What the invocation was for.
    pub name: &'static str,
    /// The point of presence, by number, if there is one.
    pub place: Option<usize>,
    /// When it began.
    pub start: Timestamp,
    /// What it did on the KV, in the order of answers.
    pub operations: Vec<Operation>,
}

impl Span {
    /// When the last operation ended.
    pub fn end(&self) -> Timestamp {
        let ends = self.operations.iter().map(|o| o.end);
        ends.max().unwrap_or(self.start)
    }
}

/// Writes down the first so many invocations.
#[derive(Default)]
pub struct Tracer {
    left: usize,
    open: Vec<(Span, OpLog)>,
    /// The names that all logs share.
    names: OpLog,
}

impl Tracer {
    /// A tracer for `limit` invocations.
    pub fn new(limit: usize) -> Self {
        Tracer {
            left: limit,
            ..Tracer::default()
        }
    }

    /// Where an invocation that starts now is to write down what it does, if there is room.
    pub fn begin(&mut self, name: &'static str, place: usize, now: Timestamp) -> Option<OpLog> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let log = self.names.beside();
        let span = Span {
            name,
            place: Some(place),
            start: now,
            operations: Vec::new(),
        };
        self.open.push((span, log.clone()));
        Some(log)
    }

    /// Whether any more are written down.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.left > 0
    }

    /// Notes an invocation that was answered from the cache.
    #[inline]
    pub fn note_cached(&mut self, name: &'static str, now: Timestamp) {
        if self.left > 0 {
            self.left -= 1;
            let span = Span {
                name,
                place: None,
                start: now,
                operations: Vec::new(),
            };
            self.open.push((span, OpLog::default()));
        }
    }

    /// What was written down, in the order of the starts.
    pub fn take_spans(&mut self) -> Vec<Span> {
        let open = std::mem::take(&mut self.open);
        let with_operations = |(span, log): (Span, OpLog)| Span {
            operations: log.take(),
            ..span
        };
        open.into_iter().map(with_operations).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_the_cache_is_one_of_those_written_down() {
        let at = Timestamp::from_secs;
        let mut tracer = Tracer::new(2);
        tracer.note_cached("metrics", at(1));
        assert!(tracer.begin("record", 3, at(2)).is_some());
        tracer.note_cached("metrics", at(3));
        assert!(tracer.begin("record", 3, at(4)).is_none());
        let spans = tracer.take_spans();
        let told: Vec<_> = spans.iter().map(|s| (s.name, s.place, s.start)).collect();
        assert_eq!(told, [("metrics", None, at(1)), ("record", Some(3), at(2))]);
    }
}
