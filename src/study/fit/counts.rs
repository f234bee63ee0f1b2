//! Counts of arrivals in windows of several lengths, and how they are dispersed.

use crate::study::stats::Estimate;
use crate::units::Timestamp;

/// Lengths of the windows in seconds; each divides an hour.
pub const SCALES_S: [u64; 9] = [1, 2, 5, 10, 30, 60, 120, 300, 600];

const HOUR_S: u64 = 3_600;

/// How counts in windows of one length are dispersed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    /// Length of the windows, in seconds.
    pub scale_s: u64,
    /// Whole windows in the log.
    pub windows: u64,
    /// Arrivals in a window, mean and most.
    pub mean: f64,
    /// Most arrivals in a window.
    pub most: u64,
    /// Index of dispersion: the variance of the counts about the mean of their hour, over that
    /// mean. 1 for Poisson arrivals.
    pub index: Estimate,
    /// Allan factor: half the mean square of the difference of neighbours, over the mean. 1 for
    /// Poisson arrivals; slow changes of the rate all but cancel out.
    pub allan: Estimate,
    /// Mean rate as the variance sees it: that of each hour weighted by its arrivals, per second.
    pub weighted_rate: f64,
    /// Variance and third cumulant of the rate, relative to its hour's mean, as far as windows of
    /// this length show them.
    pub rate_variance: f64,
    /// Third cumulant of the rate, relative to its hour's mean, likewise.
    pub rate_third: f64,
}

/// Counts arrivals, which must come in the order of time.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    scales: Vec<Scale>,
}

#[derive(Debug, Clone)]
struct Scale {
    length_s: u64,
    /// The window that is being counted; windows that the log covers in part do not count.
    window: u64,
    count: u64,
    first_whole: u64,
    most: u64,
    hour: Hour,
    hours: Vec<Hour>,
}

/// Sums over the windows of one hour.
#[derive(Debug, Clone, Copy, Default)]
struct Hour {
    number: u64,
    n: f64,
    sum: f64,
    squares: f64,
    cubes: f64,
    pairs: f64,
    differences: f64,
    last: f64,
}

impl Counts {
    /// Counts from the first arrival on.
    pub(crate) fn new(first: Timestamp) -> Self {
        let ns = first.as_nanos();
        let scale = |length_s: u64| {
            let first_whole = ns.div_ceil(length_s * 1_000_000_000);
            Scale {
                length_s,
                window: ns / (length_s * 1_000_000_000),
                count: 0,
                first_whole,
                most: 0,
                hour: Hour::default(),
                hours: Vec::new(),
            }
        };
        Counts {
            scales: SCALES_S.into_iter().map(scale).collect(),
        }
    }

    /// Counts an arrival.
    pub(crate) fn add(&mut self, at: Timestamp) {
        for scale in &mut self.scales {
            let window = at.as_nanos() / (scale.length_s * 1_000_000_000);
            while scale.window < window {
                scale.close();
            }
            scale.count += 1;
        }
    }

    /// What was counted; the last window of each length, which may not be whole, is left out.
    pub(crate) fn dispersion(mut self) -> Vec<Dispersion> {
        self.scales.iter_mut().map(Scale::finish).collect()
    }
}

impl Scale {
    fn close(&mut self) {
        if self.window >= self.first_whole {
            let number = self.window * self.length_s / HOUR_S;
            if number != self.hour.number {
                self.end_hour();
                self.hour.number = number;
            }
            self.most = self.most.max(self.count);
            self.hour.add(self.count as f64);
        }
        self.window += 1;
        self.count = 0;
    }

    fn end_hour(&mut self) {
        let hour = std::mem::take(&mut self.hour);
        if hour.n > 0.0 {
            self.hours.push(hour);
        }
    }

    fn finish(&mut self) -> Dispersion {
        self.end_hour();
        let hours = &self.hours;
        let sum = |f: fn(&Hour) -> f64| hours.iter().map(f).sum::<f64>();
        let windows = sum(|h| h.n);
        let rated = sum(|h| h.n * h.mean() * h.mean());
        let cubed = sum(|h| h.n * h.mean().powi(3));
        Dispersion {
            scale_s: self.length_s,
            windows: windows as u64,
            mean: sum(|h| h.sum) / windows,
            most: self.most,
            index: jackknife(hours, |h| (h.square_sum(), (h.n - 1.0) * h.mean())),
            allan: jackknife(hours, |h| (h.differences, 2.0 * h.pairs * h.mean())),
            weighted_rate: rated / sum(|h| h.sum) / self.length_s as f64,
            rate_variance: sum(|h| h.n * (h.variance() - h.mean())) / rated,
            rate_third: sum(|h| h.n * (h.third() - 3.0 * h.variance() + 2.0 * h.mean())) / cubed,
        }
    }
}

impl Hour {
    fn add(&mut self, count: f64) {
        if self.n > 0.0 {
            self.pairs += 1.0;
            self.differences += (count - self.last).powi(2);
        }
        self.n += 1.0;
        self.sum += count;
        self.squares += count * count;
        self.cubes += count.powi(3);
        self.last = count;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n
    }

