//! A workload fitted to a recorded log: its rhythm, its bursts, and what its requests are like.

use super::bursts::{FittedBursts, expected_dispersion, fit_bursts};
use super::counts::{Counts, Dispersion};
use super::latency::LatencyFit;
use super::origins::{Origins, ProviderOrigin};
use crate::models::ConfigError;
use crate::models::quantity::{Probability, Rate};
use crate::sim::random::{StreamRng, Streams};
use crate::study::error::StudyError;
use crate::study::stats::CONFIDENCE;
use crate::units::Timestamp;
use crate::workload::arrivals::{Shape, Spacing};
use crate::workload::trace::{Row, RowKind, TraceReader, TraceStats};
use crate::workload::{Providers, Secondary, Tokens, WorkloadSpec, hour_of_week};
use rand::RngExt;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest log: windows of a second are counted from its first request to its last, and ten years have a third of
/// a billion of them.
const LONGEST: Duration = Duration::from_secs(3_653 * 86_400);

/// A workload fitted to a log, and what the log showed.
#[derive(Debug, Clone)]
pub struct WorkloadFit {
    /// The workload.
    pub spec: WorkloadSpec,
    /// What was read.
    pub stats: TraceStats,
    /// Time of the first request.
    pub first: Timestamp,
    /// Time of the last request.
    pub last: Timestamp,
    /// Recorded requests.
    pub records: u64,
    /// Mean rate of recorded requests.
    pub rate: Rate,
    /// By hour of the day (24) and by day of the week from Monday (7), UTC.
    pub hours: Vec<Slot>,
    /// By day of the week from Monday (7), UTC.
    pub days: Vec<Slot>,
    /// Whether the hours, and the days, differ by more than chance, and were put into the shape.
    pub hours_differ: bool,
    /// Whether the days differ by more than chance.
    pub days_differ: bool,
    /// Why they could not be told, if so.
    pub too_short: Option<&'static str>,
    /// By length of the windows, from the shortest.
    pub dispersion: Vec<Dispersion>,
    /// Bursts; none if the log shows none.
    pub bursts: Option<FittedBursts>,
    /// What the fitted workload's index of dispersion would be, estimated in the same way.
    pub fitted_dispersion: Vec<f64>,
    /// Where the parts of the workload come from.
    pub origins: Origins,
}

/// Requests in a part of the day or week.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slot {
    /// Requests in it.
    pub requests: u64,
    /// How much of the log lies in it.
    pub exposure_s: f64,
    /// Requests per second with half a 95% interval, which allows for the dispersion; NaN where the
    /// log has no such time.
    pub rate: f64,
    /// Half the confidence interval of the rate.
    pub half_width: f64,
}

/// Latencies of a provider that are kept to fit a distribution to: a random sample of all.
pub const RESERVOIR: usize = 20_000;

/// Level at which hours or days are taken to differ.
const LEVEL: f64 = 0.001;

