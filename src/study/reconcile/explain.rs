//! Which assumption explains best that more or less was used than projected, one at a time.
//!
//! Each is moved, the others kept, until what is projected is as near as it comes to what was used: by the root
//! of the mean square of the logarithms of their ratio, over all meters. All points have the same random numbers.

use super::certainty::{Certainty, Tried};
use super::project::{log_ratio, of_day, usages};
use crate::models::quantity::{Count, format_duration};
use crate::pricing::{MeterItem, Unit};
use crate::run::scenario::{MOST_TRAFFIC, Scenario};
use crate::study::error::StudyError;
use crate::study::replicate::Work;
use crate::telemetry::policy::{Discover, KeyLayout};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An assumption of the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// More or fewer requests.
    Traffic,
    /// The hit ratio, through the time to live of the cache.
    CacheTtl,
    /// More or fewer isolates.
    Isolates,
    /// Records of a batch and the age at which it is written, together.
    BatchSize,
}

impl Assumption {
    /// All of them.
    pub const ALL: [Assumption; 4] = [
        Assumption::Traffic,
        Assumption::CacheTtl,
        Assumption::Isolates,
        Assumption::BatchSize,
    ];

    /// What a reader calls it.
    pub fn name(self) -> &'static str {
        match self {
            Assumption::Traffic => "traffic",
            Assumption::CacheTtl => "hit ratio (cache TTL)",
            Assumption::Isolates => "isolates",
            Assumption::BatchSize => "batch size",
        }
    }
}

/// How far one assumption goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What is assumed to be otherwise.
    pub assumption: Assumption,
    /// So many times what was assumed.
    pub factor: f64,
    /// The 95% interval of the factor; none from a single whole day.
    pub interval: Option<(f64, f64)>,
    /// The traffic, and the settings that make it so.
    pub traffic: Count,
    /// The settings that make it so, as for `--set`.
    pub settings: Vec<String>,
    /// What remains unexplained over all meters: 0.1 is about 10% each.
    pub remaining: f64,
    /// By meter: what a day uses then.
    pub projected: Vec<(MeterItem, f64)>,
    /// The scenario that has it so.
    pub scenario: Box<Scenario>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// What is unexplained as the scenario is.
    pub before: f64,
    /// The best first.
    pub ranking: Vec<Explanation>,
    /// What could not be tried, with the reason.
    pub untried: Vec<(Assumption, &'static str)>,
}

/// Replications of each point of a search.
const REPLICATIONS: u64 = 2;
/// Steps of the search between the best point of the grid and its neighbours, each a point more.
const STEPS: usize = 12;
/// What a step leaves of the interval: the golden ratio's fraction, for which the point that is kept
/// is where the next step wants one.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Searches every assumption. `actual` is what a day used, by meter; `days` the same of each day.
///
/// # Errors
/// If it was told to stop, or an invariant does not hold.
pub fn explain(
    scenario: &Scenario,
    traffic: Count,
    actual: &[(MeterItem, f64)],
    days: &[Vec<f64>],
    work: &Work,
) -> Result<Explained, StudyError> {
    let search = Search {
        scenario,
        traffic,
        actual,
        days,
        work: work.silently(),
    };
    let (before, projected, _) = search.measure(scenario, traffic)?;
    let logs = projected.iter().zip(actual);
    let logs: Vec<f64> = logs.map(|(p, a)| log_ratio(p.1, a.1)).collect();
    // All meters go with the traffic, more or less: their mean is where to look.
    let by_traffic = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let mut ranking = Vec::new();
    let mut untried = Vec::new();
    for assumption in Assumption::ALL {
        if let Some(reason) = search.hinders(assumption) {
            untried.push((assumption, reason));
            continue;
        }
        let around = match assumption {
            Assumption::Traffic => by_traffic,
            _ => 0.0,
        };
        ranking.push(search.best(assumption, around)?);
    }
    ranking.sort_by(|a, b| a.remaining.total_cmp(&b.remaining));
    Ok(Explained {
        before,
        ranking,
        untried,
    })
}

/// Whether a meter is a flow that the search can be held against.
pub fn is_flow(meter: MeterItem) -> bool {
    meter.unit() != Unit::Bytes && meter.is_simulated()
}

struct Search<'a> {
    scenario: &'a Scenario,
    traffic: Count,
    actual: &'a [(MeterItem, f64)],
    days: &'a [Vec<f64>],
    work: Work<'a>,
}

/// What remains unexplained, what a day uses by meter, and the same in each replication.
type Measured = (f64, Vec<(MeterItem, f64)>, Vec<Vec<f64>>);

/// A scenario with one assumption moved.
struct Moved {
    scenario: Scenario,
    traffic: Count,
    settings: Vec<String>,
}

impl Moved {
    /// Whether it may be run.
    fn is_possible(&self) -> bool {
        self.traffic.0 <= MOST_TRAFFIC.0 && self.scenario.policies[0].validate().is_ok()
    }
}

