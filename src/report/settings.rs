//! The settings in force, in one line: what titles must not repeat, because options change it.

use crate::models::quantity::{Count, format_duration};
use crate::run::scenario::Scenario;
use crate::telemetry::policy::Policy;
use crate::workload::arrivals::Spacing;
use std::fmt::Display;
use std::time::Duration;

/// What a result was made with: the scenario, the plan, the traffic, the fleet, the latency, the
/// prices, what was set otherwise than the scenario has it, replications and seed.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    scenario: &'a Scenario,
    title: String,
    levels: Vec<Count>,
    /// Options of the command, which are no settings of the scenario.
    own: Vec<String>,
    replications: Option<String>,
    /// The beginning itself is looked at, or there is nothing that a history would find.
    from_nothing: bool,
    /// Columns of what differs from point to point, and has no one value to tell.
    varied: Vec<String>,
    /// The plans that were tried, where they are not the scenario's.
    plans: Vec<String>,
}

/// The settings of a scenario, as it was loaded.
pub fn settings(scenario: &Scenario) -> Settings<'_> {
    Settings {
        scenario,
        title: title(scenario),
        levels: Vec::new(),
        own: Vec::new(),
        replications: None,
        from_nothing: false,
        varied: Vec::new(),
        plans: Vec::new(),
    }
}

/// What titles of scenarios say of arrivals that are independent at a constant rate.
const POISSON: &str = "Poisson arrivals";

