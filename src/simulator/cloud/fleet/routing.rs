//! Which isolate serves a request, starting one where there is none.

use super::counters::{FleetCounters, Gauge};
use super::deployments::Deployments;
use super::isolate::{EndCause, Isolate};
use super::places::Places;
use super::spec::{FleetSpec, Life, Routing};
use crate::models::dist::Sampler;
use crate::sim::executor::SimHandle;
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::ports::Clock;
use crate::units::Timestamp;
use crate::workload::Shape;
use rand::Rng;
use rand_distr::{Distribution, Exp1};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

type Machine<T> = Vec<Rc<Isolate<T>>>;

/// Places, machines and isolates. `T` is what an isolate has in its memory.
pub struct Fleet<T: 'static> {
    sim: SimHandle,
    life: Option<Life>,
    /// From how many requests on the shard server of a place is overloaded; none where there is none.
    spill_at: Option<u32>,
    /// With fewer requests under way than this, the only isolate of the first machine that comes into question takes the next.
    room: u32,
    places: Places,
    /// The machines, those of a place together.
    machines: Vec<Machine<T>>,
    of_place: Vec<Machines>,
    /// The isolate of a fleet that has but one, which never ends.
    only: Option<Rc<Isolate<T>>>,
    /// Isolates that take no more requests and have not ended.
    draining: Vec<Rc<Isolate<T>>>,
    machine_rng: StreamRng,
    cold_start: Option<Sampler>,
    cold_rng: StreamRng,
    life_rng: StreamRng,
    deployments: Option<Deployments>,
    numbers: u64,
    make: Box<dyn FnMut(usize, u64) -> T>,
    ends: Rc<Ends<T>>,
}

/// The machines of a place.
struct Machines {
    /// The first, which is the shard server where there is one; the others follow in the order in which requests
    /// spill over.
    first: u32,
    /// To how many a request may come first.
    open: u32,
    all: u32,
}

impl Machines {
    /// The one that a request comes to first, by a number that is even over all of 32 bits.
    #[inline]
    fn at(&self, number: u32) -> usize {
        let open = u64::from(self.open);
        self.first as usize + ((u64::from(number) * open) >> 32) as usize
    }

    fn all(&self) -> Range<usize> {
        let first = self.first as usize;
        first..first + self.all as usize
    }
}

/// What is done with the memory of an isolate that ends.
type Burial<T> = Box<dyn Fn(&Isolate<T>)>;

/// What happens at the end of an isolate.
struct Ends<T> {
    gauge: RefCell<Gauge>,
    bury: Burial<T>,
}

impl<T: 'static> Ends<T> {
    fn end(&self, isolate: &Isolate<T>, sim: &SimHandle) {
        if !isolate.ended.get() {
            isolate.stop(sim);
            self.gauge.borrow_mut().end(sim.now());
            (self.bury)(isolate);
        }
    }
}

/// Ends isolates that use more memory than they may.
pub struct Reaper<T: 'static> {
    ends: Rc<Ends<T>>,
    sim: SimHandle,
}