/// Fits a workload to the rows of a log. What the log does not tell is the base's. `seed` drives
/// the sample of latencies; `stop` ends the reading without result.
///
/// # Errors
/// If it was told to stop, or the log cannot be read, or has fewer than two recorded requests at different times, or
/// is longer than ten years.
pub fn fit_workload(
    mut reader: TraceReader,
    base: &WorkloadSpec,
    seed: u64,
    stop: &AtomicBool,
) -> Result<WorkloadFit, StudyError> {
    let mut seen = Seen::new(seed);
    let mut rows = 0_u64;
    while let Some(row) = reader.next_row()? {
        if seen.records > 0 && row.at.since(seen.first) > LONGEST {
            let message = format!(
                "found requests {:.0} days apart, expected {} at most: one of their time stamps is in another unit",
                row.at.since(seen.first).as_secs_f64() / 86_400.0,
                LONGEST.as_secs() / 86_400
            );
            return Err(ConfigError::new(reader.label(), message).into());
        }
        seen.add(&row);
        rows += 1;
        if rows.is_multiple_of(4_096) && stop.load(Ordering::Relaxed) {
            return Err(StudyError::Interrupted);
        }
    }
    let span = seen.last.since(seen.first);
    let Some(counts) = seen.counts.take().filter(|_| !span.is_zero()) else {
        let message = format!(
            "found {} recorded requests within {} s, expected at least two at different times",
            seen.records,
            span.as_secs_f64()
        );
        return Err(ConfigError::new(reader.label(), message).into());
    };
    // n requests have n - 1 gaps between the first and the last.
    let rate = Rate::per_second((seen.records - 1) as f64 / span.as_secs_f64());
    let dispersion = counts.dispersion();
    let bursts = fit_bursts(&dispersion);
    let over = bursts.as_ref().map_or(1.0, |b| {
        expected_dispersion(&b.bursts, rate.as_per_second(), 3_600.0)
    });
    let exposure = exposure_s(seen.first, seen.last);
    let slots = |n: usize, of: fn(usize) -> usize| slots(&seen.by_hour, &exposure, n, of, over);
    let (hours, days) = (slots(24, |h| h % 24), slots(7, |h| h / 24));
    let mut fit = WorkloadFit {
        spec: base.clone(),
        stats: reader.stats().clone(),
        first: seen.first,
        last: seen.last,
        records: seen.records,
        rate,
        hours_differ: false,
        days_differ: false,
        too_short: None,
        fitted_dispersion: dispersion
            .iter()
            .map(|d| index_as_estimated(bursts.as_ref(), d))
            .collect(),
        dispersion,
        origins: Origins::default(),
        hours,
        days,
        bursts,
    };
    fit.set_shape(&seen.by_hour, &exposure, span, over);
    fit.spec.bursts = fit.bursts.as_ref().map(|b| b.bursts.clone());
    fit.spec.spacing = fit.spacing();
    fit.set_providers(&seen, &reader, base);
    if reader.has("kind") {
        fit.set_other_calls(&seen, span);
    }
    Ok(fit)
}

/// What was seen of the log; it does not grow with its length but for the counts of each hour.
struct Seen {
    first: Timestamp,
    last: Timestamp,
    records: u64,
    counts: Option<Counts>,
    by_hour: [u64; 168],
    providers: Vec<SeenProvider>,
    /// Requests without a provider.
    anonymous: SeenProvider,
    /// Calls by kind, with a record at the same time and on their own.
    with_record: [u64; RowKind::ALL.len()],
    alone: [u64; RowKind::ALL.len()],
    rng: StreamRng,
}

#[derive(Clone, Default)]
struct SeenProvider {
    requests: u64,
    with_success: u64,
    successes: u64,
    with_latency: u64,
    latencies_ms: Vec<f64>,
    with_tokens: u64,
    log_sum: f64,
    log_squares: f64,
    least: u32,
    most: u32,
}

impl Seen {
    fn new(seed: u64) -> Self {
        Seen {
            first: Timestamp::EPOCH,
            last: Timestamp::EPOCH,
            records: 0,
            counts: None,
            by_hour: [0; 168],
            providers: Vec::new(),
            anonymous: SeenProvider::default(),
            with_record: [0; RowKind::ALL.len()],
            alone: [0; RowKind::ALL.len()],
            rng: Streams::new(seed, 0).stream("fit.reservoir"),
        }
    }

    fn add(&mut self, row: &Row) {
        if row.kind != RowKind::Record {
            let (kind, beside) = match row.kind {
                RowKind::MetricsWithRecord => (RowKind::MetricsRead, true),
                RowKind::MetricsRead => (RowKind::MetricsRead, false),
                kind => (kind, row.at == self.last),
            };
            let kinds = match beside && self.records > 0 {
                true => &mut self.with_record,
                false => &mut self.alone,
            };
            kinds[kind as usize] += 1;
            return;
        }
        if self.records == 0 {
            self.first = row.at;
        }
        self.last = row.at;
        self.records += 1;
        self.by_hour[hour_of_week(row.at)] += 1;
        self.counts
            .get_or_insert_with(|| Counts::new(row.at))
            .add(row.at);
        let provider = match row.known.provider {
            None => &mut self.anonymous,
            Some(number) => {
                let number = usize::from(number);
                if self.providers.len() <= number {
                    self.providers.resize_with(number + 1, Default::default);
                }
                &mut self.providers[number]
            }
        };
        provider.add(row, &mut self.rng);
    }
}

