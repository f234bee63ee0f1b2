//! Arrival processes.
//!
//! All of them are one idea: points of a unit-rate process (Poisson, or evenly
//! spaced) are laid out along the integral of a rate that is constant over
//! stretches of time: hours of the week for the daily and weekly shape, on and
//! off times for bursts. This is exact; nothing is thinned or rounded to a grid.

use crate::models::FieldError;
use crate::models::quantity::{self, Probability, Rate};
use crate::sim::random::StreamRng;
use crate::telemetry::field::within;
use crate::units::{Timestamp, whole_nanos};
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the points of an arrival process are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Independent arrivals.
    #[default]
    Poisson,
    /// Evenly spaced arrivals.
    Deterministic,
}

/// Bursts: a Markov process that switches the rate between two levels (MMPP).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// Mean length of a burst.
    #[serde(with = "quantity::duration")]
    pub mean_on: Duration,
    /// Mean time between bursts.
    #[serde(with = "quantity::duration")]
    pub mean_off: Duration,
    /// Rate between bursts, as a share of the rate in a burst.
    #[serde(default)]
    pub off_level: Probability,
}

impl Bursts {
    /// Rates in and between bursts when the long-run mean is 1.
    pub fn levels(&self) -> (f64, f64) {
        let (on, off) = (self.mean_on.as_secs_f64(), self.mean_off.as_secs_f64());
        let level = self.off_level.get();
        let high = (on + off) / (on + off * level);
        (high, high * level)
    }

    /// The index of dispersion of counts over long times, for a mean of `rate` per second:
    /// `1 + 2 (a - b)^2 r s / ((r + s)^2 (a s + b r))`, with rates `a`, `b` and switching
    /// rates `r`, `s` (Heffes and Lucantoni 1986).
    pub fn index_of_dispersion(&self, rate: f64) -> f64 {
        let (high, low) = self.levels();
        let (a, b) = (high * rate, low * rate);
        let (r, s) = (
            1.0 / self.mean_on.as_secs_f64(),
            1.0 / self.mean_off.as_secs_f64(),
        );
        1.0 + 2.0 * (a - b).powi(2) * r * s / ((r + s).powi(2) * (a * s + b * r))
    }
}

/// How the rate varies over the day and the week; only ratios of weights matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Weight of each hour of the local day from midnight, or of the week from Monday (168).
    pub hourly: Vec<f64>,
    /// Weight of each day of the week, from Monday; by default all the same.
    #[serde(default = "same_every_day")]
    pub daily: Vec<f64>,
    /// Local time minus UTC, in hours.
    #[serde(default)]
    pub utc_offset_h: i32,
}

fn same_every_day() -> Vec<f64> {
    vec![1.0; 7]
}

const HOURS_PER_WEEK: usize = 168;

impl Shape {
    /// Checks number and range of the weights.
    pub fn validate(&self) -> Result<(), FieldError> {
        let offset = self.utc_offset_h;
        within("utc_offset_h", offset, -14, 14, "hours of a time zone")?;
        for (name, weights, expected) in [("hourly", &self.hourly, 24), ("daily", &self.daily, 7)] {
            if weights.len() != expected && weights.len() != HOURS_PER_WEEK {
                return Err(FieldError::new(
                    name,
                    format!("found {} weights, expected {expected}", weights.len()),
                ));
            }
            for w in weights {
                within(name, *w, 0.0, 1e9, "only ratios of weights matter")?;
            }
            if weights.iter().all(|w| *w == 0.0) {
                return Err(FieldError::new(
                    name,
                    "found only zeros, expected a weight above 0",
                ));
            }
        }
        Ok(())
    }

    /// Whether days of the week differ.
    pub fn is_weekly(&self) -> bool {
        self.hourly.len() == HOURS_PER_WEEK || self.daily.iter().any(|w| *w != self.daily[0])
    }

    /// The shape of all requests together when they come from places with these shares and
    /// time zones (hours ahead of this shape's).
    pub fn over_zones(&self, places: &[(f64, i32)]) -> Shape {
        let here = self.hours_of_week();
        let rate = |hour: usize| -> f64 {
            let at = |zone: i32| (hour as i32 + zone).rem_euclid(HOURS_PER_WEEK as i32) as usize;
            places
                .iter()
                .map(|(share, zone)| share * here[at(*zone)])
                .sum()
        };
        Shape {
            hourly: (0..HOURS_PER_WEEK).map(rate).collect(),
            daily: same_every_day(),
            utc_offset_h: 0,
        }
    }

    /// The rate of each UTC hour of the week from Monday 00:00, with a mean of 1.
    pub fn hours_of_week(&self) -> [f64; HOURS_PER_WEEK] {
        let mut hours = [0.0; HOURS_PER_WEEK];
        for (utc, rate) in hours.iter_mut().enumerate() {
            let local = (utc as i32 + self.utc_offset_h).rem_euclid(HOURS_PER_WEEK as i32) as usize;
            *rate = self.hourly[local % self.hourly.len()] * self.daily[local / 24];
        }
        let mean = hours.iter().sum::<f64>() / HOURS_PER_WEEK as f64;
        hours.map(|r| r / mean)
    }
}

