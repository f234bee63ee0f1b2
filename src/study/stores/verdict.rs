//! Whether a store can do the work, and which bounds it meets.

use super::StoreCell;
use crate::cloud::service::{Bound, BoundMeasure, Service, StoreSpec};
use crate::pricing::{MeterItem, Plan, Usage};
use crate::run::Point;
use crate::study::cheapest::TOLERATED;

/// More failed calls than this share make a store unfit.
const TOLERATED_ERRORS: f64 = 0.01;

/// What stands in the way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Whether the store can do the work at all.
    pub able: bool,
    /// Why not, or what is worth knowing.
    pub reasons: Vec<String>,
    /// The largest share of an item's use that is beyond what the plan allows in a day: the plan would
    /// refuse that much, and the cost is for the rest.
    pub refused: f64,
}

/// Judges a store by the means over its replications, and its use by the first of them.
pub(crate) fn judge(point: &Point, store: &StoreSpec, cell: &StoreCell, usage: &Usage) -> Verdict {
    let plan = point.scenario.plan();
    let over = over_daily_limits(plan, usage);
    let share = |(_, daily, limit): &(MeterItem, u128, u64)| 1.0 - *limit as f64 / *daily as f64;
    let mut verdict = Verdict {
        able: true,
        reasons: Vec::new(),
        refused: over.iter().map(share).fold(0.0, f64::max),
    };
    let by_quota = cell.estimate("kv_quota_exceeded_share").mean;
    verdict.refused = verdict.refused.max(by_quota);
    let mut unable = |reason: String| {
        verdict.able = false;
        verdict.reasons.push(reason);
    };
    for service in without_price(plan, usage) {
        unable(format!("plan \"{}\" has no {service}", plan.name));
    }
    for (item, daily, limit) in over {
        unable(format!(
            "{daily} {item} a day, plan \"{}\" allows {limit}",
            plan.name
        ));
    }
    let mean = |name: &str| cell.estimate(name).mean;
    let here = |bound: &&Bound| bound.plan.as_ref().is_none_or(|p| *p == plan.name);
    for bound in store.bounds.iter().filter(here) {
        let (found, unit) = match bound.measure {
            BoundMeasure::RequestsPerSecond => (mean("peak_per_second"), "in the busiest second"),
            BoundMeasure::StoredBytes => (mean("stored_bytes"), "bytes stored"),
            BoundMeasure::KeyWritesPerSecond => continue,
        };
        if found > bound.most {
            unable(format!("{}: {found:.0} {unit}", bound.text));
        }
    }
    for (name, what, tolerated) in [
        ("error_rate", "calls fail", TOLERATED_ERRORS),
        ("loss_rate", "records are lost", TOLERATED),
    ] {
        let share = mean(name);
        if share > tolerated {
            unable(format!("{} of {what}", percent(share)));
        }
    }
    if by_quota > TOLERATED {
        unable(format!(
            "plan \"{}\" refuses {} of the KV operations",
            plan.name,
            percent(by_quota)
        ));
    }
    if mean("loss_rate").is_nan() {
        unable("how many updates of a key that writers share are lost is not known".into());
    }
    let policy = point.policy;
    let is_sql = matches!(store.service, Service::AnalyticsEngine(_));
    if is_sql && (policy.tiers.is_some() || policy.cron.is_some()) {
        let remark = "asked in SQL: the policy's tiers and cron triggers play no part";
        verdict.reasons.push(remark.into());
    }
    let refused = mean("writes_refused_share");
    let key_writes = store.bounds.iter().filter(here);
    for bound in key_writes.filter(|b| b.measure == BoundMeasure::KeyWritesPerSecond) {
        if refused > 0.0 {
            verdict.reasons.push(format!(
                "{}: {} of writes refused",
                bound.text,
                percent(refused)
            ));
        }
    }
    verdict
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 0.1 {
        "less than 0.1%".into()
    } else {
        format!("{percent:.1}%")
    }
}

fn service_of(item: MeterItem) -> &'static str {
    let name = item.name();
    name.split_once('.').map_or(name, |(service, _)| service)
}

/// Services that are used and that the plan puts no price on.
fn without_price(plan: &Plan, usage: &Usage) -> Vec<&'static str> {
    let used = MeterItem::ALL.into_iter().filter(|i| usage.get(*i) > 0);
    let mut services: Vec<&str> = used
        .map(service_of)
        .filter(|s| *s != "workers" && !plan.items.iter().any(|i| service_of(i.meter) == *s))
        .collect();
    services.dedup();
    services
}

/// Items used more than the plan allows in a day, on average: the item, the use and the limit.
fn over_daily_limits(plan: &Plan, usage: &Usage) -> Vec<(MeterItem, u128, u64)> {
    let limited = MeterItem::ALL.into_iter().filter_map(|item| {
        let limit = plan.daily_limit(item)?;
        Some((item, usage.get(item) / 30, limit))
    });
    limited
        .filter(|(_, daily, limit)| *daily > u128::from(*limit))
        .collect()
}
