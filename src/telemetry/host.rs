//! What an invocation does with what comes to it: record, query, health report, cron triggers.
//!
//! This is the driver of a [`Collector`]: it knows when a flush is due, what a response waits for and
//! what goes on after it. A Worker, a client over HTTP and the simulator all call it; they differ
//! in the ports that their [`Invocation`] hands out.
//!
//! A request is answered in two ways ([`Answer`]): at once, as most records and cache hits are, or by a future
//! that the response waits for. What goes on after the response is given to the invocation's own `waitUntil`,
//! with a clone of its ports, so that its operations count against its limits and end with it. Ports
//! are only asked for ([`Enter`]) when there is something to do with them.
//!
//! Nobody here awaits another invocation's work: an invocation may be dropped at any `await`, and what it
//! leaves behind stays in the collector for the next. The example `collector` of this package runs all of
//! it on a KV in memory.

use super::collector::{BatchNumber, Collector, Recorded};
use super::counters::LossCause;
use super::health::{HealthReport, health_report};
use super::metrics::Metrics;
use super::policy::Policy;
use super::ports::{Archive, Clock, Kv, KvError, SharedCache, WaitUntil};
use super::record::ProviderId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// The ports of one invocation; cheap to clone. All its operations count against its limits.
pub trait Invocation: WaitUntil + Clone + 'static {
    /// The namespace.
    type Kv: Kv;
    /// The cache that all isolates share.
    type Shared: SharedCache;
    /// The archive of old days.
    type Archive: Archive;

    /// The namespace, or what takes its place.
    fn kv(&self) -> &Self::Kv;
    /// The cache that all isolates share; `()` if there is none.
    fn shared(&self) -> &Self::Shared;
    /// The archive of old days; `()` if there is none.
    fn archive(&self) -> &Self::Archive;
}

/// Where ports come from when there is something to do with them: most requests need none.
pub trait Enter: 'static {
    /// The ports that it gives.
    type Invocation: Invocation;

    /// The ports for a task.
    fn enter(&self, task: Task) -> Self::Invocation;
}

/// An invocation has its ports from the beginning.
impl<I: Invocation> Enter for I {
    type Invocation = I;

    fn enter(&self, _: Task) -> I {
        self.clone()
    }
}

/// What an invocation begins, for those who write it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Waits for the age of a batch, then writes it.
    FlushWhenDue,
    /// Writes a full batch.
    FlushFullBatch,
    /// Waits for room in the buffer.
    RecordWhenRoom,
    /// Reads the metrics of the KV.
    MetricsRead,
    /// Answers an analytics query.
    AnalyticsQuery,
    /// Answers a health report.
    HealthReport,
    /// Computes the answers of the usual queries in advance.
    WarmUp,
    /// Writes a past day to the archive.
    ArchiveDay,
}

impl Task {
    /// Its name in a trace.
    pub fn name(self) -> &'static str {
        match self {
            Task::FlushWhenDue => "flush when due",
            Task::FlushFullBatch => "flush full batch",
            Task::RecordWhenRoom => "record when room",
            Task::MetricsRead => "metrics read",
            Task::AnalyticsQuery => "analytics query",
            Task::HealthReport => "health report",
            Task::WarmUp => "warm up caches",
            Task::ArchiveDay => "archive a day",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// The metrics endpoint, over the policy's `metrics_window`.
    Metrics,
    /// An analytics query, over its `analytics_window`.
    Analytics,
    /// What a health report judges (see [`Host::judge`]): the window of the metrics endpoint.
    Health,
}

impl Query {
    /// How far back it looks.
    pub fn window(self, policy: &Policy) -> Duration {
        match self {
            Query::Metrics | Query::Health => policy.queries.metrics_window,
            Query::Analytics => policy.queries.analytics_window,
        }
    }

