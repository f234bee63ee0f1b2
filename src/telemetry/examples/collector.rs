//! The metrics system by itself: a KV in memory, a clock, and an invocation that hands them out.
//!
//! `cargo run -p kvplan-telemetry --example collector`
//!
//! A Worker does the same with its own ports: the binding of its namespace, `Date.now` with timers, and
//! `ctx.waitUntil`.

use kvplan_telemetry::collector::Collector;
use kvplan_telemetry::host::{Host, Invocation, Query};
use kvplan_telemetry::policy::Policy;
use kvplan_telemetry::ports::{
    Clock, Kv, KvError, ListPage, ListedKey, PutOptions, ReadOptions, Value, WaitUntil,
};
use kvplan_telemetry::units::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const POLICY: &str = r#"
name = "example"
[batch]
max_records = 100
max_age = "10 s"
[cache]
ttl = "5 s"
"#;

/// A clock that moves on when somebody sleeps; enough where one task runs at a time.
#[derive(Clone)]
struct Hands(Rc<Cell<Timestamp>>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, delay: Duration) {
        self.0.set(self.0.get() + delay);
    }
}

/// A namespace in memory, without limits or expiry.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Value>>);

impl Kv for Memory {
    async fn read(&self, keys: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        let values = self.0.borrow();
        Ok(keys.iter().map(|k| values.get(*k).cloned()).collect())
    }

    async fn put(&self, key: &str, value: Vec<u8>, _: PutOptions) -> Result<(), KvError> {
        println!("put {key}: {} bytes", value.len());
        self.0.borrow_mut().insert(key.to_owned(), value.into());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let values = self.0.borrow();
        let after = |key: &&String| cursor.is_none_or(|c| key.as_str() > c);
        let names = values
            .keys()
            .filter(|k| k.starts_with(prefix))
            .filter(after);
        let mut keys: Vec<ListedKey> = names
            .take(limit + 1)
            .map(|name| ListedKey {
                name: name.as_str().into(),
                metadata: None,
            })
            .collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let last = keys.last().map(|k| k.name.to_string());
        Ok(ListPage {
            cursor: last.filter(|_| more),
            keys,
        })
    }
}

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// An invocation: its ports, and what goes on after its response.
#[derive(Clone, Default)]
struct Request {
    kv: Rc<Memory>,
    behind: Rc<RefCell<VecDeque<Work>>>,
}

impl WaitUntil for Request {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.behind.borrow_mut().push_back(Box::pin(work));
    }
}

impl Invocation for Request {
    type Kv = Memory;
    type Shared = ();
    type Archive = ();

    fn kv(&self) -> &Memory {
        &self.kv
    }

    fn shared(&self) -> &() {
        &()
    }

    fn archive(&self) -> &() {
        &()
    }
}

impl Request {
    /// Does what was left for after the response.
    fn finish(&self) {
        loop {
            // Apart from the loop's condition, so that work may leave more of it.
            let next = self.behind.borrow_mut().pop_front();
            let Some(work) = next else { return };
            run(work);
        }
    }
}

/// Runs a future that never has to wait: nothing here does, as sleeping moves the clock.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in this example waits for anything"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy: Policy = toml::from_str(POLICY)?;
    let clock = Hands(Rc::new(Cell::new(Timestamp::from_secs(1_793_577_600))));
    let host = Host::new(Collector::new(Rc::new(policy), clock, "isolate-1", 1));
    let provider = host.collector().provider("acme");

    let request = Request::default();
    for i in 1..=20 {
        let latency = Duration::from_millis(40 * i);
        let recorded = host.record(provider, latency, i % 10 != 0, 250, &request);
        run(recorded.wait())?;
    }
    println!("{} records in memory", host.collector().records_in_memory());
    // The batch is not full: it is written when its age is reached, after the response.
    request.finish();

    let metrics = run(host.query(Query::Metrics, &request).wait())?;
    if let Some(acme) = metrics.provider("acme") {
        println!("{acme:#?}");
    }
    println!("{:#?}", host.judge(&metrics));
    host.collector().check_conservation()?;
    Ok(())
}
