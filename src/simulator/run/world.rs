//! The simulated system with what is measured of it.
//!
//! A [`World`] is one application (see [`Application`]) in its runtime on its store. It is the same for every
//! application and every store: what differs stands behind the trait, or in the [`Service`] that a
//! [`Store`] is made from.
//!
//! ```text
//! arrival --> Runtime: which isolate? started, full, refused?  --> Application::... with a Host
//!                      |                                             |
//!                      context: limits, waitUntil, end of isolate    ports: Store, shared cache, archive, clock
//! ```
//!
//! A [`Ground`] holds what a world stands on (point, phases, service, clock, random streams) and makes it:
//! store first, then the runtime, whose isolates the application boots and ends. From then on `arrive`
//! hands it arrivals, `triggers` what comes by the clock (crons and samples), `sample`
//! writes down intervals, and `account` closes the books.
//!
//! Nothing is reset when the warm-up is over: counters go on, and [`Before`] keeps what they were, so that
//! the result is a difference and no record that was in memory then goes astray. Everything that may be
//! lost is counted twice, by who loses it and by the store's audit, and a run whose two counts do not
//! agree ends with an error, as a defect of kvplan.
//!
//! Randomness comes from named streams of seed and replication, one for each purpose: a policy that draws
//! more latencies does not change the arrivals of another, which is what lets policies be compared
//! in pairs.

use super::arrived::Arrived;
use super::history::Totals;
use super::scenario::Scenario;
use super::series::Sample;
use super::{Phases, Point, Served, SteadyStorage};
use crate::Defect;
use crate::app::telemetry::{Points, Telemetry};
use crate::app::{Application, CallLog, Calls, Gauges, Host, Noted, Services, View};
use crate::cloud::durable_object::DurableObject;
use crate::cloud::fleet::{FleetCounters, Isolate};
use crate::cloud::kv::{BillingRules, Consistency, DailyQuota, KvConfig, KvMeter};
use crate::cloud::r2::R2Bucket;
use crate::cloud::runtime::{Admission, Runtime};
use crate::cloud::service::Service;
use crate::cloud::spans::Tracer;
use crate::cloud::store::{Site, Store};
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::counters::Counters;
use crate::telemetry::ports::{Clock, OpKind};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// An application in its runtime, on its store, with what is measured of them.
pub(super) struct World<A: Application> {
    pub(super) timeline: Phases,
    /// Until when what comes is stored as totals; none if not at all, or not any more.
    pub(super) totals: Option<Totals>,
    pub(super) app: Rc<A>,
    pub(super) runtime: Runtime<A::Isolate>,
    pub(super) services: Rc<Services>,
    pub(super) steady_storage: SteadyStorage,
    /// The invocation of the last request that came to be recorded; none if that was refused. Calls
    /// that come with it share its invocation.
    pub(super) last_record: Option<Option<Host<A::Isolate>>>,
    /// Whether a request and whether a query takes more CPU time than the plan allows.
    pub(super) too_much_cpu: [bool; 2],
    pub(super) arrived: Arrived,
    /// Requests that came to be recorded and were served, since the beginning.
    pub(super) all_records: u64,
    /// Time that requests spend at their providers, summed.
    pub(super) busy_ms: f64,
    pub(super) before: Before,
    /// Calls measured before the last sample, and the state of the counters then; none before the
    /// first interval.
    pub(super) calls_before: Calls,
    pub(super) last_sample: Option<LastSample>,
    pub(super) samples: Vec<Sample>,
    /// The first invocations of the measurement, and how many more are written down.
    pub(super) served: Vec<Served>,
    pub(super) serves_left: usize,
    /// An invariant that could not be looked at.
    pub(super) broken: Option<Defect>,
    rules: BillingRules,
}

/// The counts when the measurement started.
#[derive(Default)]
pub(super) struct Before {
    pub(super) counters: Counters,
    pub(super) in_memory: u64,
    /// Records missing in the store then, see [`Application::missing`].
    pub(super) missing: i64,
    /// Records deleted beyond the isolates, see [`Application::beyond`].
    pub(super) lost_beyond: u64,
    pub(super) kv: KvMeter,
    pub(super) fleet: FleetCounters,
    pub(super) usage: Usage,
    pub(super) cpu_us: u64,
}

