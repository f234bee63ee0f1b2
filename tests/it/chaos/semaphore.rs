//! The first edition's batcher in the place of the collector: writes take turns by a semaphore, whose permit goes
//! from one invocation to the next and wakes it.

use kvplan::Defect;
use kvplan::app::{Application, Beyond, Call, Cron, Gauges, Host, Response, View};
use kvplan::cloud::runtime::Memory;
use kvplan::cloud::store::Store;
use kvplan::run::{Cut, Point};
use kvplan::sim::executor::SimHandle;
use kvplan::study::chaos::evidence::Evidence;
use kvplan::study::chaos::look::{Subject, evidence};
use kvplan::telemetry::counters::{Counters, LossCause};
use kvplan::telemetry::host::{Answer, Enter, Invocation, Task};
use kvplan::telemetry::policy::{LayoutPolicy, Policy};
use kvplan::telemetry::ports::{Clock, Kv, PutOptions, WaitUntil};
use kvplan::telemetry::semaphore::Semaphore;
use kvplan::units::Timestamp;
use kvplan::workload::ArrivalKind;
use std::cell::{Cell, RefCell};
use std::future::Ready;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

/// The batcher in every case.
pub(super) struct Semaphored;

impl Subject for Semaphored {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        evidence(point, stop, |point, sim, _| Batchers {
            policy: Rc::new(point.policy.clone()),
            sim: sim.clone(),
            retired: RefCell::default(),
        })
    }
}

struct Batchers {
    policy: Rc<Policy>,
    sim: SimHandle,
    retired: RefCell<Counters>,
}

struct Batcher {
    policy: Rc<Policy>,
    sim: SimHandle,
    number: u64,
    turn: Semaphore,
    /// Records in memory, and those of them that no write has taken along yet.
    held: Cell<u64>,
    buffered: Cell<u64>,
    batch: Cell<u64>,
    last_write: Cell<Option<Timestamp>>,
    counters: RefCell<Counters>,
}

struct Isolate(Rc<Batcher>);

impl Memory for Isolate {
    fn bytes(&self) -> u64 {
        0
    }
}

impl Batcher {
    async fn flush(self: Rc<Self>, kv: impl Kv) {
        if self.turn.waiting() > 0 {
            return;
        }
        let _turn = self.turn.acquire().await;
        if let Some(last) = self.last_write.get() {
            let next = last + self.policy.batch.min_interval;
            self.sim.sleep_until(next).await;
        }
        let records = self.buffered.take();
        let batch = self.batch.get() + 1;
        self.batch.set(batch);
        self.counters.borrow_mut().put_attempts += 1;
        let key = format!("x/{}-{batch}", self.number);
        let done = kv
            .put(&key, b"records".to_vec(), PutOptions::default())
            .await;
        self.last_write.set(Some(self.sim.now()));
        match done {
            Ok(()) => {
                self.held.set(self.held.get() - records);
                self.counters.borrow_mut().stored += records;
            }
            // For the next.
            Err(_) => self.buffered.set(self.buffered.get() + records),
        }
    }
}

/// The namespace of an invocation, for as long as a future needs it.
struct KvOf<I>(I);

impl<I: Invocation> Kv for KvOf<I> {
    async fn read(
        &self,
        keys: &[&str],
        options: kvplan::telemetry::ports::ReadOptions,
    ) -> Result<Vec<Option<kvplan::telemetry::ports::Value>>, kvplan::telemetry::ports::KvError>
    {
        self.0.kv().read(keys, options).await
    }

    async fn put(
        &self,
        key: &str,
        value: Vec<u8>,
        options: PutOptions,
    ) -> Result<(), kvplan::telemetry::ports::KvError> {
        self.0.kv().put(key, value, options).await
    }

    async fn delete(&self, key: &str) -> Result<(), kvplan::telemetry::ports::KvError> {
        self.0.kv().delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<kvplan::telemetry::ports::ListPage, kvplan::telemetry::ports::KvError> {
        self.0.kv().list(prefix, cursor, limit).await
    }
}

impl Application for Batchers {
    type Isolate = Isolate;

    fn boot(&self, number: u64) -> Isolate {
        Isolate(Rc::new(Batcher {
            policy: Rc::clone(&self.policy),
            sim: self.sim.clone(),
            number,
            turn: Semaphore::new(1),
            held: Cell::new(0),
            buffered: Cell::new(0),
            batch: Cell::new(0),
            last_write: Cell::new(None),
            counters: RefCell::default(),
        }))
    }

    fn end(&self, isolate: &Isolate) {
        let b = &isolate.0;
        let mut counters = b.counters.borrow_mut();
        counters.lost[LossCause::Evicted as usize] += b.held.take();
        self.retired.borrow_mut().merge(&counters);
    }

    fn handle(&self, arrival: ArrivalKind, host: &Host<Isolate>) {
        let call = match arrival {
            ArrivalKind::Record { .. } => Call::Record,
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => Call::Metrics,
            ArrivalKind::AnalyticsQuery => Call::Analytics,
            ArrivalKind::HealthCheck => Call::Health,
        };
        if call == Call::Record {
            let b = Rc::clone(&host.memory().0);
            b.counters.borrow_mut().accepted += 1;
            b.held.set(b.held.get() + 1);
            b.buffered.set(b.buffered.get() + 1);
            let (buffered, batch) = (b.buffered.get(), b.batch.get());
            if buffered >= u64::from(self.policy.batch.max_records) {
                let ports = host.enter(Task::FlushFullBatch);
                ports.clone().wait_until(b.flush(KvOf(ports)));
            } else if buffered == 1 {
                let ports = host.enter(Task::FlushWhenDue);
                let (sim, age) = (self.sim.clone(), self.policy.batch.age());
                ports.clone().wait_until(async move {
                    sim.sleep(age).await;
                    if b.batch.get() == batch {
                        b.flush(KvOf(ports)).await;
                    }
                });
            }
        }
        let response = Response {
            ok: true,
            as_of: None,
        };
        host.respond(call, Answer::<_, Ready<Response>>::Now(response));
    }

    fn crons(&self) -> Vec<Cron> {
        let cron = self.policy.cron.iter();
        cron.map(|c| Cron::Every(c.every)).collect()
    }

    fn scheduled(&self, _: Cron, _: &Host<Isolate>) {}

    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Isolate>) -> Counters {
        let mut all = self.retired.borrow().clone();
        for isolate in alive {
            all.merge(&isolate.0.counters.borrow());
        }
        all
    }

    fn gauges(&self, isolate: &Isolate) -> Gauges {
        Gauges {
            records_held: isolate.0.held.get(),
            breaker_open: false,
        }
    }

    fn layout(&self) -> &LayoutPolicy {
        &self.policy.layout
    }

    fn missing(&self, _: &View<Isolate>) -> Result<i64, Defect> {
        Ok(0)
    }

    fn audit(&self, _: &View<Isolate>) -> Result<Option<f64>, Defect> {
        Ok(None)
    }

    fn beyond(&self, _: &Store) -> Result<Beyond, Defect> {
        Ok(Beyond::default())
    }
}
