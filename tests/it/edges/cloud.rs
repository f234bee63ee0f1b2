//! Edges of the cloud: what a model refuses, what is stored and how long it takes, where something begins.

use kvplan::cloud::analytics::AnalyticsEngine;
use kvplan::cloud::consistency::ConsistencySpec;
use kvplan::cloud::durable_object::DurableObject;
use kvplan::cloud::failure::{FailureProcess, FailureSpec, Fault};
use kvplan::cloud::fleet::{EndCause, Fleet, FleetSpec};
use kvplan::cloud::kv::{Consistency, DailyQuota, KvConfig, KvLatency, KvLimits, KvStore};
use kvplan::cloud::latency::LatencyProfile;
use kvplan::cloud::r2::{ObjectStore, R2Bucket};
use kvplan::cloud::runtime::Admission;
use kvplan::cloud::service::{PointsSpec, RowsSpec, ServerSpec, Service, StoreSpec};
use kvplan::cloud::sql::Database;
use kvplan::models::dist::{Dist, Sampler};
use kvplan::models::{Model, load};
use kvplan::pricing::MeterItem;
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::telemetry::aggregate::ProviderNames;
use kvplan::telemetry::ports::{Archive, Clock, Kv, OpKind, PutOptions, ReadOptions, SharedCache};
use kvplan::telemetry::record::Record;
use kvplan::units::Timestamp;
use kvplan::workload::{Shape, hour_of_week};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// A Monday, 00:00 UTC.
const START: Timestamp = Timestamp::from_secs(1_793_577_600);

fn model<T: Model>(name: &str) -> T {
    load(name, None, &[]).unwrap()
}

/// What a model says that was changed so.
fn refused<T: Model>(name: &str, change: impl Fn(&mut T)) -> String {
    let mut model: T = model(name);
    assert!(model.validate().is_ok(), "{name}");
    change(&mut model);
    model.validate().unwrap_err().to_string()
}

/// A distribution that none can draw from.
const NEVER: Dist = Dist::Uniform {
    low: Duration::from_secs(2),
    high: Duration::from_secs(1),
};

#[test]
fn each_latency_of_a_profile_is_checked_and_shown() {
    for i in 0..8 {
        let error = refused::<LatencyProfile>("constant-10ms", |p| *p.distributions()[i] = NEVER);
        let name = [
            "read",
            "hot_read",
            "cold_read",
            "object",
            "archive",
            "write",
            "delete",
            "list",
        ][i];
        assert!(error.contains(name), "{name}: {error}");
    }
    let mut consistency: ConsistencySpec = model("eventual");
    *consistency.distributions()[0] = NEVER;
    assert!(consistency.validate().is_err());
}

#[test]
fn what_a_fleet_cannot_be_is_refused() {
    let error = refused::<FleetSpec>("single", |f| f.memory.limit = f.memory.base);
    assert!(error.contains("memory.limit"), "{error}");
    let error = refused::<FleetSpec>("slow-start", |f| {
        f.life.as_mut().unwrap().max_concurrency = 0;
    });
    assert!(error.contains("max_concurrency"), "{error}");
    assert!(FleetSpec::fixed(2).has_many_writers());
    assert!(!FleetSpec::fixed(1).has_many_writers());
}

#[test]
fn a_plan_allows_an_operation_at_least() {
    let error = refused::<KvLimits>("cloudflare", |l| {
        let plan = l.plans.values_mut().next().unwrap();
        plan.operations_per_invocation = Some(0);
    });
    assert!(error.contains("operations_per_invocation"), "{error}");
}

#[test]
fn what_a_store_cannot_be_is_refused() {
    for (name, field) in [
        ("d1", "latency"),
        ("durable-object", "latency"),
        ("r2", "latency"),
    ] {
        let error = refused::<StoreSpec>(name, |s| *s.distributions()[0] = NEVER);
        assert!(error.contains(field), "{name}: {error}");
    }
    let error = refused::<StoreSpec>("queues", |s| {
        let Service::Queues(q) = &mut s.service else {
            unreachable!("it is a queue")
        };
        q.max_concurrency = 0;
    });
    assert!(error.contains("max_concurrency"), "{error}");
    let mut one: StoreSpec = model("queues");
    if let Service::Queues(q) = &mut one.service {
        q.max_concurrency = 1;
    }
    assert!(one.validate().is_ok());
}

#[test]
fn a_shared_cache_and_an_archive_hold_what_is_put_after_their_time() {
    let executor = Executor::new(START);
    let sim = executor.handle();
    let streams = Streams::new(1, 0);
    let latency = || Sampler::constant(SECOND);
    let object = DurableObject::new(sim.clone(), latency(), streams.stream("object"));
    let bucket = R2Bucket::new(sim.clone(), latency(), streams.stream("bucket"));
    assert_eq!((object.bytes(), bucket.bytes()), (0, 0));
    executor.block_on({
        let (object, bucket, sim) = (object.clone(), bucket.clone(), sim.clone());
        async move {
            object.put("key", vec![0; 7], SECOND * 60).await.unwrap();
            assert_eq!(sim.now(), START + SECOND);
            bucket.put("name", vec![0; 9]).await.unwrap();
            assert_eq!(sim.now(), START + SECOND * 2);
            assert_eq!(bucket.get("name").await.unwrap().unwrap().len(), 9);
            assert_eq!(sim.now(), START + SECOND * 3);
        }
    });
    assert!(object.bytes() >= 7 && bucket.bytes() >= 9);
    assert!(object.bytes() < 100 && bucket.bytes() < 100);
}

