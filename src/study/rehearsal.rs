//! The first hours after a deployment, judged by a checklist.

use super::cheapest::{BOUNDED, Reason, why_excluded};
use super::error::StudyError;
use super::replicate::Work;
use super::stats::Estimate;
use super::sweep::Cell;
use super::timeline::{Step, Timeline, observe_all};
use crate::models::quantity::{Count, Probability};
use crate::models::{FieldError, Model};
use crate::run::metric;
use crate::run::scenario::Scenario;
use crate::run::series;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A checklist; data in `models/checklists`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// What it is, in one line.
    pub title: String,
    /// The document that it is from.
    pub source: String,
    /// Its lines, in the order of the document.
    #[serde(rename = "item")]
    pub items: Vec<Item>,
}

/// One line of a checklist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The heading under which it stands.
    pub section: String,
    /// As the document has it.
    pub quote: String,
    /// How it is judged.
    pub judge: Judge,
}

/// How an item is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Judge {
    /// A measure of the whole time is below or above a bound.
    Bound {
        /// A name from [`metric::METRICS`].
        measure: String,
        /// A column of the series that tells when the bound was broken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
        /// What the measure has to be below, in its own unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        below: Option<f64>,
        /// What the measure has to be above, in its own unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        above: Option<f64>,
    },
    /// The scenario's alert rules: whether any fires.
    Alerts,
    /// Measures to be looked at; there is no bound.
    Review {
        /// Names from [`metric::METRICS`].
        measures: Vec<String>,
    },
    /// The bill of the time, scaled to a month, against what was projected.
    Cost {
        /// The document's projection for `at_traffic` requests a month; the rehearsal has to be
        /// at that traffic.
        stated_usd: f64,
        /// Requests a month that the projection is for.
        at_traffic: Count,
        /// How far off a projection may be, as a share of it.
        tolerance: Probability,
    },
    /// Nothing that a simulation could tell.
    NotTestable {
        /// Why not.
        reason: String,
    },
}

/// What a rehearsal says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It holds.
    Met,
    /// It does not hold.
    NotMet,
    /// The confidence interval holds the bound.
    Undecided,
    /// For a person to judge.
    Review,
    /// No simulation could tell.
    NotTestable,
}

impl Verdict {
    /// All verdicts, in the order of the summary.
    pub const ALL: [Verdict; 5] = [
        Verdict::Met,
        Verdict::NotMet,
        Verdict::Undecided,
        Verdict::Review,
        Verdict::NotTestable,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::NotMet => "not met",
            Verdict::Undecided => "undecided",
            Verdict::Review => "for review",
            Verdict::NotTestable => "not testable",
        }
    }
}

/// A judged item, with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The heading under which it stands.
    pub section: String,
    /// What the checklist says, word for word.
    pub quote: String,
    /// What the rehearsal says of it.
    pub verdict: Verdict,
    /// Measures looked at.
    pub found: Vec<(String, Estimate)>,
    /// The bound with its sign, such as "< 500".
    pub bound: Option<String>,
    /// Share of the intervals in which the bound was broken, over all replications.
    pub broken_share: Option<f64>,
    /// End of the first such interval in the mean series, in seconds from the deployment.
    pub first_broken_s: Option<f64>,
    /// Why, where a number does not say it.
    pub reason: String,
}

impl Model for Checklist {
    const FOLDER: &'static str = "checklists";

    fn validate(&self) -> Result<(), FieldError> {
        let known = |i: usize, field: &str, name: &str, good: bool, what: &str| {
            if good {
                return Ok(());
            }
            Err(FieldError::new(
                format!("item[{i}].judge.{field}"),
                format!("found \"{name}\", expected {what}"),
            ))
        };
        let measure = |i, field: &str, name: &str| {
            let good = metric::index_of(name).is_some();
            known(i, field, name, good, "a column of sweep.csv")
        };
        for (i, item) in self.items.iter().enumerate() {
            match &item.judge {
                Judge::Bound {
                    measure: name,
                    series: column,
                    below,
                    above,
                } => {
                    measure(i, "measure", name)?;
                    if let Some(c) = column {
                        let good = series::COLUMNS.iter().any(|known| known.name == c);
                        known(i, "series", c, good, "a column of series.csv")?;
                    }
                    if below.is_some() == above.is_some() {
                        return Err(FieldError::new(
                            format!("item[{i}].judge"),
                            "found both or none of `below` and `above`, expected one of the two",
                        ));
                    }
                }
                Judge::Review { measures } => {
                    for name in measures {
                        measure(i, "measures", name)?;
                    }
                }
                Judge::Cost { stated_usd, .. } => {
                    let good = stated_usd.is_finite() && *stated_usd >= 0.0;
                    known(i, "stated_usd", &stated_usd.to_string(), good, "0 or more")?;
                }
                Judge::Alerts | Judge::NotTestable { .. } => {}
            }
        }
        Ok(())
    }
}