impl SeenProvider {
    fn add(&mut self, row: &Row, rng: &mut StreamRng) {
        self.requests += 1;
        if let Some(ok) = row.known.success {
            self.with_success += 1;
            self.successes += u64::from(ok);
        }
        if let Some(latency) = row.known.latency {
            self.with_latency += 1;
            let ms = latency.as_nanos() as f64 / 1e6;
            if self.latencies_ms.len() < RESERVOIR {
                self.latencies_ms.push(ms);
            } else {
                // Each value so far is kept with the same chance (Vitter 1985, algorithm R).
                let i = rng.random_range(0..self.with_latency);
                if let Some(kept) = self.latencies_ms.get_mut(i as usize) {
                    *kept = ms;
                }
            }
        }
        if let Some(tokens) = row.known.tokens {
            // Half a token more: the model rounds down.
            let log = (f64::from(tokens) + 0.5).ln();
            self.log_sum += log;
            self.log_squares += log * log;
            self.least = match self.with_tokens {
                0 => tokens,
                _ => self.least.min(tokens),
            };
            self.most = self.most.max(tokens);
            self.with_tokens += 1;
        }
    }

    fn origin(&self) -> ProviderOrigin {
        ProviderOrigin {
            requests: self.requests,
            success: self.with_success,
            latency: self.with_latency,
            tokens: self.with_tokens,
        }
    }

    /// The base with what was seen.
    fn fitted(&self, name: &str, share: f64, base: &Providers) -> Providers {
        let mut fitted = Providers {
            name: name.to_owned(),
            share: Probability::new(share.min(1.0)).unwrap_or_default(),
            ..base.clone()
        };
        if self.with_success > 0 {
            let share = self.successes as f64 / self.with_success as f64;
            fitted.success = Probability::new(share).unwrap_or_default();
        }
        if self.with_latency > 0 {
            fitted.latency = LatencyFit::likeliest(&self.latencies_ms);
        }
        if self.with_tokens > 0 {
            fitted.tokens = self.tokens();
        }
        fitted
    }

    fn tokens(&self) -> Tokens {
        if self.least == self.most {
            return Tokens::Constant { value: self.most };
        }
        let n = self.with_tokens as f64;
        let mu = self.log_sum / n;
        let variance = (self.log_squares / n - mu * mu).max(0.0);
        Tokens::Lognormal {
            median: mu.exp(),
            sigma: variance.sqrt(),
        }
    }
}

impl WorkloadFit {
    /// Even spacing if the counts are far from Poisson on the even side.
    fn spacing(&self) -> Spacing {
        let even = |d: &Dispersion| d.index.mean + d.index.half_width < 0.5 && d.mean > 5.0;
        if self.bursts.is_none() && self.dispersion.iter().any(even) {
            Spacing::Deterministic
        } else {
            Spacing::Poisson
        }
    }

