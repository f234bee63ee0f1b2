//! How long the replications of a race are.

use super::trial::Candidate;
use crate::models::quantity::Count;
use crate::run::scenario::Scenario;
use std::time::Duration;

/// The scenario under a plan.
pub(super) struct World {
    /// With the period of the race.
    pub(super) short: Scenario,
    /// With its own.
    pub(super) whole: Scenario,
}

/// How far back queries look that find as many keys as there are, of all candidates.
pub fn look_back(candidates: &[Candidate]) -> Duration {
    let windows = candidates.iter().filter_map(|c| c.policy.listed_window());
    windows.max().unwrap_or_default()
}

/// A scenario with the period of the race, which is no longer than its own. Where its own is as long as queries
/// look back, that of the race is too, as fewer keys would be found.
pub fn shortened(
    scenario: &Scenario,
    traffic: Count,
    requests: Count,
    look_back: Duration,
) -> Scenario {
    let mut short = scenario.clone();
    let (period, own) = (&mut short.period, scenario.horizon(traffic));
    period.requests = period.requests.min(requests);
    if period.before() + own >= look_back {
        let missing = look_back.saturating_sub(period.before());
        period.at_least = period.at_least.max(missing.min(period.at_most));
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 50k requests of 300k a month are five days, 5k are half a day.
    #[test]
    fn a_race_is_no_longer_than_the_scenario_and_as_long_as_queries_look_back() {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let hours = |requests, look_back: u64, scenario: &Scenario| {
            let traffic = Count(300_000);
            let look_back = Duration::from_secs(3_600 * look_back);
            let short = shortened(scenario, traffic, Count(requests), look_back);
            short.horizon(traffic).as_secs() / 3_600
        };
        assert_eq!(hours(5_000, 0, &scenario), 12);
        assert_eq!(hours(5_000_000, 0, &scenario), 120);
        // Less a minute of warm-up.
        assert_eq!(hours(5_000, 24, &scenario), 23);
        let mut day = scenario.clone();
        day.period.requests = Count(7_000);
        assert_eq!(hours(5_000, 24, &day), 12, "its own is too short itself");
    }
}