    /// Sum of the squares about the mean.
    fn square_sum(&self) -> f64 {
        self.squares - self.n * self.mean().powi(2)
    }

    fn variance(&self) -> f64 {
        if self.n < 2.0 {
            return self.mean();
        }
        self.square_sum() / (self.n - 1.0)
    }

    /// The third cumulant, without bias; that of a Poisson variable if there are too few windows.
    fn third(&self) -> f64 {
        if self.n < 3.0 {
            return self.mean();
        }
        let m = self.mean();
        let sum = self.cubes - 3.0 * m * self.squares + 3.0 * m * m * self.sum - self.n * m.powi(3);
        sum * self.n / ((self.n - 1.0) * (self.n - 2.0))
    }
}

/// A ratio of sums over the hours, with an interval by leaving out one hour at a time (jackknife).
fn jackknife(hours: &[Hour], terms: impl Fn(&Hour) -> (f64, f64)) -> Estimate {
    let terms: Vec<(f64, f64)> = hours.iter().map(terms).filter(|t| t.1 > 0.0).collect();
    let (a, b) = terms
        .iter()
        .fold((0.0, 0.0), |(a, b), t| (a + t.0, b + t.1));
    let n = terms.len() as f64;
    // Pseudo-values: their mean and spread are those of the estimate.
    let pseudo = terms
        .iter()
        .map(|t| n * a / b - (n - 1.0) * (a - t.0) / (b - t.1));
    let spread = Estimate::of(pseudo.filter(|_| n > 1.0));
    Estimate {
        mean: a / b,
        half_width: spread.half_width,
        n: terms.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::quantity::{Probability, Rate};
    use crate::sim::random::Streams;
    use crate::study::fit::bursts::expected_dispersion;
    use crate::workload::arrivals::{Arrivals, Bursts, Spacing};
    use std::time::Duration;

    fn dispersion(
        rate: f64,
        spacing: Spacing,
        bursts: Option<&Bursts>,
        hours: u64,
    ) -> Vec<Dispersion> {
        let start = Timestamp::from_secs(1_793_577_600);
        let streams = Streams::new(21, 0);
        let (points, switches) = (streams.stream("points"), streams.stream("switches"));
        let rate = Rate::per_second(rate);
        let mut arrivals = Arrivals::new(rate, spacing, None, bursts, start, points, switches);
        let end = start + Duration::from_secs(hours * HOUR_S);
        let mut counts = Counts::new(start);
        while let Some(at) = arrivals.next_at().filter(|at| *at < end) {
            counts.add(at);
        }
        counts.dispersion()
    }

    /// Poisson arrivals have 1 at every scale; three half-widths of 95% are six standard errors. The
    /// standard errors themselves are about sqrt(2 / n) and sqrt(3 / n) of n windows (the squares of
    /// neighbouring differences are correlated), give or take a third, from sixty hours.
    #[test]
    fn poisson_arrivals_have_one_at_every_scale() {
        for d in dispersion(5.0, Spacing::Poisson, None, 60) {
            let n = (d.windows - 60) as f64;
            for (e, squares) in [(d.index, 2.0), (d.allan, 3.0)] {
                assert!((e.mean - 1.0).abs() < 3.0 * e.half_width, "{d:?}");
                let expected = 2.0 * (squares / n).sqrt();
                let ratio = e.half_width / expected;
                assert!((0.67..1.33).contains(&ratio), "{ratio}: {d:?}");
            }
            assert!((d.weighted_rate / 5.0 - 1.0).abs() < 0.05);
        }
    }

    #[test]
    fn even_spacing_has_next_to_none() {
        let all = dispersion(7.3, Spacing::Deterministic, None, 3);
        assert!(all.iter().all(|d| d.index.mean < 0.05), "{all:?}");
    }

    /// Bursts have the dispersion of the closed form, with the loss that comes from counting about
    /// the mean of the hour.
    #[test]
    fn bursts_have_the_dispersion_of_the_closed_form() {
        let bursts = Bursts {
            mean_on: Duration::from_secs(20),
            mean_off: Duration::from_secs(60),
            off_level: Probability::new(0.2).unwrap(),
        };
        for d in dispersion(4.0, Spacing::Poisson, Some(&bursts), 400) {
            let i = |s: u64| expected_dispersion(&bursts, 4.0, s as f64);
            let m = (HOUR_S / d.scale_s) as f64;
            let index = (m * i(d.scale_s) - i(HOUR_S)) / (m - 1.0);
            let allan = 2.0 * i(d.scale_s) - i(2 * d.scale_s);
            for (e, expected) in [(d.index, index), (d.allan, allan)] {
                assert!(
                    (e.mean - expected).abs() < 2.0 * e.half_width,
                    "{d:?}: {expected}"
                );
                assert!(e.half_width < 0.15 * expected);
            }
        }
    }
}
