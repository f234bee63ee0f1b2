//! Which inputs move a measure most: one at a time, by elementary effects, and by variance.

use super::metric::METRICS;
use super::scenario::Scenario;
use super::simulate::{Point, simulate};
use super::stats::Estimate;
use super::sweep::SweepError;
use crate::config::quantity::Count;
use crate::config::{ConfigError, FieldError, Model, Override};
use crate::sim::random::Streams;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// Inputs with their ranges; data in `models/sensitivities`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    pub title: String,
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    /// Path of the field, as for `--set`.
    pub field: String,
    /// Written after the number; none for a bare number.
    #[serde(default)]
    pub unit: String,
    pub low: f64,
    pub base: f64,
    pub high: f64,
    /// On which scale the range is even.
    pub scale: InputScale,
    /// Whether only whole numbers are allowed.
    #[serde(default)]
    pub integer: bool,
    /// Why this range, where nothing is published.
    #[serde(default)]
    pub assumed: Option<String>,
    /// Where the range comes from.
    #[serde(default)]
    pub source: Option<String>,
}

/// The scale of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputScale {
    Linear,
    Log,
}

impl Model for Inputs {
    const FOLDER: &'static str = "sensitivities";

    fn validate(&self) -> Result<(), FieldError> {
        if self.inputs.is_empty() {
            return Err(FieldError::new(
                "input",
                "found none, expected at least one",
            ));
        }
        for (i, input) in self.inputs.iter().enumerate() {
            let fail = |field: &str, message: String| {
                Err(FieldError::new(format!("input[{i}].{field}"), message))
            };
            let (low, base, high) = (input.low, input.base, input.high);
            if !(low <= base && base <= high && low < high && high.is_finite()) {
                return fail(
                    "base",
                    format!(
                        "found low {low}, base {base}, high {high}, expected them in this order"
                    ),
                );
            }
            if input.scale == InputScale::Log && low <= 0.0 {
                return fail(
                    "low",
                    format!("found {low}, expected more than 0 on a log scale"),
                );
            }
            if input.assumed.is_none() && input.source.is_none() {
                return fail(
                    "source",
                    "found none, expected a source, or why it is assumed".into(),
                );
            }
        }
        Ok(())
    }
}

impl Inputs {
    /// The same inputs with another base for one field, whose range keeps its factors.
    pub fn with_base(mut self, field: &str, base: f64) -> Self {
        for input in self
            .inputs
            .iter_mut()
            .filter(|i| i.field == field && i.base > 0.0)
        {
            let factor = base / input.base;
            input.base = base;
            for end in [&mut input.low, &mut input.high] {
                *end *= factor;
                if input.integer {
                    *end = end.round().max(1.0);
                }
            }
        }
        self
    }

    /// The settings of the base.
    pub fn at_base(&self) -> Vec<Override> {
        self.inputs.iter().map(|i| i.set(i.base)).collect()
    }
}

impl Input {
    /// The value at a share of the range, 0 to 1.
    pub fn at(&self, share: f64) -> f64 {
        let value = match self.scale {
            InputScale::Linear => self.low + (self.high - self.low) * share,
            InputScale::Log => self.low * (self.high / self.low).powf(share),
        };
        if self.integer { value.round() } else { value }
    }

    /// A value as it is written.
    pub fn text(&self, value: f64) -> String {
        format!(
            "{value}{}{}",
            if self.unit.starts_with('/') { "" } else { " " },
            self.unit
        )
        .trim_end()
        .to_owned()
    }