/// The counters at the last sample.
pub(super) struct LastSample {
    pub(super) at: Timestamp,
    pub(super) counters: Counters,
    pub(super) kv: KvMeter,
    pub(super) started: u64,
    pub(super) records: u64,
    pub(super) busy_ms: f64,
}

/// The names of a workload's providers, by number.
fn provider_names(scenario: &Scenario) -> Vec<String> {
    let providers = scenario.workload.providers.iter();
    providers.map(|p| p.name.clone()).collect()
}

/// Workers KV as a scenario has it.
fn workers_kv(scenario: &Scenario, origin: Timestamp) -> KvConfig {
    let limit = |kind| scenario.plan().daily_limit(MeterItem::of_operation(kind));
    KvConfig {
        limits: scenario.limits.of_plan(&scenario.plan),
        latency: scenario.latency.samplers(),
        failures: scenario.failures.clone(),
        origin,
        quota: DailyQuota(OpKind::ALL.map(limit)),
        consistency: scenario.consistency.clone().map(|spec| Consistency {
            spec,
            places: scenario.fleet.place_count(),
            hot: scenario.latency.hot_read.sampler(),
            cold: scenario.latency.cold_read.sampler(),
        }),
    }
}

/// The world's parts before they are put together.
pub(super) struct Ground<'a> {
    pub(super) point: Point<'a>,
    pub(super) timeline: Phases,
    pub(super) sim: SimHandle,
    pub(super) streams: Streams,
}

impl Ground<'_> {
    /// The metrics system on the service.
    pub(super) fn telemetry(self, service: &Service) -> World<Telemetry> {
        let names = provider_names(self.point.scenario);
        let through_queue = matches!(service, Service::Queues(_));
        let (sim, streams) = (&self.sim, &self.streams);
        let app = Telemetry::new(self.point.policy, names, through_queue, sim, streams);
        self.world(service, app)
    }

    /// The same work on Analytics Engine.
    pub(super) fn points(self, service: &Service, visible_after: Duration) -> World<Points> {
        let names = provider_names(self.point.scenario);
        let app = Points::new(self.point.policy, &names, visible_after);
        self.world(service, app)
    }

    /// Any application on Workers KV.
    pub(super) fn any<A: Application>(
        self,
        make: impl FnOnce(&SimHandle, &Streams) -> A,
    ) -> World<A> {
        let app = make(&self.sim, &self.streams);
        self.world(&Service::Kv, app)
    }

    fn world<A: Application>(self, service: &Service, app: A) -> World<A> {
        let totals = Totals::of(&self.point, self.timeline);
        let Ground {
            point,
            timeline,
            sim,
            streams,
        } = self;
        let scenario = point.scenario;
        let app = Rc::new(app);
        let site = Site {
            kv: workers_kv(scenario, timeline.origin),
            plan: &scenario.plan,
            failures: &scenario.failures,
            bucket: point.policy.layout.bucket,
            sim: &sim,
            streams: &streams,
        };
        let store = Store::new(service, site, |kv| app.consumer(kv));
        let totals = totals.filter(|_| app.can_add_up(&store));
        let (maker, undertaker) = (Rc::clone(&app), Rc::clone(&app));
        let runtime = Runtime::new(
            &scenario.fleet,
            scenario.workload.shape.as_ref(),
            Admission::new(scenario.plan().daily_limit(MeterItem::WorkersRequests)),
            sim.clone(),
            &streams,
            move |_place, number| maker.boot(number),
            move |isolate: &Isolate<A::Isolate>| undertaker.end(&isolate.memory),
        );
        let services = Services {
            shared: DurableObject::new(
                sim.clone(),
                scenario.latency.object.sampler(),
                streams.stream("object.latency"),
            ),
            archive: R2Bucket::new(
                sim.clone(),
                scenario.latency.archive.sampler(),
                streams.stream("archive.latency"),
            ),
            store: Rc::new(store),
            noted: RefCell::default(),
            tracer: RefCell::default(),
            sim,
        };
        World {
            steady_storage: SteadyStorage::new(app.layout(), timeline),
            services: Rc::new(services),
            runtime,
            app,
            last_record: None,
            too_much_cpu: scenario.too_much_cpu(),
            arrived: Arrived::default(),
            all_records: 0,
            busy_ms: 0.0,
            before: Before::default(),
            calls_before: Calls::default(),
            last_sample: None,
            samples: Vec::new(),
            served: Vec::new(),
            serves_left: 0,
            broken: None,
            rules: (&scenario.catalog).into(),
            totals,
            timeline,
        }
    }
}

