//! A run as it unfolds: one sample per interval, and what follows from them.

use super::measure::{self, Calls, Get, Measurable, Measure, Outcome, measures};
use super::metric::ms;
use crate::cloud::failure::Window;
use crate::cloud::kv::{KvMeter, OpOutcome};
use crate::pricing::{Invoice, Usage};
use crate::sim::latencies::Latencies;
use crate::telemetry::alerts::{Alert, AlertInputs, AlertRules, Level};
use crate::telemetry::counters::Counters;
use crate::telemetry::ports::OpKind;
use std::borrow::Cow;
use std::time::Duration;

/// What one interval showed in one replication; rates are per second of the interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Start and end of the interval, in seconds from the start of the measurement, which is
    /// within no interval; the warm-up is negative.
    pub start_s: f64,
    /// End of the interval, in seconds from the start of the measurement.
    pub end_s: f64,
    /// For the measures of [`COLUMNS`].
    pub outcome: Outcome,
}

/// What was counted in an interval.
pub struct Interval {
    /// How long it was.
    pub span: Duration,
    /// Requests that came to be recorded.
    pub requests: u64,
    /// Time that requests spent at their providers.
    pub busy_ms: f64,
    /// What the collectors did in it.
    pub counters: Counters,
    /// What the KV did in it.
    pub kv: KvMeter,
    /// The calls that ended in it.
    pub calls: crate::app::Calls,
    /// Isolates started.
    pub started: u64,
    /// At its end: records in memory, isolates whose breaker is open or half open, isolates alive, and
    /// the estimated memory of the largest.
    pub records_held: u64,
    /// Isolates whose circuit breaker was open at its end.
    pub breakers_open: u64,
    /// Isolates alive at its end.
    pub isolates: u64,
    /// Estimated memory of the largest isolate so far.
    pub memory_peak_bytes: u64,
}

impl Interval {
    fn rate(&self, n: u64) -> f64 {
        n as f64 / self.span.as_secs_f64()
    }

    fn issued(&self, kind: OpKind) -> f64 {
        self.rate(self.kv.issued(kind))
    }

    fn ended(&self, outcomes: &[OpOutcome]) -> f64 {
        let of = |o: &OpOutcome| {
            OpKind::ALL
                .iter()
                .map(|k| self.kv.count(*k, *o))
                .sum::<u64>()
        };
        self.rate(outcomes.iter().map(of).sum())
    }

    fn calls(&self) -> u64 {
        self.calls.requests().iter().map(|c| c.count()).sum()
    }

    fn errors(&self) -> u64 {
        self.calls.requests().iter().map(|c| c.errors).sum()
    }

    /// Little's law: what was spent in the interval, over its length.
    fn concurrency(&self) -> f64 {
        let waited_ms: f64 = self.calls.requests().iter().map(|c| c.sum_ms()).sum();
        (self.busy_ms + waited_ms) / 1e3 / self.span.as_secs_f64()
    }
}

impl Measurable for Interval {
    fn latencies(&self, of: measure::Calls) -> Option<Cow<'_, Latencies>> {
        let calls = match of {
            measure::Calls::Record => &self.calls.record,
            measure::Calls::Metrics => &self.calls.metrics,
            measure::Calls::Analytics => &self.calls.analytics,
            measure::Calls::Health => &self.calls.health,
            _ => return None,
        };
        Some(Cow::Borrowed(&calls.latencies))
    }

    fn bill(&self) -> Option<(&Usage, &Invoice)> {
        None
    }
}