/// The title, with the arrivals in force where it tells of others: options change them.
fn title(scenario: &Scenario) -> String {
    let w = &scenario.workload;
    let is_poisson = w.spacing == Spacing::Poisson && w.bursts.is_none() && w.shape.is_none();
    if is_poisson || !scenario.title.contains(POISSON) {
        return scenario.title.clone();
    }
    let spacing = match w.spacing {
        Spacing::Poisson => POISSON,
        Spacing::Deterministic => "evenly spaced arrivals",
    };
    let parts = [
        Some(spacing),
        w.bursts.is_some().then_some("bursts"),
        w.shape.is_some().then_some("daily shape"),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    scenario.title.replace(POISSON, &parts.join(" with "))
}

impl Settings<'_> {
    /// At these levels: requests a month.
    pub fn at(mut self, levels: &[Count]) -> Self {
        self.levels = levels.to_vec();
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

    /// Of a time before which there is nothing, on purpose.
    pub fn from_nothing(mut self) -> Self {
        self.from_nothing = true;
        self
    }

    /// Of points that differ in what stands in this column, by `--vary` with this argument.
    pub fn varied(mut self, column: &str, argument: &str) -> Self {
        self.own.push(format!("--vary {argument}"));
        self.varied.push(column.to_owned());
        self
    }

    /// Under several plans, one after the other.
    pub fn under(mut self, plans: &[&str]) -> Self {
        self.plans = plans.iter().map(|p| (*p).to_owned()).collect();
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
        let plan = match self.plans.is_empty() {
            true => s.plan.clone(),
            false => self.plans.join("\" or \""),
        };
        let is_one = |model: &str| !self.varied.iter().any(|column| column.starts_with(model));
        let parts = [
            Some(self.title.clone()),
            is_one("plan").then(|| format!("plan \"{plan}\"")),
            traffic(&self.levels),
            is_one("fleet").then(|| s.fleet.title.clone()),
            is_one("latency").then(|| format!("KV latency: {}", s.latency.title)),
            Some(format!("prices: {} ({})", s.catalog.title, s.prices_on)),
            self.short_history(),
            self.options(),
            Some(format!("{n} replication{many}, seed {}", s.seed)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// What queries miss that list the keys of more time than is simulated before they come: fewer are
    /// found and read than in the long run.
    fn short_history(&self) -> Option<String> {
        if self.from_nothing {
            return None;
        }
        let s = self.scenario;
        let windows = s.policies.iter().filter_map(Policy::listed_window);
        let window = windows.max()?;
        let own = [s.traffic_per_month];
        let levels = match self.levels.as_slice() {
            [] => &own,
            levels => levels,
        };
        let period = levels.iter().map(|l| s.horizon(*l)).min()?;
        let found = s.period.before() + period;
        (found < window).then(|| {
            format!(
                "{} of the {} that queries look back are simulated, so that they read too few keys",
                format_duration(found),
                format_duration(window)
            )
        })
    }

    /// `with --policy naive --set cpu.query_us=1 --fixed-cost $3.00`: the options that changed the
    /// scenario and are not told by a part of their own, and those of the command.
    fn options(&self) -> Option<String> {
        let of_scenario = self.scenario.arguments.chunks_exact(2);
        // Under another plan whole days may be simulated, or none.
        let own_plan = self.plans.is_empty().then_some(self.scenario);
        let idle = own_plan.and_then(|s| idle_requests(s, &self.levels));
        let told = |p: &[String]| match &idle {
            Some(idle) if idle.given == p[1] => {
                let period = format_duration(idle.period);
                format!("{} ({period} or more anyway)", p.join(" "))
            }
            _ => p.join(" "),
        };
        let given: Vec<String> = of_scenario
            .filter(|p| ["--policy", "--set", "--precision"].contains(&p[0].as_str()))
            .map(told)
            .chain(self.own.iter().cloned())
            .collect();
        (!given.is_empty()).then(|| format!("with {}", given.join(" ")))
    }
}

/// Whether a field, or a `field=value`, is `period.requests`: how many requests are simulated.
pub fn is_requests(setting: &str) -> bool {
    let field = setting.split('=').next().unwrap_or_default();
    field.trim() == "period.requests"
}

/// Arguments, each an option and its value, without those that set `period.requests`.
pub fn without_requests(arguments: &[String]) -> Vec<String> {
    let pairs = arguments.chunks_exact(2);
    let others = pairs.filter(|p| !(p[0] == "--set" && is_requests(&p[1])));
    others.flatten().cloned().collect()
}

/// A `period.requests` that was given and is less than what is simulated anyway.
#[derive(Debug, Clone, PartialEq)]
pub struct IdleRequests {
    /// As it was given: `period.requests=5k`.
    pub given: String,
    /// What is simulated at least at any level, with or without it.
    pub period: Duration,
}

/// Whether `period.requests` was given while the period is longer at every level anyway: by `period.at_least`, or as
/// whole days are simulated. No levels stand for the scenario's own traffic.
pub fn idle_requests(scenario: &Scenario, levels: &[Count]) -> Option<IdleRequests> {
    let mut arguments = scenario.arguments.iter();
    let given = arguments.find(|o| is_requests(o))?;
    let own = [scenario.traffic_per_month];
    let levels = if levels.is_empty() { &own } else { levels };
    let none = |level: &Count| scenario.horizon_of(Count(0), *level);
    let is_idle = |level: &Count| scenario.horizon(*level) == none(level);
    let period = levels.iter().map(|l| scenario.horizon(*l)).min()?;
    levels.iter().all(is_idle).then(|| IdleRequests {
        given: given.clone(),
        period,
    })
}

fn traffic(levels: &[Count]) -> Option<String> {
    match levels {
        [] => None,
        [one] => Some(format!("{one} requests/month")),
        [first, .., last] => Some(format!("{first} to {last} requests/month")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parse_overrides;

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
    fn the_line_tells_of_the_arrivals_in_force() {
        let title = |set: &[&str]| {
            let given: Vec<String> = set.iter().map(|s| (*s).into()).collect();
            let overrides = parse_overrides(&given).unwrap();
            let scenario = Scenario::load("default", &[], None, &overrides).unwrap();
            let line = settings(&scenario).line();
            line.split("; ").next().unwrap().to_owned()
        };
        assert_eq!(title(&[]), "LLM gateway, Poisson arrivals");
        let bursts = title(&["workload=gateway-bursty"]);
        assert_eq!(bursts, "LLM gateway, Poisson arrivals with bursts");
        let even = title(&["workload.spacing=deterministic"]);
        assert_eq!(even, "LLM gateway, evenly spaced arrivals");
    }

    #[test]
    fn the_line_tells_when_queries_find_too_little() {
        let line = |name: &str, settings_: &[&str]| {
            let given: Vec<String> = settings_.iter().map(|s| (*s).into()).collect();
            let overrides = parse_overrides(&given).unwrap();
            let scenario = Scenario::load(name, &[], None, &overrides).unwrap();
            settings(&scenario).at(&[Count(3_000_000)]).line()
        };
        let short = line("policies", &["period.history=\"2 h\""]);
        let said = "; 215 min of the 1 d that queries look back are simulated, so that they read too few keys; ";
        assert!(short.contains(said), "{short}");
        for file in crate::models::embedded_names("scenarios") {
            // From nothing, an hour long, to see refusals; or the beginning itself is looked at.
            let from_nothing = ["retry-storm", "seed-load-test"].contains(&&*file);
            let said = line(&file, &[]).contains("look back");
            assert!(!said || from_nothing, "{file}");
        }
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

    #[test]
    fn a_number_of_requests_that_the_least_period_exceeds_is_told() {
        let told = |requests: u64, plan: &str, levels: &[u64]| {
            let given = format!("period.requests={requests}");
            let overrides = parse_overrides(std::slice::from_ref(&given)).unwrap();
            let mut scenario = Scenario::load("default", &[], Some(plan), &overrides).unwrap();
            scenario.arguments = vec!["--set".into(), given];
            let levels: Vec<Count> = levels.iter().copied().map(Count).collect();
            settings(&scenario).at(&levels).line()
        };
        let line = told(300, "paid", &[1_000_000]);
        let said = "; with --set period.requests=300 (1 h or more anyway); ";
        assert!(line.contains(said), "{line}");
        // Daily allowances: whole days are simulated.
        let line = told(5_000, "free", &[20_000_000]);
        assert!(line.contains("(1 d or more anyway); "), "{line}");
        assert!(!told(3_000, "paid", &[1_000_000]).contains(" or more anyway)"));
        // It decides at one of the levels.
        assert!(!told(300, "paid", &[10_000, 1_000_000]).contains(" or more anyway)"));
    }

    #[test]
    fn a_number_is_idle_where_as_long_is_simulated_with_the_other() {
        let is_idle = |settings: &[&str], own: u64, level: u64| {
            let given: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
            let overrides = parse_overrides(&given).unwrap();
            let scenario = Scenario::load("default", &[], None, &overrides).unwrap();
            scenario.is_idle(Count(own), Count(level))
        };
        let five = &["period.requests=5k"];
        // An hour holds more of either.
        assert!(is_idle(five, 50_000, 1_000_000_000));
        assert!(!is_idle(five, 50_000, 1_000_000));
        // The scenario's own number is given again: it is idle if none would do as well.
        assert!(is_idle(five, 5_000, 1_000_000_000));
        assert!(!is_idle(five, 5_000, 1_000_000));
        // The least number there is decides, where no more is simulated.
        let one = [
            "period.requests=1",
            "period.at_least=\"1 s\"",
            "period.calls=0",
        ];
        assert!(!is_idle(&one, 1, 1_000_000));
    }
}
