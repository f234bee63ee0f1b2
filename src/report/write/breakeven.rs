//! The answers of a break-even analysis as CSV, charts and a table.

use super::axes;
use super::sweep::charts::costs_of;
use crate::pricing::Money;
use crate::report::artefacts;
use crate::report::cells::csv_bytes;
use crate::report::draw::bars::{Bar, BarChart, Row};
use crate::report::draw::chart::{Axis, Chart, Datum, Mark, Series};
use crate::report::error::WriteError;
use crate::report::format;
use crate::report::output::OutputDir;
use crate::report::reason::reason_words;
use crate::report::settings::settings;
use crate::report::table::{Entry, Table, table};
use crate::run::scenario::Scenario;
use crate::study::breakeven::{Answer, Breakeven, Exclusion, Question, Settings, days_judged};
use crate::study::cheapest::{BOUNDED, why_excluded};
use crate::study::stats::crossing::Crossing;
use crate::study::stats::root::Onset;
use crate::study::sweep::Cell;

/// A scenario with its answers.
pub struct BreakevenReport<'a> {
    /// What was simulated.
    pub scenario: &'a Scenario,
    /// What was asked for.
    pub settings: &'a Settings,
    /// The answers.
    pub result: &'a Breakeven,
}

const COLUMNS: [&str; 15] = [
    "policy",
    "question",
    "item",
    "other_policy",
    "plan",
    "traffic_per_month",
    "ci95_low",
    "ci95_high",
    "replications",
    "already_at_low_end",
    "never_within_range",
    "significant_from",
    "excluded",
    "other_excluded",
    "answer",
];