/// What a rehearsal of one policy found.
pub struct Rehearsal {
    /// All replications over time.
    pub timeline: Timeline,
    /// All measures of the time: what was refused and lost stands beside its bill.
    pub cell: Cell,
    /// In the order of the checklist.
    pub judged: Vec<Judged>,
}

/// The scenario as it is right after a deployment: an empty KV, no isolate warm, no history,
/// for `length` from a Monday, 00:00 UTC.
pub fn after_deployment(scenario: &Scenario, length: Duration) -> Scenario {
    let mut first = scenario.clone();
    first.period.history = Duration::ZERO;
    first.period.warm_up = Duration::ZERO;
    first.period.at_least = length;
    first.period.at_most = length;
    first.period.whole_days = false;
    first
}

/// Simulates the first `length` after a deployment with each policy, and judges it.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn rehearse(
    first: &Scenario,
    checklist: &Checklist,
    traffic: Count,
    interval: Duration,
    work: &Work,
) -> Result<Vec<Rehearsal>, StudyError> {
    let timelines = observe_all(first, traffic, interval, 0, work)?;
    let judge = |timeline: Timeline| {
        let cell = timeline.cell(first, traffic);
        let items = checklist.items.iter();
        Rehearsal {
            judged: items
                .map(|item| judged(item, first, &timeline, &cell))
                .collect(),
            timeline,
            cell,
        }
    };
    Ok(timelines.into_iter().map(judge).collect())
}

fn judged(item: &Item, first: &Scenario, timeline: &Timeline, cell: &Cell) -> Judged {
    let mut judged = Judged {
        section: item.section.clone(),
        quote: item.quote.clone(),
        verdict: Verdict::Review,
        found: Vec::new(),
        bound: None,
        broken_share: None,
        first_broken_s: None,
        reason: String::new(),
    };
    let find = |name: &str| (name.to_owned(), cell.estimate(name));
    match &item.judge {
        Judge::NotTestable { reason } => {
            judged.verdict = Verdict::NotTestable;
            judged.reason = reason.clone();
        }
        Judge::Review { measures } => judged.found = measures.iter().map(|m| find(m)).collect(),
        Judge::Alerts => {
            let alerts = timeline.alerts(first);
            let runs = timeline.observed.len();
            let mut names: Vec<String> = alerts
                .iter()
                .map(|(_, a)| a.worst.metric.to_string())
                .collect();
            names.sort();
            names.dedup();
            judged.reason = format!(
                "the document's thresholds raised {} alerts in {runs} replications: {}",
                alerts.len(),
                if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                }
            );
        }
        Judge::Bound {
            measure,
            series,
            below,
            above,
        } => {
            let found = find(measure);
            let (bound, sign) = below.map_or((above.unwrap_or(0.0), ">"), |b| (b, "<"));
            judged.verdict = verdict(found.1, bound, below.is_some());
            judged.bound = Some(format!("{sign} {bound}"));
            judged.found = vec![found];
            if let Some(column) = series {
                let broken = |v: f64| {
                    if below.is_some() {
                        v >= bound
                    } else {
                        v <= bound
                    }
                };
                let index = series::column(column);
                // All replications together: a percentile of one in an interval rests on too few calls.
                let steps = &timeline.steps;
                let values = steps.iter().map(|s| (s, s.estimates[index].mean));
                let known: Vec<(&Step, f64)> = values.filter(|k| !k.1.is_nan()).collect();
                let of_broken = || known.iter().filter(|k| broken(k.1));
                if known.is_empty() {
                    judged.reason = format!("no interval has enough calls for {column}");
                } else {
                    let n = of_broken().count();
                    judged.broken_share = Some(n as f64 / known.len() as f64);
                }
                let first_broken = of_broken().next().map(|k| k.0);
                judged.first_broken_s = first_broken.map(|s| s.end_s);
            }
        }
        Judge::Cost {
            stated_usd,
            at_traffic,
            tolerance,
        } => {
            let cost = cell.estimate("cost_usd");
            judged.found = vec![("cost_usd".into(), cost)];
            // What the bill is not for.
            judged.found.extend(BOUNDED.map(find));
            if *at_traffic != cell.traffic {
                judged.verdict = Verdict::NotTestable;
                judged.reason = format!(
                    "the document projects {at_traffic} requests a month, this is a rehearsal of {}",
                    cell.traffic
                );
            } else {
                let slack = stated_usd * tolerance.get();
                let over = verdict(cost, stated_usd + slack, true);
                let under = verdict(cost, stated_usd - slack, false);
                judged.verdict = over.max(under);
                judged.bound = Some(format!("{stated_usd} ± {slack:.3}"));
                judged.reason = "the bill of the time, scaled to a month of 30 days".into();
                judged.verdict = match why_excluded(cell) {
                    None => judged.verdict,
                    Some(Reason::LossUnknown | Reason::ShortHistory) => {
                        judged.verdict.max(Verdict::Undecided)
                    }
                    Some(_) => Verdict::NotMet,
                };
                if why_excluded(cell).is_some() {
                    judged.reason.push_str(", which is not for the whole work");
                }
            }
        }
    }
    judged
}