impl Search<'_> {
    /// Why an assumption cannot be moved.
    fn hinders(&self, assumption: Assumption) -> Option<&'static str> {
        let policy = &self.scenario.policies[0];
        match assumption {
            Assumption::Traffic => None,
            Assumption::CacheTtl => (!policy.cache.enabled || policy.cache.ttl.is_zero())
                .then_some("the policy has no cache"),
            Assumption::Isolates if self.scenario.fleet.life.is_some() => {
                Some("how many there are follows from the traffic")
            }
            Assumption::Isolates => {
                let own = policy.layout.keys == KeyLayout::Rollup
                    && policy.layout.discover == Discover::Own;
                own.then_some("the policy sees the keys of one isolate only")
            }
            Assumption::BatchSize => None,
        }
    }

    /// The scenario with an assumption so many times as large; the factor that whole numbers make of it.
    fn moved(&self, assumption: Assumption, factor: f64) -> (f64, Moved) {
        let mut moved = Moved {
            scenario: self.scenario.clone(),
            traffic: self.traffic,
            settings: Vec::new(),
        };
        let places = self.scenario.fleet.shares().len() as f64;
        let whole = |n: u32| (f64::from(n) * factor).round().clamp(1.0, 1e5);
        let policy = &mut moved.scenario.policies[0];
        let scaled = |d: Duration| {
            Duration::from_millis((d.as_secs_f64() * factor * 1e3).round().max(1.0) as u64)
        };
        let set = |name: &str, d: Duration| format!("{name}=\"{}\"", format_duration(d));
        let mut real = factor;
        match assumption {
            Assumption::Traffic => {
                let n = (self.traffic.0 as f64 * factor).round().max(1.0);
                moved.traffic = Count(n as u64);
            }
            Assumption::CacheTtl => {
                policy.cache.ttl = scaled(policy.cache.ttl);
                moved
                    .settings
                    .push(set("policy.cache.ttl", policy.cache.ttl));
            }
            Assumption::Isolates => {
                let n = whole(self.scenario.fleet.isolates).max(places);
                real = n / f64::from(self.scenario.fleet.isolates);
                moved.scenario.fleet.isolates = n as u32;
                moved.settings.push(format!("fleet.isolates={n}"));
            }
            Assumption::BatchSize => {
                let n = whole(policy.batch.max_records) as u32;
                policy.batch.max_records = n;
                policy.batch.max_age = scaled(policy.batch.max_age);
                policy.batch.buffer_capacity = policy.batch.buffer_capacity.max(n);
                moved.settings.push(format!("policy.batch.max_records={n}"));
                moved
                    .settings
                    .push(set("policy.batch.max_age", policy.batch.max_age));
                let capacity = policy.batch.buffer_capacity;
                if capacity != self.scenario.policies[0].batch.buffer_capacity {
                    moved
                        .settings
                        .push(format!("policy.batch.buffer_capacity={capacity}"));
                }
            }
        }
        (real, moved)
    }

    fn measure(&self, scenario: &Scenario, traffic: Count) -> Result<Measured, StudyError> {
        let usages = usages(scenario, traffic, REPLICATIONS, &self.work)?;
        let mean = |meter| {
            let all = usages.iter().map(|u| of_day(u, meter));
            all.sum::<f64>() / usages.len() as f64
        };
        let projected: Vec<_> = self.actual.iter().map(|(m, _)| (*m, mean(*m))).collect();
        let squares = projected.iter().zip(self.actual);
        let squares = squares.map(|(p, a)| log_ratio(p.1, a.1).powi(2));
        let remaining = (squares.sum::<f64>() / projected.len().max(1) as f64).sqrt();
        let each = usages
            .iter()
            .map(|u| self.actual.iter().map(|(m, _)| of_day(u, *m)).collect());
        Ok((remaining, projected, each.collect()))
    }

    /// A grid of factors around `around` (a logarithm), then steps between the neighbours of the best.
    fn best(&self, assumption: Assumption, around: f64) -> Result<Explanation, StudyError> {
        let octaves = match assumption {
            Assumption::Traffic => [-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0],
            _ => [-6.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0, 6.0],
        };
        let at = |octave: f64| around + octave * std::f64::consts::LN_2;
        let tried = Mutex::new(Vec::new());
        let try_at = |log: f64| -> Result<Explanation, StudyError> {
            let (factor, mut moved) = self.moved(assumption, log.exp());
            let (remaining, projected) = match moved.is_possible() {
                // Beyond what a policy may be, nothing explains anything.
                false => (f64::INFINITY, Vec::new()),
                true => {
                    let measured = self.measure(&moved.scenario, moved.traffic)?;
                    let (remaining, projected, each) = measured;
                    let log = factor.ln();
                    let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
                    tried.push(Tried { log, each });
                    (remaining, projected)
                }
            };
            moved.scenario.traffic_per_month = moved.traffic;
            Ok(Explanation {
                assumption,
                factor,
                interval: None,
                traffic: moved.traffic,
                settings: moved.settings,
                remaining,
                projected,
                scenario: Box::new(moved.scenario),
            })
        };
        let grid = self.work.map(octaves.to_vec(), |o| try_at(at(o)))?;
        let mut first = 0;
        for (i, e) in grid.iter().enumerate() {
            if e.remaining < grid[first].remaining {
                first = i;
            }
        }
        let mut low = at(octaves[first.saturating_sub(1)]);
        let mut high = at(octaves[(first + 1).min(octaves.len() - 1)]);
        let mut best = grid[first].clone();
        // Golden section: of the two points inside, the better one is inside again in the next step.
        let inside =
            |low: f64, high: f64| [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let [mut a, mut b] = inside(low, high);
        let mut at_a = try_at(a)?;
        let mut at_b = try_at(b)?;
        for step in 0..=STEPS {
            for e in [&at_a, &at_b] {
                if e.remaining < best.remaining {
                    best = e.clone();
                }
            }
            if step == STEPS {
                break;
            }
            self.work.go_on()?;
            if at_a.remaining < at_b.remaining {
                high = b;
                (b, at_b) = (a, at_a);
                a = inside(low, high)[0];
                at_a = try_at(a)?;
            } else {
                low = a;
                (a, at_a) = (b, at_b);
                b = inside(low, high)[1];
                at_b = try_at(b)?;
            }
        }
        let tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
        let certainty = Certainty::new(self.actual.iter().map(|a| a.1).collect(), tried);
        best.interval = certainty.interval(best.factor, self.days);
        Ok(best)
    }
}
