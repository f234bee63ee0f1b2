//! Periods in which nothing came: what they show is no evidence of what else might be.

use crate::run::measure::{Measure, Outcome};

/// The measure that tells whether requests came.
const ARRIVALS: &str = "requests_per_month";

/// Whether not one request came in any of the replications. Then all counts are 0 and all bills are the fee
/// however rare or frequent requests are, and that they agree says nothing: no interval is stated of them.
pub fn is_silent<R>(measures: &[Measure<R>], outcomes: &[&Outcome]) -> bool {
    let arrivals = measures.iter().position(|m| m.name == ARRIVALS);
    arrivals.is_some_and(|i| outcomes.iter().all(|o| o.terms[i].value == 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::metric::{METRICS, position};
    use crate::run::scenario::Scenario;
    use crate::study::fixtures;
    use crate::study::stats::pool::pool;

    #[test]
    fn a_period_without_a_request_states_no_interval() {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let of = |requests: [f64; 2]| {
            let outcomes = requests.map(|n| {
                let mut values = vec![0.0; METRICS.len()];
                values[position(ARRIVALS)] = n;
                fixtures::outcome(&values)
            });
            let pooled = pool(METRICS, scenario.plan(), &outcomes.each_ref());
            ["cost_usd", "kv_writes_per_month"].map(|name| pooled.estimates[position(name)])
        };
        for e in of([0.0, 0.0]) {
            assert!(e.mean.is_finite() && e.half_width.is_nan(), "{e:?}");
        }
        for e in of([0.0, 60.0]) {
            assert!(e.half_width.is_finite(), "{e:?}");
        }
    }
}
