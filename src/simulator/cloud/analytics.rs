//! Workers Analytics Engine: a data point for each record, added up by queries.

use super::service::PointsSpec;
use crate::Defect;
use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::aggregate::{Aggregate, ProviderNames};
use crate::telemetry::keys::Bucket;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::ports::Clock;
use crate::telemetry::record::Record;
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A dataset. Nothing is sampled away here; the service samples what comes in great numbers, and
/// bills every data point all the same.
pub struct AnalyticsEngine {
    clock: SimHandle,
    query: Sampler,
    visible_after: Duration,
    bucket: Duration,
    state: RefCell<State>,
}

struct State {
    rng: StreamRng,
    /// Points that no query sees yet, with the time from which on one does.
    on_the_way: VecDeque<(Timestamp, Record)>,
    visible: BTreeMap<Bucket, Aggregate>,
    points: u64,
    queries: u64,
}

impl AnalyticsEngine {
    /// An empty dataset whose queries cover whole buckets of length `bucket`.
    pub fn new(spec: &PointsSpec, bucket: Duration, clock: SimHandle, rng: StreamRng) -> Rc<Self> {
        Rc::new(AnalyticsEngine {
            clock,
            query: spec.query.sampler(),
            visible_after: spec.visible_after,
            bucket,
            state: RefCell::new(State {
                rng,
                on_the_way: VecDeque::new(),
                visible: BTreeMap::new(),
                points: 0,
                queries: 0,
            }),
        })
    }

    /// `writeDataPoint`: returns at once.
    pub fn write(&self, record: Record) {
        let s = &mut *self.state.borrow_mut();
        s.points += 1;
        let when = record.at + self.visible_after;
        s.on_the_way.push_back((when, record));
    }

    /// The metrics of a window that ends now, in one query of the SQL API.
    pub async fn query(&self, window: Duration, names: &ProviderNames) -> Metrics {
        let (total, took) = {
            let s = &mut *self.state.borrow_mut();
            s.queries += 1;
            s.see(self.clock.now(), self.bucket);
            let mut total = Aggregate::default();
            for bucket in Bucket::of_window(self.clock.now(), window, self.bucket) {
                if let Some(points) = s.visible.get(&bucket) {
                    total.merge(points);
                }
            }
            (total, self.query.sample(&mut s.rng))
        };
        let as_of = self.clock.now();
        self.clock.sleep(took).await;
        Metrics::known(total, names, as_of)
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        let s = self.state.borrow();
        let mut usage = Usage::default();
        usage.add(MeterItem::AeDataPoints, u128::from(s.points));
        usage.add(MeterItem::AeReadQueries, u128::from(s.queries));
        usage
    }

    /// The invariant: every data point can be seen or is on the way.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        let s = self.state.borrow();
        let visible: u64 = s.visible.values().map(Aggregate::count).sum();
        let on_the_way = s.on_the_way.len() as u64;
        if s.points != visible + on_the_way {
            return Err(Defect::new(format!(
                "Analytics Engine: {} data points written, {visible} visible, {on_the_way} on the way",
                s.points
            )));
        }
        Ok(())
    }
}

impl State {
    fn see(&mut self, now: Timestamp, bucket: Duration) {
        let due = |(when, _): &mut (Timestamp, Record)| *when <= now;
        while let Some((_, record)) = self.on_the_way.pop_front_if(due) {
            let bucket = Bucket::of(record.at, bucket);
            self.visible.entry(bucket).or_default().add(&record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::service::{Service, StoreSpec};
    use crate::models::load;
    use crate::sim::executor::Executor;
    use crate::sim::random::Streams;
    use crate::telemetry::record::ProviderId;

    /// Two points that a query has seen, and one that it has not.
    #[test]
    fn points_are_seen_or_on_the_way() {
        let store: StoreSpec = load("analytics-engine", None, &[]).unwrap();
        let Service::AnalyticsEngine(spec) = store.service else {
            unreachable!("it is a dataset")
        };
        let executor = Executor::new(Timestamp::from_secs(100));
        let (hour, rng) = (
            Duration::from_secs(3_600),
            Streams::new(1, 0).stream("points"),
        );
        let dataset = AnalyticsEngine::new(&spec, hour, executor.handle(), rng);
        let write = |s: u64| {
            dataset.write(Record {
                at: Timestamp::from_secs(s),
                provider: ProviderId(0),
                latency: Duration::from_secs(1),
                success: true,
                tokens: 7,
            });
        };
        // They are seen after 30 s.
        for s in [60, 70, 80] {
            write(s);
        }
        let mut names = ProviderNames::default();
        names.intern("a");
        let asked = Rc::clone(&dataset);
        executor.block_on(async move { asked.query(hour, &names).await });
        assert_eq!(dataset.state.borrow().on_the_way.len(), 1);
        assert_eq!(dataset.check(), Ok(()));
        let usage = dataset.usage();
        assert_eq!(usage.get(MeterItem::AeDataPoints), 3);
        assert_eq!(usage.get(MeterItem::AeReadQueries), 1);
        dataset.state.borrow_mut().points += 1;
        let defect = dataset.check().unwrap_err().to_string();
        assert!(
            defect.contains("4 data points written, 2 visible, 1 on the way"),
            "{defect}"
        );
    }
}
