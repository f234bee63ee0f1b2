//! The ports of one invocation.

use crate::binding::{Binding, Bucket};
use crate::isolate::Isolate;
use kvplan_telemetry::host::Invocation;
use kvplan_telemetry::ports::{Clock, WaitUntil};
use kvplan_telemetry::units::Timestamp;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use worker::{Context, Date, Delay, Env, ScheduleContext};

/// `Date.now`, which stands still while code runs, and `setTimeout`, which belongs to the invocation that calls it.
pub(crate) struct Timers;

impl Clock for Timers {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH + Duration::from_millis(Date::now().as_millis())
    }

    async fn sleep(&self, delay: Duration) {
        // Whole milliseconds, and not too short.
        let ms = delay.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
        Delay::from(Duration::from_millis(ms as u64)).await;
    }
}

/// What can extend an invocation beyond its response.
pub(crate) enum Extends {
    Request(Context),
    Trigger(ScheduleContext),
}

/// The ports; cheap to clone.
#[derive(Clone)]
pub(crate) struct Ports(Rc<Inner>);

struct Inner {
    extends: Extends,
    kv: Binding,
    archive: Bucket,
}

impl Ports {
    /// The bindings `KV` and, if there is one, `ARCHIVE`.
    pub(crate) fn new(env: &Env, extends: Extends, isolate: &Isolate) -> Result<Self, String> {
        let kv = env.kv("KV");
        let kv = kv.map_err(|e| format!("no KV namespace is bound as KV: {e}"))?;
        Ok(Ports(Rc::new(Inner {
            extends,
            kv: Binding::new(kv, &isolate.meter),
            archive: Bucket(env.bucket("ARCHIVE").ok()),
        })))
    }
}

impl WaitUntil for Ports {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        match &self.0.extends {
            Extends::Request(context) => context.wait_until(work),
            Extends::Trigger(context) => context.wait_until(work),
        }
    }
}

impl Invocation for Ports {
    type Kv = Binding;
    type Shared = ();
    type Archive = Bucket;

    fn kv(&self) -> &Binding {
        &self.0.kv
    }

    fn shared(&self) -> &() {
        &()
    }

    fn archive(&self) -> &Bucket {
        &self.0.archive
    }
}
