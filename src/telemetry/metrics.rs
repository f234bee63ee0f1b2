//! What a query answers: the figures of a total.

use super::aggregate::{Aggregate, ProviderNames};
use super::sum::Sum;
use super::totals::Totals;
use crate::units::Timestamp;
use serde::Serialize;
use std::cell::OnceCell;
use std::rc::Rc;

/// Metrics of one provider, or of all together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderMetrics {
    /// Whose they are.
    pub name: String,
    /// Requests.
    pub count: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Share of the requests that failed; 0 if there were none.
    pub error_rate: f64,
    /// Mean latency; NaN if there were no requests. Percentiles are within 1%.
    pub mean_ms: f64,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile of the latency, likewise.
    pub p95_ms: f64,
    /// 99th percentile of the latency, likewise.
    pub p99_ms: f64,
    /// Tokens used, summed.
    pub tokens: u64,
}

impl ProviderMetrics {
    fn of(name: &str, t: &Totals) -> Self {
        ProviderMetrics {
            name: name.to_owned(),
            count: t.count,
            errors: t.errors,
            error_rate: t.errors as f64 / t.count.max(1) as f64,
            mean_ms: t.latency_sum_ms / t.count as f64,
            p50_ms: t.latency.quantile(0.50),
            p95_ms: t.latency.quantile(0.95),
            p99_ms: t.latency.quantile(0.99),
            tokens: t.tokens,
        }
    }
}

/// What a query answers; stored values are added up and figures worked out when one is first looked at.
#[derive(Clone)]
pub struct Metrics {
    /// When the stored values were read from which it was computed.
    pub as_of: Timestamp,
    sum: Rc<Sum>,
    /// The name of the provider that they are of, if not of all.
    only: Option<Rc<str>>,
    figures: OnceCell<Figures>,
}

/// The figures of a query, per provider in the order of names and overall.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Of all providers together.
    pub overall: ProviderMetrics,
    /// Of each provider, in the order of names.
    pub providers: Vec<ProviderMetrics>,
}

impl std::ops::Deref for Metrics {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        self.figures.get_or_init(|| {
            let added = self.sum.added();
            Figures::of(&added.total, &added.names, self.only.as_deref())
        })
    }
}

impl Metrics {
    /// What an aggregate says. `as_of` is when it was read.
    pub fn known(total: Aggregate, names: &ProviderNames, as_of: Timestamp) -> Self {
        Metrics::of(Rc::new(Sum::known(total, names)), as_of)
    }

    /// What a sum says that others may hold, too.
    pub(super) fn of(sum: Rc<Sum>, as_of: Timestamp) -> Self {
        Metrics {
            as_of,
            sum,
            only: None,
            figures: OnceCell::new(),
        }
    }

    /// Works out what it says, if nobody has looked yet.
    pub fn compute(&self) {
        let _: &Figures = self;
    }

    /// The same for one provider alone.
    pub fn only(&self, provider: &str) -> Metrics {
        Metrics {
            as_of: self.as_of,
            sum: Rc::clone(&self.sum),
            only: Some(provider.into()),
            figures: OnceCell::new(),
        }
    }

    /// Rough size in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Metrics>() + self.sum.total_bytes()
    }
}

impl Figures {
    /// The figures of all providers, or of one of them alone.
    fn of(total: &Aggregate, names: &ProviderNames, only: Option<&str>) -> Self {
        let named = total.named(names);
        let asked = named.filter(|(name, _)| only.is_none_or(|only| only == *name));
        let (mut all, mut providers) = (Totals::default(), Vec::new());
        for (name, totals) in asked {
            all.merge(totals);
            providers.push(ProviderMetrics::of(name, totals));
        }
        providers.sort_by(|a, b| a.name.cmp(&b.name));
        Figures {
            overall: ProviderMetrics::of("overall", &all),
            providers,
        }
    }

    /// The metrics of one provider, if it had any request.
    pub fn provider(&self, name: &str) -> Option<&ProviderMetrics> {
        self.providers.iter().find(|p| p.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ProviderId, Record};
    use crate::sketch::RELATIVE_ERROR;
    use std::time::Duration;

    fn record(provider: u16, ms: u64, success: bool) -> Record {
        Record {
            at: Timestamp::EPOCH,
            provider: ProviderId(provider),
            latency: Duration::from_millis(ms),
            success,
            tokens: 10,
        }
    }

    fn names() -> ProviderNames {
        let mut names = ProviderNames::default();
        names.intern("openai");
        names.intern("gemini");
        names
    }

    #[test]
    fn merging_two_halves_gives_the_whole() {
        let (mut whole, mut left, mut right) = (
            Aggregate::default(),
            Aggregate::default(),
            Aggregate::default(),
        );
        for i in 0..1_000_u64 {
            let r = record((i % 2) as u16, i + 1, i % 10 != 0);
            whole.add(&r);
            if i < 300 { left.add(&r) } else { right.add(&r) }
        }
        // The other half comes from a writer that numbers the providers its own way.
        let bytes = right.encode(&names());
        let mut mine = names();
        let mut merged = Aggregate::default();
        let left = Aggregate::decode(&left.encode(&names()), &mut mine).unwrap();
        merged.merge(&left);
        let right = Aggregate::decode(&bytes, &mut mine).unwrap();
        merged.merge(&right);
        assert_eq!(
            *Metrics::known(merged, &mine, Timestamp::EPOCH),
            *Metrics::known(whole.clone(), &names(), Timestamp::EPOCH)
        );
        let m = Metrics::known(whole, &names(), Timestamp::EPOCH);
        assert_eq!(
            (m.overall.count, m.overall.errors, m.overall.tokens),
            (1_000, 100, 10_000)
        );
        assert!((m.overall.p50_ms / 500.0 - 1.0).abs() < 2.0 * RELATIVE_ERROR);
        assert!((m.overall.mean_ms - 500.5).abs() < 1e-9);
        assert_eq!(m.providers[0].name, "gemini");
    }

    #[test]
    fn nothing_recorded_is_no_error() {
        let m = Metrics::known(Aggregate::default(), &names(), Timestamp::EPOCH);
        assert_eq!((m.overall.count, m.overall.error_rate), (0, 0.0));
        assert!(m.overall.p95_ms.is_nan());
    }
}
