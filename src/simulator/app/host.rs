//! What an application reaches the virtual world through, in one invocation.

use super::calls::{Answered, Call, Noted};
use crate::cloud::analytics::AnalyticsEngine;
use crate::cloud::durable_object::DurableObject;
use crate::cloud::r2::R2Bucket;
use crate::cloud::runtime::{Context, Memory};
use crate::cloud::spans::Tracer;
use crate::cloud::store::{Access, Handle, Store};
use crate::sim::executor::SimHandle;
use crate::telemetry::host::{Answer, Enter, Invocation, Task};
use crate::telemetry::ports::{
    Clock, Kv, KvError, ListPage, PutOptions, ReadOptions, Value, WaitUntil,
};
use crate::telemetry::record::Record;
use crate::units::Timestamp;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What all invocations reach, and where their calls are counted.
pub struct Services {
    /// The virtual clock and executor.
    pub sim: SimHandle,
    /// Where the data are kept.
    pub store: Rc<Store>,
    /// The cache that all isolates share.
    pub shared: DurableObject,
    /// The archive of old days.
    pub archive: R2Bucket,
    /// What is noted of calls.
    pub noted: RefCell<Noted>,
    /// Traces of the first invocations.
    pub tracer: RefCell<Tracer>,
}

/// An invocation as its application sees it.
pub struct Host<M: 'static> {
    context: Context<M>,
    services: Rc<Services>,
    /// Until its isolate has started.
    wait: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Whether it was answered without an error.
    pub ok: bool,
    /// When its answer was read from the store, if it is one.
    pub as_of: Option<Timestamp>,
}

impl<M: Memory> Host<M> {
    /// A host for an invocation that waits so long for its isolate.
    #[inline]
    pub fn new(context: Context<M>, services: &Rc<Services>, wait: Duration) -> Self {
        Host {
            context,
            services: Rc::clone(services),
            wait,
        }
    }

    /// The invocation, to be made another's.
    #[inline]
    pub fn context(&mut self) -> &mut Context<M> {
        &mut self.context
    }

    /// From now on it is for other work of the same invocation, in a request context of its own.
    #[inline]
    pub fn part(&mut self) {
        self.context.part();
    }

    /// What its isolate holds.
    #[inline]
    pub fn memory(&self) -> &M {
        self.context.memory()
    }

    /// The clock.
    #[inline]
    pub fn clock(&self) -> &SimHandle {
        &self.services.sim
    }

    /// The store itself, for what is no key and value.
    #[inline]
    pub fn store(&self) -> &Store {
        &self.services.store
    }

    /// Answers a call and counts it: at once, or when the answer is there; in an isolate that has to
    /// start for it, after that start.
    #[inline]
    pub fn respond<F: Future<Output = Response> + 'static>(
        &self,
        call: Call,
        answer: Answer<Response, F>,
    ) {
        match answer {
            Answer::Now(response) => self.services.note(call, self.wait, response),
            Answer::Later(answer) => self.respond_later(call, answer),
        }
    }

    #[inline(never)]
    fn respond_later(&self, call: Call, answer: impl Future<Output = Response> + 'static) {
        let (services, wait) = (Rc::clone(&self.services), self.wait);
        let start = services.sim.now();
        let cancelled = {
            let services = Rc::clone(&services);
            move || {
                let took = services.sim.now().since(start);
                let failed = Response {
                    ok: false,
                    as_of: None,
                };
                services.note(call, took, failed);
                services.noted.borrow_mut().calls.hung += 1;
            }
        };
        let respond = async move {
            if !wait.is_zero() {
                services.sim.sleep(wait).await;
            }
            let response = answer.await;
            let took = services.sim.now().since(start);
            services.note(call, took, response);
            if call != Call::Record {
                let calls = &mut services.noted.borrow_mut().calls;
                calls.fetch.add(took.saturating_sub(wait), response.ok);
            }
        };
        self.context.run(respond, cancelled);
    }

    /// `writeDataPoint`: returns at once.
    pub fn write_point(&self, dataset: &AnalyticsEngine, record: Record) {
        dataset.write(record);
        let calls = &mut self.services.noted.borrow_mut().calls;
        calls.record.add(Duration::ZERO, true);
        calls.write.add(Duration::ZERO, true);
    }

    /// Notes in the trace that a query was answered from the isolate's cache.
    #[inline]
    pub fn note_cached(&self, task: Task) {
        let tracer = &mut *self.services.tracer.borrow_mut();
        if tracer.is_open() {
            tracer.note_cached(task.name(), self.services.sim.now());
        }
    }

    /// Runs a cron trigger in the invocation.
    pub fn run(&self, work: impl Future<Output = ()> + 'static) {
        let services = Rc::clone(&self.services);
        self.context
            .run(work, move || services.noted.borrow_mut().calls.hung += 1);
    }
}

impl Services {
    /// Counts a call that is answered now.
    #[inline(always)]
    fn note(&self, call: Call, took: Duration, response: Response) {
        let Noted { calls, log } = &mut *self.noted.borrow_mut();
        calls.of(call).add(took, response.ok);
        if let Some(as_of) = response.as_of {
            let age_ns = self.sim.now().nanos_since(as_of);
            calls.answer_age.latencies.add_nanos(age_ns);
        }
        log.note(|| Answered {
            call,
            at: self.sim.now(),
            took,
            ok: response.ok,
        });
    }
}

impl<M: Memory> Enter for Host<M> {
    type Invocation = Ports<M>;

    fn enter(&self, task: Task) -> Ports<M> {
        let access = match task {
            Task::FlushWhenDue | Task::FlushFullBatch | Task::RecordWhenRoom => Access::Write,
            _ => Access::Read,
        };
        let place = self.context.place();
        let services = &self.services;
        // Cron triggers are no requests, and not traced.
        let log = match task {
            Task::WarmUp | Task::ArchiveDay => None,
            _ => {
                let tracer = &mut *services.tracer.borrow_mut();
                tracer.begin(task.name(), place, services.sim.now())
            }
        };
        Ports {
            context: self.context.share(),
            kv: Rc::new(Watched {
                handle: services.store.invocation(access, place, log),
                services: Rc::clone(services),
            }),
        }
    }
}

/// The ports of an invocation.
pub struct Ports<M: 'static> {
    context: Context<M>,
    kv: Rc<Watched>,
}

impl<M> Clone for Ports<M> {
    fn clone(&self) -> Self {
        Ports {
            context: self.context.clone(),
            kv: Rc::clone(&self.kv),
        }
    }
}

impl<M: Memory> WaitUntil for Ports<M> {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.context.wait_until(work);
    }
}

impl<M: Memory> Invocation for Ports<M> {
    type Kv = Watched;
    type Shared = DurableObject;
    type Archive = R2Bucket;

    fn kv(&self) -> &Watched {
        &self.kv
    }

    fn shared(&self) -> &DurableObject {
        &self.kv.services.shared
    }

    fn archive(&self) -> &R2Bucket {
        &self.kv.services.archive
    }
}

/// A handle that notes how long writes take.
pub struct Watched {
    handle: Handle,
    services: Rc<Services>,
}

impl Kv for Watched {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.handle.read(keys, options).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let start = self.services.sim.now();
        let done = self.handle.put(key, value, options).await;
        let took = self.services.sim.now().since(start);
        let calls = &mut self.services.noted.borrow_mut().calls;
        calls.write.add(took, done.is_ok());
        done
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.handle.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        self.handle.list(prefix, cursor, limit).await
    }
}
