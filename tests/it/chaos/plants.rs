//! Defects that are planted: each in the place of the metrics system.

use kvplan::Defect;
use kvplan::app::telemetry::{Isolate, Telemetry};
use kvplan::app::{Application, Beyond, Cron, Gauges, Host, View};
use kvplan::cloud::store::Store;
use kvplan::run::metric::position;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Cut, Point};
use kvplan::sim::executor::SimHandle;
use kvplan::sim::random::Streams;
use kvplan::study::chaos::evidence::Evidence;
use kvplan::study::chaos::look::{MetricsSystem, Subject, evidence};
use kvplan::telemetry::counters::Counters;
use kvplan::telemetry::policy::{LayoutPolicy, Policy};
use kvplan::workload::ArrivalKind;
use std::sync::atomic::AtomicBool;

pub(super) fn system(
    point: &Point,
    policy: &Policy,
    sim: &SimHandle,
    streams: &Streams,
) -> Telemetry {
    let providers = point.scenario.workload.providers.iter();
    let names = providers.map(|p| p.name.clone()).collect();
    Telemetry::new(policy, names, false, sim, streams)
}

/// The metrics system under another policy than is stated.
pub(super) struct Altered(pub(super) fn(&mut Policy));

impl Subject for Altered {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        evidence(point, stop, |point, sim, streams| {
            let mut policy = point.policy.clone();
            (self.0)(&mut policy);
            system(point, &policy, sim, streams)
        })
    }
}

/// The metrics system whose results are told wrongly.
pub(super) struct Tampered(pub(super) fn(&Point, &mut RunResult));

impl Subject for Tampered {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        let mut evidence = MetricsSystem.look(point, stop)?;
        if let Ok((result, _)) = &mut evidence.ordinary {
            (self.0)(point, result);
        }
        if let Ok(result) = &mut evidence.again {
            (self.0)(point, result);
        }
        if let Ok((result, _)) = &mut evidence.rest.books {
            (self.0)(point, result);
        }
        Ok(evidence)
    }
}

/// The metrics system in another world than is stated.
pub(super) struct Elsewhere(pub(super) fn(&mut Scenario));

impl Subject for Elsewhere {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        let mut scenario: Scenario = point.scenario.clone();
        (self.0)(&mut scenario);
        let point = Point {
            scenario: &scenario,
            ..*point
        };
        MetricsSystem.look(&point, stop)
    }
}

/// What a measure is told to be.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&str, f64);

/// The metrics system of whose run the wrong figure is told.
pub(super) struct Misread(pub(super) fn(&RunResult, Tell));

impl Subject for Misread {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        let mut evidence = MetricsSystem.look(point, stop)?;
        let rest = &mut evidence.rest;
        if let Ok((result, _)) = &rest.books {
            let told = &mut rest.told;
            (self.0)(result, &mut |name, value| told[position(name)] = value);
        }
        Ok(evidence)
    }
}

/// It panics where a query comes to a breaker.
pub(super) struct Panics;

impl Subject for Panics {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        assert!(point.policy.breaker.is_none(), "a breaker");
        MetricsSystem.look(point, stop)
    }
}

/// The metrics system in which two isolates write under one name.
pub(super) struct Twins;

impl Subject for Twins {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        evidence(point, stop, |point, sim, streams| {
            Twin(system(point, point.policy, sim, streams))
        })
    }
}

struct Twin(Telemetry);

impl Application for Twin {
    type Isolate = Isolate;

    fn boot(&self, number: u64) -> Isolate {
        self.0.boot(number / 2)
    }

    fn end(&self, isolate: &Isolate) {
        self.0.end(isolate);
    }

    fn handle(&self, arrival: ArrivalKind, host: &Host<Isolate>) {
        self.0.handle(arrival, host);
    }

    fn crons(&self) -> Vec<Cron> {
        self.0.crons()
    }

    fn scheduled(&self, cron: Cron, host: &Host<Isolate>) {
        self.0.scheduled(cron, host);
    }

    fn counters<'a>(&self, alive: impl Iterator<Item = &'a Isolate>) -> Counters {
        self.0.counters(alive)
    }

    fn gauges(&self, isolate: &Isolate) -> Gauges {
        self.0.gauges(isolate)
    }

    fn layout(&self) -> &LayoutPolicy {
        self.0.layout()
    }

    fn missing(&self, view: &View<Isolate>) -> Result<i64, Defect> {
        self.0.missing(view)
    }

    fn audit(&self, view: &View<Isolate>) -> Result<Option<f64>, Defect> {
        self.0.audit(view)
    }

    fn beyond(&self, store: &Store) -> Result<Beyond, Defect> {
        self.0.beyond(store)
    }
}