    fn set(&self, value: f64) -> Override {
        let toml = if !self.unit.is_empty() {
            toml::Value::String(self.text(value))
        } else if self.integer {
            toml::Value::Integer(value as i64)
        } else {
            toml::Value::Float(value)
        };
        Override {
            text: format!("input \"{}\" = {}", self.name, self.text(value)),
            path: self.field.split('.').map(str::to_owned).collect(),
            value: toml,
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Position of the measure in [`METRICS`].
    pub metric: usize,
    pub replications: u32,
    pub seed: u64,
    /// Trajectories of Morris' method; 0 for none.
    pub trajectories: u32,
    /// Rows of Saltelli's design; 0 for none.
    pub rows: u32,
}

/// Loads the scenario with these fields set.
pub type Load<'a> = &'a (dyn Fn(&[Override]) -> Result<Scenario, ConfigError> + Sync);

/// Why there is no result.
#[derive(Debug)]
pub enum SensitivityError {
    Config(ConfigError),
    Sweep(SweepError),
}

/// One input varied by itself.
#[derive(Debug, Clone, Copy)]
pub struct OneAtATime {
    /// The measure with the input at its low and high end, the others at their base.
    pub at_low: Estimate,
    pub at_high: Estimate,
    /// What it is more than at the base: paired differences.
    pub low_effect: Estimate,
    pub high_effect: Estimate,
    /// What it is more at the high end than at the low: paired differences.
    pub swing: Estimate,
}

/// Elementary effects of an input, per whole range.
#[derive(Debug, Clone, Copy)]
pub struct Effects {
    /// Mean of the magnitudes: how much it matters.
    pub mu_star: Estimate,
    /// Mean: in which direction.
    pub mu: f64,
    /// Standard deviation: how much it depends on the others, or is not linear.
    pub sigma: f64,
}

/// A share of variance with its bootstrapped 95% interval.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Sobol indices of an input.
#[derive(Debug, Clone, Copy)]
pub struct Indices {
    /// By itself.
    pub first: Share,
    /// With all its interactions.
    pub total: Share,
}

/// The results, by input.
#[derive(Debug, Clone)]
pub struct Sensitivity {
    pub base: Estimate,
    pub one_at_a_time: Vec<OneAtATime>,
    pub morris: Option<Vec<Effects>>,
    pub sobol: Option<Vec<Indices>>,
}

/// How often `finished` will be called.
pub fn steps(inputs: &Inputs, settings: &Settings) -> u64 {
    let k = inputs.inputs.len() as u64;
    (2 * k + 1) * u64::from(settings.replications)
        + u64::from(settings.trajectories) * (k + 1)
        + u64::from(settings.rows) * (k + 2)
}

/// Runs all analyses that the settings ask for. All points of a replication, of a trajectory and
/// of a row have common random numbers, so that what differs is the inputs' doing.
pub fn sensitivity(
    inputs: &Inputs,
    load: Load,
    settings: &Settings,
    finished: &(dyn Fn() + Sync),
    stop: &AtomicBool,
) -> Result<Sensitivity, SensitivityError> {
    let model = Simulated {
        inputs: &inputs.inputs,
        load,
        metric: settings.metric,
        finished,
        stop,
    };
    let streams = Streams::new(settings.seed, 0);
    let k = inputs.inputs.len();
    let (base, one_at_a_time) = model.one_at_a_time(settings.replications)?;
    let morris = if settings.trajectories == 0 {
        None
    } else {
        let mut rng = streams.stream("sensitivity.morris");
        let design = morris_design(k, settings.trajectories as usize, &mut rng);
        let values = model.rows(&design.iter().map(|t| t.points.clone()).collect::<Vec<_>>())?;
        Some(morris_effects(k, &design, &values))
    };
    let sobol = if settings.rows == 0 {
        None
    } else {
        let mut rng = streams.stream("sensitivity.sobol");
        let design = saltelli_design(k, settings.rows as usize, &mut rng);
        let values = model.rows(&design)?;
        let mut rng = streams.stream("sensitivity.bootstrap");
        Some(sobol_indices(k, &values, &mut rng))
    };
    Ok(Sensitivity {
        base,
        one_at_a_time,
        morris,
        sobol,
    })
}

/// The measure as a function of the inputs.
struct Simulated<'a> {
    inputs: &'a [Input],
    load: Load<'a>,
    metric: usize,
    finished: &'a (dyn Fn() + Sync),
    stop: &'a AtomicBool,
}

impl Simulated<'_> {
    fn measure(&self, values: &[f64], replication: u64) -> Result<f64, SensitivityError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(SensitivityError::Sweep(SweepError::Interrupted));
        }
        let settings: Vec<Override> = self
            .inputs
            .iter()
            .zip(values)
            .map(|(i, v)| i.set(*v))
            .collect();
        let scenario = (self.load)(&settings).map_err(SensitivityError::Config)?;
        let traffic = Count(scenario.traffic_per_month.0.max(1));
        let point = Point {
            scenario: &scenario,
            policy: &scenario.policies[0],
            traffic,
            replication,
        };
        let result =
            simulate(&point).map_err(|e| SensitivityError::Sweep(SweepError::Broken(e)))?;
        (self.finished)();
        Ok(METRICS[self.metric].value(&result))
    }

    fn one_at_a_time(
        &self,
        replications: u32,
    ) -> Result<(Estimate, Vec<OneAtATime>), SensitivityError> {
        let base: Vec<f64> = self.inputs.iter().map(|i| i.base).collect();
        let mut points = vec![base.clone()];
        for (i, input) in self.inputs.iter().enumerate() {
            for value in [input.low, input.high] {
                let mut point = base.clone();
                point[i] = value;
                points.push(point);
            }
        }
        let n = u64::from(replications);
        let jobs: Vec<(&Vec<f64>, u64)> = points
            .iter()
            .flat_map(|p| (0..n).map(move |r| (p, r)))
            .collect();
        let values: Vec<f64> = jobs
            .par_iter()
            .with_max_len(1)
            .map(|(point, r)| self.measure(point, *r))
            .collect::<Result<_, _>>()?;
        let of: Vec<&[f64]> = values.chunks(n as usize).collect();
        let mean = |v: &[f64]| Estimate::of(v.iter().copied());
        let more = |a: &[f64], b: &[f64]| Estimate::of(a.iter().zip(b).map(|(a, b)| a - b));
        let of_input = |i: usize| {
            let (low, high) = (of[1 + 2 * i], of[2 + 2 * i]);
            OneAtATime {
                at_low: mean(low),
                at_high: mean(high),
                low_effect: more(low, of[0]),
                high_effect: more(high, of[0]),
                swing: more(high, low),
            }
        };
        Ok((mean(of[0]), (0..self.inputs.len()).map(of_input).collect()))
    }

    /// The measure at every point of every row (shares of the ranges); row `r` is replication `r`.
    fn rows(&self, rows: &[Vec<Vec<f64>>]) -> Result<Vec<Vec<f64>>, SensitivityError> {
        let jobs: Vec<(usize, &Vec<f64>)> = rows
            .iter()
            .enumerate()
            .flat_map(|(r, points)| points.iter().map(move |p| (r, p)))
            .collect();
        let values: Vec<f64> = jobs
            .par_iter()
            .with_max_len(1)
            .map(|(r, shares)| {
                let inputs = self.inputs.iter().zip(*shares);
                let values: Vec<f64> = inputs.map(|(i, s)| i.at(*s)).collect();
                self.measure(&values, *r as u64)
            })
            .collect::<Result<_, _>>()?;
        let width = rows.first().map_or(1, Vec::len);
        Ok(values.chunks(width).map(<[f64]>::to_vec).collect())
    }
}

