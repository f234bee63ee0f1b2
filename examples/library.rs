//! kvplan as a library: what a policy costs a month, from a few replications.
//!
//! `cargo run --example library`

use kvplan::models::quantity::Count;
use kvplan::run::scenario::Scenario;
use kvplan::study::replicate::Work;
use kvplan::study::sweep::sweep;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // A name from models/scenarios or a path, and which of the policies in models/policies.
    let policies = ["naive".to_owned(), "optimised".to_owned()];
    let mut scenario = Scenario::load("default", &policies, Some("paid"), &[])?;
    scenario.replications = 5;
    scenario.seed = 7;
    // A sweep of one level: it pools the replications of each policy, whatever the number of threads.
    let levels = [Count(3_000_000)];
    let cells = sweep(&scenario, &levels, &Work::unwatched())?;
    for cell in &cells {
        let cost = cell.estimate("cost_usd");
        println!(
            "{} at {} requests a month: ${:.2} ± {:.2} ({} replications, 95%)",
            cell.policy, cell.traffic, cost.mean, cost.half_width, cost.n
        );
    }
    Ok(())
}
