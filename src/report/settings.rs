//! The settings in force, in one line: what titles must not repeat, because options change it.

use crate::models::quantity::Count;
use crate::run::scenario::Scenario;
use std::fmt::Display;

/// What a result was made with: the scenario, the plan, the traffic, the fleet, the latency, the
/// prices, what was set otherwise than the scenario has it, replications and seed.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    scenario: &'a Scenario,
    title: String,
    traffic: Option<String>,
    /// Options of the command, which are no settings of the scenario.
    own: Vec<String>,
    replications: Option<String>,
}

/// The settings of a scenario, as it was loaded.
pub fn settings(scenario: &Scenario) -> Settings<'_> {
    Settings {
        scenario,
        title: scenario.title.clone(),
        traffic: None,
        own: Vec::new(),
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

    /// Of requests that a recorded log has, where the scenario's title tells of arrivals of its own.
    pub fn of_log(mut self, log: &str) -> Self {
        let rest = &self.scenario.name;
        self.title = format!("the recorded log {log}, the rest by scenario \"{rest}\"");
        self
    }

    /// With an option of the command that has an effect.
    pub fn with(mut self, option: &str, value: impl Display) -> Self {
        let value = value.to_string();
        self.own.push(match value.contains([' ', '<', '>']) {
            true => format!("{option} \"{value}\""),
            false => format!("{option} {value}"),
        });
        self
    }

    /// The same, where it has one.
    pub fn with_if(self, has_effect: bool, option: &str, value: impl Display) -> Self {
        if has_effect {
            self.with(option, value)
        } else {
            self
        }
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
            Some(self.title.clone()),
            Some(format!("plan \"{}\"", s.plan)),
            self.traffic.clone(),
            Some(s.fleet.title.clone()),
            Some(format!("KV latency: {}", s.latency.title)),
            Some(format!("prices: {} ({})", s.catalog.title, s.prices_on)),
            self.options(),
            Some(format!("{n} replication{many}, seed {}", s.seed)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// `with --policy naive --set cpu.query_us=1 --fixed-cost $3.00`: the options that changed the
    /// scenario and are not told by a part of their own, and those of the command.
    fn options(&self) -> Option<String> {
        let of_scenario = self.scenario.arguments.chunks_exact(2);
        let given: Vec<String> = of_scenario
            .filter(|p| ["--policy", "--set", "--precision"].contains(&p[0].as_str()))
            .map(|p| p.join(" "))
            .chain(self.own.iter().cloned())
            .collect();
        (!given.is_empty()).then(|| format!("with {}", given.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_the_options_of_the_command_and_its_log() {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let line = settings(&scenario)
            .of_log("a.csv")
            .with("--jitter", "5 s")
            .with_if(false, "--speed", 1)
            .with_if(true, "--amplify", 3)
            .line();
        let first = "the recorded log a.csv, the rest by scenario \"default\"; plan \"paid\"; ";
        assert!(line.starts_with(first), "{line}");
        assert!(
            line.contains("; with --jitter \"5 s\" --amplify 3; "),
            "{line}"
        );
    }

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
