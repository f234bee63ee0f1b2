//! The model that `benches/peers/compare.py` describes, simulated by nexosim: `kvplan-peers MODEL.json SEED`
//! prints what was counted as one line of JSON.
//!
//! Sources of calls, the gateway and the store are models of their own, joined by ports, as in the examples of
//! nexosim. One thread, as the others have.

mod gateway;
mod parameters;
mod sources;
mod store;
mod totals;

use gateway::Gateway;
use nexosim::ports::{EventSinkReader, SinkState, event_slot};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use parameters::Parameters;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sources::{Calls, Requests};
use std::error::Error;
use std::time::Duration;
use store::Store;

/// A stream of random numbers.
pub(crate) type Random = Xoshiro256PlusPlus;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, seed] = arguments.as_slice() else {
        return Err("expected: kvplan-peers MODEL.json SEED".into());
    };
    let model: Parameters = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let seed: u64 = seed.parse()?;
    let stream = |n: u64| Random::seed_from_u64(seed.wrapping_mul(16).wrapping_add(n));

    let mut requests = Requests::new(&model, stream(0));
    let mut queries = Calls::new(model.queries_per_s, stream(1));
    let mut health = Calls::new(model.health_per_s, stream(2));
    let mut gateway = Gateway::new(&model);
    let mut store = Store::new(&model, stream(3));
    let (at_gateway, at_store) = (Mailbox::new(), Mailbox::new());
    requests.out.connect(Gateway::request, &at_gateway);
    queries.out.connect(Gateway::query, &at_gateway);
    health.out.connect(Gateway::health, &at_gateway);
    gateway.write.connect(Store::write, &at_store);
    gateway.read.connect(Store::read, &at_store);
    store.answer.connect(Gateway::answered, &at_gateway);
    let (sink, mut counted) = event_slot(SinkState::Enabled);
    gateway.counted.connect_sink(sink);

    let mut simulation = SimInit::with_num_threads(1)
        .add_model(requests, Mailbox::new(), "requests")
        .add_model(queries, Mailbox::new(), "queries")
        .add_model(health, Mailbox::new(), "health")
        .add_model(gateway, at_gateway, "gateway")
        .add_model(store, at_store, "store")
        .init(MonotonicTime::EPOCH)?;
    let end = Duration::from_secs_f64(model.warm_up_s + model.seconds);
    // A nanosecond more, for what the gateway tells at the end.
    simulation.step_until(end + Duration::from_nanos(1))?;
    let counted = counted.try_read().ok_or("the gateway has told nothing")?;
    println!("{}", serde_json::to_string(&counted)?);
    Ok(())
}