impl BreakevenReport<'_> {
    /// Writes everything that the analysis leaves behind into `out`.
    ///
    /// # Errors
    /// A message that names the file that could not be written.
    pub fn write(&self, out: &OutputDir) -> Result<(), WriteError> {
        out.write(artefacts::BREAKEVEN_CSV, &self.csv())?;
        out.write(artefacts::BREAKEVEN_COST_CSV, &self.cost_csv())?;
        out.draw("breakeven", &self.chart())?;
        out.draw("breakeven_cost", &self.cost_chart())?;
        Ok(())
    }

    fn policy(&self, i: usize) -> &str {
        &self.scenario.policies[i].name
    }

    fn free(&self) -> &str {
        self.result.free.as_deref().unwrap_or_default()
    }

    /// A row per question and policy. A traffic of 0 is below the range, an empty one not within.
    pub fn csv(&self) -> Vec<u8> {
        let rows = self.result.answers.iter().map(|a| {
            let (question, item, other, plan) = self.columns(a);
            let number = |x: f64| {
                if x.is_infinite() {
                    String::new()
                } else {
                    format::csv_number(x)
                }
            };
            let c = &a.crossing;
            vec![
                self.policy(a.policy).to_owned(),
                question.to_owned(),
                item,
                other,
                plan,
                number(c.at),
                number(c.low),
                number(c.high),
                c.replications.to_string(),
                c.already.to_string(),
                c.never.to_string(),
                match a.significant {
                    Some(Onset::Already) => "0".into(),
                    Some(Onset::At(x)) => number(x),
                    _ => String::new(),
                },
                self.exclusion(&a.excluded),
                self.exclusion(&self.of_other(a)),
                self.answer(a),
            ]
        });
        csv_bytes(COLUMNS.map(str::to_owned).to_vec(), rows)
    }

    /// A row per level and policy: what it costs under the paid plan, and what that is not for.
    pub fn cost_csv(&self) -> Vec<u8> {
        let mut header = ["traffic_per_month", "policy", "plan"]
            .map(str::to_owned)
            .to_vec();
        let measures = || std::iter::once("cost_usd").chain(BOUNDED);
        header.extend(measures().flat_map(|m| [m.to_owned(), format!("{m}_ci95")]));
        header.push("excluded".into());
        let rows = self.cells().map(|c| {
            let mut row = vec![
                c.traffic.0.to_string(),
                c.policy.clone(),
                self.result.paid.clone(),
            ];
            row.extend(measures().flat_map(|m| {
                let e = c.estimate(m);
                [e.mean, e.half_width].map(format::csv_number)
            }));
            row.push(why_excluded(c).map_or_else(String::new, reason_words));
            row
        });
        csv_bytes(header, rows)
    }

    /// Where the bill of the policy that another is compared with is not for the whole work, if it is
    /// not said of both.
    fn of_other(&self, a: &Answer) -> Vec<Exclusion> {
        match a.question {
            Question::PaysOff(other) => self.result.exclusions(other),
            _ => Vec::new(),
        }
    }

    /// `excluded at 300k, 3M (shared-key: loses 67% of the records)`, with the reason at the last level.
    fn exclusion(&self, all: &[Exclusion]) -> String {
        let Some(last) = all.last() else {
            return String::new();
        };
        let levels: Vec<String> = all.iter().map(|e| e.level.to_string()).collect();
        format!(
            "excluded at {} ({}: {})",
            levels.join(", "),
            self.policy(last.policy),
            reason_words(last.reason)
        )
    }

    /// Whether no level says anything of a question.
    fn is_excluded(&self, a: &Answer) -> bool {
        a.excluded.len() == self.settings.levels.len()
    }

    /// Where it begins, and where nothing can be said.
    fn answer(&self, a: &Answer) -> String {
        let excluded = self.exclusion(&a.excluded);
        match (self.is_excluded(a), a.excluded.is_empty()) {
            (true, _) => excluded,
            (_, true) => self.place(&a.crossing),
            _ => format!("{}; {excluded}", self.place(&a.crossing)),
        }
    }

    fn columns(&self, a: &Answer) -> (&'static str, String, String, String) {
        let none = String::new;
        let (free, paid) = (self.free().to_owned(), self.result.paid.clone());
        match a.question {
            Question::Quota(i) => ("quota_exceeded", i.name().into(), none(), free),
            Question::FirstQuota => {
                let item = a.first.map_or_else(none, |f| f.0.name().to_owned());
                ("first_quota_exceeded", item, none(), free)
            }
            Question::Refuses => ("refuses_first", none(), none(), free),
            Question::RefusesMore => ("refuses_more", none(), none(), free),
            Question::Allowance(i) => ("allowance_exceeded", i.name().into(), none(), paid),
            Question::BillExceedsFee => ("bill_exceeds_fee", none(), none(), paid),
            Question::PaysOff(o) => ("pays_off", none(), self.policy(o).to_owned(), paid),
            Question::Crosses(o) => ("crosses", none(), self.policy(o).to_owned(), paid),
        }
    }

    /// What the question asks, in words.
    fn words(&self, a: &Answer) -> String {
        let (free, paid) = (self.free(), &self.result.paid);
        let fixed = self.settings.fixed_cost.to_usd();
        let beyond = if fixed > 0.0 {
            format!("saves more than {} a month", format::usd(fixed))
        } else {
            "saves money".into()
        };
        match a.question {
            Question::Quota(i) => format!("{free}: {} of an average day exceeded", i.name()),
            Question::FirstQuota => format!("{free}: first quota exceeded"),
            Question::Refuses => format!("{free}: refuses anything on any day"),
            Question::RefusesMore => format!(
                "{free}: refuses more than {}",
                format::percent(self.settings.refused)
            ),
            Question::Allowance(i) => format!("{paid}: {} included exceeded", i.name()),
            Question::BillExceedsFee => format!("{paid}: bill exceeds the fee"),
            Question::PaysOff(o) => format!("{beyond} against {}", self.policy(o)),
            Question::Crosses(o) => format!("crosses {} in cost", self.policy(o)),
        }
    }

    /// Where it begins, in words where there is no number.
    fn place(&self, c: &Crossing) -> String {
        let levels = &self.settings.levels;
        let ends = |i: Option<&crate::models::quantity::Count>| {
            i.map_or_else(String::new, |l| l.to_string())
        };
        if c.never == c.replications {
            format!("never within range (up to {})", ends(levels.last()))
        } else if c.already == c.replications {
            format!("already at {}", ends(levels.first()))
        } else {
            format::count(c.at)
        }
    }

    fn interval(&self, c: &Crossing) -> String {
        if c.never == c.replications || c.already == c.replications {
            return "-".into();
        }
        let end = |x: f64| match x {
            x if x.is_nan() => "?".to_owned(),
            0.0 => "below range".into(),
            f64::INFINITY => "above range".into(),
            x => format::count(x),
        };
        let mut text = format!("{} to {}", end(c.low), end(c.high));
        if c.already + c.never > 0 {
            text.push_str(&format!(
                " (median; of {}: {} already, {} never)",
                c.replications, c.already, c.never
            ));
        }
        text
    }

    fn remark(&self, a: &Answer) -> String {
        if let Some((item, times)) = a.first {
            return format!("{} in {times} of {}", item.name(), a.crossing.replications);
        }
        let holds = a.crossing.never < a.crossing.replications;
        let mut parts = vec![match a.significant {
            Some(Onset::At(x)) => format!("significant from {}", format::count(x)),
            Some(Onset::Already) => "significant at the low end already".into(),
            Some(Onset::Never) if holds => "not significant within range".into(),
            _ => String::new(),
        }];
        parts.push(self.exclusion(&a.excluded));
        if holds {
            parts.push(self.exclusion(&self.of_other(a)));
        }
        parts.retain(|p| !p.is_empty());
        parts.join("; ")
    }

    /// By level, then policy.
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        let levels = 0..self.settings.levels.len();
        levels.flat_map(|level| self.result.cells.iter().map(move |of| &of[level]))
    }

    /// What each policy costs at each level under the paid plan, with what is refused and lost.
    pub fn cost_table(&self) -> Table {
        let header = [
            "requests/month",
            "policy",
            "cost/month",
            "refused requests / operations",
            "lost",
        ];
        let rows = self.cells().map(|c| {
            let [requests, operations, _] = BOUNDED.map(|m| c.estimate(m).mean);
            vec![
                Entry::level(c.traffic),
                c.policy.as_str().into(),
                Entry::usd_estimate(c.estimate("cost_usd")),
                Entry::refused(requests, operations),
                Entry::share_estimate(c.estimate("loss_rate")),
            ]
        });
        table(&header, 2, rows)
    }

    /// The answers for the terminal; items that never come into play are left out.
    pub fn table(&self) -> Table {
        let header = [
            "policy",
            "what",
            "from requests/month",
            "95% interval",
            "remark",
        ];
        let matters = |a: &&Answer| {
            let listed = matches!(a.question, Question::Quota(_) | Question::Allowance(_));
            !(listed && a.crossing.never == a.crossing.replications)
        };
        let rows = self.result.answers.iter().filter(matters).map(|a| {
            vec![
                Entry::from(self.policy(a.policy)),
                self.words(a).into(),
                match self.is_excluded(a) || is_outside(&a.crossing) {
                    true if self.is_excluded(a) => "excluded".into(),
                    true => self.place(&a.crossing).into(),
                    false => Entry::count(a.crossing.at),
                },
                match is_outside(&a.crossing) {
                    true => "-".into(),
                    false => {
                        let ends = [("low", a.crossing.low), ("high", a.crossing.high)];
                        Entry::named(self.interval(&a.crossing), &ends)
                    }
                },
                self.remark(a).into(),
            ]
        });
        table(&header, 5, rows)
    }

    /// How to read the table.
    pub fn explanation(&self) -> String {
        let mut text = format!(
            "{} replications, {} points simulated, seed {}. Each replication finds its own onset under common random numbers, to 0.5%; the interval is Student's t on the logarithms.",
            self.scenario.replications, self.result.simulated, self.scenario.seed
        );
        if let (Some(free), Some(low)) = (&self.result.free, self.settings.levels.first()) {
            text.push_str(&format!(
                "\nAn average day is that of a month without quotas; \"on any day\" is judged on the days that plan \"{free}\" is simulated for ({} at {low}).",
                format::count(days_judged(self.scenario, free, *low)),
            ));
        }
        text
    }

    fn subtitle(&self) -> String {
        self.settings()
    }

    /// The settings in force; answers are about both plans.
    pub fn settings(&self) -> String {
        let (fixed, refused) = (self.settings.fixed_cost, self.settings.refused);
        let line = settings(self.scenario)
            .at(&self.settings.levels)
            .with_if(fixed > Money::ZERO, "--fixed-cost", fixed)
            .with_if(
                self.result.free.is_some(),
                "--refused",
                format::percent(refused),
            )
            .line();
        match &self.result.free {
            Some(free) => format!("Plans \"{free}\" and \"{}\": {line}", self.result.paid),
            None => line,
        }
    }

    fn traffic_axis(&self) -> Axis {
        Axis {
            min: self.settings.levels.first().map(|c| c.0 as f64),
            max: self.settings.levels.last().map(|c| c.0 as f64),
            ..axes::traffic()
        }
    }

    /// A point with its interval for each answer.
    fn chart(&self) -> BarChart {
        let policies = 0..self.scenario.policies.len();
        let mut rows = Vec::new();
        for policy in policies.clone() {
            for a in self.result.answers.iter().filter(|a| a.policy == policy) {
                let c = &a.crossing;
                let listed = matches!(a.question, Question::Quota(_) | Question::Allowance(_));
                let outside = c.never == c.replications || c.already == c.replications;
                if listed && outside {
                    continue;
                }
                let label = format!("{}  {}", self.policy(policy), self.words(a));
                let mut row = Row {
                    label,
                    bars: Vec::new(),
                    remark: String::new(),
                };
                if outside {
                    row.remark = self.answer(a);
                } else {
                    row.bars.push(Bar {
                        from: c.at,
                        to: c.at,
                        // A quantile that lies before the range is 0.
                        low: if c.low == 0.0 {
                            f64::NEG_INFINITY
                        } else {
                            c.low
                        },
                        high: c.high,
                        colour: policy,
                        label: match c.low.is_nan() || c.high.is_nan() {
                            true => format!("{}, interval not known", self.place(c)),
                            false => self.place(c),
                        },
                    });
                }
                rows.push(row);
            }
        }
        BarChart {
            title: "Break-even traffic".into(),
            subtitle: self.subtitle(),
            x: self.traffic_axis(),
            rows,
            marks: Vec::new(),
            legend: policies.map(|i| (i, self.policy(i).to_owned())).collect(),
            note: format!(
                "Whiskers: 95% interval over {} replications; where none is seen, it is narrower than the point. An end without a stroke lies beyond the range; hollow: no interval is known.",
                self.scenario.replications
            ),
        }
    }

    /// Cost under the paid plan, with the traffic at which each policy pays off.
    fn cost_chart(&self) -> Chart {
        let datum = |c: &Cell| {
            let e = c.estimate("cost_usd");
            Datum {
                x: c.traffic.0 as f64,
                y: e.mean,
                low: e.low(),
                high: e.high(),
            }
        };
        let policies = self.result.cells.iter().enumerate();
        let series = policies.flat_map(|(i, cells)| {
            let points = cells.iter().map(|c| (c, datum(c)));
            costs_of(self.policy(i), i, points)
        });
        let series: Vec<Series> = series.collect();
        let marks = self.result.answers.iter().filter_map(|a| {
            let at = a.crossing.at;
            let pays_off = matches!(a.question, Question::PaysOff(_));
            (pays_off && at > 0.0 && at.is_finite()).then(|| Mark {
                at,
                label: format!(
                    "{} {} at {}",
                    self.policy(a.policy),
                    self.words(a),
                    format::count(at)
                ),
                vertical: true,
                colour: Some(a.policy),
            })
        });
        Chart {
            title: format!(
                "Cost under plan \"{}\", and where it breaks even",
                self.result.paid
            ),
            subtitle: self.subtitle(),
            x: self.traffic_axis(),
            y: axes::cost(&series),
            series,
            marks: marks.collect(),
            note: format!(
                "Bands: 95% confidence over {} replications (Student's t); where none is seen, it is thinner than the line.",
                self.scenario.replications
            ),
        }
    }
}

/// Whether a threshold is crossed nowhere within the range.
fn is_outside(c: &Crossing) -> bool {
    c.never == c.replications || c.already == c.replications
}