/// All columns, in the order of the CSV files.
pub const COLUMNS: &[Measure<Interval>] = measures![
    "requests_per_s", "recorded requests that came", Get::Each(|i| i.rate(i.requests));
    "goodput_per_s", "calls of all kinds that ended well", Get::Each(|i| i.rate(i.calls() - i.errors()));
    "stored_per_s", "records stored", Get::Each(|i| i.rate(i.counters.stored));
    "concurrency", "invocations under way, mean", Get::Each(Interval::concurrency);
    "queue_depth_records", "records in memory at the end of the interval", Get::Each(|i| i.records_held as f64);
    "hit_ratio", "cache hits / lookups", Get::Ratio(|i| {
        let cache = &i.counters.cache;
        (cache.hits as f64, (cache.hits + cache.misses) as f64)
    });
    "record_p95_ms", "how long a request waits for its recording, 95th percentile", ms(Calls::Record, 0.95);
    "metrics_p50_ms", "metrics endpoint, median", ms(Calls::Metrics, 0.5);
    "metrics_p95_ms", "metrics endpoint, 95th percentile", ms(Calls::Metrics, 0.95);
    "metrics_p99_ms", "metrics endpoint, 99th percentile", ms(Calls::Metrics, 0.99);
    "analytics_p50_ms", "analytics query, median", ms(Calls::Analytics, 0.5);
    "analytics_p95_ms", "analytics query, 95th percentile", ms(Calls::Analytics, 0.95);
    "analytics_p99_ms", "analytics query, 99th percentile", ms(Calls::Analytics, 0.99);
    "health_p95_ms", "health report, 95th percentile", ms(Calls::Health, 0.95);
    "kv_reads_per_s", "KV reads", Get::Each(|i| i.issued(OpKind::Read));
    "kv_writes_per_s", "KV writes", Get::Each(|i| i.issued(OpKind::Write));
    "kv_deletes_per_s", "KV deletes", Get::Each(|i| i.issued(OpKind::Delete));
    "kv_lists_per_s", "KV lists", Get::Each(|i| i.issued(OpKind::List));
    "error_rate", "calls that failed / calls", Get::Ratio(|i| (i.errors() as f64, i.calls() as f64));
    "kv_unavailable_per_s", "operations that failed in the service", Get::Each(|i| i.ended(&[OpOutcome::Unavailable]));
    "kv_timeout_per_s", "operations without an answer", Get::Each(|i| i.ended(&[OpOutcome::Timeout, OpOutcome::AnswerLost]));
    "kv_rate_limited_per_s", "operations refused with 429", Get::Each(|i| i.ended(&[OpOutcome::RateLimited]));
    "kv_quota_exceeded_per_s", "operations refused for a used-up quota", Get::Each(|i| i.ended(&[OpOutcome::QuotaExceeded]));
    "retries_per_s", "writes tried again", Get::Each(|i| i.rate(i.counters.retries));
    "lost_per_s", "records lost", Get::Each(|i| i.rate(i.counters.lost_total()));
    "breakers_open", "isolates whose circuit breaker is open or half open", Get::Each(|i| i.breakers_open as f64);
    "breaker_changes_per_s", "changes of state of all breakers", Get::Each(|i| i.rate(i.counters.breaker_changes));
    "cold_starts_per_s", "isolates started", Get::Each(|i| i.rate(i.started));
    "isolates", "isolates alive", Get::Each(|i| i.isolates as f64);
    "memory_mb", "estimated memory of the largest isolate", Get::Each(|i| i.memory_peak_bytes as f64 / 1e6);
];

impl Sample {
    /// The value of a column in the interval by itself; NaN where it gives none, and of a percentile
    /// with too few calls.
    ///
    /// # Panics
    /// If there is no column of that name.
    pub fn get(&self, name: &str) -> f64 {
        self.outcome.terms[column(name)].value
    }
}

/// The position of a column in [`COLUMNS`].
///
/// # Panics
/// If there is no column of that name.
pub fn column(name: &str) -> usize {
    measure::position(COLUMNS, name)
}

/// An alert from when it was raised to when it was over.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSpan {
    /// When it was raised, in seconds from the start of the measurement.
    pub start_s: f64,
    /// The end of the last interval in which it fired.
    pub end_s: f64,
    /// Whether it still fired in the last sample.
    pub lasting: bool,
    /// As it first fired, with the worst level and value that it reached.
    pub worst: Alert,
}

