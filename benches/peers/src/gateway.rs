//! The gateway: gathers records into batches, and answers reads of the metrics from a cache.

use crate::parameters::Parameters;
use crate::sources::Record;
use crate::store::Read;
use crate::totals::{Bins, Total};
use nexosim::Message;
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::Output;
use nexosim::simulation::EventKey;
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was counted after the warm-up.
#[derive(Debug, Clone, Copy, Default, Message, Serialize, Deserialize)]
pub(crate) struct Counted {
    requests: u64,
    lookups: u64,
    hits: u64,
    writes: u64,
    store_reads: u64,
}

/// Kinds of call whose latency is kept.
const METRICS: usize = 0;
const ANALYTICS: usize = 1;
const HEALTH: usize = 2;

/// The gateway.
#[derive(Serialize, Deserialize)]
pub(crate) struct Gateway {
    /// A total is to be written.
    pub(crate) write: Output<()>,
    /// Totals are to be read.
    pub(crate) read: Output<Read>,
    /// What was counted, at the end.
    pub(crate) counted: Output<Counted>,
    warm_up: Duration,
    end: Duration,
    batch_records: usize,
    batch_age: Duration,
    ttl: Duration,
    keys: [u64; 2],
    batch: Vec<Record>,
    flush_due: Option<EventKey>,
    totals: Vec<Total>,
    fresh_until: [MonotonicTime; 2],
    latencies: [Bins; 3],
    counts: Counted,
}

#[Model]
impl Gateway {
    pub(crate) fn new(model: &Parameters) -> Self {
        let seconds = Duration::from_secs_f64;
        Gateway {
            write: Output::default(),
            read: Output::default(),
            counted: Output::default(),
            warm_up: seconds(model.warm_up_s),
            end: seconds(model.warm_up_s + model.seconds),
            batch_records: model.batch_records,
            batch_age: seconds(model.batch_age_s),
            ttl: seconds(model.cache_ttl_s),
            keys: model.keys,
            batch: Vec::with_capacity(model.batch_records),
            flush_due: None,
            totals: vec![Total::default(); model.providers.len()],
            fresh_until: [MonotonicTime::EPOCH; 2],
            latencies: Default::default(),
            counts: Counted::default(),
        }
    }

    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        cx.schedule_event(self.warm_up, schedulable!(Self::begin), ())
            .expect("later than now");
        cx.schedule_event(self.end, schedulable!(Self::tell), ())
            .expect("later than now");
    }

    #[nexosim(schedulable)]
    async fn begin(&mut self) {
        self.counts = Counted::default();
    }

    #[nexosim(schedulable)]
    async fn tell(&mut self) {
        self.counted.send(self.counts).await;
    }

    /// A request, to be recorded.
    pub(crate) async fn request(&mut self, record: Record, cx: &Context<Self>) {
        self.counts.requests += 1;
        self.batch.push(record);
        if self.batch.len() == 1 {
            let due = cx.schedule_keyed_event(self.batch_age, schedulable!(Self::flush), ());
            self.flush_due = Some(due.expect("later than now"));
        } else if self.batch.len() == self.batch_records {
            if let Some(due) = self.flush_due.take() {
                due.cancel();
            }
            self.flush().await;
        }
        self.look_up(0, METRICS, cx).await;
    }

    /// An analytics query.
    pub(crate) async fn query(&mut self, _: (), cx: &Context<Self>) {
        self.look_up(1, ANALYTICS, cx).await;
    }

    /// A health check.
    pub(crate) async fn health(&mut self, _: (), cx: &Context<Self>) {
        self.look_up(0, HEALTH, cx).await;
    }

    /// The store has answered.
    pub(crate) async fn answered(&mut self, read: Read, cx: &Context<Self>) {
        self.fresh_until[read.window] = cx.time() + self.ttl;
        let took = cx.time().duration_since(read.since);
        self.latencies[read.call].add(took.as_secs_f64() * 1e3);
    }

    #[nexosim(schedulable)]
    async fn flush(&mut self) {
        self.flush_due = None;
        for record in self.batch.drain(..) {
            self.totals[usize::from(record.provider)].add(&record);
        }
        self.counts.writes += 1;
        self.write.send(()).await;
    }

    async fn look_up(&mut self, window: usize, call: usize, cx: &Context<Self>) {
        let now = cx.time();
        self.counts.lookups += 1;
        if now < self.fresh_until[window] {
            self.counts.hits += 1;
            self.latencies[call].add(0.0);
            return;
        }
        self.counts.store_reads += self.keys[window];
        let since = now;
        let read = Read {
            window,
            call,
            since,
        };
        self.read.send(read).await;
    }
}