/// A walk through the unit cube that changes each input once.
#[derive(Debug, Clone)]
pub struct Trajectory {
    /// One more than there are inputs.
    pub points: Vec<Vec<f64>>,
    /// Which input each step changes, and by how much.
    pub steps: Vec<(usize, f64)>,
}

/// Levels of the grid on which trajectories walk, and the length of a step: half of the levels.
const LEVELS: u32 = 4;
const STEP: f64 = LEVELS as f64 / (2.0 * (LEVELS as f64 - 1.0));

/// Morris' design: trajectories from random grid points, inputs in random order. Morris,
/// "Factorial sampling plans for preliminary computational experiments", Technometrics 33 (1991).
pub fn morris_design(inputs: usize, trajectories: usize, rng: &mut impl Rng) -> Vec<Trajectory> {
    (0..trajectories)
        .map(|_| {
            let grid = |level: u32| f64::from(level) / f64::from(LEVELS - 1);
            let mut at: Vec<f64> = (0..inputs)
                .map(|_| grid(rng.random_range(0..LEVELS)))
                .collect();
            let mut order: Vec<usize> = (0..inputs).collect();
            for i in (1..inputs).rev() {
                order.swap(i, rng.random_range(0..=i));
            }
            let mut points = vec![at.clone()];
            let mut steps = Vec::new();
            for i in order {
                // From each grid point just one of the two directions stays inside.
                let step = if at[i] + STEP <= 1.0 + 1e-9 {
                    STEP
                } else {
                    -STEP
                };
                at[i] += step;
                points.push(at.clone());
                steps.push((i, step));
            }
            Trajectory { points, steps }
        })
        .collect()
}