#[test]
fn a_data_point_is_seen_when_its_time_has_come() {
    let executor = Executor::new(START);
    let spec = PointsSpec {
        query: Dist::Constant { value: SECOND },
        visible_after: SECOND * 30,
    };
    let rng = Streams::new(1, 0).stream("points");
    let hour = SECOND * 3_600;
    let engine = AnalyticsEngine::new(&spec, hour, executor.handle(), rng);
    let mut names = ProviderNames::default();
    engine.write(Record {
        at: START,
        provider: names.intern("p"),
        latency: SECOND,
        success: true,
        tokens: 1,
    });
    let seen = |after: u64| {
        executor.run_until(START + SECOND * after as u32);
        let (engine, names) = (Rc::clone(&engine), names.clone());
        let metrics = executor.block_on(async move { engine.query(hour, &names).await });
        metrics.overall.count
    };
    assert_eq!((seen(28), seen(31)), (0, 1));
    engine.check().unwrap();
}

#[test]
fn random_outages_begin_with_a_time_of_service() {
    let spec: FailureSpec =
        toml::from_str("outages = { mean_up = \"100 s\", mean_down = \"100 s\" }").unwrap();
    for seed in 0..50 {
        let mut process = FailureProcess::new(&spec, START, START, &Streams::new(seed, 0));
        let (fault, _) = process.next(OpKind::Read, 0, START);
        assert_eq!(fault, Fault::None, "seed {seed}");
    }
}

/// Two places with half the traffic each, twelve hours apart, and three times as much by day as by night.
#[test]
fn a_place_has_its_share_of_its_own_hour() {
    let mut spec: FleetSpec = model("regions");
    spec.places.truncate(2);
    for (place, zone) in spec.places.iter_mut().zip([0, 12]) {
        place.share = toml::Value::from("50%").try_into().unwrap();
        place.time_zone_h = zone;
    }
    let hourly = (0..24).map(|h| if h < 12 { 1.0 } else { 3.0 }).collect();
    let shape = Shape {
        hourly,
        daily: vec![1.0; 7],
        utc_offset_h: 0,
    };
    let executor = Executor::new(START);
    let sim = executor.handle();
    let streams = Streams::new(1, 0);
    let mut fleet = Fleet::new(&spec, Some(&shape), sim, &streams, |_, _| (), |_| ());
    assert_eq!(hour_of_week(START), 0);
    let n = 2_000;
    let first = (0..n).filter(|_| fleet.serve(None, SECOND).0.place == 0);
    let share = first.count() as f64 / f64::from(n);
    assert!((share - 0.25).abs() < 0.05, "{share}");
}

#[test]
fn an_isolate_ends_once_and_for_one_cause() {
    let mut spec: FleetSpec = model("slow-start");
    let life = spec.life.as_mut().unwrap();
    (life.mean_life, life.deploy_every) = (None, None);
    let executor = Executor::new(START);
    let sim = executor.handle();
    let streams = Streams::new(1, 0);
    let mut fleet = Fleet::new(&spec, None, sim, &streams, |_, _| (), |_| ());
    let (isolate, _) = fleet.serve(None, SECOND);
    fleet.reaper().end_for_memory(&isolate);
    executor.run_until(START + SECOND * 3_600);
    let ended = fleet.counters().ended;
    assert_eq!(ended[EndCause::Memory as usize], 1);
    assert_eq!(ended.iter().sum::<u64>(), 1, "{ended:?}");
}

fn store(executor: &Executor) -> Rc<KvStore> {
    store_seen_as(None, executor)
}

fn store_seen_as(consistency: Option<Consistency>, executor: &Executor) -> Rc<KvStore> {
    let config = KvConfig {
        limits: model("cloudflare"),
        latency: KvLatency::uniform(Sampler::constant(Duration::ZERO)),
        failures: FailureSpec::default(),
        origin: START,
        quota: DailyQuota::default(),
        consistency,
    };
    KvStore::new(config, executor.handle(), &Streams::new(3, 0))
}

