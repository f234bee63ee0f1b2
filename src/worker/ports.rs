//! The ports of one invocation.

use crate::binding::{Binding, Bucket};
use crate::meter::Meter;
use kvplan_telemetry::host::Invocation;
use kvplan_telemetry::ports::WaitUntil;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use worker::{Context, Env, ScheduleContext};

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
    /// The bindings `KV`, counted in `meter`, and, if there is one, `ARCHIVE`.
    pub(crate) fn new(
        env: &Env,
        extends: Extends,
        meter: &Rc<RefCell<Meter>>,
    ) -> Result<Self, String> {
        let kv = env.kv("KV");
        let kv = kv.map_err(|e| format!("no KV namespace is bound as KV: {e}"))?;
        Ok(Ports(Rc::new(Inner {
            extends,
            kv: Binding::new(kv, meter),
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