    /// Weights of hours and days by maximum likelihood, where they differ by more than chance.
    fn set_shape(
        &mut self,
        by_hour: &[u64; 168],
        exposure: &[f64; 168],
        span: Duration,
        over: f64,
    ) {
        self.spec.shape = None;
        let day_s = 86_400.0;
        if span.as_secs_f64() < day_s {
            self.too_short =
                Some("the log is shorter than a day: the rate is taken to be constant");
            return;
        }
        self.hours_differ = differ(&self.hours, over);
        let weekly = span.as_secs_f64() >= 7.0 * day_s;
        if !weekly {
            self.too_short = Some("the log is shorter than a week: the days are taken to be alike");
        }
        let rates = multiplicative(by_hour, exposure, weekly);
        if weekly {
            self.days_differ = differ_given_hours(by_hour, exposure, &rates.0, over);
        }
        if !self.hours_differ && !self.days_differ {
            return;
        }
        let (hours, days) = match (self.hours_differ, self.days_differ) {
            (true, true) => rates,
            (true, false) => (multiplicative(by_hour, exposure, false).0, vec![1.0; 7]),
            (false, _) => (vec![1.0; 24], self.days.iter().map(|d| d.rate).collect()),
        };
        let normed = |weights: Vec<f64>| -> Vec<f64> {
            let mean = weights.iter().sum::<f64>() / weights.len() as f64;
            // Four decimals: more than any log can tell.
            weights
                .iter()
                .map(|w| (w / mean * 1e4).round() / 1e4)
                .collect()
        };
        self.spec.shape = Some(Shape {
            hourly: normed(hours),
            daily: normed(days),
            utc_offset_h: 0,
        });
    }

    fn set_providers(&mut self, seen: &Seen, reader: &TraceReader, base: &WorkloadSpec) {
        let fallback = &base.providers[0];
        if reader.has("provider") && !seen.providers.is_empty() {
            let named: u64 = seen.providers.iter().map(|p| p.requests).sum();
            self.origins.providers = Some(named);
            let all = seen.providers.iter().zip(reader.providers());
            let known = all.filter(|(p, _)| p.requests > 0);
            let (providers, each) = known
                .map(|(p, name)| {
                    let same = base.providers.iter().find(|b| b.name == *name);
                    let share = p.requests as f64 / named as f64;
                    (p.fitted(name, share, same.unwrap_or(fallback)), p.origin())
                })
                .unzip();
            (self.spec.providers, self.origins.each) = (providers, each);
            return;
        }
        let one = &seen.anonymous;
        if one.with_latency + one.with_success + one.with_tokens > 0 {
            self.spec.providers = vec![one.fitted("all", 1.0, fallback)];
            self.origins.each = vec![one.origin()];
        }
    }

    fn set_other_calls(&mut self, seen: &Seen, span: Duration) {
        let side = |kind: RowKind| Secondary {
            per_request: seen.with_record[kind as usize] as f64 / seen.records as f64,
            rate: Rate::per_second(seen.alone[kind as usize] as f64 / span.as_secs_f64()),
        };
        self.origins.other_calls = true;
        self.spec.metrics_reads = side(RowKind::MetricsRead);
        self.spec.analytics_queries = side(RowKind::AnalyticsQuery);
        self.spec.health_checks = side(RowKind::HealthCheck);
    }

    /// Requests in the busiest window over the mean, by length of the windows.
    pub fn peak_to_mean(d: &Dispersion) -> f64 {
        d.most as f64 / d.mean
    }
}

/// What the estimate of the index of dispersion about the mean of the hour would give on average:
/// with m windows to the hour it is `(m I(s) - I(hour)) / (m - 1)`.
fn index_as_estimated(bursts: Option<&FittedBursts>, d: &Dispersion) -> f64 {
    let Some(b) = bursts else {
        return 1.0;
    };
    let i = |s: f64| expected_dispersion(&b.bursts, d.weighted_rate, s);
    let m = 3_600.0 / d.scale_s as f64;
    (m * i(d.scale_s as f64) - i(3_600.0)) / (m - 1.0)
}

/// Seconds of a stretch of time in each hour of the week.
fn exposure_s(first: Timestamp, last: Timestamp) -> [f64; 168] {
    let hour = Duration::from_secs(3_600);
    let mut exposure = [0.0; 168];
    let mut at = first;
    while at < last {
        let next = (at.floor_to(hour) + hour).min(last);
        exposure[hour_of_week(at)] += next.since(at).as_secs_f64();
        at = next;
    }
    exposure
}

