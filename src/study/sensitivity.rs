//! Which inputs move a measure most: one at a time, by elementary effects, and by variance.

use super::error::StudyError;
use super::replicate::Work;
use super::stats::Estimate;
use crate::models::quantity::Count;
use crate::models::{ConfigError, FieldError, Model, Override};
use crate::pricing::Plan;
use crate::run::Point;
use crate::run::measure::Outcome;
use crate::run::metric::{METRICS, outcome_of};
use crate::run::scenario::Scenario;
use crate::sim::random::Streams;
use crate::study::stats::pool::{Pooled, pool};
use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::Deserialize;

/// Inputs with their ranges; data in `models/sensitivities`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// What it is, in one line.
    pub title: String,
    /// The inputs, each with its range.
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name in reports.
    pub name: String,
    /// Path of the field, as for `--set`.
    pub field: String,
    /// Written after the number; none for a bare number.
    #[serde(default)]
    pub unit: String,
    /// Lower end of its range.
    pub low: f64,
    /// Where it stands while others vary.
    pub base: f64,
    /// Upper end of its range.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputScale {
    /// Evenly.
    Linear,
    /// By the logarithm.
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
    /// Replications of each point.
    pub replications: u32,
    /// Seed of the samples of inputs.
    pub seed: u64,
    /// Trajectories of Morris' method; 0 for none.
    pub trajectories: u32,
    /// Rows of Saltelli's design; 0 for none.
    pub rows: u32,
}

/// Loads the scenario with these fields set.
pub type Load<'a> = &'a (dyn Fn(&[Override]) -> Result<Scenario, ConfigError> + Sync);

/// One input varied by itself.
#[derive(Debug, Clone, Copy)]
pub struct OneAtATime {
    /// The measure with the input at its low and high end, the others at their base.
    pub at_low: Estimate,
    /// The measure with the input at its high end, the others at their base.
    pub at_high: Estimate,
    /// What it is more than at the base: paired differences.
    pub low_effect: Estimate,
    /// What it is more at the high end than at the base.
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
    /// Trajectories left out because the measure had no value at an end of the step.
    pub left_out: usize,
}

/// A share of variance with its bootstrapped 95% interval.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// The share, of 1.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Sobol indices of an input: shares of the variance of the measure, noise included.
#[derive(Debug, Clone, Copy)]
pub struct Indices {
    /// By itself.
    pub first: Share,
    /// With all its interactions, without the noise.
    pub total: Share,
    /// Rows left out of one or both because the measure had no value at a point they need.
    pub left_out: usize,
}

/// Sobol indices of all inputs, and what is no input's doing.
#[derive(Debug, Clone)]
pub struct Sobol {
    /// By input.
    pub indices: Vec<Indices>,
    /// Share of the variance that is there with the same inputs.
    pub noise: Share,
}

/// The results, by input.
#[derive(Debug, Clone)]
pub struct Sensitivity {
    /// The measure with all inputs at their base.
    pub base: Estimate,
    /// Each input by itself.
    pub one_at_a_time: Vec<OneAtATime>,
    /// Elementary effects; none if they were not asked for.
    pub morris: Option<Vec<Effects>>,
    /// Sobol indices; none if they were not asked for.
    pub sobol: Option<Sobol>,
}

/// How often `finished` will be called.
pub fn steps(inputs: &Inputs, settings: &Settings) -> u64 {
    let k = inputs.inputs.len() as u64;
    (2 * k + 1) * u64::from(settings.replications)
        + u64::from(settings.trajectories) * (k + 1)
        + u64::from(settings.rows) * (k + 3)
}

