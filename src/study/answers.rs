//! What a sweep answers: which policy costs least where, from where on one saves over another, where
//! an allowance ends, what goes wrong.
//!
//! Computed from the cells, where the replications still stand in pairs. A page that shows results
//! words these and decides nothing, so it cannot contradict `compare`.

use super::cheapest::{Reason, Saved, Standing, is_dearer, saved, standings};
use super::savings::{Held, against_first};
use super::stats::Estimate;
use super::sweep::{Cell, crossing_of};
use crate::run::metric::ALLOWANCES;
use serde::{Deserialize, Serialize};

/// The answers of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The plan that was paid for.
    pub plan: String,
    /// The policies, in the order of the sweep.
    pub policies: Vec<String>,
    /// Whether there are replications whose paired differences tell costs apart.
    pub paired: bool,
    /// By level, rising: which policy costs least.
    pub levels: Vec<Level>,
    /// Where one policy costs less than another.
    pub savings: Vec<Saving>,
    /// What each other policy saves against the first at each level, where both do the whole work. Folders of earlier
    /// versions have none.
    #[serde(default)]
    pub saved: Vec<SavedAt>,
    /// What each policy wants of each allowance.
    pub allowances: Vec<Allowance>,
    /// What goes wrong most, by measure, then policy.
    pub troubles: Vec<Trouble>,
    /// From where on it is unknown how many records a policy loses.
    pub loss_unknown: Vec<LossUnknown>,
    /// Measures at both ends of the sweep.
    pub ends: Vec<Ends>,
}

/// Which policy costs least at a traffic level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Requests a month.
    pub traffic: u64,
    /// One, or those that cannot be told apart; none if no policy does the whole work.
    pub least: Vec<String>,
    /// In the order of the policies.
    pub costs: Vec<Cost>,
}

/// What a policy costs at a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The policy's name.
    pub policy: String,
    /// US dollars a month.
    pub usd: f64,
    /// Of the 95% interval; none for one replication.
    pub half_width: Option<f64>,
    /// Why the bill is not for the whole work.
    pub excluded: Option<Reason>,
}

/// Neighbouring levels at which a policy costs less than another, both doing the whole work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saving {
    /// The policy that costs less.
    pub policy: String,
    /// The policy that costs more.
    pub over: String,
    /// Least level, in requests a month.
    pub from: u64,
    /// Greatest level, likewise.
    pub to: u64,
    /// What it saves at the least of these levels and at the greatest; none in folders of earlier versions.
    #[serde(default)]
    pub ends: Option<[SavedAt; 2]>,
}

/// What a policy saves against another at a level, by the paired differences of their replications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedAt {
    /// Requests a month.
    pub traffic: u64,
    /// The policy that saves.
    pub policy: String,
    /// The policy whose bill is the measure.
    pub over: String,
    /// US dollars a month; below 0 where it costs more.
    pub usd: f64,
    /// Of the 95% interval; none for one replication.
    pub usd_half_width: Option<f64>,
    /// The same as a share of the other one's bill; none if that is nothing.
    pub share: Option<f64>,
    /// Of the 95% interval, likewise.
    pub share_half_width: Option<f64>,
}

impl SavedAt {
    fn of(cell: &Cell, over: &Cell) -> Self {
        SavedAt::new(cell, &over.policy, saved(cell, over))
    }

    fn new(cell: &Cell, over: &str, Saved { usd, share }: Saved) -> Self {
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        SavedAt {
            traffic: cell.traffic.0,
            policy: cell.policy.clone(),
            over: over.to_owned(),
            usd: usd.mean,
            usd_half_width: finite(usd.half_width),
            share: finite(share.mean),
            share_half_width: finite(share.half_width),
        }
    }

    /// Dollars a month with their interval.
    pub fn usd(&self) -> Estimate {
        Estimate {
            mean: self.usd,
            half_width: self.usd_half_width.unwrap_or(f64::NAN),
            n: 0,
        }
    }

    /// The share with its interval; without a value if the other one's bill is nothing.
    pub fn share(&self) -> Estimate {
        Estimate {
            mean: self.share.unwrap_or(f64::NAN),
            half_width: self.share_half_width.unwrap_or(f64::NAN),
            n: 0,
        }
    }
}