/// Hours from Monday 00:00 UTC to `t`.
pub fn hour_of_week(t: Timestamp) -> usize {
    // The epoch was a Thursday.
    ((t.as_nanos() / 3_600_000_000_000 + 3 * 24) % HOURS_PER_WEEK as u64) as usize
}

/// An arrival process as it unfolds.
#[derive(Debug, Clone)]
pub struct Arrivals {
    spacing: Spacing,
    rng: StreamRng,
    start: Timestamp,
    /// Seconds from `start` to the last point.
    at_s: f64,
    /// Points per second now, and seconds from `start` until which that holds.
    rate: f64,
    until_s: f64,
    variation: Option<Box<Variation>>,
}

#[derive(Debug, Clone)]
struct Variation {
    mean_rate: f64,
    hours: Option<[f64; HOURS_PER_WEEK]>,
    hour: usize,
    hour_ends_s: f64,
    bursts: Option<Bursts>,
    on: bool,
    spell_ends_s: f64,
    rng: StreamRng,
}

impl Arrivals {
    /// A process of mean `rate` from `start` on. `switches` drives the bursts, `rng` the points.
    pub fn new(
        rate: Rate,
        spacing: Spacing,
        shape: Option<&Shape>,
        bursts: Option<&Bursts>,
        start: Timestamp,
        rng: StreamRng,
        switches: StreamRng,
    ) -> Self {
        let rate = rate.as_per_second();
        let mut arrivals = Arrivals {
            spacing,
            rng,
            start,
            at_s: 0.0,
            rate,
            until_s: f64::INFINITY,
            variation: None,
        };
        if rate > 0.0 && (shape.is_some() || bursts.is_some()) {
            let mut v = Variation {
                mean_rate: rate,
                hours: shape.map(Shape::hours_of_week),
                hour: hour_of_week(start),
                hour_ends_s: f64::INFINITY,
                bursts: bursts.cloned(),
                on: true,
                spell_ends_s: f64::INFINITY,
                rng: switches,
            };
            if v.hours.is_some() {
                let hour = Duration::from_secs(3_600);
                v.hour_ends_s = (start.floor_to(hour) + hour).since(start).as_secs_f64();
            }
            if let Some(b) = bursts {
                let (on, off) = (b.mean_on.as_secs_f64(), b.mean_off.as_secs_f64());
                v.on = v.rng.random::<f64>() < on / (on + off);
                v.spell_ends_s = v.spell();
            }
            (arrivals.rate, arrivals.until_s) = v.current();
            arrivals.variation = Some(Box::new(v));
        }
        arrivals
    }

    /// The next point; `None` if the rate is zero for ever.
    #[inline]
    pub fn next_at(&mut self) -> Option<Timestamp> {
        if self.rate == 0.0 && self.variation.is_none() {
            return None;
        }
        let mut units: f64 = match self.spacing {
            Spacing::Poisson => Exp1.sample(&mut self.rng),
            Spacing::Deterministic => 1.0,
        };
        loop {
            let capacity = self.rate * (self.until_s - self.at_s);
            if units <= capacity || self.variation.is_none() {
                self.at_s += units / self.rate;
                let start = self.start.as_nanos();
                let since = whole_nanos(self.at_s * 1e9);
                return Some(Timestamp::from_nanos(start.saturating_add(since)));
            }
            units -= capacity;
            self.at_s = self.until_s;
            if let Some(v) = &mut self.variation {
                (self.rate, self.until_s) = v.advance(self.until_s);
            }
        }
    }
}

impl Variation {
    fn spell(&mut self) -> f64 {
        let mean = self.bursts.as_ref().map_or(f64::INFINITY, |b| {
            if self.on { b.mean_on } else { b.mean_off }.as_secs_f64()
        });
        let x: f64 = Exp1.sample(&mut self.rng);
        mean * x
    }

    /// The rate now, and until when it holds.
    fn current(&self) -> (f64, f64) {
        let shape = self.hours.map_or(1.0, |h| h[self.hour]);
        let burst = self.bursts.as_ref().map_or(1.0, |b| {
            let (high, low) = b.levels();
            if self.on { high } else { low }
        });
        (
            self.mean_rate * shape * burst,
            self.hour_ends_s.min(self.spell_ends_s),
        )
    }

