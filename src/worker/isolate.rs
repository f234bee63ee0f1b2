//! What an isolate keeps between its invocations.

use crate::clock::Timers;
use crate::meter::Meter;
use crate::settings;
use kvplan_telemetry::collector::Collector;
use kvplan_telemetry::host::Host;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use worker::Env;
use worker::js_sys::Math;

/// The memory of an isolate.
pub(crate) struct Isolate {
    pub host: Host<Timers>,
    /// Operations of all its invocations.
    pub meter: Rc<RefCell<Meter>>,
    /// Its name in keys.
    pub writer: String,
    records: Cell<u64>,
}

impl Isolate {
    /// The number of a record that comes now, from 1 on.
    pub(crate) fn next_record(&self) -> u64 {
        self.records.set(self.records.get() + 1);
        self.records.get()
    }
}

thread_local! {
    static ISOLATE: RefCell<Option<Rc<Isolate>>> = const { RefCell::new(None) };
}

/// This isolate; made when the first asks for it, as nothing random is to be had before.
pub(crate) fn this(env: &Env) -> Result<Rc<Isolate>, String> {
    if let Some(isolate) = ISOLATE.with_borrow(Clone::clone) {
        return Ok(isolate);
    }
    let policy = settings::policy(env)?;
    // Two isolates must not share a name: 104 random bits.
    let writer = format!("{:013x}{:013x}", random_bits(), random_bits());
    let collector = Collector::new(Rc::new(policy), Timers, writer.clone(), random_bits());
    let isolate = Rc::new(Isolate {
        host: Host::new(collector),
        meter: Rc::default(),
        writer,
        records: Cell::new(0),
    });
    ISOLATE.set(Some(Rc::clone(&isolate)));
    Ok(isolate)
}

/// 52 bits, as many as a float has of them.
fn random_bits() -> u64 {
    (Math::random() * (1_u64 << 52) as f64) as u64
}
