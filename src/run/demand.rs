//! What was wanted of the KV: operations done, and those that a quota refused.

use super::Point;
use super::world::World;
use crate::app::Application;
use crate::cloud::kv::{KvMeter, OpOutcome};
use crate::pricing::MONTH;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::ports::OpKind;
use std::time::Duration;

impl<A: Application> World<A> {
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
            let c = self.counters().since(&self.before.counters);
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
}