    /// What it is called in a trace.
    pub fn task(self) -> Task {
        match self {
            Query::Metrics => Task::MetricsRead,
            Query::Analytics => Task::AnalyticsQuery,
            Query::Health => Task::HealthReport,
        }
    }
}

/// An answer that is there at once, or a future of it that the response waits for.
#[derive(Debug)]
pub enum Answer<T, F> {
    /// The answer.
    Now(T),
    /// A future of the answer.
    Later(F),
}

impl<T, F: Future<Output = T>> Answer<T, F> {
    /// What `f` makes of the answer, when it is there.
    #[inline]
    pub fn map<U, G: FnOnce(T) -> U>(self, f: G) -> Answer<U, impl Future<Output = U>> {
        match self {
            Answer::Now(answer) => Answer::Now(f(answer)),
            Answer::Later(answer) => Answer::Later(async move { f(answer.await) }),
        }
    }

    /// The answer, when it is there.
    pub async fn wait(self) -> T {
        match self {
            Answer::Now(answer) => answer,
            Answer::Later(answer) => answer.await,
        }
    }
}

/// Why a request is not recorded, as far as its response can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRecorded {
    /// Given up, and counted.
    Lost(LossCause),
    /// The write that the policy waits for failed; the record stays in memory for the next.
    Unwritten(KvError),
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRecorded::Lost(cause) => write!(f, "record lost: {}", cause.name()),
            NotRecorded::Unwritten(e) => write!(f, "record not written yet: {e}"),
        }
    }
}

impl std::error::Error for NotRecorded {}

/// The metrics system of one isolate with what its invocations do; cheap to clone.
pub struct Host<C>(Rc<Collector<C>>);

impl<C> Clone for Host<C> {
    fn clone(&self) -> Self {
        Host(Rc::clone(&self.0))
    }
}

