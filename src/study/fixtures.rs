//! Cells of a sweep that tests make up.

use super::stats::pool::Pooled;
use super::stats::{Estimate, Resolution};
use super::sweep::Cell;
use crate::models::quantity::Count;
use crate::pricing::Usage;
use crate::run::metric::METRICS;
use crate::run::scenario::Scenario;
use std::time::Duration;

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