/// How much of an allowance of the plan a policy wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    /// The policy's name.
    pub policy: String,
    /// What is allowed, such as `reads`.
    pub of: String,
    /// Where the allowance ends; none if it lasts at all levels.
    pub used_up: Option<UsedUp>,
    /// The greatest share.
    pub most: At,
}

/// Where an allowance ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UsedUp {
    /// Requests a month, between two levels by interpolation.
    pub at: f64,
    /// Whether `at` is the least level of the sweep.
    pub everywhere: bool,
}

/// A measure at a level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct At {
    /// Requests a month.
    pub traffic: u64,
    /// The measure there.
    pub value: f64,
}

/// The worst level of a measure of what goes wrong, if anything does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The policy's name.
    pub policy: String,
    /// The measure's name.
    pub measure: String,
    /// Where it is worst.
    pub worst: At,
}

/// From which level on losses cannot be counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossUnknown {
    /// The policy's name.
    pub policy: String,
    /// Requests a month.
    pub from: u64,
}

/// A measure at the least and the greatest level that have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// The policy's name.
    pub policy: String,
    /// The measure's name.
    pub measure: String,
    /// At the least level.
    pub first: At,
    /// At the greatest level.
    pub last: At,
}

/// Measures of what goes wrong.
const TROUBLES: [&str; 4] = [
    "requests_refused_share",
    "kv_quota_exceeded_share",
    "loss_rate",
    "error_rate",
];

/// Measures that are told at both ends.
const ENDS: [&str; 2] = ["hit_ratio", "query_p95_ms"];

/// A cell with its standing among those of its level.
type Stood<'a> = (&'a Cell, Standing);

/// The answers of the cells of a sweep under a plan.
pub fn answers(plan: &str, cells: &[Cell]) -> Answers {
    let mut all: Vec<Stood> = cells.iter().zip(standings(cells)).collect();
    all.sort_by_key(|(cell, _)| cell.traffic);
    let levels: Vec<&[Stood]> = all.chunk_by(|a, b| a.0.traffic == b.0.traffic).collect();
    let first = levels.first().copied().unwrap_or_default();
    let policies: Vec<String> = first.iter().map(|(c, _)| c.policy.clone()).collect();
    let lines = Lines {
        cells: all.iter().map(|(c, _)| *c).collect(),
        policies: &policies,
    };
    Answers {
        plan: plan.to_owned(),
        paired: cells.iter().all(|c| c.replications.len() > 1),
        levels: levels.iter().map(|stood| level(stood)).collect(),
        savings: savings(&levels, &policies),
        saved: saved_against_first(cells),
        allowances: lines.allowances(),
        troubles: lines.troubles(),
        loss_unknown: loss_unknown(&all, &policies),
        ends: lines.ends(),
        policies,
    }
}

fn level(stood: &[Stood]) -> Level {
    let least = |(_, standing): &&Stood| matches!(standing, Standing::Least | Standing::Tied);
    let cost = |(cell, standing): &Stood| {
        let cost = cell.estimate("cost_usd");
        Cost {
            policy: cell.policy.clone(),
            usd: cost.mean,
            half_width: Some(cost.half_width).filter(|h| h.is_finite()),
            excluded: standing.excluded(),
        }
    };
    Level {
        traffic: stood[0].0.traffic.0,
        least: (stood.iter().filter(least).map(|(c, _)| c.policy.clone())).collect(),
        costs: stood.iter().map(cost).collect(),
    }
}

/// What each other policy saves against the first at each level, in the order of the cells, where both do the whole
/// work.
pub fn saved_against_first(cells: &[Cell]) -> Vec<SavedAt> {
    let Some(first) = cells.first().map(|c| c.policy.as_str()) else {
        return Vec::new();
    };
    let held = against_first(cells).into_iter();
    held.filter_map(|(cell, held)| match held {
        Held::Saves(saved) => Some(SavedAt::new(cell, first, saved)),
        Held::Excluded(..) => None,
    })
    .collect()
}

/// The cells of two policies at a level, if both do the whole work.
fn pair<'a>(stood: &[Stood<'a>], policy: &str, over: &str) -> Option<(&'a Cell, &'a Cell)> {
    let able = |name: &str| {
        let of = stood.iter().find(|(c, _)| c.policy == name)?;
        of.1.excluded().is_none().then_some(of.0)
    };
    able(policy).zip(able(over))
}