impl<T: 'static> Reaper<T> {
    /// Ends an isolate, unless it has ended.
    pub fn end_for_memory(&self, isolate: &Isolate<T>) {
        if !isolate.ended.get() {
            self.ends.gauge.borrow_mut().decide(EndCause::Memory);
            self.ends.end(isolate, &self.sim);
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
        let deploy_every = spec.life.as_ref().and_then(|l| l.deploy_every);
        let sharded = spec.life.as_ref();
        let sharded = sharded.filter(|_| spec.routing() == Routing::Shard);
        let spill_at = sharded.map(Life::spill_at);
        let per_place = spec.machines();
        let mut first = 0;
        let of_place = per_place.iter().map(|&all| {
            let open = if spill_at.is_some() { 1 } else { all };
            let machines = Machines { first, open, all };
            first += all;
            machines
        });
        let of_place = of_place.collect();
        let most = spec.life.as_ref().map(|l| l.max_concurrency);
        let mut fleet = Fleet {
            places: Places::new(&spec.shares(), shape, streams.stream("fleet.place")),
            room: most.into_iter().chain(spill_at).min().unwrap_or(0),
            spill_at,
            machines: (0..spec.isolates).map(|_| Vec::new()).collect(),
            of_place,
            only: None,
            draining: Vec::new(),
            machine_rng: streams.stream("fleet.isolate"),
            cold_start: spec.life.as_ref().map(|l| l.cold_start.sampler()),
            cold_rng: streams.stream("fleet.cold_start"),
            life_rng: streams.stream("fleet.life"),
            deployments: deploy_every.map(|every| {
                Deployments::new(every, sim.now(), &mut streams.stream("fleet.deploy"))
            }),
            numbers: 0,
            make: Box::new(make),
            ends: Rc::new(Ends {
                gauge: RefCell::new(Gauge::new(sim.now())),
                bury: Box::new(bury),
            }),
            life: spec.life.clone(),
            sim,
        };
        if fleet.life.is_none() {
            for place in 0..per_place.len() {
                for machine in fleet.of_place[place].all() {
                    fleet.start(place, machine);
                }
            }
            if let [machine] = &fleet.machines[..] {
                fleet.only = machine.first().map(Rc::clone);
            }
        }
        fleet
    }

    /// How often isolates started and ended, and how long they were alive until now.
    pub fn counters(&self) -> FleetCounters {
        self.ends.gauge.borrow().read(self.sim.now())
    }

    /// Forgets how many isolates were alive at most before now.
    pub fn reset_peak(&mut self) {
        self.ends.gauge.borrow_mut().reset_peak();
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
        match &self.only {
            Some(only) => (Rc::clone(only), Duration::ZERO),
            None => self.choose(place, busy),
        }
    }

    #[inline(never)]
    fn choose(&mut self, place: Option<u16>, busy: Duration) -> (Rc<Isolate<T>>, Duration) {
        let now = self.sim.now();
        // The number by which a place is drawn has more bits than that takes: they say which machine it is.
        let (place, number) = match place {
            Some(place) => (usize::from(place), self.machine_rng.next_u32()),
            None => self.places.draw(now),
        };
        let machine = self.of_place[place].at(number);
        if self.life.is_none() {
            return (Rc::clone(&self.machines[machine][0]), Duration::ZERO);
        }
        let isolate = match &self.machines[machine][..] {
            [only] if only.in_service() && only.has_room(self.room, now) => Rc::clone(only),
            _ => self.among(place, machine, now),
        };
        if isolate.ready_at > now {
            isolate.occupy_until(isolate.ready_at + busy);
            let wait = isolate.ready_at.since(now);
            return (isolate, wait);
        }
        isolate.occupy_until(now + busy);
        (isolate, Duration::ZERO)
    }

    /// An isolate of a place, where it is not the only one of the first machine that comes into question.
    #[inline(never)]
    fn among(&mut self, place: usize, machine: usize, now: Timestamp) -> Rc<Isolate<T>> {
        let machine = match self.spill_at {
            Some(spill_at) => self.shard(self.of_place[place].all(), now, spill_at),
            None => machine,
        };
        self.clear_away(machine);
        let most = self.life.as_ref().map_or(u32::MAX, |l| l.max_concurrency);
        let mut isolates = self.machines[machine].iter();
        match isolates.find(|i| i.has_room(most, now)) {
            Some(isolate) => Rc::clone(isolate),
            None => self.start(place, machine),
        }
    }

    /// The shard server of a place, or the first machine after it that is not overloaded. If all
    /// are, the shard server takes the request all the same.
    fn shard(&mut self, machines: Range<usize>, now: Timestamp, spill_at: u32) -> usize {
        let server = machines.start;
        for machine in machines {
            self.clear_away(machine);
            let under_way = self.machines[machine].iter().map(|i| i.concurrency(now));
            if under_way.sum::<u32>() < spill_at {
                if machine != server {
                    self.ends.gauge.borrow_mut().spill();
                }
                return machine;
            }
        }
        server
    }

    /// Takes the isolates that are out of service off a machine.
    fn clear_away(&mut self, machine: usize) {
        let isolates = &mut self.machines[machine];
        if isolates.iter().all(|i| i.in_service()) {
            return;
        }
        self.draining.retain(|i| !i.ended.get());
        let gone = isolates.extract_if(.., |i| !i.in_service());
        self.draining.extend(gone.filter(|i| !i.ended.get()));
    }

    /// What ends isolates for their memory.
    pub fn reaper(&self) -> Reaper<T> {
        Reaper {
            ends: Rc::clone(&self.ends),
            sim: self.sim.clone(),
        }
    }

    fn start(&mut self, place: usize, machine: usize) -> Rc<Isolate<T>> {
        let now = self.sim.now();
        let number = self.numbers;
        self.numbers += 1;
        self.ends.gauge.borrow_mut().start(now);
        let wait = match &self.cold_start {
            Some(dist) => dist.sample(&mut self.cold_rng),
            None => Duration::ZERO,
        };
        let memory = (self.make)(place, number);
        let isolate = Rc::new(Isolate::new(place, number, memory, now, now + wait));
        if let Some(life) = &self.life {
            let random = life.mean_life.map(|mean| {
                let x: f64 = Exp1.sample(&mut self.life_rng);
                (now + mean.mul_f64(x), EndCause::Random)
            });
            // A deployment ends all isolates, each at the first one after its start.
            let deployed = self.deployments.map(|d| (d.after(now), EndCause::Deploy));
            let end = [random, deployed].into_iter().flatten().min_by_key(|e| e.0);
            let (idle, grace) = (life.idle, life.grace);
            let (ends, sim, it) = (Rc::clone(&self.ends), self.sim.clone(), Rc::clone(&isolate));
            self.sim
                .spawn(async move { live(it, end, idle, grace, &ends, &sim).await });
        }
        self.machines[machine].push(Rc::clone(&isolate));
        isolate
    }
}

/// Watches an isolate until it is idle for too long or its time has come: `end`, with its cause.
async fn live<T: 'static>(
    isolate: Rc<Isolate<T>>,
    end: Option<(Timestamp, EndCause)>,
    idle: Duration,
    grace: Duration,
    ends: &Ends<T>,
    sim: &SimHandle,
) {
    loop {
        let idle_at = isolate.last_use() + idle;
        let next = end.map_or(idle_at, |e| e.0.min(idle_at));
        if next > sim.now() {
            sim.sleep_until(next).await;
        }
        if !isolate.in_service() {
            return;
        }
        if let Some((_, cause)) = end.filter(|e| e.0 <= sim.now()) {
            return drain(isolate, cause, grace, ends, sim).await;
        }
        if isolate.last_use() + idle <= sim.now() {
            if isolate.is_busy(sim) {
                // Work under way keeps it alive; look again when that may be over.
                isolate.used.set(sim.now());
                continue;
            }
            isolate.draining.set(true);
            ends.gauge.borrow_mut().decide(EndCause::Idle);
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
    ends.gauge.borrow_mut().decide(cause);
    if isolate.is_busy(sim) {
        sim.sleep(grace).await;
    }
    ends.end(&isolate, sim);
}
