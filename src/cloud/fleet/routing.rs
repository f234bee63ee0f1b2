//! Which isolate serves a request, starting one where there is none.

use super::isolate::{EndCause, Isolate};
use super::spec::{FleetSpec, Life};
use crate::sim::dist::Sampler;
use crate::sim::executor::SimHandle;
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use crate::workload::Shape;
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Starts and ends of isolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetCounters {
    pub started: u64,
    pub ended: [u64; EndCause::ALL.len()],
}

impl FleetCounters {
    /// What has been added since `earlier`.
    pub fn since(&self, earlier: &FleetCounters) -> FleetCounters {
        let mut d = *self;
        d.started -= earlier.started;
        for (a, b) in d.ended.iter_mut().zip(earlier.ended) {
            *a -= b;
        }
        d
    }
}

type Machine<T> = Vec<Rc<Isolate<T>>>;

/// Places, machines and isolates. `T` is what an isolate has in its memory.
pub struct Fleet<T: 'static> {
    sim: SimHandle,
    life: Option<Life>,
    places: Places,
    /// The machines, those of a place together; `first[p]` is the first of place `p`.
    machines: Vec<Machine<T>>,
    first: Vec<usize>,
    /// Isolates that take no more requests and have not ended.
    draining: Vec<Rc<Isolate<T>>>,
    place_rng: StreamRng,
    machine_rng: StreamRng,
    cold_start: Option<Sampler>,
    cold_rng: StreamRng,
    life_rng: StreamRng,
    next_deploy: Timestamp,
    numbers: u64,
    make: Box<dyn FnMut(usize, u64) -> T>,
    ends: Rc<Ends<T>>,
}

/// What is done with the memory of an isolate that ends.
type Burial<T> = Box<dyn Fn(&Isolate<T>)>;

/// What happens at the end of an isolate.
struct Ends<T> {
    counters: RefCell<FleetCounters>,
    bury: Burial<T>,
}

impl<T: 'static> Ends<T> {
    fn end(&self, isolate: &Isolate<T>, sim: &SimHandle) {
        if !isolate.ended.get() {
            isolate.stop(sim);
            (self.bury)(isolate);
        }
    }
}

impl<T: 'static> Fleet<T> {
    /// A fleet whose isolates begin with what `make` gives for (place, number) and end with
    /// `bury`. `shape` is the workload's, which places in other time zones see shifted.
    pub fn new(
        spec: &FleetSpec,
        shape: Option<&Shape>,
        sim: SimHandle,
        streams: &Streams,
        make: impl FnMut(usize, u64) -> T + 'static,
        bury: impl Fn(&Isolate<T>) + 'static,
    ) -> Self {
        let per_place = spec.machines();
        let mut first = vec![0];
        for n in &per_place {
            first.push(first.last().copied().unwrap_or(0) + *n as usize);
        }
        let mut fleet = Fleet {
            places: Places::new(&spec.shares(), shape),
            machines: (0..spec.isolates).map(|_| Vec::new()).collect(),
            first,
            draining: Vec::new(),
            place_rng: streams.stream("fleet.place"),
            machine_rng: streams.stream("fleet.isolate"),
            cold_start: spec.life.as_ref().map(|l| l.cold_start.sampler()),
            cold_rng: streams.stream("fleet.cold_start"),
            life_rng: streams.stream("fleet.life"),
            next_deploy: sim.now(),
            numbers: 0,
            make: Box::new(make),
            ends: Rc::new(Ends {
                counters: RefCell::default(),
                bury: Box::new(bury),
            }),
            life: spec.life.clone(),
            sim,
        };
        match fleet.life.as_ref().and_then(|l| l.deploy_every) {
            Some(every) => fleet.next_deploy = fleet.next_deploy + every,
            None => fleet.next_deploy = Timestamp::from_nanos(u64::MAX),
        }
        if fleet.life.is_none() {
            for place in 0..per_place.len() {
                for machine in fleet.first[place]..fleet.first[place + 1] {
                    fleet.start(place, machine);
                }
            }
        }
        fleet
    }

    /// How often isolates started and ended.
    pub fn counters(&self) -> FleetCounters {
        *self.ends.counters.borrow()
    }

    /// The isolates that have not ended.
    pub fn isolates(&self) -> impl Iterator<Item = &Rc<Isolate<T>>> {
        let all = self.machines.iter().flatten().chain(&self.draining);
        all.filter(|i| !i.ended.get())
    }

    /// The isolate for a request that arrives now at a place (drawn by the shares if not given)
    /// and keeps it busy for `busy`, and how long the request waits for it to start.
    #[inline]
    pub fn serve(&mut self, place: Option<u16>, busy: Duration) -> (Rc<Isolate<T>>, Duration) {
        if self.machines.len() == 1 && self.life.is_none() {
            return (Rc::clone(&self.machines[0][0]), Duration::ZERO);
        }
        let now = self.sim.now();
        let place = match place {
            Some(place) => usize::from(place),
            None => self.places.draw(now, &mut self.place_rng),
        };
        let machine = self
            .machine_rng
            .random_range(self.first[place]..self.first[place + 1]);
        let Some(life) = &self.life else {
            return (Rc::clone(&self.machines[machine][0]), Duration::ZERO);
        };
        let most = life.max_concurrency;
        if now >= self.next_deploy {
            self.deploy(now);
        }
        let isolates = &mut self.machines[machine];
        if isolates.iter().any(|i| i.ended.get() || i.draining.get()) {
            self.draining.retain(|i| !i.ended.get());
            let gone = isolates.extract_if(.., |i| i.ended.get() || i.draining.get());
            self.draining.extend(gone.filter(|i| !i.ended.get()));
        }
        let free = isolates.iter().position(|i| i.has_room(now, most));
        let isolate = match free {
            Some(i) => Rc::clone(&isolates[i]),
            None => self.start(place, machine),
        };
        let wait = isolate.ready_at.since(now);
        isolate.last_use.set(isolate.last_use.get().max(now));
        isolate.occupy_until(now + wait + busy);
        (isolate, wait)
    }

    /// Ends an isolate that uses more memory than it may.
    pub fn end_for_memory(&self, isolate: &Isolate<T>) {
        if !isolate.ended.get() {
            self.ends.counters.borrow_mut().ended[EndCause::Memory as usize] += 1;
            self.ends.end(isolate, &self.sim);
        }
    }

    fn deploy(&mut self, now: Timestamp) {
        let (every, grace) = match &self.life {
            Some(Life {
                deploy_every: Some(every),
                grace,
                ..
            }) => (*every, *grace),
            _ => return,
        };
        while self.next_deploy <= now {
            self.next_deploy = self.next_deploy + every;
        }
        for isolate in self.machines.iter_mut().flat_map(|m| m.drain(..)) {
            if isolate.ended.get() {
                continue;
            }
            self.draining.push(Rc::clone(&isolate));
            if !isolate.draining.get() {
                let (ends, sim) = (Rc::clone(&self.ends), self.sim.clone());
                self.sim.spawn(async move {
                    drain(isolate, EndCause::Deploy, grace, &ends, &sim).await
                });
            }
        }
    }

    fn start(&mut self, place: usize, machine: usize) -> Rc<Isolate<T>> {
        let now = self.sim.now();
        let number = self.numbers;
        self.numbers += 1;
        self.ends.counters.borrow_mut().started += 1;
        let wait = match &self.cold_start {
            Some(dist) => dist.sample(&mut self.cold_rng),
            None => Duration::ZERO,
        };
        let memory = (self.make)(place, number);
        let isolate = Rc::new(Isolate::new(place, number, memory, now, now + wait));
        if let Some(life) = &self.life {
            let until = life.mean_life.map(|mean| {
                let x: f64 = Exp1.sample(&mut self.life_rng);
                now + mean.mul_f64(x)
            });
            let (idle, grace) = (life.idle, life.grace);
            let (ends, sim, it) = (Rc::clone(&self.ends), self.sim.clone(), Rc::clone(&isolate));
            self.sim
                .spawn(async move { live(it, until, idle, grace, &ends, &sim).await });
        }
        self.machines[machine].push(Rc::clone(&isolate));
        isolate
    }
}