/// Runs all analyses that the settings ask for. All points of a replication and of a trajectory
/// have common random numbers, so that what differs is the inputs' doing. For Sobol indices each
/// point has its own: they are shares of a variance, and noise that points have in common would
/// pass for the effect of whatever else they have in common.
pub fn sensitivity(
    inputs: &Inputs,
    load: Load,
    settings: &Settings,
    work: &Work,
) -> Result<Sensitivity, StudyError> {
    let model = Simulated {
        inputs: &inputs.inputs,
        load,
        metric: settings.metric,
        work,
    };
    let streams = Streams::new(settings.seed, 0);
    let k = inputs.inputs.len();
    let (base, one_at_a_time) = model.one_at_a_time(settings.replications)?;
    let morris = if settings.trajectories == 0 {
        None
    } else {
        let mut rng = streams.stream("sensitivity.morris");
        let design = morris_design(k, settings.trajectories as usize, &mut rng);
        let points: Vec<_> = design.iter().map(|t| t.points.clone()).collect();
        let values = model.rows(&points, |trajectory, _| trajectory)?;
        Some(morris_effects(k, &design, &values))
    };
    let sobol = if settings.rows == 0 {
        None
    } else {
        let mut rng = streams.stream("sensitivity.sobol");
        let design = saltelli_design(k, settings.rows as usize, &mut rng);
        let width = k as u64 + 3;
        let values = model.rows(&design, |row, point| width * row + point)?;
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
    work: &'a Work<'a>,
}

impl Simulated<'_> {
    /// The measure of one replication by itself.
    fn measure(&self, values: &[f64], replication: u64) -> Result<f64, StudyError> {
        let (_, outcome) = self.simulate(values, replication)?;
        Ok(outcome.terms[self.metric].value)
    }

    /// What one replication gives, and the plan that bills it.
    fn simulate(&self, values: &[f64], replication: u64) -> Result<(Plan, Outcome), StudyError> {
        let settings: Vec<Override> = self
            .inputs
            .iter()
            .zip(values)
            .map(|(i, v)| i.set(*v))
            .collect();
        let scenario = (self.load)(&settings)?;
        let traffic = Count(scenario.traffic_per_month.0.max(1));
        let point = Point {
            scenario: &scenario,
            policy: &scenario.policies[0],
            traffic,
            replication,
        };
        let result = self.work.simulate(&point)?;
        Ok((scenario.plan().clone(), outcome_of(&result)))
    }

    fn one_at_a_time(&self, replications: u32) -> Result<(Estimate, Vec<OneAtATime>), StudyError> {
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
        let runs = self
            .work
            .map(&jobs, |(point, r)| self.simulate(point, *r))?;
        let together = |runs: &[(Plan, Outcome)]| {
            let outcomes: Vec<&Outcome> = runs.iter().map(|r| &r.1).collect();
            pool(METRICS, &runs[0].0, &outcomes)
        };
        let of: Vec<Pooled> = runs.chunks(n as usize).map(together).collect();
        let mean = |p: &Pooled| p.estimates[self.metric];
        let more = |a: &Pooled, b: &Pooled| {
            let difference = a.column(self.metric).less(&b.column(self.metric));
            difference.estimate()
        };
        let of_input = |i: usize| {
            let (low, high) = (&of[1 + 2 * i], &of[2 + 2 * i]);
            OneAtATime {
                at_low: mean(low),
                at_high: mean(high),
                low_effect: more(low, &of[0]),
                high_effect: more(high, &of[0]),
                swing: more(high, low),
            }
        };
        Ok((mean(&of[0]), (0..self.inputs.len()).map(of_input).collect()))
    }

    /// The measure at every point of every row (shares of the ranges); `replication` is that of a
    /// row's point.
    fn rows(
        &self,
        rows: &[Vec<Vec<f64>>],
        replication: impl Fn(u64, u64) -> u64,
    ) -> Result<Vec<Vec<f64>>, StudyError> {
        let mut jobs: Vec<(u64, &Vec<f64>)> = Vec::new();
        for (r, points) in rows.iter().enumerate() {
            for (p, point) in points.iter().enumerate() {
                jobs.push((replication(r as u64, p as u64), point));
            }
        }
        let values = self.work.map(&jobs, |(replication, shares)| {
            let inputs = self.inputs.iter().zip(*shares);
            let values: Vec<f64> = inputs.map(|(i, s)| i.at(*s)).collect();
            self.measure(&values, *replication)
        })?;
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
        .iter_mut()
        .map(|e| {
            let all = e.len();
            e.retain(|x| !x.is_nan());
            let plain = Estimate::of(e.iter().copied());
            let squares: f64 = e.iter().map(|x| (x - plain.mean).powi(2)).sum();
            Effects {
                mu_star: Estimate::of(e.iter().map(|x| x.abs())),
                mu: plain.mean,
                sigma: (squares / (e.len().max(2) - 1) as f64).sqrt(),
                left_out: all - e.len(),
            }
        })
        .collect()
}

/// Saltelli's design: in each row two random points A and B, then A with one input of B, for each;
/// and A once more, which shows the noise.
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
            let again = a.clone();
            [a, b].into_iter().chain(mixed).chain([again]).collect()
        })
        .collect()
}

const BOOTSTRAPS: usize = 1_000;