/// Elementary effects from the values at the points of each trajectory. The magnitude mu* is from
/// Campolongo, Cariboni and Saltelli, Environmental Modelling & Software 22 (2007).
pub fn morris_effects(inputs: usize, design: &[Trajectory], values: &[Vec<f64>]) -> Vec<Effects> {
    let mut effects: Vec<Vec<f64>> = vec![Vec::new(); inputs];
    for (trajectory, y) in design.iter().zip(values) {
        for (s, (input, step)) in trajectory.steps.iter().enumerate() {
            effects[*input].push((y[s + 1] - y[s]) / step);
        }
    }
    effects
        .iter()
        .map(|e| {
            let plain = Estimate::of(e.iter().copied());
            let squares: f64 = e.iter().map(|x| (x - plain.mean).powi(2)).sum();
            Effects {
                mu_star: Estimate::of(e.iter().map(|x| x.abs())),
                mu: plain.mean,
                sigma: (squares / (e.len().max(2) - 1) as f64).sqrt(),
            }
        })
        .collect()
}

/// Saltelli's design: in each row two random points A and B, then A with one input of B, for each.
pub fn saltelli_design(inputs: usize, rows: usize, rng: &mut impl Rng) -> Vec<Vec<Vec<f64>>> {
    (0..rows)
        .map(|_| {
            let mut point = || -> Vec<f64> { (0..inputs).map(|_| rng.random()).collect() };
            let (a, b) = (point(), point());
            let mixed = (0..inputs).map(|i| {
                let mut p = a.clone();
                p[i] = b[i];
                p
            });
            let mixed: Vec<Vec<f64>> = mixed.collect();
            [a, b].into_iter().chain(mixed).collect()
        })
        .collect()
}

const BOOTSTRAPS: usize = 1_000;

/// Sobol indices by Jansen's estimators, with percentile intervals over bootstrapped rows. Jansen,
/// Computer Physics Communications 117 (1999); Saltelli et al., ibid. 181 (2010).
pub fn sobol_indices(inputs: usize, values: &[Vec<f64>], rng: &mut impl Rng) -> Vec<Indices> {
    let n = values.len();
    let everything: Vec<usize> = (0..n).collect();
    let estimates = jansen(inputs, values, &everything);
    let resampled: Vec<Vec<(f64, f64)>> = (0..BOOTSTRAPS)
        .map(|_| {
            let rows: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
            jansen(inputs, values, &rows)
        })
        .collect();
    let share = |i: usize, get: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = resampled.iter().map(|r| get(&r[i])).collect();
        all.sort_by(f64::total_cmp);
        let at = |p: f64| all[((all.len() - 1) as f64 * p).round() as usize];
        Share {
            value: get(&estimates[i]),
            low: at(0.025),
            high: at(0.975),
        }
    };
    (0..inputs)
        .map(|i| Indices {
            first: share(i, |e| e.0),
            total: share(i, |e| e.1),
        })
        .collect()
}