impl<C: Clock + 'static> Host<C> {
    /// The host of a collector.
    pub fn new(collector: Collector<C>) -> Self {
        Host(Rc::new(collector))
    }

    /// The collector: its counters, its invariant, its end.
    pub fn collector(&self) -> &Collector<C> {
        &self.0
    }

    /// Records a request. The response waits for a write only where the policy says so, or for room
    /// in a full buffer; a flush that is due goes on after it.
    #[inline]
    pub fn record<E: Enter>(
        &self,
        provider: ProviderId,
        latency: Duration,
        success: bool,
        tokens: u32,
        ports: &E,
    ) -> Answer<
        Result<(), NotRecorded>,
        impl Future<Output = Result<(), NotRecorded>> + use<C, E> + 'static,
    > {
        let recorded = self.0.record(provider, latency, success, tokens);
        match recorded {
            Recorded::Buffered => Answer::Now(Ok(())),
            Recorded::Lost(cause) => {
                if let Some(batch) = self.0.stalled() {
                    self.flush_when_due(ports.enter(Task::FlushWhenDue), batch);
                }
                Answer::Now(Err(NotRecorded::Lost(cause)))
            }
            Recorded::StartedBatch(batch) => {
                self.flush_when_due(ports.enter(Task::FlushWhenDue), batch);
                Answer::Now(Ok(()))
            }
            Recorded::Full(batch) if !self.0.waits_for_writes() => {
                // Each record beyond a full batch asks: no work of its own for what is seen to.
                if !self.0.is_left_to_others(batch) {
                    self.flush_behind(ports.enter(Task::FlushFullBatch), batch);
                }
                Answer::Now(Ok(()))
            }
            Recorded::Full(_) => {
                let invocation = ports.enter(Task::FlushFullBatch);
                Answer::Later(self.settle_later(invocation, recorded))
            }
            Recorded::MustWait(_) => {
                let invocation = ports.enter(Task::RecordWhenRoom);
                if let Some(batch) = self.0.stalled() {
                    self.flush_when_due(invocation.clone(), batch);
                }
                Answer::Later(self.settle_later(invocation, recorded))
            }
        }
    }

    /// On the heap, and made apart from the way that most records go: it is large.
    #[inline(never)]
    fn settle_later<I: Invocation>(
        &self,
        invocation: I,
        recorded: Recorded,
    ) -> Pin<Box<impl Future<Output = Result<(), NotRecorded>> + use<C, I> + 'static>> {
        Box::pin(self.clone().settle(invocation, recorded))
    }

    /// What a response waits for: room for a record that found none, and the write of a full batch.
    async fn settle<I: Invocation>(
        self,
        invocation: I,
        recorded: Recorded,
    ) -> Result<(), NotRecorded> {
        let recorded = match recorded {
            Recorded::MustWait(record) => self.0.record_when_room(record).await,
            other => other,
        };
        match recorded {
            Recorded::Lost(cause) => return Err(NotRecorded::Lost(cause)),
            Recorded::Full(batch) if self.0.waits_for_writes() => {
                let written = self.0.flush_waited_for(invocation.kv(), batch).await;
                return written.map_err(NotRecorded::Unwritten);
            }
            Recorded::Full(batch) => self.flush_behind(invocation, batch),
            Recorded::StartedBatch(batch) => self.flush_when_due(invocation, batch),
            Recorded::Buffered | Recorded::MustWait(_) => {}
        }
        Ok(())
    }

    #[inline(never)]
    fn flush_when_due<I: Invocation>(&self, invocation: I, batch: BatchNumber) {
        let (host, it) = (self.clone(), invocation.clone());
        invocation.wait_until(async move {
            // A failed write is counted by the collector, which keeps the records.
            let _ = host.0.flush_when_due(it.kv(), batch).await;
        });
    }

    #[inline(never)]
    fn flush_behind<I: Invocation>(&self, invocation: I, batch: BatchNumber) {
        let (host, it) = (self.clone(), invocation.clone());
        invocation.wait_until(async move {
            let _ = host.0.flush_batch(it.kv(), batch).await;
        });
    }

    /// Answers a query: from the cache at once, or else through the policy's tiers; an entry that is
    /// to be kept fresh is seen to after the response.
    #[inline]
    pub fn query<E: Enter>(
        &self,
        query: Query,
        ports: &E,
    ) -> Answer<
        Result<Rc<Metrics>, KvError>,
        impl Future<Output = Result<Rc<Metrics>, KvError>> + use<C, E> + 'static,
    > {
        let window = query.window(self.0.policy());
        match self.0.cached_metrics(window) {
            Some(metrics) => Answer::Now(Ok(metrics)),
            None => Answer::Later(self.fetch_later(ports.enter(query.task()), window)),
        }
    }

    /// As [`Host::settle_later`].
    #[inline(never)]
    fn fetch_later<I: Invocation>(
        &self,
        invocation: I,
        window: Duration,
    ) -> Pin<Box<impl Future<Output = Result<Rc<Metrics>, KvError>> + use<C, I> + 'static>> {
        Box::pin(self.clone().fetch(invocation, window))
    }

    async fn fetch<I: Invocation>(
        self,
        invocation: I,
        window: Duration,
    ) -> Result<Rc<Metrics>, KvError> {
        let i = &invocation;
        let tiers = (i.shared(), i.archive());
        let answer = self.0.fetch_tiered(i.kv(), tiers, window).await;
        if self.0.policy().cache.prewarm.is_some() {
            let it = invocation.clone();
            invocation.wait_until(async move { self.0.keep_fresh(it.kv(), window).await });
        }
        answer
    }

    /// The health report on metrics, by the policy's thresholds.
    pub fn judge(&self, metrics: &Metrics) -> HealthReport {
        health_report(metrics, &self.0.policy().health)
    }

    /// What the cron trigger of the caches does: reads the metrics of every window into them.
    pub async fn warm_up<I: Invocation>(self, invocation: I) {
        self.0.refresh(invocation.kv()).await;
    }

    /// What the daily cron trigger of the archive does: moves the day that has just become old
    /// enough into it. A day that could not be moved is missing from later answers; its keys expire.
    ///
    /// # Errors
    /// If a tier refuses.
    pub async fn archive_day<I: Invocation>(self, invocation: I) -> Result<(), KvError> {
        let archived = self.0.archive_day(invocation.kv(), invocation.archive());
        archived.await
    }
}
