//! What was wanted of the KV, and what became of what it was given: operations that a quota refused,
//! records that another write took away.

use super::Point;
use super::world::World;
use crate::cloud::kv::{KvMeter, OpOutcome};
use crate::pricing::MONTH;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::aggregate::{Aggregate, ProviderNames};
use crate::telemetry::policy::{KeyLayout, Policy};
use crate::telemetry::ports::OpKind;
use std::time::Duration;

impl World {
    /// What a month would use, were nothing refused for a used-up quota.
    pub(super) fn wanted(
        &self,
        point: &Point,
        kv: &KvMeter,
        usage: &Usage,
        period: Duration,
    ) -> Usage {
        let plan = point.scenario.plan();
        let months = period.as_secs_f64() / MONTH.as_secs_f64();
        let came = self.arrived.requests() + self.arrived.cron + self.arrived.refused;
        let mut wanted = Usage::default();
        for item in MeterItem::ALL {
            let kind = OpKind::ALL
                .into_iter()
                .find(|kind| MeterItem::of_operation(*kind) == item);
            let amount = match kind {
                _ if plan.daily_limit(item).is_none() => usage.get(item),
                Some(kind) => (self.operations_wanted(kv, kind) / months).round() as u128,
                None if item == MeterItem::WorkersRequests => {
                    (came as f64 / months).round() as u128
                }
                None => usage.get(item),
            };
            wanted.add(item, amount);
        }
        wanted
    }

    /// Operations of a kind that would have counted towards a quota, had there been none: those
    /// done and those refused for it. Where requests were refused, too, those served stand for all
    /// that came. What was refused is tried again with every flush, together with what has come since:
    /// flushes that succeeded stand for all of them, where that gives less.
    fn operations_wanted(&self, kv: &KvMeter, kind: OpKind) -> f64 {
        let outcomes = [
            OpOutcome::Ok,
            OpOutcome::NotFound,
            OpOutcome::AnswerLost,
            OpOutcome::QuotaExceeded,
        ];
        let tried: u64 = outcomes.iter().map(|o| kv.count(kind, *o)).sum();
        let refused = kv.count(kind, OpOutcome::QuotaExceeded);
        let mut wanted = tried as f64;
        if kind == OpKind::Write && refused > 0 {
            let c = self.counters().since(&self.counters_before);
            let succeeded = c.flushes.saturating_sub(c.failed_flushes);
            if succeeded > 0 {
                let of_one = (tried - refused) as f64 / succeeded as f64;
                wanted = wanted.min(of_one * c.flushes as f64);
            }
        }
        let served = self.arrived.requests() as f64;
        let refused = self.arrived.refused as f64;
        let came = if served > 0.0 {
            (served + refused) / served
        } else {
            1.0
        };
        wanted * came
    }

    /// The records that the values in the KV hold.
    pub(super) fn records_in_kv(&self, keys: KeyLayout) -> Result<u64, String> {
        let prefix = match keys {
            KeyLayout::Rollup => "r/",
            KeyLayout::BatchKeys => "b/",
            KeyLayout::Shared => "s/",
        };
        let mut names = ProviderNames::default();
        let mut found = 0;
        for value in self.store.inspect(prefix) {
            let aggregate = Aggregate::decode(&value, &mut names)
                .map_err(|_| "a stored value cannot be read".to_owned())?;
            found += aggregate.count();
        }
        Ok(found)
    }

    /// Records thought to be stored that are not in the KV, so far: negative where more were counted
    /// twice (stored again because an answer was lost) or are written but not answered yet.
    pub(super) fn missing(&self, policy: &Policy) -> Result<i64, String> {
        // Where no two writers share a key, no update can be lost; the audit checks that.
        if policy.layout.keys != KeyLayout::Shared {
            return Ok(0);
        }
        let found = self.records_in_kv(policy.layout.keys)?;
        Ok(self.counters().stored as i64 - found as i64)
    }

    /// Records that lost updates took since the start of the measurement; none if it cannot be known,
    /// because keys that writers share have expired.
    pub(super) fn lost_updates(
        &self,
        point: &Point,
        period: Duration,
    ) -> Result<Option<u64>, String> {
        let layout = &point.policy.layout;
        if layout.keys == KeyLayout::Shared && self.simulated(period) >= layout.retention {
            return Ok(None);
        }
        let lost = self.missing(point.policy)? - self.missing_before;
        // Below 0: more were counted twice than lost. Above what was stored in the period: some of
        // those lost were stored before it, and are no part of its records.
        let stored = self.counters().stored - self.counters_before.stored;
        Ok(Some(lost.clamp(0, stored as i64) as u64))
    }
}
