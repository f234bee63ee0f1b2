//! An independent count: what is found in the store is what the collectors know to be stored.

use super::{Isolate, Telemetry};
use crate::Defect;
use crate::app::{Application, View};
use crate::cloud::kv::KvStore;
use crate::cloud::queue::Queue;
use crate::cloud::store::Store;
use crate::telemetry::aggregate::{Aggregate, ProviderNames};
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::KeyLayout;

impl Telemetry {
    /// See [`Application::missing`]. Where no two writers share a key, no update can be lost; the
    /// audit checks that.
    pub(super) fn count_missing(&self, view: &View<Isolate>) -> Result<i64, Defect> {
        match (self.writer.layout.keys, view.store.values()) {
            (KeyLayout::Shared, Some(kv)) => {
                let found = records_in(kv, KeyLayout::Shared)?;
                Ok(self.counters_of(view).stored as i64 - found as i64)
            }
            _ => Ok(0),
        }
    }

    /// See [`Application::audit`].
    pub(super) fn check_all(&self, view: &View<Isolate>) -> Result<Option<f64>, Defect> {
        if let Some(broken) = self.retired.borrow().broken.clone() {
            return Err(broken);
        }
        for collector in view.alive.iter().flat_map(|i| i.collectors()) {
            collector.check_conservation()?;
        }
        // Nobody looks at an answer in a simulation, so that those of one isolate stand for all.
        if let Some(isolate) = view.alive.first() {
            isolate.reader().collector().compute_answers();
        }
        let counters = self.counters_of(view);
        if counters.accepted != view.records {
            return Err(Defect::new(format!(
                "{} records came, but collectors took {}",
                view.records, counters.accepted
            )));
        }
        // The first keys have expired.
        let expired = view.simulated >= self.layout.retention;
        let held: u64 = view.alive.iter().map(|i| self.gauges(i).records_held).sum();
        let unsure = held + counters.lost_total();
        if let (Store::Queue { queue, kv }, Some(consumer)) = (view.store, &self.consumer) {
            consumer.collector().check_conservation()?;
            // What has passed its time is deleted first, or it would be waiting and expired.
            let gone = expired_records(queue)?;
            let waiting = queue.waiting();
            let waiting = waiting.iter().map(|m| m.body.as_slice());
            let taken = consumer.collector().counters();
            let sent = taken.accepted + count_records(waiting)? + gone;
            agree("sent", sent, counters.stored, unsure)?;
            if !expired {
                let found = records_in(kv, self.layout.keys)?;
                let unsure = consumer.collector().records_in_memory();
                agree("stored", found, taken.stored, unsure)?;
            }
            return Ok(None);
        }
        let Some(kv) = view.store.values().filter(|_| !expired) else {
            return Ok(None);
        };
        let found = records_in(kv, self.layout.keys)?;
        // Where writers share keys, updates get lost: the difference is what is measured.
        if self.layout.keys != KeyLayout::Shared {
            agree("stored", found, counters.stored, unsure)?;
        }
        // Of nothing there is no share.
        let share = 1.0 - found as f64 / counters.stored as f64;
        Ok((counters.stored > 0).then_some(share))
    }

    fn counters_of(&self, view: &View<Isolate>) -> Counters {
        self.counters(view.alive.iter().copied())
    }
}

/// Records in what is stored under the keys of a layout.
fn records_in(kv: &KvStore, keys: KeyLayout) -> Result<u64, Defect> {
    let prefix = match keys {
        KeyLayout::Rollup => "r/",
        KeyLayout::BatchKeys => "b/",
        KeyLayout::Shared => "s/",
    };
    count_records(kv.inspect(prefix).iter().map(|v| v.as_slice()))
}

/// Whether as many were found as are known to be, and perhaps some whose writes had no answer.
fn agree(what: &str, found: u64, known: u64, unsure: u64) -> Result<(), Defect> {
    if (known..=known + unsure).contains(&found) {
        return Ok(());
    }
    Err(Defect::new(format!(
        "{known} records known to be {what} and {unsure} unsure, but {found} found"
    )))
}

/// Records in messages that a queue has deleted.
pub(super) fn expired_records(queue: &Queue) -> Result<u64, Defect> {
    count_records(queue.expired().iter().map(|m| m.body.as_slice()))
}

/// Records in stored aggregates.
fn count_records<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<u64, Defect> {
    let mut names = ProviderNames::default();
    values
        .map(|value| Aggregate::decode(value, &mut names).map(|a| a.count()))
        .sum::<Result<u64, _>>()
        .map_err(|_| Defect::new("a stored value cannot be read"))
}