/// First and total index of each input from these rows.
fn jansen(inputs: usize, values: &[Vec<f64>], rows: &[usize]) -> Vec<(f64, f64)> {
    let n = rows.len() as f64;
    let ends = || rows.iter().flat_map(|r| [values[*r][0], values[*r][1]]);
    let mean = ends().sum::<f64>() / (2.0 * n);
    let variance = ends().map(|y| (y - mean).powi(2)).sum::<f64>() / (2.0 * n - 1.0);
    let half_squares = |a: usize, b: usize| {
        let squares = rows.iter().map(|r| (values[*r][a] - values[*r][b]).powi(2));
        squares.sum::<f64>() / (2.0 * n)
    };
    (0..inputs)
        .map(|i| {
            let first = 1.0 - half_squares(1, 2 + i) / variance;
            let total = half_squares(0, 2 + i) / variance;
            (first, total)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn evaluate(rows: &[Vec<Vec<f64>>], f: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
        let row = |points: &Vec<Vec<f64>>| points.iter().map(|p| f(p)).collect();
        rows.iter().map(row).collect()
    }

    /// Of a linear function every elementary effect is its coefficient.
    #[test]
    fn elementary_effects_of_a_linear_function_are_its_coefficients() {
        let coefficients = [3.0, -2.0, 0.0, 0.5];
        let mut rng = Streams::new(1, 0).stream("morris");
        let design = morris_design(4, 8, &mut rng);
        let points: Vec<_> = design.iter().map(|t| t.points.clone()).collect();
        let inside = points.iter().flatten().flatten();
        assert!(inside.clone().all(|x| (-1e-9..=1.0 + 1e-9).contains(x)));
        let linear = |x: &[f64]| x.iter().zip(coefficients).map(|(x, c)| x * c).sum();
        let effects = morris_effects(4, &design, &evaluate(&points, linear));
        for (e, c) in effects.iter().zip(coefficients) {
            assert!((e.mu - c).abs() < 1e-9 && (e.mu_star.mean - c.abs()).abs() < 1e-9);
            assert!(e.sigma < 1e-9 && e.mu_star.half_width < 1e-9);
        }
        // Where inputs multiply, effects differ from place to place.
        let product = morris_effects(4, &design, &evaluate(&points, |x| x[0] * x[1]));
        assert!(product[0].sigma > 0.1 && product[2].sigma == 0.0);
    }

    /// Ishigami and Homma (1990): sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1 on (-pi, pi). The indices
    /// are known: variance is 7^2/8 + 0.1 pi^4/5 + 0.01 pi^8/18 + 1/2.
    #[test]
    fn sobol_indices_of_the_ishigami_function() {
        let (a, b) = (7.0_f64, 0.1_f64);
        let v1 = 0.5 * (1.0 + b * PI.powi(4) / 5.0).powi(2);
        let v2 = a * a / 8.0;
        let v13 = b * b * PI.powi(8) * (1.0 / 18.0 - 1.0 / 50.0);
        let v = v1 + v2 + v13;
        let first = [v1 / v, v2 / v, 0.0];
        let total = [(v1 + v13) / v, v2 / v, v13 / v];
        let mut rng = Streams::new(2, 0).stream("sobol");
        let design = saltelli_design(3, 4_000, &mut rng);
        let values = evaluate(&design, |x| {
            let x: Vec<f64> = x.iter().map(|x| PI * (2.0 * x - 1.0)).collect();
            x[0].sin() + a * x[1].sin().powi(2) + b * x[2].powi(4) * x[0].sin()
        });
        let found = sobol_indices(3, &values, &mut rng);
        for (i, f) in found.iter().enumerate() {
            for (share, expected) in [(f.first, first[i]), (f.total, total[i])] {
                // Twice the interval: 4 standard errors.
                let half = share.high - share.low;
                assert!(half < 0.12, "{half}");
                assert!(
                    (share.value - expected).abs() < half,
                    "{i}: {share:?}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn ranges_are_even_on_their_scale() {
        let inputs: Inputs = crate::config::load("default", None, &[]).unwrap();
        let ttl = inputs
            .inputs
            .iter()
            .find(|i| i.name == "cache TTL")
            .unwrap();
        assert!((ttl.at(0.5) - 60_f64.sqrt()).abs() < 1e-9);
        assert_eq!(ttl.set(7.5).value, toml::Value::String("7.5 s".into()));
        let rate = inputs
            .inputs
            .iter()
            .find(|i| i.name == "analytics queries")
            .unwrap();
        assert_eq!(rate.text(40.0), "40/h");
    }

    #[test]
    fn a_range_out_of_order_or_without_reason_is_refused() {
        let mut inputs: Inputs = crate::config::load("default", None, &[]).unwrap();
        inputs.inputs[0].base = 1.0;
        assert_eq!(inputs.validate().unwrap_err().field, "input[0].base");
        inputs.inputs.remove(0);
        inputs.inputs[0].source = None;
        assert_eq!(inputs.validate().unwrap_err().field, "input[0].source");
    }
}