/// The alerts that the samples of the measurement raise, by the time of their start.
pub fn alert_timeline(samples: &[Sample], rules: &AlertRules) -> Vec<AlertSpan> {
    let mut open: Vec<AlertSpan> = Vec::new();
    let mut over = Vec::new();
    for sample in samples.iter().filter(|s| s.end_s > 0.0) {
        let operations: f64 = ["reads", "writes", "deletes", "lists"]
            .iter()
            .map(|kind| sample.get(&format!("kv_{kind}_per_s")))
            .sum();
        let fired = rules.evaluate(&AlertInputs {
            metrics_p95_ms: sample.get("metrics_p95_ms"),
            analytics_p95_ms: sample.get("analytics_p95_ms"),
            error_rate: sample.get("error_rate"),
            kv_operations_per_day: 86_400.0 * operations,
            cache_hit_ratio: sample.get("hit_ratio"),
        });
        let goes_on = |span: &AlertSpan| fired.iter().any(|a| a.metric == span.worst.metric);
        over.extend(open.extract_if(.., |span| !goes_on(span)));
        for alert in fired {
            match open.iter_mut().find(|s| s.worst.metric == alert.metric) {
                Some(span) => {
                    span.end_s = sample.end_s;
                    let distance = |a: &Alert| (a.value - a.threshold).abs();
                    let worse = (alert.level == Level::Critical, distance(&alert))
                        > (span.worst.level == Level::Critical, distance(&span.worst));
                    if worse {
                        span.worst = alert;
                    }
                }
                None => open.push(AlertSpan {
                    start_s: sample.start_s,
                    end_s: sample.end_s,
                    lasting: false,
                    worst: alert,
                }),
            }
        }
    }
    over.extend(open.into_iter().map(|s| AlertSpan { lasting: true, ..s }));
    over.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    over
}

/// How a failure window passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// Start of the window, in seconds from the start of the measurement.
    pub start_s: f64,
    /// End of the window, likewise.
    pub end_s: f64,
    /// Goodput before the window, and the least in it, per second.
    pub before_per_s: f64,
    /// Least goodput in the window, per second.
    pub least_per_s: f64,
    /// From the end of the window until goodput and the error rate were back (at least 90% of the
    /// goodput before; no more than one percentage point of errors above before); `None` if they
    /// were not by the end of the run.
    pub recovered_after_s: Option<f64>,
}