impl<A: Application> World<A> {
    /// Forgets what was measured during the warm-up.
    pub(super) fn start_measuring(&mut self, traces: usize) {
        *self.services.tracer.borrow_mut() = Tracer::new(traces);
        self.served = Vec::new();
        self.serves_left = traces;
        // Where samples are taken, one has just been.
        if let Some(last) = &mut self.last_sample {
            last.records = 0;
        }
        let bespoken = self.store().bespoken_byte_ns();
        self.steady_storage.start_measuring(bespoken);
        self.store().forget_peaks();
        self.arrived = Arrived::default();
        *self.services.noted.borrow_mut() = Noted {
            calls: Calls::default(),
            log: CallLog::new(traces),
        };
        self.calls_before = Calls::default();
        self.runtime.reset_peaks();
        let missing = self.app.missing(&self.view(Duration::ZERO));
        let beyond = self.app.beyond(self.store());
        // What cannot be read now cannot be read at the end, which tells so.
        let mut or_broken = |e| {
            self.broken.get_or_insert(e);
        };
        let missing = missing.map_err(&mut or_broken).unwrap_or_default();
        let beyond = beyond.map_err(&mut or_broken).unwrap_or_default();
        self.before = Before {
            counters: self.counters(),
            in_memory: self.records_in_memory(),
            missing,
            lost_beyond: beyond.lost,
            kv: self.kv_meter(),
            fleet: self.runtime.counters(),
            usage: self.services_usage(),
            cpu_us: self.store().cpu_us(),
        };
    }

    /// A time bucket has ended.
    pub(super) fn note_storage(&mut self) {
        self.store_totals(self.services.sim.now());
        let bespoken = self.store().bespoken_byte_ns();
        self.steady_storage.note(bespoken);
    }

    #[inline]
    pub(super) fn store(&self) -> &Store {
        &self.services.store
    }

    /// What the store of keys and values has done, whichever service it is; nothing where there is none.
    pub(super) fn kv_meter(&self) -> KvMeter {
        let values = self.store().values();
        values.map_or_else(KvMeter::default, |kv| kv.meter())
    }

    /// What all services have used so far, without storage.
    pub(super) fn services_usage(&self) -> Usage {
        let mut usage = self.store().usage(self.rules);
        usage.merge(&self.services.shared.usage());
        usage.merge(&self.services.archive.usage());
        usage
    }

    pub(super) fn counters(&self) -> Counters {
        self.app.counters(self.runtime.memories())
    }

    pub(super) fn gauges(&self) -> impl Iterator<Item = Gauges> {
        self.runtime.memories().map(|m| self.app.gauges(m))
    }

    pub(super) fn records_in_memory(&self) -> u64 {
        self.gauges().map(|g| g.records_held).sum()
    }

    /// What is looked at to check a run whose measured period is so long.
    pub(super) fn view(&self, period: Duration) -> View<'_, A::Isolate> {
        View {
            alive: self.runtime.memories().collect(),
            store: self.store(),
            records: self.all_records,
            simulated: self.timeline.origin.since(self.timeline.start) + period,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::idle;

    #[test]
    fn a_measurement_begins_with_the_requests_of_a_whole_day() {
        let naive = ["naive".to_owned()];
        let scenario = Scenario::load("default", &naive, Some("free"), &[]).unwrap();
        let mut run = idle(&scenario);
        let (now, world) = (run.world.timeline.origin, &mut run.world);
        let daily = scenario.plan().daily_limit(MeterItem::WorkersRequests);
        for _ in 0..daily.unwrap() {
            assert!(world.runtime.admits(now));
        }
        assert!(!world.runtime.admits(now));
        world.start_measuring(0);
        assert!(world.runtime.admits(now));
    }
}