/// Watches an isolate until it is idle for too long or its time has come.
async fn live<T: 'static>(
    isolate: Rc<Isolate<T>>,
    until: Option<Timestamp>,
    idle: Duration,
    grace: Duration,
    ends: &Ends<T>,
    sim: &SimHandle,
) {
    loop {
        let idle_at = isolate.last_use.get() + idle;
        let next = until.map_or(idle_at, |u| u.min(idle_at));
        if next > sim.now() {
            sim.sleep_until(next).await;
        }
        if isolate.ended.get() || isolate.draining.get() {
            return;
        }
        if until.is_some_and(|u| u <= sim.now()) {
            return drain(isolate, EndCause::Random, grace, ends, sim).await;
        }
        if isolate.last_use.get() + idle <= sim.now() {
            if isolate.is_busy(sim) {
                // Work under way keeps it alive; look again when that may be over.
                isolate.last_use.set(sim.now());
                continue;
            }
            isolate.draining.set(true);
            ends.counters.borrow_mut().ended[EndCause::Idle as usize] += 1;
            return ends.end(&isolate, sim);
        }
    }
}

/// Takes an isolate out of service, and ends it when its work is done or the grace is over.
async fn drain<T: 'static>(
    isolate: Rc<Isolate<T>>,
    cause: EndCause,
    grace: Duration,
    ends: &Ends<T>,
    sim: &SimHandle,
) {
    isolate.draining.set(true);
    ends.counters.borrow_mut().ended[cause as usize] += 1;
    if isolate.is_busy(sim) {
        sim.sleep(grace).await;
    }
    ends.end(&isolate, sim);
}

/// Draws the place of a request by the shares of the hour.
struct Places {
    /// Upper ends of the cumulative shares, for each hour of the week or once for all.
    cumulative: Vec<Vec<f64>>,
}

impl Places {
    fn new(shares: &[(f64, i32)], shape: Option<&Shape>) -> Self {
        let zones = shares.iter().any(|s| s.1 != 0);
        let hours = shape.filter(|_| zones).map(Shape::hours_of_week);
        let rates = |hour: usize| -> Vec<f64> {
            let rate = |(share, zone): &(f64, i32)| match &hours {
                Some(h) => share * h[(hour as i32 + zone).rem_euclid(h.len() as i32) as usize],
                None => *share,
            };
            let mut sum = 0.0;
            let upto: Vec<f64> = shares
                .iter()
                .map(|s| {
                    sum += rate(s);
                    sum
                })
                .collect();
            upto.iter().map(|u| u / sum).collect()
        };
        let n = hours.as_ref().map_or(1, |h| h.len());
        Places {
            cumulative: (0..n).map(rates).collect(),
        }
    }

    #[inline]
    fn draw(&self, now: Timestamp, rng: &mut StreamRng) -> usize {
        let upto = match &self.cumulative[..] {
            [only] => only,
            hours => &hours[crate::workload::hour_of_week(now)],
        };
        if upto.len() == 1 {
            return 0;
        }
        let u: f64 = rng.random();
        upto.partition_point(|x| *x <= u).min(upto.len() - 1)
    }
}
