//! Outcomes of runs, and cells of a sweep, that tests make up.

use super::stats::pool::Pooled;
use super::stats::{Estimate, Resolution};
use super::sweep::Cell;
use crate::models::quantity::Count;
use crate::pricing::{MeterItem, Usage};
use crate::run::measure::{Outcome, Term, calls_of};
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use crate::sim::latencies::Latencies;
use std::time::Duration;

/// The outcome of a run with these values, in the order of the measures.
pub(crate) fn outcome(values: &[f64]) -> Outcome {
    let mut latencies = Latencies::default();
    for v in values {
        latencies.add(Duration::from_nanos(v.to_bits()));
    }
    let mut usage = Usage::default();
    usage.add(MeterItem::KvReads, 7);
    usage.add(MeterItem::R2Storage, 10_u128.pow(20));
    Outcome {
        terms: values.iter().copied().map(Term::alone).collect(),
        latencies: vec![latencies.bins(); calls_of(METRICS).len()],
        usage,
        short_history: false,
    }
}

/// The bits of its values.
pub(crate) fn bits(outcome: &Outcome) -> Vec<u64> {
    outcome.values().iter().map(|v| v.to_bits()).collect()
}

/// A policy with these costs by replication, that refuses and loses so much.
pub(crate) fn cell(costs: &[f64], refused: f64, lost: f64) -> Cell {
    let scenario = Scenario::load("default", &[], None, &[]).expect("it comes along");
    let of = |cost: f64| -> Vec<f64> {
        let value = |name| match name {
            "cost_usd" => cost,
            "requests_per_month" => 1e6,
            "requests_refused_share" => refused,
            "loss_rate" => lost,
            _ => 0.0,
        };
        METRICS.iter().map(|m| value(m.name)).collect()
    };
    let contributions: Vec<Vec<f64>> = costs.iter().map(|c| of(*c)).collect();
    let column = |i: usize| Estimate::of(contributions.iter().map(|r| r[i]));
    Cell {
        traffic: Count(1_000_000),
        policy: "p".into(),
        period: Duration::from_secs(3_600),
        replications: contributions.clone(),
        pooled: Pooled {
            resolution: vec![Resolution::default(); METRICS.len()],
            estimates: (0..METRICS.len()).map(column).collect(),
            too_few: vec![false; METRICS.len()],
            invoice: scenario.plan().invoice(&Usage::default()),
            contributions,
            short_history: false,
        },
        attained: None,
    }
}
