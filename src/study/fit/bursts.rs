//! Bursts (a Markov-modulated Poisson process) that match observed dispersion.

use super::counts::Dispersion;
use crate::models::quantity::Probability;
use crate::workload::arrivals::Bursts;
use std::time::Duration;

/// Bursts, and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedBursts {
    /// What a workload's file says of them.
    pub bursts: Bursts,
    /// How long the rate remembers its level.
    pub time_constant_s: f64,
    /// Standard deviation of the rate over its mean.
    pub variation: f64,
}

/// The index of dispersion of counts over `t_s` seconds under bursts about a mean rate:
/// `1 + (I - 1) g(t / tau)` with `g(x) = 1 - (1 - exp(-x)) / x`, where `I` is the limit for long
/// times and `1 / tau` the sum of the two switching rates (Heffes and Lucantoni 1986).
pub fn expected_dispersion(bursts: &Bursts, rate: f64, t_s: f64) -> f64 {
    let (on, off) = (bursts.mean_on.as_secs_f64(), bursts.mean_off.as_secs_f64());
    let tau = 1.0 / (1.0 / on + 1.0 / off);
    1.0 + (bursts.index_of_dispersion(rate) - 1.0) * g(t_s / tau)
}

fn g(x: f64) -> f64 {
    if x < 1e-4 {
        return x / 2.0; // where the difference below has no digits left
    }
    1.0 + (-x).exp_m1() / x
}

/// The part of [`expected_dispersion`] that the Allan factor shows: it is `2 I(t) - I(2 t)`.
fn allan_part(x: f64) -> f64 {
    2.0 * g(x) - g(2.0 * x)
}

/// Bursts that have the Allan factors of the log. `None` if no scale shows more dispersion than
/// Poisson arrivals have, beyond one and a half 95% half-widths, or if the log is too short to
/// tell (fewer than three hours begun).
///
/// The time constant is searched for, the variance of the rate follows by least squares with
/// weights from the intervals, and the share of time in bursts from the skewness of the rate.
pub(crate) fn fit_bursts(dispersion: &[Dispersion]) -> Option<FittedBursts> {
    let usable = |d: &&Dispersion| d.allan.n >= 3 && d.allan.half_width.is_finite();
    let usable: Vec<&Dispersion> = dispersion.iter().filter(usable).collect();
    let beyond = |d: &&Dispersion| d.allan.mean > 1.0 + 1.5 * d.allan.half_width;
    if !usable.iter().any(beyond) {
        return None;
    }
    // For each time constant: the variance, and the weighted squares that it leaves.
    let attempt = |tau: f64| {
        let (mut xy, mut xx) = (0.0, 0.0);
        let terms: Vec<(f64, f64, f64)> = usable
            .iter()
            .map(|d| {
                let x = 2.0 * d.weighted_rate * tau * allan_part(d.scale_s as f64 / tau);
                let error = d.allan.half_width.max(0.01 * d.allan.mean);
                (x, d.allan.mean - 1.0, error.powi(-2))
            })
            .collect();
        for (x, y, w) in &terms {
            xy += w * x * y;
            xx += w * x * x;
        }
        let variance = xy / xx;
        let rest: f64 = terms
            .iter()
            .map(|(x, y, w)| w * (y - variance * x).powi(2))
            .sum();
        (rest, tau, variance)
    };
    // From a third of a second to twenty minutes, a step of 2%.
    let taus = (0..420).map(|i| 0.3 * 1.02_f64.powi(i)).map(attempt);
    let (_, tau, variance) = taus
        .filter(|(_, _, variance)| *variance > 0.0)
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    // Windows well below the time constant show the rate as it is.
    let short = usable
        .iter()
        .rfind(|d| d.scale_s as f64 <= tau / 2.0)
        .unwrap_or(&usable[0]);
    let skewness = short.rate_third / short.rate_variance.max(1e-12).powf(1.5);
    let skewness = if skewness.is_finite() { skewness } else { 0.0 };
    // Of a variable with two values, the upper one with probability p: (1 - 2p) / sqrt(p (1 - p)).
    let p = (1.0 - skewness / (4.0 + skewness * skewness).sqrt()) / 2.0;
    // The lower level must not be below zero.
    let p = p.clamp(0.005, 0.995).min(1.0 / (1.0 + variance));
    let spread = (variance / (p * (1.0 - p))).sqrt();
    let low = (1.0 - p * spread).max(0.0);
    // A millisecond is finer than any log can tell.
    let mean = |s: f64| Duration::from_millis((s * 1e3).round() as u64);
    let bursts = Bursts {
        mean_on: mean(tau / (1.0 - p)),
        mean_off: mean(tau / p),
        off_level: Probability::new(low / (low + spread)).unwrap_or_default(),
    };
    Some(FittedBursts {
        bursts,
        time_constant_s: tau,
        variation: variance.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dispersion_has_its_limits() {
        let bursts = Bursts {
            mean_on: Duration::from_secs(10),
            mean_off: Duration::from_secs(30),
            off_level: Probability::new(0.1).unwrap(),
        };
        let limit = bursts.index_of_dispersion(2.0);
        assert!((expected_dispersion(&bursts, 2.0, 1e7) / limit - 1.0).abs() < 1e-4);
        assert!((expected_dispersion(&bursts, 2.0, 1e-6) - 1.0).abs() < 1e-5);
        // The variance of the rate over its mean squared, by hand: p (1 - p) (h - l)^2.
        let (h, l) = bursts.levels();
        let variance = 0.25 * 0.75 * (h - l).powi(2);
        assert!((limit - 1.0 - 2.0 * 2.0 * variance * 7.5).abs() < 1e-9);
    }
}
