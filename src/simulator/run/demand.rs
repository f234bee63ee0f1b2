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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::scenario::Scenario;
    use crate::run::tests::idle;
    use crate::telemetry::counters::Counters;

    /// A meter of so many operations of a kind that were done, and that a quota refused.
    fn metered(kind: OpKind, done: u64, refused: u64) -> KvMeter {
        let mut by_outcome = [[0; OpOutcome::ALL.len()]; OpKind::ALL.len()];
        by_outcome[kind as usize][OpOutcome::Ok as usize] = done;
        by_outcome[kind as usize][OpOutcome::QuotaExceeded as usize] = refused;
        let meter = serde_json::json!({
            "by_outcome": by_outcome,
            "issued": by_outcome.map(|outcomes| outcomes.iter().sum::<u64>()),
            "read_bytes": 0,
            "write_bytes": 0,
            "storage_byte_ns": 0,
        });
        serde_json::from_value(meter).unwrap()
    }

    /// A flush that succeeds takes along what was refused before, so that those which succeeded stand for all.
    /// Nobody makes up for reads.
    #[test]
    fn what_a_quota_refused_was_wanted_too() {
        let naive = ["naive".to_owned()];
        let scenario = Scenario::load("default", &naive, Some("free"), &[]).unwrap();
        let run = idle(&scenario);
        let wanted = |kind, (done, refused), (flushes, failed_flushes)| {
            *run.world.app.counters.borrow_mut() = Counters {
                flushes,
                failed_flushes,
                ..Counters::default()
            };
            let kv = metered(kind, done, refused);
            let wanted = run.world.wanted(&run.point, &kv, &Usage::default(), MONTH);
            wanted.get(MeterItem::of_operation(kind))
        };
        assert_eq!(wanted(OpKind::Write, (30, 0), (8, 2)), 30);
        // 30 of 6 flushes are 40 of 8, which is less than 60, and more than 39.
        assert_eq!(wanted(OpKind::Write, (30, 30), (8, 2)), 40);
        assert_eq!(wanted(OpKind::Write, (30, 9), (8, 2)), 39);
        assert_eq!(wanted(OpKind::Write, (30, 1), (6, 0)), 30);
        assert_eq!(wanted(OpKind::Read, (30, 10), (5, 0)), 40);
    }
}