/// Hours of the week put together to `n` slots. Counts are `over` times as dispersed as Poisson ones.
fn slots(
    by_hour: &[u64; 168],
    exposure: &[f64; 168],
    n: usize,
    of: fn(usize) -> usize,
    over: f64,
) -> Vec<Slot> {
    let z = Normal::standard().inverse_cdf(0.5 + CONFIDENCE / 2.0);
    let mut slots = vec![Slot::default(); n];
    for hour in 0..168 {
        slots[of(hour)].requests += by_hour[hour];
        slots[of(hour)].exposure_s += exposure[hour];
    }
    for slot in &mut slots {
        slot.rate = slot.requests as f64 / slot.exposure_s;
        // At least as uncertain as a single request would be.
        let sd = (slot.requests.max(1) as f64 * over).sqrt();
        slot.half_width = z * sd / slot.exposure_s;
    }
    slots
}

/// Whether rates differ: a chi-square test, with counts `over` times as dispersed as Poisson ones.
fn differ(slots: &[Slot], over: f64) -> bool {
    let seen: Vec<&Slot> = slots.iter().filter(|s| s.exposure_s > 0.0).collect();
    let requests: u64 = seen.iter().map(|s| s.requests).sum();
    let exposure: f64 = seen.iter().map(|s| s.exposure_s).sum();
    let terms = seen.iter().map(|s| {
        let expected = requests as f64 * s.exposure_s / exposure;
        (s.requests as f64 - expected).powi(2) / expected
    });
    exceeds(terms.sum::<f64>() / over, seen.len())
}

/// Whether the days of the week differ beyond what their hours explain.
fn differ_given_hours(
    by_hour: &[u64; 168],
    exposure: &[f64; 168],
    hours: &[f64],
    over: f64,
) -> bool {
    let mut days = [(0.0, 0.0); 7];
    for hour in 0..168 {
        days[hour / 24].0 += by_hour[hour] as f64;
        days[hour / 24].1 += exposure[hour] * hours[hour % 24];
    }
    let (seen, weighted) = days.iter().fold((0.0, 0.0), |(a, b), d| (a + d.0, b + d.1));
    let terms = days.iter().filter(|d| d.1 > 0.0).map(|d| {
        let expected = seen * d.1 / weighted;
        (d.0 - expected).powi(2) / expected
    });
    exceeds(terms.sum::<f64>() / over, 7)
}

fn exceeds(chi_square: f64, cells: usize) -> bool {
    let freedom = cells.saturating_sub(1).max(1) as f64;
    ChiSquared::new(freedom).is_ok_and(|d| 1.0 - d.cdf(chi_square) < LEVEL)
}

/// Rates of hours of the day and factors of days of the week whose products are the likeliest (for
/// Poisson counts), by fitting each in turn to the other. Without `weekly` all days are alike.
fn multiplicative(
    by_hour: &[u64; 168],
    exposure: &[f64; 168],
    weekly: bool,
) -> (Vec<f64>, Vec<f64>) {
    let (mut hours, mut days) = (vec![1.0; 24], vec![1.0; 7]);
    for _ in 0..200 {
        let before = hours.clone();
        for (h, rate) in hours.iter_mut().enumerate() {
            let (n, e) = (0..7).fold((0.0, 0.0), |(n, e), d| {
                let i = 24 * d + h;
                (n + by_hour[i] as f64, e + exposure[i] * days[d])
            });
            *rate = if e > 0.0 { n / e } else { 0.0 };
        }
        if !weekly {
            break;
        }
        for (d, factor) in days.iter_mut().enumerate() {
            let (n, e) = (0..24).fold((0.0, 0.0), |(n, e), h| {
                let i = 24 * d + h;
                (n + by_hour[i] as f64, e + exposure[i] * hours[h])
            });
            *factor = if e > 0.0 { n / e } else { 0.0 };
        }
        let moved = hours.iter().zip(&before).map(|(a, b)| (a - b).abs());
        if moved.fold(0.0, f64::max) < 1e-12 {
            break;
        }
    }
    (hours, days)
}
