//! A plan as CSV, charts, a policy file and tables.

mod charts;

use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::settings::settings;
use crate::report::table::{Answer, Entry, Table, table};
use crate::run::scenario::Scenario;
use crate::study::plan::pareto::front;
use crate::study::plan::space::Space;
use crate::study::plan::{Certainty, Objective, Planned, Settings, Status, Trial};
use charts::{FRONT, Plotter, estimate};
use std::io;

/// A scenario with the outcome of its search.
pub struct PlanReport<'a> {
    /// What was simulated.
    pub scenario: &'a Scenario,
    /// How candidates raced.
    pub settings: &'a Settings,
    /// What the search is called: a name or a file.
    pub search: &'a str,
    /// Names of the dimensions of the search.
    pub dimensions: Vec<&'a str>,
    /// The candidates, and what cannot be used.
    pub space: &'a Space,
    /// The outcome.
    pub result: &'a Planned,
}

/// The status of a candidate that would be cheaper than the choice, but is not certain to do.
pub const CHEAPER_UNSURE: &str = "cheaper but not certain";

const LOSS: &str = "loss_rate";

/// What became of a candidate.
const STATE: [&str; 4] = ["status", "meets_objectives", "not_certain", "replications"];

/// Most candidates that are told one by one beside the choice.
const TOLD: usize = 3;

/// Whether nobody asked for the objective.
fn is_implied(o: &Objective) -> bool {
    o.text.ends_with("(implied)")
}

/// Where no candidate was simulated.
const NO_CANDIDATE: &str = "No candidate could be simulated under its plan.";