/// Sobol indices by Jansen's estimators, with percentile intervals over bootstrapped rows. Jansen,
/// Computer Physics Communications 117 (1999); Saltelli et al., ibid. 181 (2010).
///
/// Where the points have independent noise, its variance is part of the variance that all indices
/// are shares of. That leaves a first index what it is, a share of that variance; but two points
/// that differ in one input differ by their noise as well, so that Jansen's total index is the
/// share of the input *and* the noise. The noise's share, from the repeated points, is therefore
/// taken off; the total index of an input without effect is then 0.
///
/// A pair of points one of which has no value (NaN) is left out, the rest of its row is not.
pub fn sobol_indices(inputs: usize, values: &[Vec<f64>], rng: &mut impl Rng) -> Sobol {
    let n = values.len();
    let everything: Vec<usize> = (0..n).collect();
    let estimates = Jansen::of(inputs, values, &everything);
    let resampled: Vec<Jansen> = (0..BOOTSTRAPS)
        .map(|_| {
            let rows: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
            Jansen::of(inputs, values, &rows)
        })
        .collect();
    let share = |get: &dyn Fn(&Jansen) -> f64| {
        let mut all: Vec<f64> = resampled.iter().map(get).collect();
        all.retain(|x| !x.is_nan());
        all.sort_by(f64::total_cmp);
        let last = all.len().saturating_sub(1) as f64;
        let at = |p: f64| all.get((last * p).round() as usize).copied();
        Share {
            value: get(&estimates),
            low: at(0.025).unwrap_or(f64::NAN),
            high: at(0.975).unwrap_or(f64::NAN),
        }
    };
    let indices = |i: usize| Indices {
        first: share(&|e| e.first[i]),
        total: share(&|e| e.total[i]),
        left_out: values
            .iter()
            .filter(|row| [0, 1, 2 + i].into_iter().any(|p| row[p].is_nan()))
            .count(),
    };
    Sobol {
        indices: (0..inputs).map(indices).collect(),
        noise: share(&|e| e.noise),
    }
}

impl Sobol {
    /// What must be known to read the indices: how much is noise, and what was left out.
    pub fn note(&self) -> String {
        let percent = |x: f64| format!("{:.1}%", 100.0 * x);
        let mut text = format!(
            "Noise is {} of the variance ({} to {}); it is taken off the total indices.",
            percent(self.noise.value),
            percent(self.noise.low),
            percent(self.noise.high)
        );
        let left_out = self.indices.iter().map(|i| i.left_out).max().unwrap_or(0);
        if left_out > 0 {
            text.push_str(&format!(
                " The measure has no value at some points: up to {left_out} rows are left out of an index, so these hold where it has one."
            ));
        }
        text
    }
}

/// Shares of the variance, by input, and that of the noise.
struct Jansen {
    first: Vec<f64>,
    total: Vec<f64>,
    noise: f64,
}

