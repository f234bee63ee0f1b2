//! The store: takes writes and answers reads, each after its latency. What is in it is not modelled.

use crate::Random;
use crate::parameters::{Parameters, Part, draw};
use nexosim::Message;
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::Output;
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

/// A read for a call that missed the cache.
#[derive(Debug, Clone, Copy, Message, Serialize, Deserialize)]
pub(crate) struct Read {
    /// The window that is asked for: of the metrics, or of analytics queries.
    pub(crate) window: usize,
    /// The kind of call.
    pub(crate) call: usize,
    pub(crate) since: MonotonicTime,
}

/// The store.
#[derive(Serialize, Deserialize)]
pub(crate) struct Store {
    /// Answers to reads.
    pub(crate) answer: Output<Read>,
    read: Vec<Part>,
    write: Vec<Part>,
    written: u64,
    random: Random,
}

#[Model]
impl Store {
    pub(crate) fn new(model: &Parameters, random: Random) -> Self {
        Store {
            answer: Output::default(),
            read: model.read.clone(),
            write: model.write.clone(),
            written: 0,
            random,
        }
    }

    /// Writes a total.
    pub(crate) async fn write(&mut self, _: (), cx: &Context<Self>) {
        let latency = draw(&self.write, &mut self.random);
        cx.schedule_event(latency, schedulable!(Self::written), ())
            .expect("later than now");
    }

    #[nexosim(schedulable)]
    async fn written(&mut self) {
        self.written += 1;
    }

    /// Reads the totals of a window.
    pub(crate) async fn read(&mut self, read: Read, cx: &Context<Self>) {
        let latency = draw(&self.read, &mut self.random);
        cx.schedule_event(latency, schedulable!(Self::found), read)
            .expect("later than now");
    }

    #[nexosim(schedulable)]
    async fn found(&mut self, read: Read) {
        self.answer.send(read).await;
    }
}