#[test]
fn a_bucket_lists_its_objects_and_a_meter_tells_the_bytes_of_a_time() {
    let executor = Executor::new(START);
    let objects = store(&executor);
    let bucket = ObjectStore::new(Rc::clone(&objects));
    let handle = bucket.invocation_by(objects.invocation());
    let meters = executor.block_on({
        let objects = Rc::clone(&objects);
        async move {
            handle
                .put("a", vec![0; 5], PutOptions::default())
                .await
                .unwrap();
            let before = objects.meter();
            handle
                .put("b", vec![0; 8], PutOptions::default())
                .await
                .unwrap();
            let listed = handle.list("", None, 1_000).await.unwrap();
            assert_eq!(listed.keys.len(), 2);
            (before, objects.meter())
        }
    });
    let (before, after) = meters;
    assert_eq!(after.since(&before).write_bytes, 9, "a key and its value");
}

#[test]
fn requests_are_let_in_until_the_days_limit() {
    assert!(!Admission::new(None).is_limited());
    assert!(Admission::new(Some(1)).is_limited());
    let mut two = Admission::new(Some(2));
    let admitted = [0, 1, 2].map(|s| two.admits(START + SECOND * s));
    assert_eq!(admitted, [true, true, false]);
    assert!(two.admits(START + SECOND * 86_400), "a new day");
}

/// What is written is seen at once where it was written, and half a minute later elsewhere.
#[test]
fn an_invocation_without_a_place_is_at_the_first() {
    let executor = Executor::new(START);
    let consistency = Consistency {
        spec: ConsistencySpec {
            propagation: Dist::Constant { value: SECOND * 30 },
            ..model("eventual")
        },
        places: 2,
        hot: Sampler::constant(Duration::ZERO),
        cold: Sampler::constant(Duration::ZERO),
    };
    let kv = store_seen_as(Some(consistency), &executor);
    let seen = executor.block_on(async move {
        let somewhere = kv.invocation();
        let put = somewhere.put("key", vec![1], PutOptions::default());
        put.await.unwrap();
        let first = kv.invocation_at(0).get("key").await.unwrap();
        let second = kv.invocation_at(1).get("key").await.unwrap();
        [first, second].map(|value| value.is_some())
    });
    assert_eq!(seen, [true, false]);
}

/// Two inserts with their later deletions, two updates, one delete: 2 (3 + 7), 2 x 5, 7. Two keys looked for, and
/// two when they were inserted: 4 x 11; a list of the one that is left.
#[test]
fn a_database_counts_rows_by_what_was_done_to_them() {
    let executor = Executor::new(START);
    let rows = store(&executor);
    let costs = RowsSpec {
        insert: 3,
        update: 5,
        delete: 7,
        lookup: 11,
    };
    let server = ServerSpec {
        service_time: Duration::from_millis(1),
        commit_time: Duration::ZERO,
        max_wait: SECOND,
    };
    let database = Database::new(Rc::clone(&rows), costs, server);
    let (handle, sim) = (database.invocation_by(rows.invocation()), executor.handle());
    executor.block_on(async move {
        for key in ["a", "a", "a", "b"] {
            // No two writes of a key in a second.
            sim.sleep(SECOND * 2).await;
            let put = handle.put(key, vec![0; 5], PutOptions::default());
            put.await.unwrap();
        }
        sim.sleep(SECOND * 2).await;
        handle.delete("b").await.unwrap();
        let read = handle.read(&["a", "b"], ReadOptions::default());
        assert_eq!(read.await.unwrap().len(), 2);
        let listed = handle.list("", None, 1_000).await.unwrap();
        assert_eq!(listed.keys.len(), 1);
    });
    assert_eq!(database.rows_written_and_read(), (20 + 10 + 7, 44 + 1));
    let usage = database.usage_as_object();
    let of_object = [
        MeterItem::DoRowsWritten,
        MeterItem::DoRowsRead,
        MeterItem::DoRequests,
    ];
    assert_eq!(of_object.map(|item| usage.get(item)), [37, 45, 7]);
    let usage = database.usage_as_d1();
    let of_d1 = [MeterItem::D1RowsWritten, MeterItem::D1RowsRead];
    assert_eq!(of_d1.map(|item| usage.get(item)), [37, 45]);
}

/// A write past the bucket or the database is one that they know nothing of.
#[test]
fn what_was_metered_was_asked_for() {
    let executor = Executor::new(START);
    let put = |kv: &Rc<KvStore>, key: &'static str| {
        let kv = kv.invocation();
        let put = async move { kv.put(key, vec![1], PutOptions::default()).await };
        executor.block_on(put).unwrap();
    };
    let objects = store(&executor);
    let bucket = ObjectStore::new(Rc::clone(&objects));
    bucket.check().unwrap();
    put(&objects, "a");
    let defect = bucket.check().unwrap_err().to_string();
    assert!(defect.contains("R2: 0 writes asked for"), "{defect}");
    let rows = store(&executor);
    let d1: StoreSpec = model("d1");
    let Service::D1(spec) = d1.service else {
        unreachable!("it is a database")
    };
    let database = Database::new(Rc::clone(&rows), spec.rows, spec.server);
    database.check().unwrap();
    put(&rows, "a");
    let defect = database.check().unwrap_err().to_string();
    assert!(defect.contains("database: 0 writes asked for"), "{defect}");
}