impl Jansen {
    /// From these rows.
    fn of(inputs: usize, values: &[Vec<f64>], rows: &[usize]) -> Self {
        let ends = || {
            let ends = rows.iter().flat_map(|r| [values[*r][0], values[*r][1]]);
            ends.filter(|y| !y.is_nan())
        };
        let n = ends().count() as f64;
        let mean = ends().sum::<f64>() / n;
        let variance = ends().map(|y| (y - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half_squares = |a: usize, b: usize| {
            let differences = rows.iter().map(|r| values[*r][a] - values[*r][b]);
            let squares = differences.filter(|d| !d.is_nan()).map(|d| d * d);
            let (sum, pairs) = squares.fold((0.0, 0.0), |(s, n), d| (s + d, n + 1.0));
            sum / (2.0 * pairs)
        };
        let noise = half_squares(0, 2 + inputs) / variance;
        Jansen {
            first: (0..inputs)
                .map(|i| 1.0 - half_squares(1, 2 + i) / variance)
                .collect(),
            total: (0..inputs)
                .map(|i| half_squares(0, 2 + i) / variance - noise)
                .collect(),
            noise,
        }
    }
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
    fn ishigami(x: &[f64]) -> f64 {
        let x: Vec<f64> = x.iter().map(|x| PI * (2.0 * x - 1.0)).collect();
        x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin()
    }

    /// The first and total indices of the three inputs and of a fourth without effect, and the
    /// share of the noise, where that has this variance.
    fn shares_of_ishigami(noise: f64) -> ([f64; 4], [f64; 4], f64) {
        let (a, b) = (7.0_f64, 0.1_f64);
        let v1 = 0.5 * (1.0 + b * PI.powi(4) / 5.0).powi(2);
        let v2 = a * a / 8.0;
        let v13 = b * b * PI.powi(8) * (1.0 / 18.0 - 1.0 / 50.0);
        let v = v1 + v2 + v13 + noise;
        (
            [v1 / v, v2 / v, 0.0, 0.0],
            [(v1 + v13) / v, v2 / v, v13 / v, 0.0],
            noise / v,
        )
    }

    /// Twice the 95% interval's half-width is 4 standard errors.
    fn assert_near(found: Share, expected: f64, what: &str) {
        let width = found.high - found.low;
        assert!(width < 0.14, "{what}: {found:?}");
        assert!(
            (found.value - expected).abs() < width + 1e-12,
            "{what}: {found:?}, expected {expected}"
        );
    }

    #[test]
    fn sobol_indices_of_the_ishigami_function() {
        use rand_distr::{Distribution, StandardNormal};
        for noise in [0.0_f64, 4.0] {
            let mut rng = Streams::new(2, 0).stream("sobol");
            let design = saltelli_design(4, 4_000, &mut rng);
            let noisy = std::cell::RefCell::new(Streams::new(3, 0).stream("noise"));
            let values = evaluate(&design, |x| {
                let z: f64 = StandardNormal.sample(&mut *noisy.borrow_mut());
                ishigami(x) + noise.sqrt() * z
            });
            let found = sobol_indices(4, &values, &mut rng);
            let (first, total, share) = shares_of_ishigami(noise);
            for (i, f) in found.indices.iter().enumerate() {
                println!(
                    "noise {noise}, x{}: S {:.3} ({:.3}), ST {:.3} ({:.3})",
                    i + 1,
                    f.first.value,
                    first[i],
                    f.total.value,
                    total[i]
                );
                assert_near(f.first, first[i], &format!("S of x{}", i + 1));
                assert_near(f.total, total[i], &format!("ST of x{}", i + 1));
                assert_eq!(f.left_out, 0);
            }
            let inert = found.indices[3];
            for s in [inert.first, inert.total] {
                assert!(s.low <= 0.0 && 0.0 <= s.high, "{s:?}");
            }
            println!("noise {:.3} ({share:.3})", found.noise.value);
            assert_near(found.noise, share, "noise");
        }
    }

    /// Noise that the points of a row have in common is what an input without effect must not be
    /// charged with.
    #[test]
    fn noise_common_to_a_row_passes_for_the_effect_of_an_inert_input() {
        let mut rng = Streams::new(4, 0).stream("sobol");
        let design = saltelli_design(1, 500, &mut rng);
        let mut noise = Streams::new(5, 0).stream("noise");
        let mut values = |common: bool| -> Vec<Vec<f64>> {
            let row = |points: &Vec<Vec<f64>>| {
                let first: f64 = noise.random();
                let mut point = || if common { first } else { noise.random() };
                points.iter().map(|_| point()).collect()
            };
            design.iter().map(row).collect()
        };
        let (together, apart) = (values(true), values(false));
        let first = |v: &[Vec<f64>]| sobol_indices(1, v, &mut rng.clone()).indices[0].first;
        assert!(first(&together).value > 0.9);
        let s = first(&apart);
        assert!(s.low <= 0.0 && 0.0 <= s.high, "{s:?}");
    }

    #[test]
    fn a_point_without_value_costs_its_pairs_and_no_more() {
        let mut rng = Streams::new(2, 0).stream("sobol");
        let design = saltelli_design(4, 4_000, &mut rng);
        let mut values = evaluate(&design, ishigami);
        values[7][2] = f64::NAN; // A with the first input of B
        values[9][0] = f64::NAN; // A
        values[9][6] = f64::NAN; // A again
        let found = sobol_indices(4, &values, &mut rng);
        let left_out: Vec<usize> = found.indices.iter().map(|i| i.left_out).collect();
        assert_eq!(left_out, [2, 1, 1, 1]);
        let (first, total, _) = shares_of_ishigami(0.0);
        for (i, f) in found.indices.iter().enumerate() {
            assert_near(f.first, first[i], "S");
            assert_near(f.total, total[i], "ST");
        }
        assert!(found.note().contains("up to 2 rows are left out"));
        // And of Morris' trajectories one.
        let trajectories = morris_design(3, 8, &mut rng);
        let points: Vec<_> = trajectories.iter().map(|t| t.points.clone()).collect();
        let mut values = evaluate(&points, |x| x.iter().sum());
        values[0][0] = f64::NAN;
        let effects = morris_effects(3, &trajectories, &values);
        assert_eq!(effects.iter().map(|e| e.left_out).sum::<usize>(), 1);
        assert!(effects.iter().all(|e| (e.mu - 1.0).abs() < 1e-9));
    }

    #[test]
    fn ranges_are_even_on_their_scale() {
        let inputs: Inputs = crate::models::load("default", None, &[]).unwrap();
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
        let mut inputs: Inputs = crate::models::load("default", None, &[]).unwrap();
        inputs.inputs[0].base = 1.0;
        assert_eq!(inputs.validate().unwrap_err().field, "input[0].base");
        inputs.inputs.remove(0);
        inputs.inputs[0].source = None;
        assert_eq!(inputs.validate().unwrap_err().field, "input[0].source");
    }
}
