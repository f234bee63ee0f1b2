//! What a plan allows in a day, in numbers of its page: 100,000 reads and requests, 1,000 writes, deletes and lists.

use super::world::{Compared, drawn, every, is_record, play, play_on, request, scenario, together};
use kvplan::Defect;
use kvplan::app::{Application, Beyond, Call, Cron, Gauges, Host, Response, View};
use kvplan::cloud::runtime::Memory;
use kvplan::cloud::store::Store;
use kvplan::models::quantity::Count;
use kvplan::pricing::MeterItem;
use kvplan::telemetry::counters::Counters;
use kvplan::telemetry::host::{Answer, Enter, Invocation, Task};
use kvplan::telemetry::policy::LayoutPolicy;
use kvplan::telemetry::ports::{Kv, KvError, OpKind};
use kvplan::workload::ArrivalKind;

const DAY_S: u64 = 86_400;

/// A request each two minutes, and queries that list and read.
pub(super) fn a_day_of_the_free_plan(c: &mut Compared) {
    let s = scenario("naive-fleet", "free", &[]);
    let requests = (0..700).map(|i| request(120_000 * i, 0)).collect();
    let analytics = every(700_000, 100, ArrivalKind::AnalyticsQuery);
    let metrics = every(200_000, 400, ArrivalKind::MetricsRead);
    let seen = play(&s, together(&[requests, analytics, metrics]), DAY_S);
    // A day has four buckets of six hours.
    assert_eq!(seen.keys(OpKind::List), 100.0 * 4.0 + 400.0);
    assert_eq!(seen.keys(OpKind::Write), 700.0);
    let reads = seen.keys(OpKind::Read);
    assert!((500.0..800.0).contains(&reads), "{reads}");
    c.is(&seen, "quota_use_reads", reads / 100_000.0);
    c.is(&seen, "quota_use_writes", 700.0 / 1_000.0);
    c.is(&seen, "quota_use_lists", 800.0 / 1_000.0);
    c.is(&seen, "quota_use_requests", 1_200.0 / 100_000.0);
}

/// Two days, of 900 and 1,200 requests that are written at once.
pub(super) fn writes_beyond_the_daily_limit_are_refused(c: &mut Compared) {
    let s = scenario("naive", "free", &["policy.layout.bucket=\"7 d\""]);
    let day = 1_000 * DAY_S;
    let first = (0..900).map(|i| request(90_000 * i, 0)).collect();
    let second = (0..1_200).map(|i| request(day + 60_000 * i, 0)).collect();
    let queries = every(300_000, 500, ArrivalKind::MetricsRead);
    let seen = play(&s, together(&[first, second, queries]), 2 * DAY_S);
    let refused = seen.failed_keys(|e| *e == KvError::QuotaExceeded);
    assert_eq!(refused, 200.0);
    c.is(&seen, "kv_quota_exceeded_share", 200.0 / 2_600.0);
    c.is(&seen, "quota_use_writes", 2_100.0 / 2_000.0);
}

/// A plan of 500 requests a day, in which a metrics read with a recording is no request of its own.
pub(super) fn requests_beyond_the_daily_limit_are_refused(c: &mut Compared) {
    let settings = ["workload.metrics_reads={per_request=0.5,rate=\"10/h\"}"];
    let mut s = scenario("naive", "free", &settings);
    let plan = s.catalog.plans.iter_mut().find(|p| p.name == "free");
    let items = &mut plan.unwrap().items;
    let item = items
        .iter_mut()
        .find(|i| i.meter == MeterItem::WorkersRequests);
    item.unwrap().daily_limit = Some(Count(500));
    let seen = play(&s, drawn(&s, 0.007, DAY_S - 60), DAY_S);
    let own = |k: &&ArrivalKind| **k != ArrivalKind::MetricsWithRecord;
    let kinds = seen.arrivals.iter().map(|a| a.kind).collect::<Vec<_>>();
    let requests: Vec<_> = kinds.iter().filter(own).collect();
    let n = requests.len() as f64;
    assert!(n > 700.0);
    c.is(&seen, "requests_refused_share", (n - 500.0) / n);
    let served = requests[..500].iter().filter(|k| is_record(k)).count() as f64;
    let all = seen.records();
    c.is(&seen, "requests_per_month", seen.monthly(all));
    c.is(&seen, "requests_served_per_month", seen.monthly(served));
    c.is(&seen, "quota_use_requests", n / 500.0);
}

/// Deletes a key for whatever comes: the metrics system itself deletes nothing.
pub(super) struct Sweeper(pub(super) LayoutPolicy);

/// An isolate with nothing in its memory.
pub(super) struct Nothing;

impl Memory for Nothing {
    fn bytes(&self) -> u64 {
        0
    }
}

impl Application for Sweeper {
    type Isolate = Nothing;

    fn boot(&self, _: u64) -> Nothing {
        Nothing
    }

    fn end(&self, _: &Nothing) {}

    fn handle(&self, _: ArrivalKind, host: &Host<Nothing>) {
        let invocation = host.enter(Task::MetricsRead);
        let swept = async move {
            let ok = invocation.kv().delete("k").await.is_ok();
            Response { ok, as_of: None }
        };
        host.respond(Call::Metrics, Answer::Later(swept));
    }

    fn crons(&self) -> Vec<Cron> {
        Vec::new()
    }

    fn scheduled(&self, _: Cron, _: &Host<Nothing>) {}

    fn counters<'a>(&self, _: impl Iterator<Item = &'a Nothing>) -> Counters {
        Counters::default()
    }

    fn gauges(&self, _: &Nothing) -> Gauges {
        Gauges::default()
    }

    fn layout(&self) -> &LayoutPolicy {
        &self.0
    }

    fn missing(&self, _: &View<Nothing>) -> Result<i64, Defect> {
        Ok(0)
    }

    fn audit(&self, _: &View<Nothing>) -> Result<Option<f64>, Defect> {
        Ok(None)
    }

    fn beyond(&self, _: &Store) -> Result<Beyond, Defect> {
        Ok(Beyond::default())
    }
}

pub(super) fn deletes_are_counted(c: &mut Compared) {
    let s = scenario("naive", "free", &[]);
    let calls = every(100_000, 600, ArrivalKind::MetricsRead);
    let layout = s.policies[0].layout.clone();
    let seen = play_on(&s, calls, DAY_S, |_, _| Sweeper(layout));
    assert_eq!(seen.keys(OpKind::Delete), 600.0);
    c.is(&seen, "kv_deletes_per_month", seen.monthly(600.0));
    c.is(&seen, "quota_use_deletes", 600.0 / 1_000.0);
}