/// What became of goodput in each failure window of the run.
pub fn recoveries(samples: &[Sample], windows: &[Window]) -> Vec<Recovery> {
    let mean = |of: &[&Sample], column: &str| {
        of.iter().map(|s| s.get(column)).sum::<f64>() / of.len() as f64
    };
    let errors = |s: &Sample| {
        Some(s.get("error_rate"))
            .filter(|e| !e.is_nan())
            .unwrap_or(0.0)
    };
    let passed = windows.iter().filter_map(|w| {
        let start_s = w.start.as_secs_f64();
        let end_s = start_s + w.length.as_secs_f64();
        let before: Vec<&Sample> = samples.iter().filter(|s| s.end_s <= start_s).collect();
        let before = &before[before.len().saturating_sub(20)..];
        let during = samples
            .iter()
            .filter(|s| s.end_s > start_s && s.end_s <= end_s + 1e-6);
        let least = during.map(|s| s.get("goodput_per_s")).reduce(f64::min)?;
        if before.is_empty() {
            return None;
        }
        let before_per_s = mean(before, "goodput_per_s");
        let usual = before.iter().map(|s| errors(s)).sum::<f64>() / before.len() as f64;
        let good =
            |s: &Sample| s.get("goodput_per_s") >= 0.9 * before_per_s && errors(s) <= usual + 0.01;
        let after = samples.iter().filter(|s| s.end_s > end_s + 1e-6);
        let recovered = after.into_iter().find(|s| good(s));
        Some(Recovery {
            start_s,
            end_s,
            before_per_s,
            least_per_s: least,
            recovered_after_s: recovered.map(|s| s.end_s - end_s),
        })
    });
    passed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::measure::{Term, calls_of};
    use super::*;
    use crate::models::quantity::Probability;
    use std::time::Duration;

    fn sample(end_s: f64, set: &[(&str, f64)]) -> Sample {
        let mut values = vec![f64::NAN; COLUMNS.len()];
        for (name, value) in set {
            values[column(name)] = *value;
        }
        Sample {
            start_s: end_s - 60.0,
            end_s,
            outcome: Outcome {
                terms: values.into_iter().map(Term::alone).collect(),
                latencies: vec![Default::default(); calls_of(COLUMNS).len()],
                usage: Default::default(),
                short_history: false,
            },
        }
    }

    #[test]
    fn an_alert_lasts_as_long_as_its_rule_fires() {
        let rules: AlertRules =
            toml::from_str(include_str!("../../../models/alerts/seed.toml")).unwrap();
        let hits = [
            (0.0, 0.1),
            (60.0, 0.9),
            (120.0, 0.6),
            (180.0, 0.4),
            (240.0, 0.8),
            (300.0, 0.65),
        ];
        let samples: Vec<Sample> = hits
            .iter()
            .map(|(t, h)| sample(*t, &[("hit_ratio", *h)]))
            .collect();
        let spans = alert_timeline(&samples, &rules);
        let short: Vec<_> = spans
            .iter()
            .map(|s| (s.start_s, s.end_s, s.lasting, s.worst.level, s.worst.value))
            .collect();
        assert_eq!(
            short,
            [
                (60.0, 180.0, false, Level::Critical, 0.4),
                (240.0, 300.0, true, Level::Warning, 0.65)
            ]
        );
    }

    /// Everything fails from 20 s to 40 s.
    fn outage() -> Window {
        Window {
            start: Duration::from_secs(20),
            length: Duration::from_secs(20),
            error: Probability::new(1.0).unwrap(),
            rate_limited: Probability::default(),
            place: None,
            latency_factor: 1.0,
        }
    }

    #[test]
    fn recovery_is_when_goodput_and_errors_are_back() {
        let window = outage();
        let at = |end_s: f64, goodput: f64, errors: f64| {
            sample(end_s, &[("goodput_per_s", goodput), ("error_rate", errors)])
        };
        let mut samples = vec![
            at(10.0, 100.0, 0.0),
            at(20.0, 100.0, 0.0),
            at(30.0, 5.0, 0.9),
        ];
        samples.extend([at(40.0, 2.0, 0.9), at(50.0, 95.0, 0.3), at(60.0, 92.0, 0.0)]);
        let r = &recoveries(&samples, std::slice::from_ref(&window))[0];
        assert_eq!((r.before_per_s, r.least_per_s), (100.0, 2.0));
        assert_eq!(r.recovered_after_s, Some(20.0));
        let r = &recoveries(&samples[..5], &[window])[0];
        assert_eq!(r.recovered_after_s, None);
    }

    /// Seed rules: a hit ratio below 0.7 is a warning, below 0.5 critical.
    #[test]
    fn an_alert_that_gets_better_is_told_as_it_was_at_its_worst() {
        let rules: AlertRules =
            toml::from_str(include_str!("../../../models/alerts/seed.toml")).unwrap();
        let hits = [(60.0, 0.65), (120.0, 0.3), (180.0, 0.4), (240.0, 0.6)];
        let samples = hits.map(|(t, h)| sample(t, &[("hit_ratio", h)]));
        let spans = alert_timeline(&samples, &rules);
        let short: Vec<_> = spans
            .iter()
            .map(|s| (s.start_s, s.end_s, s.worst.level, s.worst.value))
            .collect();
        assert_eq!(short, [(0.0, 240.0, Level::Critical, 0.3)]);
    }

    /// The interval that ends with the window is no part of what comes after it, however good it was.
    #[test]
    fn recovery_is_looked_for_after_the_window() {
        let window = outage();
        let goodput = [100.0, 100.0, 5.0, 97.0, 98.0];
        let samples: Vec<Sample> = (1..)
            .zip(goodput)
            .map(|(i, n)| {
                let end_s = 10.0 * f64::from(i);
                sample(end_s, &[("goodput_per_s", n), ("error_rate", 0.0)])
            })
            .collect();
        let all = recoveries(&samples, &[window]);
        let short: Vec<_> = all
            .iter()
            .map(|r| (r.least_per_s, r.recovered_after_s))
            .collect();
        assert_eq!(short, [(5.0, Some(10.0))]);
    }
}