/// Every pair of policies, one over the other.
fn savings(levels: &[&[Stood]], policies: &[String]) -> Vec<Saving> {
    let mut all = Vec::new();
    for policy in policies {
        for over in policies.iter().filter(|o| *o != policy) {
            let is_less = |stood: &&[Stood]| {
                pair(stood, policy, over).is_some_and(|(mine, others)| is_dearer(others, mine))
            };
            let end = |stood: &[Stood]| {
                pair(stood, policy, over).map(|(mine, others)| SavedAt::of(mine, others))
            };
            let stretches = levels.chunk_by(|a, b| is_less(a) == is_less(b));
            all.extend(stretches.filter(|s| is_less(&s[0])).map(|s| {
                let (first, last) = (s[0], s[s.len() - 1]);
                Saving {
                    policy: policy.clone(),
                    over: over.clone(),
                    from: first[0].0.traffic.0,
                    to: last[0].0.traffic.0,
                    ends: end(first).zip(end(last)).map(|(a, b)| [a, b]),
                }
            }));
        }
    }
    all
}

fn loss_unknown(all: &[Stood], policies: &[String]) -> Vec<LossUnknown> {
    let unknown = |policy: &String| {
        let is_unknown = |(cell, standing): &&Stood| {
            cell.policy == *policy && standing.excluded() == Some(Reason::LossUnknown)
        };
        let (cell, _) = all.iter().find(is_unknown)?;
        Some(LossUnknown {
            policy: policy.clone(),
            from: cell.traffic.0,
        })
    };
    policies.iter().filter_map(unknown).collect()
}

/// Measures along the traffic, which rises.
struct Lines<'a> {
    cells: Vec<&'a Cell>,
    policies: &'a [String],
}

impl Lines<'_> {
    /// A measure of a policy at each level that has it.
    fn line(&self, policy: &str, measure: &str) -> Vec<At> {
        let mine = self.cells.iter().filter(|c| c.policy == policy);
        line(mine.copied(), measure)
    }

    fn allowances(&self) -> Vec<Allowance> {
        let mut all = Vec::new();
        for policy in self.policies {
            for (measure, of) in ALLOWANCES {
                let line = self.line(policy, measure);
                all.extend(most(&line).map(|most| Allowance {
                    policy: policy.clone(),
                    of: of.to_owned(),
                    used_up: used_up_on(&line),
                    most,
                }));
            }
        }
        all
    }

    fn troubles(&self) -> Vec<Trouble> {
        let mut all = Vec::new();
        for measure in TROUBLES {
            for policy in self.policies {
                let worst = most(&self.line(policy, measure)).filter(|w| w.value > 0.0);
                all.extend(worst.map(|worst| Trouble {
                    policy: policy.clone(),
                    measure: measure.to_owned(),
                    worst,
                }));
            }
        }
        all
    }

    fn ends(&self) -> Vec<Ends> {
        let mut all = Vec::new();
        for measure in ENDS {
            for policy in self.policies {
                let line = self.line(policy, measure);
                let ends = line.first().zip(line.last());
                all.extend(ends.map(|(first, last)| Ends {
                    policy: policy.clone(),
                    measure: measure.to_owned(),
                    first: *first,
                    last: *last,
                }));
            }
        }
        all
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a Cell>, measure: &str) -> Vec<At> {
    let at = cells.map(|cell| At {
        traffic: cell.traffic.0,
        value: cell.estimate(measure).mean,
    });
    at.filter(|at| at.value.is_finite()).collect()
}

fn most(line: &[At]) -> Option<At> {
    line.iter()
        .copied()
        .max_by(|a, b| a.value.total_cmp(&b.value))
}

/// Where a policy has used up what a measure of [`ALLOWANCES`] is of; its cells, the traffic rising.
pub fn used_up(cells: &[&Cell], measure: &str) -> Option<UsedUp> {
    used_up_on(&line(cells.iter().copied(), measure))
}

fn used_up_on(line: &[At]) -> Option<UsedUp> {
    let first = line.first()?;
    if first.value >= 1.0 {
        return Some(UsedUp {
            at: first.traffic as f64,
            everywhere: true,
        });
    }
    let points: Vec<(f64, f64)> = line.iter().map(|p| (p.traffic as f64, p.value)).collect();
    crossing_of(&points, 1.0).map(|at| UsedUp {
        at,
        everywhere: false,
    })
}