impl PlanReport<'_> {
    /// The settings in force, with the plans among which was searched in place of the scenario's.
    pub fn settings(&self) -> String {
        let mut plans: Vec<&str> = Vec::new();
        for t in &self.result.trials {
            if !plans.contains(&t.candidate.plan.as_str()) {
                plans.push(&t.candidate.plan);
            }
        }
        let (first, most) = (self.settings.first, self.settings.most);
        let n = if first == most {
            most.to_string()
        } else {
            format!("{first} to {most}")
        };
        let asked = self.result.objectives.iter().filter(|o| !is_implied(o));
        let slo: Vec<&str> = asked.map(|o| o.text.as_str()).collect();
        settings(self.scenario)
            .under(&plans)
            .at(&[self.settings.traffic])
            .with("--slo", slo.join(","))
            .with("--search", self.search)
            .with("--tie", format::percent(self.settings.tie))
            .replicated(n)
            .line()
    }

    /// Writes everything that the search leaves behind into `out`.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        let front = self.front();
        out.write(
            artefacts::PLAN_CSV,
            &self.csv(&(0..self.result.trials.len()).collect::<Vec<_>>()),
        )?;
        out.write(artefacts::PARETO_CSV, &self.csv(&front))?;
        if let Some(i) = self.result.choice {
            out.write(artefacts::PLAN_POLICY_TOML, self.policy_file(i)?.as_bytes())?;
        }
        let plotter = Plotter {
            settings: self.settings,
            result: self.result,
            line: self.settings(),
            front: &front,
        };
        for (name, chart) in plotter.charts() {
            out.draw(name, &chart)?;
        }
        Ok(())
    }

    /// The measures to show: those of the front and of the objectives.
    fn measures(&self) -> Vec<&'static str> {
        let mut names = FRONT.to_vec();
        for o in &self.result.objectives {
            if !names.contains(&o.name()) {
                names.push(o.name());
            }
        }
        names
    }

    /// A row per candidate, in the order given.
    fn csv(&self, which: &[usize]) -> Vec<u8> {
        let measures = self.measures();
        let mut header = vec!["candidate".to_owned(), "plan".into()];
        header.extend(self.dimensions.iter().map(|d| d.replace(' ', "_")));
        header.extend(STATE.map(str::to_owned));
        let columns = measures.iter();
        header.extend(columns.flat_map(|m| [(*m).to_owned(), format!("{m}_ci95")]));
        let rows = which.iter().map(|i| {
            let t = self.result.latest(*i);
            let mut row = vec![i.to_string(), t.candidate.plan.clone()];
            row.extend(t.candidate.options.iter().cloned());
            row.push(self.status(*i));
            row.push(t.meets.to_string());
            row.push(self.open(t).map_or_else(String::new, |o| o.join(" ")));
            row.push(t.replications().to_string());
            row.extend(measures.iter().flat_map(|m| {
                let e = estimate(t, m);
                [e.mean, e.half_width].map(format::csv_number)
            }));
            row
        });
        csv_bytes(header, rows)
    }

    fn status(&self, i: usize) -> String {
        if self.result.choice == Some(i) {
            return "chosen".into();
        }
        if self.result.cheaper_unsure.contains(&i) {
            return CHEAPER_UNSURE.into();
        }
        match self.result.trials[i].status {
            Status::Refused => "refused by the plan".into(),
            Status::Misses(o) => format!("misses {}", self.result.objectives[o].name()),
            Status::Worse => "worse".into(),
            Status::Equivalent => "equivalent".into(),
            Status::Raced => "raced to the end".into(),
        }
    }

    /// The chosen policy as a file that `--policy` reads.
    fn policy_file(&self, i: usize) -> Result<String, WriteError> {
        let t = &self.result.trials[i];
        let policy = toml::to_string(&t.candidate.policy).map_err(|e| {
            WriteError::of_writing(artefacts::PLAN_POLICY_TOML)(io::Error::other(e))
        })?;
        let objectives: Vec<&str> = self
            .result
            .objectives
            .iter()
            .map(|o| o.text.as_str())
            .collect();
        let (which, others) = match self.unsure_note() {
            None => ("", String::new()),
            Some(note) => (" of those that are certain", format!("# {note}\n")),
        };
        Ok(format!(
            "# The cheapest{which} found for {} requests a month with {}.\n{others}# Scenario {}, plan {}, seed {}.\n{policy}",
            self.settings.traffic,
            objectives.join(", "),
            self.scenario.name,
            t.candidate.plan,
            self.scenario.seed
        ))
    }

    /// Candidates that no other beats in cost, staleness and loss at once, cheapest first.
    fn front(&self) -> Vec<usize> {
        let trials = &self.result.trials;
        let simulated: Vec<usize> = (0..trials.len())
            .filter(|i| trials[*i].replications() > 0)
            .collect();
        // What a plan turns away is neither stale nor lost: such candidates would look good. Loss is a
        // coordinate of its own; where it is unknown, it may be all.
        let carried: Vec<usize> = simulated
            .into_iter()
            .filter(|i| {
                let t = &trials[*i];
                let mut bounds = self.result.objectives.iter().filter(|o| is_implied(o));
                let refuses =
                    bounds.any(|o| o.name() != LOSS && o.excess(t.estimate(o.metric).mean) >= 0.0);
                !refuses && !estimate(t, LOSS).mean.is_nan()
            })
            .collect();
        let point = |i: &usize| FRONT.map(|m| estimate(&trials[*i], m).mean).to_vec();
        let points: Vec<Vec<f64>> = carried.iter().map(point).collect();
        let mut on: Vec<usize> = front(&points).into_iter().map(|i| carried[i]).collect();
        let cost = |i: &usize| estimate(&trials[*i], FRONT[0]).mean;
        on.sort_by(|a, b| cost(a).total_cmp(&cost(b)).then(a.cmp(b)));
        on
    }

    fn choice_row(&self, role: &str, i: usize) -> Vec<Entry> {
        let t = self.result.latest(i);
        let mut row = vec![Entry::from(role), t.candidate.plan.as_str().into()];
        row.extend(t.candidate.options.iter().map(|o| o.as_str().into()));
        row.push(Entry::usd_estimate(estimate(t, FRONT[0])));
        row.push(match t.is_too_few(FRONT[1]) {
            true => format::TOO_FEW.into(),
            false => Entry::seconds(estimate(t, FRONT[1]).mean),
        });
        let of = |name: &str| estimate(t, name).mean;
        let refused = ["requests_refused_share", "kv_quota_exceeded_share"].map(of);
        row.push(Entry::refused(refused[0], refused[1]));
        row.push(Entry::share_or_unknown(of(LOSS)));
        row.push(Entry::whole(t.replications()));
        row
    }

    /// The choice and the runners-up.
    pub fn choices_table(&self) -> Table {
        let mut header = vec!["", "plan"];
        header.extend(&self.dimensions);
        header.extend([
            "cost/month",
            "staleness p99",
            "refused requests / operations",
            "lost",
            "n",
        ]);
        let choice = self
            .result
            .choice
            .iter()
            .map(|i| self.choice_row("choice", *i));
        let others = self.result.runners_up.iter().enumerate();
        let others = others.map(|(k, i)| self.choice_row(&format!("runner-up {}", k + 1), *i));
        let left = 2 + self.dimensions.len();
        table(&header, left, choice.chain(others)).naming(0, "role")
    }

    /// How the choice did on fresh replications, or how far the nearest candidate is off.
    pub fn objectives_table(&self) -> Answer {
        let trial = match (&self.result.confirmation, self.result.nearest) {
            (Some(t), _) => t,
            (None, Some(i)) => self.result.latest(i),
            (None, None) => return Answer::new().say(NO_CANDIDATE),
        };
        let objectives = &self.result.objectives;
        let rows = objectives.iter().map(|o| {
            let e = trial.estimate(o.metric);
            let side = if o.below { "at most" } else { "at least" };
            let bound = |x: f64| match x.is_finite() {
                true => format!("{side} {}", self.value(o, x)),
                false => "-".into(),
            };
            let (bound, verdict) = match trial.certainty(o, trial.error) {
                Certainty::Met(x) => {
                    let spare = format!("met, {} to spare", format::percent(-o.excess(x)));
                    (bound(x), spare)
                }
                Certainty::Open(x) => (bound(x), "NOT CERTAIN: too few replications".into()),
                Certainty::Missed => {
                    let by = self.amount(o, (e.mean - o.bound).abs());
                    ("-".into(), format!("missed by {by}"))
                }
                Certainty::TooFew { came, needed } => (
                    "-".into(),
                    format!("NOT CERTAIN: {came} calls came, {needed} are needed (-n)"),
                ),
                Certainty::NoValue if [LOSS, "lost_update_rate"].contains(&o.name()) => (
                    "-".into(),
                    "UNKNOWN: keys have expired, lost updates cannot be counted".into(),
                ),
                Certainty::NoValue => ("-".into(), "no value".into()),
            };
            let measured = match trial.is_too_few(o.name()) {
                true => format::TOO_FEW.into(),
                false => Entry::amount(e),
            };
            let [text, bound, verdict] = [o.text.clone(), bound, verdict].map(Entry::from);
            vec![text, measured, bound, verdict]
        });
        let header = ["objective", "measured", "one-sided bound", "verdict"];
        Answer::new().table("objectives", table(&header, 1, rows))
    }

    /// A value of the objective's measure.
    fn value(&self, o: &Objective, x: f64) -> String {
        self.amount(o, x).trim_end_matches(" points").to_owned()
    }

    fn amount(&self, o: &Objective, x: f64) -> String {
        match o.name() {
            n if n.ends_with("_usd") => format::usd(x),
            n if n.ends_with("_ms") => format::milliseconds(x),
            n if n.ends_with("_s") => format!("{} s", format::count(x)),
            n if ["_rate", "_share", "_ratio"].iter().any(|s| n.ends_with(s)) => {
                format!("{} points", format::percent(x))
            }
            _ => format::count(x),
        }
    }

    /// The measures of the objectives that are open of a candidate that certainly misses none.
    fn open(&self, t: &Trial) -> Option<Vec<&str>> {
        let open = t
            .open(&self.result.objectives)
            .filter(|_| t.replications() > 0)?;
        let name = |k: usize| self.result.objectives[k].name();
        Some(open.into_iter().map(name).collect())
    }

    /// Candidates that would be cheaper than the choice, but of which too little is known.
    pub fn unsure_note(&self) -> Option<String> {
        let all = &self.result.cheaper_unsure;
        let told: Vec<String> = all
            .iter()
            .take(TOLD)
            .map(|i| self.unsure_words(*i))
            .collect();
        let more = match all.len().saturating_sub(TOLD) {
            0 => String::new(),
            n => format!("; {n} more in plan.csv"),
        };
        let they_are = match all.len() {
            0 => return None,
            1 => "1 cheaper one is".to_owned(),
            n => format!("{n} cheaper ones are"),
        };
        Some(format!(
            "The choice is the cheapest of those that are certain; {they_are} not certain (-n): {}{more}.",
            told.join("; ")
        ))
    }

    /// A candidate, what it costs, and what is not certain of it.
    fn unsure_words(&self, i: usize) -> String {
        let t = self.result.latest(i);
        format!(
            "{} (plan {}: {}), not certain of {}",
            format::usd(estimate(t, FRONT[0]).mean),
            t.candidate.plan,
            t.candidate.options.join(", "),
            self.open(t).unwrap_or_default().join(" and "),
        )
    }

    /// Which objective keeps cheaper candidates out.
    pub fn binding(&self) -> String {
        let Some((objective, i)) = self.result.binding else {
            let certainly = if self.result.cheaper_unsure.is_empty() {
                ""
            } else {
                "certainly "
            };
            return format!(
                "No objective {certainly}binds: no cheaper candidate {certainly}misses just one of them."
            );
        };
        let t = self.result.latest(i);
        let o = &self.result.objectives[objective];
        let others = self.result.objectives.iter().filter(|other| *other != o);
        let open: Vec<&str> = others
            .filter(|o| !matches!(t.certainty(o, t.error), Certainty::Met(_)))
            .map(Objective::name)
            .collect();
        let but = match open.join(" and ") {
            none if none.is_empty() => none,
            open => format!(", but not certain of {open}"),
        };
        format!(
            "Binding constraint: {}. Without it: {} (plan {}: {}), with {} = {}{but}.",
            o.text,
            format::usd(estimate(t, FRONT[0]).mean),
            t.candidate.plan,
            t.candidate.options.join(", "),
            o.name(),
            format::count(t.estimate(o.metric).mean)
        )
    }

    /// What was missed by everything, for a search without a choice.
    pub fn failure(&self) -> String {
        let trials = &self.result.trials;
        let unsure = self.unsure();
        let certainly = if unsure.is_empty() { "" } else { "certainly " };
        let mut lines = vec![format!(
            "No candidate {certainly}meets all objectives at {} requests a month.",
            self.settings.traffic
        )];
        if !unsure.is_empty() {
            let n = unsure.len();
            let they = if n == 1 { "it misses" } else { "they miss" };
            lines.push(format!(
                "{n} of {}: {they} none for certain, but with so few replications or calls that cannot be told; more replications (-n) would tell.",
                trials.len()
            ));
        }
        if !self.result.rejected.is_empty() {
            lines.push(format!(
                "{} seemed to meet all objectives in the race, and did not on fresh replications: they are too close to a bound, or -n is too small.",
                self.result.rejected.len()
            ));
        }
        for o in &self.result.objectives {
            let means = trials
                .iter()
                .map(|t| t.estimate(o.metric).mean)
                .filter(|m| !m.is_nan());
            let better = |a: &f64, b: &f64| o.excess(*a).total_cmp(&o.excess(*b));
            match means.min_by(better) {
                Some(best) if o.excess(best) >= 0.0 => lines.push(format!(
                    "{} cannot be met by any: the best is {}, off by {}.",
                    o.text,
                    format::count(best),
                    self.amount(o, (best - o.bound).abs())
                )),
                Some(_) => {}
                None if trials.iter().any(|t| t.is_too_few(o.name())) => lines.push(format!(
                    "{}: too few calls came under every candidate; more replications (-n) or a longer period would tell.",
                    o.text
                )),
                None if o.name() == LOSS => lines.push(format!(
                    "{}: unknown for every candidate, keys have expired.",
                    o.text
                )),
                None => lines.push(format!("{}: no candidate gives this measure.", o.text)),
            }
        }
        let refused = trials
            .iter()
            .filter(|t| t.status == Status::Refused)
            .count();
        if refused > 0 {
            lines.push(format!(
                "{refused} candidates were left out because their plan's quotas cannot carry this traffic."
            ));
        }
        if let Some(i) = self.result.nearest {
            let c = &trials[i].candidate;
            lines.push(format!(
                "Nearest: plan {}, {}.",
                c.plan,
                c.options.join(", ")
            ));
        }
        lines.join("\n")
    }

    /// Candidates of which every objective is met or open, and one at least open: more replications
    /// would tell.
    fn unsure(&self) -> Vec<usize> {
        let is_unsure = |t: &Trial| self.open(t).is_some_and(|open| !open.is_empty());
        let trials = self.result.trials.iter().enumerate();
        trials
            .filter(|(_, t)| is_unsure(t))
            .map(|(i, _)| i)
            .collect()
    }

    /// What the search took.
    pub fn effort(&self) -> String {
        let r = self.result;
        let own = self.scenario.period.requests;
        let count = |f: fn(&Status) -> bool| r.trials.iter().filter(|t| f(&t.status)).count();
        let mut text = format!(
            "{} candidates: {} refused by their plan's quotas without a simulation of their own, {} miss an objective, {} worse, {} equivalent.\n{} replications in {} rounds, with a period.requests of {}, and of {} those on which the choice was tried again; all candidates with as many replications as the choice would have taken {}.",
            r.trials.len(),
            count(|s| *s == Status::Refused),
            count(|s| matches!(s, Status::Misses(_))),
            count(|s| *s == Status::Worse),
            count(|s| *s == Status::Equivalent),
            r.simulated,
            r.rounds,
            self.settings.requests.min(own),
            own,
            r.enumeration,
        );
        if self.space.invalid + self.space.without_history > 0 {
            text.push_str(&format!(
                "\nLeft out: {} combinations that contradict themselves or the fleet, {} with a key per batch, whose queries need a period.history of their window.",
                self.space.invalid, self.space.without_history
            ));
        }
        text
    }
}