    fn advance(&mut self, now_s: f64) -> (f64, f64) {
        if now_s >= self.hour_ends_s {
            self.hour = (self.hour + 1) % HOURS_PER_WEEK;
            self.hour_ends_s += 3_600.0;
        }
        if now_s >= self.spell_ends_s {
            self.on = !self.on;
            self.spell_ends_s = now_s + self.spell();
        }
        self.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Streams;

    /// A Monday, 00:00 UTC.
    const MONDAY: Timestamp = Timestamp::from_secs(1_793_577_600);

    fn arrivals(
        rate: f64,
        spacing: Spacing,
        shape: Option<&Shape>,
        bursts: Option<&Bursts>,
        seed: u64,
    ) -> Arrivals {
        let s = Streams::new(seed, 0);
        let rate = Rate::per_second(rate);
        Arrivals::new(
            rate,
            spacing,
            shape,
            bursts,
            MONDAY,
            s.stream("arrivals"),
            s.stream("bursts"),
        )
    }

    /// Counts in `windows` successive windows of `width_s` seconds.
    fn counts(mut a: Arrivals, width_s: u64, windows: usize) -> Vec<f64> {
        let mut counts = vec![0.0; windows];
        while let Some(t) = a.next_at() {
            let i = (t.since(MONDAY).as_secs() / width_s) as usize;
            match counts.get_mut(i) {
                Some(c) => *c += 1.0,
                None => break,
            }
        }
        counts
    }

    fn mean_and_variance(x: &[f64]) -> (f64, f64) {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let ss: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, ss / (x.len() - 1) as f64)
    }

    #[test]
    fn the_epoch_was_a_thursday() {
        assert_eq!(hour_of_week(Timestamp::EPOCH), 72);
        assert_eq!(hour_of_week(MONDAY), 0);
    }

    /// Variance over mean of Poisson counts is 1; its standard error is sqrt(2/(n-1)).
    #[test]
    fn poisson_counts_have_a_dispersion_of_one() {
        let n = 4_000;
        let (mean, var) = mean_and_variance(&counts(
            arrivals(5.0, Spacing::Poisson, None, None, 1),
            10,
            n,
        ));
        assert!(
            (mean - 50.0).abs() < 4.0 * (50.0 / n as f64).sqrt(),
            "{mean}"
        );
        assert!(
            (var / mean - 1.0).abs() < 4.0 * (2.0 / (n - 1) as f64).sqrt(),
            "{}",
            var / mean
        );
    }

    #[test]
    fn deterministic_arrivals_are_evenly_spaced() {
        let counts = counts(
            arrivals(4.0, Spacing::Deterministic, None, None, 1),
            10,
            100,
        );
        // The first point comes after one spacing; points on a boundary may fall either way.
        assert!(
            counts.iter().all(|c| (39.0..=41.0).contains(c)),
            "{counts:?}"
        );
    }

    /// Dispersion of bursty counts over windows of 100 cycles, against the closed form. The
    /// standard error of a variance of n near-normal counts is sqrt(2/(n-1)) of it.
    #[test]
    fn bursts_have_the_dispersion_of_the_closed_form() {
        let bursts = Bursts {
            mean_on: Duration::from_secs(2),
            mean_off: Duration::from_secs(8),
            off_level: Probability::new(0.1).unwrap(),
        };
        let n = 2_000;
        let x = counts(
            arrivals(3.0, Spacing::Poisson, None, Some(&bursts), 2),
            1_000,
            n,
        );
        let (mean, var) = mean_and_variance(&x);
        let expected = bursts.index_of_dispersion(3.0);
        assert!(expected > 5.0);
        assert!(
            (mean - 3_000.0).abs() < 4.0 * (expected * 3_000.0 / n as f64).sqrt(),
            "{mean}"
        );
        let bound = 4.0 * (2.0 / (n - 1) as f64).sqrt() + 0.01; // windows are long, not endless
        assert!(
            (var / mean / expected - 1.0).abs() < bound,
            "{} vs {expected}",
            var / mean
        );
    }

    /// Chi-square at the 0.1% level over the hours of a week.
    #[test]
    fn each_hour_of_the_week_has_its_share() {
        let shape = Shape {
            hourly: (0..24).map(|h| 1.0 + f64::from(h)).collect(),
            daily: vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0],
            utc_offset_h: 2,
        };
        let x = counts(
            arrivals(1.0, Spacing::Poisson, Some(&shape), None, 3),
            3_600,
            168,
        );
        let expected = shape.hours_of_week().map(|r| r * 3_600.0);
        let (mut chi2, mut cells) = (0.0, 0.0);
        for (c, e) in x.iter().zip(expected) {
            if e == 0.0 {
                assert_eq!(*c, 0.0);
            } else {
                chi2 += (c - e).powi(2) / e;
                cells += 1.0;
            }
        }
        // Normal approximation of chi-square with `cells` degrees of freedom.
        assert!(
            chi2 < cells + 3.1 * (2.0_f64 * cells).sqrt(),
            "{chi2} for {cells} cells"
        );
    }

    #[test]
    fn a_rate_of_zero_gives_no_arrivals() {
        assert_eq!(
            arrivals(0.0, Spacing::Poisson, None, None, 1).next_at(),
            None
        );
    }
}
