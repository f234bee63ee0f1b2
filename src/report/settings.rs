//! The settings in force, in one line: what titles must not repeat, because options change it.

use crate::models::quantity::Count;
use crate::run::scenario::Scenario;

/// What a result was made with: the scenario, the plan, the traffic, the fleet, the latency, the
/// prices, what was set otherwise than the scenario has it, replications and seed.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    scenario: &'a Scenario,
    traffic: Option<String>,
    replications: Option<String>,
}

/// The settings of a scenario, as it was loaded.
pub fn settings(scenario: &Scenario) -> Settings<'_> {
    Settings {
        scenario,
        traffic: None,
        replications: None,
    }
}

impl Settings<'_> {
    /// At these levels: requests a month.
    pub fn at(mut self, levels: &[Count]) -> Self {
        self.traffic = match levels {
            [] => None,
            [one] => Some(format!("{one} requests/month")),
            [first, .., last] => Some(format!("{first} to {last} requests/month")),
        };
        self
    }

    /// With so many replications, where they are not those of the scenario.
    pub fn replicated(mut self, replications: impl ToString) -> Self {
        self.replications = Some(replications.to_string());
        self
    }

    /// The line. `;` separates its parts.
    pub fn line(&self) -> String {
        let s = self.scenario;
        let n = s.replications.to_string();
        let n = self.replications.as_ref().unwrap_or(&n);
        let many = if n == "1" { "" } else { "s" };
        let parts = [
            Some(s.title.clone()),
            Some(format!("plan \"{}\"", s.plan)),
            self.traffic.clone(),
            Some(s.fleet.title.clone()),
            Some(format!("KV latency: {}", s.latency.title)),
            Some(format!("prices: {} ({})", s.catalog.title, s.prices_on)),
            overrides(&s.arguments),
            Some(format!("{n} replication{many}, seed {}", s.seed)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// `with --policy naive --set cpu.query_us=1`: the options that changed the scenario and are not
/// told by a part of their own.
fn overrides(arguments: &[String]) -> Option<String> {
    let pairs = arguments.chunks_exact(2);
    let given: Vec<String> = pairs
        .filter(|p| p[0] == "--policy" || p[0] == "--set" || p[0] == "--precision")
        .map(|p| p.join(" "))
        .collect();
    (!given.is_empty()).then(|| format!("with {}", given.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_options_have_changed() {
        let mut scenario = Scenario::load("default", &[], Some("free"), &[]).unwrap();
        scenario.arguments = ["--scenario", "default", "--plan", "free", "--set", "seed=7"]
            .map(str::to_owned)
            .to_vec();
        scenario.replications = 1;
        scenario.seed = 7;
        let line = settings(&scenario).at(&[Count(20_000_000)]).line();
        assert_eq!(
            line,
            format!(
                "LLM gateway, Poisson arrivals; plan \"free\"; 20M requests/month; one isolate; KV latency: Workers KV 2025; prices: Cloudflare, as published ({}); with --set seed=7; 1 replication, seed 7",
                scenario.catalog.checked
            )
        );
    }
}