/// Whether a value is below (or above) a bound, as far as its interval tells.
fn verdict(e: Estimate, bound: f64, below: bool) -> Verdict {
    let (worst, best) = if below {
        (e.high(), e.low())
    } else {
        (e.low(), e.high())
    };
    let holds = |v: f64| if below { v < bound } else { v > bound };
    if e.mean.is_nan() {
        Verdict::NotTestable
    } else if e.half_width.is_nan() {
        Verdict::Undecided
    } else if holds(worst) {
        Verdict::Met
    } else if holds(best) {
        Verdict::Undecided
    } else {
        Verdict::NotMet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::load;

    #[test]
    fn the_verdict_follows_the_interval() {
        let e = |values: &[f64]| Estimate::of(values.iter().copied());
        assert_eq!(verdict(e(&[1.0, 1.1, 0.9]), 2.0, true), Verdict::Met);
        assert_eq!(verdict(e(&[1.0, 1.1, 0.9]), 1.0, true), Verdict::Undecided);
        assert_eq!(verdict(e(&[1.0, 1.1, 0.9]), 0.5, true), Verdict::NotMet);
        assert_eq!(verdict(e(&[1.0, 1.1, 0.9]), 0.5, false), Verdict::Met);
        assert_eq!(verdict(e(&[1.0, 1.1, 0.9]), 2.0, false), Verdict::NotMet);
        assert_eq!(verdict(e(&[1.0]), 2.0, true), Verdict::Undecided);
        assert_eq!(verdict(e(&[]), 2.0, true), Verdict::NotTestable);
    }

    #[test]
    fn a_checklist_that_names_what_is_not_there_is_refused() {
        let mut list: Checklist = load("load-testing", None, &[]).unwrap();
        let bound = |measure: &str, above| Judge::Bound {
            measure: measure.into(),
            series: None,
            below: Some(1.0),
            above,
        };
        list.items[0].judge = bound("speed", None);
        assert_eq!(list.validate().unwrap_err().field, "item[0].judge.measure");
        list.items[0].judge = bound("hit_ratio", Some(0.5));
        assert_eq!(list.validate().unwrap_err().field, "item[0].judge");
        list.items[0].judge = bound("hit_ratio", None);
        list.validate().unwrap();
    }

    /// A day of a workload without queries: nothing to cache, nothing to wait for, one write
    /// for each request.
    #[test]
    fn items_are_judged_by_what_happened() {
        let policies = ["naive".to_owned()];
        let mut scenario = Scenario::load("default", &policies, None, &[]).unwrap();
        scenario.replications = 3;
        scenario.workload.analytics_queries = Default::default();
        let first = after_deployment(&scenario, Duration::from_secs(6 * 3_600));
        assert_eq!(
            first.horizon(Count(1_000_000)),
            Duration::from_secs(6 * 3_600)
        );
        let checklist: Checklist = load("load-testing", None, &[]).unwrap();
        let hour = Duration::from_secs(3_600);
        let rehearsals = rehearse(
            &first,
            &checklist,
            Count(1_000_000),
            hour,
            &Work::unwatched(),
        )
        .unwrap();
        let of = |quote: &str| {
            let mut all = rehearsals[0].judged.iter();
            all.find(|j| j.quote.contains(quote)).unwrap()
        };
        // No cache: there is no hit ratio.
        assert_eq!(of("Confirm cache hit rates").verdict, Verdict::NotTestable);
        // A write and a read for each of 33,333 requests a day, and a read a minute.
        assert_eq!(of("operation counts").verdict, Verdict::Met);
        let operations = of("operation counts").found[0].1.mean;
        assert!((operations - 68_100.0).abs() < 2_000.0, "{operations}");
        assert_eq!(of("for analytics").verdict, Verdict::NotTestable);
        // One write a second to a key: more are refused.
        let errors = of("error rates");
        assert_eq!(
            (errors.verdict, errors.broken_share),
            (Verdict::NotMet, Some(1.0))
        );
        assert_eq!(errors.first_broken_s, Some(3_600.0));
        // The plan's fee alone is more than the document's bill.
        assert_eq!(of("cost projections").verdict, Verdict::NotMet);
        assert_eq!(of("npm run deploy").verdict, Verdict::NotTestable);
    }
}
